"""Nodes of both kinds, the embedded one and the real daemon, as processes that serve a socket."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.mesh import local
from receptor_runner.receptor_config.render import render

from tests.harness.control import ControlClient
from tests.harness.environment import OURS
from tests.harness.processes import kill_processes_of
from tests.harness.waiting import wait_until

NODE_KINDS = ["embedded", pytest.param("receptor", marks=[pytest.mark.receptor, pytest.mark.slow])]
"""The parameters of a fixture or test that meets each kind of node in turn; the fast tests meet the embedded one."""
STOP_S = 30.0


def find_receptor() -> str:
    """Return the path of the real daemon, or skip the test."""
    try:
        return local.find_receptor()
    except MissingInput:
        pytest.skip("no `receptor` on PATH and no RECEPTOR_BIN: the real daemon is not installed")


@dataclass
class ServedNode:
    """A node of either kind in a directory of its own, which holds its receptor.yml, socket, log and units.

    Attributes:
        kind: "embedded" or "receptor".
        options: further words of the embedded node's command line.
    """

    kind: str
    directory: Path
    environment: dict[str, str]
    options: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it is our own node."""
        return self.kind == "embedded"

    @property
    def config(self) -> Path:
        """Its receptor.yml."""
        return self.directory / "receptor.yml"

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.directory / "control.sock"

    @property
    def datadir(self) -> Path:
        """Where its units are, below a directory of its node id."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.directory / "log"

    @property
    def command(self) -> list[str]:
        """The command that serves it."""
        program = [OURS, "node", *self.options] if self.is_embedded else [find_receptor()]
        return [*program, "--config", str(self.config)]

    def start(self) -> None:
        """Start it and wait until it answers and advertises its work types."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.directory,
                start_new_session=True,
            )
        wait_until(self._is_ready, f"the {self.kind} node answers; its log is {self.log}")

    def _is_ready(self) -> bool:
        """Whether work may be submitted: the real daemon's socket answers before its work types are there."""
        assert self.is_running(), self.log.read_text()
        try:
            with ControlClient(self.socket) as client:
                adverts = json.loads(client.ask(b"status"))["Advertisements"]
        except (OSError, ValueError):
            return False
        return any(advert["WorkCommands"] for advert in adverts or ())

    def is_running(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal and wait until it has ended; its command runners go on."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(STOP_S)

    def restart(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it and start it again on the same units."""
        self.end(number)
        self.start()

    def kill(self) -> None:
        """Kill the node alone, if it runs; its command runners go on."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.end(signal.SIGKILL)

    def close(self) -> None:
        """Kill the node and everything that it started."""
        self.kill()
        kill_processes_of(self.directory)


NodeFactory = Callable[[str], ServedNode]


def render_node(
    kind: str, directory: Path, environment: dict[str, str], settings: Mapping[str, str] | None = None
) -> ServedNode:
    """Make a directory with a node in it that is configured from our template, not started yet.

    Args:
        kind: "embedded" or "receptor".
        directory: it is made.
        environment: of the node.
        settings: further settings of the template `local`.
    """
    directory.mkdir(exist_ok=True)
    node = ServedNode(kind, directory, environment)
    own = {"datadir": str(node.datadir), "socket": str(node.socket), "command": OURS}
    node.config.write_text(render("local", own | dict(settings or {})))
    return node
