"""The embedded node as the default on one machine: found if it runs, started if it does not."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from receptor_runner.artifacts import make_directory, write_atomically
from receptor_runner.errors import NodeUnavailable, OutputFailed, Unreachable
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.nodes.locate import NodeAddress

NODE_ID = "primary"
IDLE_EXIT_S = 60.0
_START_DEADLINE_S = 20.0
_SOCKET_NAME = "receptor.sock"


def embedded_address(environment: Mapping[str, str] | None = None) -> NodeAddress:
    """Return where this user's embedded node is, or will be, asked."""
    variables = os.environ if environment is None else environment
    return NodeAddress(
        socket=str(_socket_directory(variables) / _SOCKET_NAME), source="embedded", embedded=True
    )


def ensure_running(environment: Mapping[str, str] | None = None) -> NodeAddress:
    """Return this user's embedded node, started if it does not run.

    It lives in a process and session of its own, and ends a minute after its last unit was released.

    Raises:
        NodeUnavailable: it does not start.
        OutputFailed: its directories cannot be made.
    """
    variables = os.environ if environment is None else environment
    address = embedded_address(variables)
    if _answers(address.socket):
        return address
    state = _state_directory(variables)
    try:
        make_directory(state)
        _private_directory(Path(address.socket).parent)
        with open(state / "start.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _answers(address.socket):
                _start(state, address.socket)
    except OSError as error:
        raise OutputFailed("cannot start the embedded node", cause=str(error)) from error
    return address


def _state_directory(variables: Mapping[str, str]) -> Path:
    home = variables.get("XDG_STATE_HOME") or Path(variables.get("HOME") or Path.home()) / ".local" / "state"
    return Path(home) / "receptor-runner"


def _socket_directory(variables: Mapping[str, str]) -> Path:
    runtime = variables.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "receptor-runner"
    return Path(tempfile.gettempdir()) / f"receptor-runner-{os.geteuid()}"


def _private_directory(path: Path) -> None:
    """Make a directory that is ours alone; one of that name that is not is refused."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise NodeUnavailable(
            f"{path} is not a private directory of ours",
            hint=f"chmod 700 {path}, if it is yours; else remove it",
        )


def _answers(socket: str) -> bool:
    try:
        Control(socket, deadlines=Deadlines(connect_s=2, reply_s=2)).status("NodeID")
    except (Unreachable, NodeUnavailable):
        return False
    return True


def _start(state: Path, socket: str) -> None:
    from receptor_runner.receptor_config.render import render

    settings = {"id": NODE_ID, "socket": socket, "datadir": str(state / "units")}
    config = state / "receptor.yml"
    write_atomically(config, render("local", settings).encode())
    command = [sys.executable, "-m", "receptor_runner", "node", "--config", str(config)]
    with open(state / "node.log", "ab") as log_file:
        process = subprocess.Popen(
            [*command, "--idle-exit", str(IDLE_EXIT_S)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
            cwd=state,
        )
    _await_answer(process, socket, state / "node.log")


def _await_answer(process: subprocess.Popen[bytes], socket: str, log_path: Path) -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        if Path(socket).exists() and _answers(socket):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise NodeUnavailable(
        "the embedded node does not start",
        cause=_last_line(log_path),
        hint=f"cat {log_path}",
    )


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
