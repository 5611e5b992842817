"""A mesh on this machine: written, started, waited for, stopped."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from receptor_runner.errors import NodeUnavailable, pasteable
from receptor_runner.mesh.description import Role
from receptor_runner.mesh.local.daemon import Daemon, find_receptor
from receptor_runner.mesh.local.directory import Claim, MeshDirectory
from receptor_runner.mesh.local.files import write_files
from receptor_runner.mesh.local.order import start_order
from receptor_runner.mesh.local.processes import reap
from receptor_runner.mesh.local.readiness import missing_workers, read_view
from receptor_runner.mesh.local.waiting import POLL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from receptor_runner.mesh.description import MeshDescription

ADVERT_TIMEOUT_S = 8.0
"""How long a worker that was started may stay silent before it is started again."""

_RESTARTS = 2


class LocalMesh:
    """The nodes of a description as daemons on this machine.

    Args:
        description: the mesh; ports, addresses and paths in it are replaced by those of this machine.
        directory: everything of the mesh is below it; it must not exist, be empty, or hold this very mesh.
        environment: of the daemons and of the jobs they run; None for that of this process.
        report: takes a line about each step.
    """

    def __init__(
        self,
        description: MeshDescription,
        directory: Path,
        *,
        environment: Mapping[str, str] | None = None,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.description = description
        self._directory = MeshDirectory(directory)
        self._report = report
        self._is_new = False
        self._started: dict[str, float] = {}
        self.daemons = tuple(
            Daemon(name=node.name, directory=self.directory / node.name, environment=environment)
            for node in description.nodes
        )

    @property
    def directory(self) -> Path:
        """Where everything of the mesh is."""
        return self._directory.path

    def daemon(self, name: str) -> Daemon:
        """Return the daemon of a node.

        Raises:
            KeyError: there is no such node.
        """
        return dict(zip((daemon.name for daemon in self.daemons), self.daemons, strict=True))[name]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing and starting this mesh meanwhile; one that does so is waited for.

        Raises:
            UsageError, OutputFailed: as `write`.
        """
        with self._directory.locked(self.description, self._report) as claim:
            self._is_new = claim is Claim.NEW
            yield

    def write(self) -> None:
        """Write each node's receptor.yml, certificates and keys, unless they are there already.

        Raises:
            UsageError: the directory holds something else.
            ConfigError: the description makes no usable receptor.yml, or keys cannot be made.
            OutputFailed: the directory cannot be written.
        """
        claim = self._directory.claim(self.description)
        self._is_new = self._is_new or claim is Claim.NEW
        if claim is not Claim.COMPLETE:
            write_files(self.description, self.directory, self.daemons)
            self._directory.complete(self.description)

    def is_running(self) -> bool:
        """Return whether one of its daemons, or a job of one, is running."""
        return self._directory.is_running()

    def start(self, *, timeout_s: float = 90.0) -> None:
        """Start the nodes that are not running, and wait until every control node knows what every worker offers.

        Args:
            timeout_s: how long to wait for the workers.

        Raises:
            MissingInput: the daemon is not installed.
            NodeUnavailable: a daemon ended, or the time is up; the mesh stays as it is.
            UsageError, ConfigError, OutputFailed: as `write`.
        """
        find_receptor()
        self.write()
        for node in start_order(self.description.nodes):
            daemon = self.daemon(node.name)
            if not daemon.is_running():
                self._report(f"starting node `{node.name}`")
                self._started[node.name] = time.monotonic()
                daemon.start()
        self._await_workers(timeout_s)

    def _await_workers(self, timeout_s: float) -> None:
        """Wait until the workers are known; start those again that were started here and stay silent.

        Source: a daemon announces its work types 5 s after its start, unless its own request for that comes before the
        thread that takes it, and then once a minute. To start it again is faster than to wait for the minute.
        """
        end = time.monotonic() + timeout_s
        restarts = dict.fromkeys(self._started, _RESTARTS)
        if self.missing():
            self._report("waiting until the workers announce their work types, which takes a few seconds")
        while missing := self.missing():
            for daemon in self.daemons:
                daemon.check_running()
            if time.monotonic() > end:
                raise self._incomplete(missing, timeout_s)
            for name in missing.keys() & restarts.keys():
                if restarts[name] and time.monotonic() - self._started[name] > ADVERT_TIMEOUT_S:
                    restarts[name] -= 1
                    self._report(f"starting node `{name}` again, because it is silent")
                    self.daemon(name).stop()
                    self.daemon(name).start()
                    self._started[name] = time.monotonic()
            time.sleep(POLL_S)

    def _incomplete(self, missing: dict[str, str], timeout_s: float) -> NodeUnavailable:
        worker, reason = next(iter(missing.items()))
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return NodeUnavailable(
            f"worker `{worker}`{others} cannot take jobs after {timeout_s:g} s",
            cause=reason,
            hint=pasteable("cat", self.daemon(worker).log),
        )

    def missing(self) -> dict[str, str]:
        """Return the workers that cannot take jobs from every control node yet, and why."""
        controls = self.description.with_role(Role.CONTROL)
        views = {node.name: read_view(self.daemon(node.name).socket) for node in controls}
        return missing_workers(self.description, views)

    def undo(self) -> None:
        """Take back what this object did: remove a mesh that it has made, else end the daemons that it has started."""
        if self._is_new:
            self.stop()
            return
        for name in self._started:
            self.daemon(name).stop()

    def end(self) -> None:
        """End the daemons and the jobs they run; the files stay, and `start` goes on with the same units."""
        self._directory.end()
        for daemon in self.daemons:
            reap(daemon.pid)

    def stop(self) -> None:
        """End the daemons and the jobs they run, and remove the directory. Nothing happens if there is none.

        Raises:
            UsageError: the directory holds no mesh.
        """
        if self._directory.holds_mesh():
            self.end()
        self._directory.remove()
