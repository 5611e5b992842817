"""A mesh of three nodes on this machine: control - hop - worker, on loopback, with the real receptor daemon.

The configs come from the templates, keys and certificates are made on the spot. Everything lives below one directory,
whose name is short because a unix socket's path is (107 bytes).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from receptor_runner.errors import MissingInput, NodeUnavailable, UsageError
from receptor_runner.receptor_config.render import render

from mesh_keys import Authority, make_signing_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NODES = ("control", "hop", "worker")
WORK_TYPE = "receptor-runner"
POLL_S = 0.1
REPLY_TIMEOUT_S = 5.0
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 15.0
ADVERT_TIMEOUT_S = 8.0
MARKER = "mesh.json"


def find_receptor() -> str:
    """Return the path of the receptor daemon.

    Raises:
        MissingInput: it is neither in RECEPTOR_BIN nor on PATH.
    """
    found = shutil.which(os.environ.get("RECEPTOR_BIN") or "receptor")
    if not found:
        raise MissingInput(
            "the receptor daemon is not found",
            cause="it is neither in RECEPTOR_BIN nor on PATH",
            hint="RECEPTOR_BIN=/path/to/receptor",
        )
    return str(Path(found).absolute())


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One receptor daemon and its files.

    Args:
        name: its node id.
        directory: where its config, socket, log, pid and units are.
    """

    name: str
    directory: Path

    @property
    def config(self) -> Path:
        """The receptor.yml it runs."""
        return self.directory / "receptor.yml"

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.directory / "control.sock"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.directory / "receptor.log"

    @property
    def pid_file(self) -> Path:
        """Its process id."""
        return self.directory / "pid"

    def write_config(
        self, template: str, settings: Mapping[str, str], *, form: Literal["v1", "v2"] = "v1"
    ) -> None:
        """Render its config; id, socket and datadir are set here."""
        own = {"id": self.name, "socket": str(self.socket), "datadir": str(self.directory / "units")}
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.config.write_text(render(template, {**own, **settings}, form=form, on_this_machine=True))

    def start(self, *options: str) -> None:
        """Start it in a session of its own, so that it outlives us; wait until it serves.

        Raises:
            NodeUnavailable: it ended, or it takes too long.
        """
        words = [find_receptor(), *options, "--config", str(self.config)]
        before = self.log.stat().st_size if self.log.exists() else 0
        log = (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        quiet = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        both = (os.POSIX_SPAWN_DUP2, 1, 2)
        pid = os.posix_spawn(words[0], words, os.environ, file_actions=[quiet, log, both], setsid=True)
        self.pid_file.write_text(f"{pid}\n")
        wait_until(
            lambda: b"Initialization complete" in self.log.read_bytes()[before:],
            START_TIMEOUT_S,
            f"the node {self.name} does not start",
            check=self.check_running,
        )

    def check_running(self) -> None:
        """Raise NodeUnavailable with the end of its log if it has ended."""
        if _has_ended(self.pid):
            words = self.log.read_text(errors="replace").strip().splitlines()
            raise NodeUnavailable(f"the node {self.name} ended", cause=words[-1] if words else None)

    def is_running(self) -> bool:
        """Whether the process of the pid file is this daemon."""
        return self.pid in processes_below(self.directory)

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End the daemon alone, as a crash or a restart would; what it runs goes on."""
        pid = self.pid
        if pid in processes_below(self.directory):
            os.kill(pid, signal_number)
            wait_until(lambda: _has_ended(pid), STOP_TIMEOUT_S, f"{self.name} does not stop")

    def ask(self, command: str) -> Any:
        """Send one command to its control socket and return the JSON answer.

        Raises:
            OSError: nobody answers there, or too late.
            ValueError: the answer is not JSON.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(REPLY_TIMEOUT_S)
            connection.connect(str(self.socket))
            with connection.makefile("rwb") as stream:
                stream.readline()
                stream.write(f"{command}\n".encode())
                stream.flush()
                return json.loads(stream.readline())

    @property
    def pid(self) -> int:
        """Its process id, 0 when it was never started."""
        try:
            return int(self.pid_file.read_text())
        except (OSError, ValueError):
            return 0


class Mesh:
    """Three daemons in a row.

    Args:
        directory: everything of the mesh is below it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.control, self.hop, self.worker = (
            Daemon(name=name, directory=self.directory / name) for name in NODES
        )

    @property
    def daemons(self) -> tuple[Daemon, ...]:
        """The daemons, in the order of the row."""
        return (self.control, self.hop, self.worker)

    def write(
        self,
        *,
        tls: bool = False,
        signed: bool = False,
        hop_submits: bool = False,
        worker: Mapping[str, str] | None = None,
    ) -> None:
        """Write configs, keys and certificates.

        Args:
            tls: mutual TLS on both links and on the control services.
            signed: the worker takes signed work only.
            hop_submits: the hop may have work done too, as a second control node.
            worker: further settings of the worker's config.

        Raises:
            UsageError: the directory is in use.
        """
        if self.directory.exists() and any(self.directory.iterdir()):
            raise UsageError(
                f"{self.directory} is not empty", hint=f"scripts/mesh down --dir {self.directory}"
            )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.directory / MARKER).write_text(json.dumps({"tls": tls, "signed": signed}) + "\n")
        control_port, hop_port = _free_ports(2)
        keys = self._make_tls() if tls else {}
        signs, verifies = self._make_pair() if signed else ({}, {})
        self.control.write_config("control", {**keys, **signs, "listen": f"127.0.0.1:{control_port}"})
        between = {**keys, "listen": f"127.0.0.1:{hop_port}", "peers": f"127.0.0.1:{control_port}"}
        if hop_submits:
            self.hop.write_config("control", {**between, **signs})
        else:
            self.hop.write_config("hop", between)
        accepted = "control,hop" if hop_submits else "control"
        links = {"peers": f"127.0.0.1:{hop_port}", "accept_from": accepted}
        self.worker.write_config("worker", {**keys, **verifies, **links, **(worker or {})})

    def _make_tls(self) -> dict[str, str]:
        directory = self.directory / "tls"
        authority = Authority(directory)
        for name in NODES:
            authority.issue(name)
        return {
            "tls": "true",
            "tls_cert": f"{directory}/{{id}}.crt",
            "tls_key": f"{directory}/{{id}}.key",
            "tls_ca": f"{directory}/ca.crt",
        }

    def _make_pair(self) -> tuple[dict[str, str], dict[str, str]]:
        signing, verifying = make_signing_pair(self.directory / "keys")
        return {"signing_key": str(signing)}, {"verify_key": str(verifying)}

    def start(self, *, timeout_s: float) -> None:
        """Start all, each once the one it connects to is linked; wait until control knows what the worker runs.

        Source: a node tells what it runs 5 s after its start, unless its own request for that comes before it can
        take it, and then once a minute; so a worker that stays silent is started again.

        Raises:
            NodeUnavailable: a daemon ended, or the time is up.
        """
        deadline = time.monotonic() + timeout_s
        for daemon in self.daemons:
            daemon.start()
            self._await_link(daemon, timeout_s)
        while not self._is_ready_within(min(ADVERT_TIMEOUT_S, timeout_s)):
            if time.monotonic() > deadline:
                raise NodeUnavailable("the mesh does not come together", cause=f"after {timeout_s:g} s")
            self.worker.stop()
            self.worker.start()

    def _is_ready_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not self.is_ready():
            self._check_running()
            if time.monotonic() > end:
                return False
            time.sleep(POLL_S)
        return True

    def _check_running(self) -> None:
        for daemon in self.daemons:
            daemon.check_running()

    def _await_link(self, daemon: Daemon, timeout_s: float) -> None:
        """Wait until a way leads from the control node to another."""
        wait_until(
            lambda: daemon == self.control or daemon.name in self._status()["RoutingTable"],
            timeout_s,
            f"the node {daemon.name} gets no link",
            check=daemon.check_running,
        )

    def _status(self) -> dict[str, Any]:
        """Return what the control node says of the mesh; nothing while it does not answer."""
        try:
            status: dict[str, Any] = self.control.ask("status")
        except (OSError, ValueError):
            return {"RoutingTable": {}, "Advertisements": []}
        return status

    def is_ready(self) -> bool:
        """Whether the control node knows a way to the worker and what the worker runs."""
        status = self._status()
        return "worker" in status["RoutingTable"] and WORK_TYPE in _advertised(status, "worker")

    def stop(self) -> None:
        """Stop the daemons and what they run; nothing is left.

        Raises:
            UsageError: the directory is there, but holds no mesh.
        """
        if not self.directory.exists():
            return
        if not (self.directory / MARKER).is_file():
            raise UsageError(f"{self.directory} is no mesh", hint="remove it yourself, or use another --dir")
        kill_below(self.directory)
        for daemon in self.daemons:
            _has_ended(daemon.pid)
        shutil.rmtree(self.directory)

    def describe(self) -> dict[str, Any]:
        """Return what there is, as plain data."""
        return {
            "directory": str(self.directory),
            "ready": self.is_ready(),
            "nodes": [
                {"node": daemon.name, "running": daemon.is_running(), "socket": str(daemon.socket)}
                for daemon in self.daemons
            ],
        }


def wait_until(
    condition: Callable[[], bool], timeout_s: float, what: str, *, check: Callable[[], None] | None = None
) -> None:
    """Poll a condition.

    Args:
        condition: what must become true.
        timeout_s: how long at most.
        what: the error when it does not.
        check: called between polls; may raise to give up early.

    Raises:
        NodeUnavailable: the time is up.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if check is not None:
            check()
        if time.monotonic() > deadline:
            raise NodeUnavailable(what, cause=f"after {timeout_s:g} s")
        time.sleep(POLL_S)


def _has_ended(pid: int) -> bool:
    """Reap the process if it is our child."""
    try:
        return pid == 0 or os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not Path(f"/proc/{pid}").exists()


def processes_below(directory: Path) -> set[int]:
    """Return the receptor daemons and command runners whose files are below the directory."""
    return {pid for pid, words in _command_lines() if _is_receptor(words) and _mentions(words, directory)}


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            yield int(entry.name), text.split("\0")


def _is_receptor(words: list[str]) -> bool:
    return Path(words[0]).name.startswith("receptor")


def _mentions(words: list[str], directory: Path) -> bool:
    return any(f"{directory}/" in word for word in words)


def kill_below(directory: Path) -> None:
    """End the receptor processes whose files are below the directory, and with them what they run."""
    _signal_all(directory, signal.SIGTERM)
    try:
        wait_until(lambda: not processes_below(directory), STOP_TIMEOUT_S, "still running")
    except NodeUnavailable:
        _signal_all(directory, signal.SIGKILL)


def _signal_all(directory: Path, number: int) -> None:
    for pid in processes_below(directory):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _advertised(status: dict[str, Any], node: str) -> list[str]:
    return [
        command["WorkType"]
        for advert in status["Advertisements"] or []
        if advert["NodeID"] == node
        for command in advert["WorkCommands"] or []
    ]


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(listener.getsockname()[1]) for listener in with_sockets]
    finally:
        for listener in with_sockets:
            listener.close()
