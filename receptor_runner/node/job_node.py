"""The node of one job, in a process of its own: started by a client, ended when it is no longer needed.

The client that starts it holds the other end of its standard input, a socket. The node answers there once: one line of
JSON, empty when it serves, or with the error that keeps it from serving. Afterwards the socket only shows whether that
client is still there.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError, RunnerError, pasteable
from receptor_runner.node.lifetime import JobLifetime
from receptor_runner.node.serve import serve
from receptor_runner.node.settings import ControlService, NodeSettings, WorkCommand
from receptor_runner.system.files import FULL, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE_TIMEOUT_VARIABLE = "RECEPTOR_RUNNER_NODE_IDLE_TIMEOUT"
USUAL_IDLE_TIMEOUT_S = 60.0
CONFIG_NAME = "receptor.yml"
SOCKET_NAME = "control.sock"
_log = logging.getLogger("receptor_runner.node")


def main(argv: list[str]) -> int:
    """Serve the units of one job until they are no longer needed.

    Args:
        argv: the job's node directory, which holds its receptor.yml.
    """
    directory = Path(argv[0])
    if os.fork():
        return 0  # the starter collects this process; the node has no parent that might leave it unreaped
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    starter = _take_standard_input()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        _serve(directory, starter)
    except Exception as error:
        _answer(starter, _as_json(error, directory))
        if not isinstance(error, RunnerError):
            raise
        return error.exit_code
    return 0


def _take_standard_input() -> socket.socket:
    # Whatever the node starts must not hold the starter's socket, or its end would never be seen.
    starter = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return starter


def _serve(directory: Path, starter: socket.socket) -> None:
    settings = read_job_settings(directory)
    lifetime = JobLifetime(_idle_timeout_s(), starter, directory / SOCKET_NAME)
    with _claimed(directory) as descriptor:
        serve(settings, lifetime=lifetime, ready=lambda: _answer(starter, {}))
        # The directory may have been removed, and another node may work in a new one of the same name.
        if directory.exists() and os.path.samestat(os.fstat(descriptor), directory.stat()):
            _remove_if_done(directory, settings)


def _remove_if_done(directory: Path, settings: NodeSettings) -> None:
    if not any((settings.data_dir / settings.node_id).iterdir()):
        remove_tree(directory)


def read_job_settings(directory: Path) -> NodeSettings:
    """Read the receptor.yml of a job's node.

    It is written in YAML's JSON form, since importing a YAML parser takes longer than all the rest of a node's start.

    Raises:
        ConfigError: it cannot be read.
    """
    path = directory / CONFIG_NAME
    try:
        blocks = {name: values for block in json.loads(path.read_bytes()) for name, values in block.items()}
        service, command = blocks["control-service"], blocks["work-command"]
        return NodeSettings(
            node_id=blocks["node"]["id"],
            data_dir=Path(blocks["node"]["datadir"]),
            control_services=(ControlService(filename=Path(service["filename"])),),
            work_commands=(
                WorkCommand(
                    work_type=command["worktype"],
                    command=command["command"],
                    params=command["params"],
                    allow_runtime_params=command["allowruntimeparams"],
                ),
            ),
        )
    except OSError as error:
        raise ConfigError(f"cannot read {path}", cause=error.strerror) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged", cause=f"{type(error).__name__}: {error}") from error


def _idle_timeout_s() -> float:
    text = os.environ.get(IDLE_TIMEOUT_VARIABLE) or str(USUAL_IDLE_TIMEOUT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise ConfigError(f"invalid {IDLE_TIMEOUT_VARIABLE} `{text}`", cause="expected a number of seconds")
    return seconds


@contextmanager
def _claimed(directory: Path) -> Iterator[int]:
    """Hold a lock on the directory, which keeps `worker cleanup` and systemd's cleaner of temporary files away."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def _as_json(error: Exception, directory: Path) -> dict[str, str | None]:
    # The starter removes the directory of a node that does not start, so that only its parent can be looked at.
    space = pasteable("df", "-h", directory.parent) if _is_full(error) else None
    if isinstance(error, RunnerError):
        return {"what": error.what, "cause": error.cause, "hint": space or error.hint}
    return {"what": f"{type(error).__name__}: {error}", "cause": None, "hint": space}


def _is_full(error: BaseException | None) -> bool:
    """Return whether an error says, or was brought about by one that says, that the disk is full."""
    if isinstance(error, RunnerError):
        return _is_full(error.__cause__)
    return isinstance(error, OSError) and error.errno in FULL


def _answer(starter: socket.socket, answer: dict[str, str | None]) -> None:
    try:
        starter.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        _log.info("the client that started this node is gone")
