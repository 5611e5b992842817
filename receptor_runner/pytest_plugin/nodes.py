"""The nodes of a test run: what a test gets of them, and how their supervisor is started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from receptor_runner.errors import NodeUnavailable, RunnerError
from receptor_runner.system.interpreter import PACKAGE_ROOT

_START_S = 180.0
_STOP_S = 60.0
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from receptor_runner.pytest_plugin.supervisor import main; sys.exit(main(sys.argv[2:]))"
)


class NodeKind(StrEnum):
    """Which program serves a node.

    EMBEDDED: receptor-runner itself; nothing else is needed.
    DAEMON: the real receptor daemon.
    AUTO: the daemon if it is installed, else the embedded node.
    """

    EMBEDDED = "embedded"
    DAEMON = "daemon"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node on which a test may run jobs.

    Attributes:
        name: its node id.
        role: what it is for: `worker`, or in a mesh also `control` or `hop`.
        socket: the control socket through which jobs reach it: its own, or that of a control node of its mesh.
        target: the node id that jobs name as their target node; None if the socket is the node's own.
        config: the receptor.yml of the node that the socket belongs to.
        log: what the node prints.
    """

    name: str
    role: str
    socket: Path
    config: Path
    log: Path
    target: str | None = None


def shown_plainly(error: RunnerError) -> RunnerError:
    """Return an error as pytest is to show it: with its hint, and without the frames of this package.

    Only the line of the test explains anything.
    """
    if error.hint:
        error.add_note(f"hint: {error.hint}")
    return error.with_traceback(None)


class Supervised:
    """Nodes that run below a supervisor of their own, until `close` or the end of this process.

    Args:
        request: what the supervisor is to start.
        environment: of the nodes, and so of the jobs on them.

    Attributes:
        nodes: the nodes, by name.
        directory: where their files are.

    Raises:
        NodeUnavailable: they do not start.
    """

    def __init__(self, request: Mapping[str, Any], environment: dict[str, str]) -> None:
        self._lifeline, its_end = socket.socketpair()
        with its_end, tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(PACKAGE_ROOT), str(os.getpid())],
                stdin=its_end.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
                cwd="/",
                # Ctrl-C goes to pytest alone, and whoever kills its process group does not kill what cleans up.
                start_new_session=True,
            )
            its_end.close()
            try:
                answer = self._ask(request, errors)
            except BaseException:
                self.close()
                raise
        self.directory = Path(answer["directory"])
        self.nodes = {place["name"]: _node(place) for place in answer["nodes"]}

    def _ask(self, request: Mapping[str, Any], errors: IO[bytes]) -> dict[str, Any]:
        self._lifeline.settimeout(_START_S)
        try:
            self._lifeline.sendall(json.dumps(request).encode() + b"\n")
            with self._lifeline.makefile("rb") as replies:
                line = replies.readline()
        except OSError as error:
            raise NodeUnavailable("no node for the tests", cause=str(error)) from error
        if not line:
            self._process.wait(_STOP_S)
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip().splitlines()
            raise NodeUnavailable("the supervisor of the nodes ended", cause=words[-1] if words else None)
        answer: dict[str, Any] = json.loads(line)
        if "what" in answer:
            raise NodeUnavailable(answer["what"], cause=answer["cause"], hint=answer["hint"])
        return answer

    def close(self) -> None:
        """Stop the nodes and all jobs on them; return when nothing is left."""
        self._lifeline.close()
        self._process.wait(_STOP_S)


def _node(place: Mapping[str, Any]) -> Node:
    return Node(
        name=place["name"],
        role=place["role"],
        target=place["target"],
        socket=Path(place["socket"]),
        config=Path(place["config"]),
        log=Path(place["log"]),
    )
