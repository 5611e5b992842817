"""What a supervisor starts and stops, and the simplest such thing: one node, embedded or the real daemon."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Protocol, TypedDict

from receptor_runner.errors import NodeUnavailable, RunnerError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor_config.render import render
from receptor_runner.system.interpreter import program_words

_READY_S = 30.0
_POLL_S = 0.02
_STOP_S = 10.0


class NodePlace(TypedDict):
    """Where a node is: its name, the node through which jobs reach it, and that node's files.

    `target` is None for the node that the socket belongs to.
    """

    name: str
    role: str
    target: str | None
    socket: str
    config: str
    log: str


def place_of(
    name: str, role: str, *, socket: Path, config: Path, log: Path, target: str | None = None
) -> NodePlace:
    """Return the place of a node, as it goes to pytest."""
    return NodePlace(
        name=name, role=role, target=target, socket=str(socket), config=str(config), log=str(log)
    )


class Service(Protocol):
    """Something that a supervisor starts and stops."""

    def start(self) -> list[NodePlace]:
        """Start it, wait until it takes jobs, and return where its nodes are.

        Raises:
            RunnerError: it does not start.
        """

    def stop(self) -> None:
        """Stop it; its jobs have been stopped before."""


class SingleNode:
    """A local-only node.

    Args:
        program: the path of the receptor daemon; None for the embedded node.
        directory: holds its receptor.yml, socket, log and units.
    """

    def __init__(self, program: str | None, directory: Path) -> None:
        self._words = [program] if program else [*program_words(), "node"]
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> list[NodePlace]:
        """Start the node and wait until it advertises its work types."""
        directory = self._directory
        config, address, log = (directory / name for name in ("receptor.yml", "control.sock", "node.log"))
        config.write_text(render("local", {"datadir": str(directory / "units"), "socket": str(address)}))
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [*self._words, "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
            )
        self._await_ready(Control(str(address)), log)
        return [place_of("primary", "worker", socket=address, config=config, log=log)]

    def _await_ready(self, control: Control, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _READY_S
        while not _is_ready(control):
            if self._process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise NodeUnavailable("the node does not start", cause=" ".join(lines[-3:]) or None)
            if time.monotonic() > deadline:
                raise NodeUnavailable("the node does not start", cause=f"no answer within {_READY_S:g} s")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Terminate the node."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOP_S)


def _is_ready(control: Control) -> bool:
    """Return whether work may be submitted.

    Source: the daemon's socket answers before its work types are there.
    """
    try:
        adverts = control.status("Advertisements").get("Advertisements")
    except RunnerError:
        return False
    return any(advert.get("WorkCommands") for advert in adverts or ())
