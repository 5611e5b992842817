"""What every session of a node shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from receptor_runner.node.runner_table import RunnerTable
    from receptor_runner.node.settings import NodeSettings, WorkCommand
    from receptor_runner.node.units import UnitStore


class NodeState(NamedTuple):
    """A running node.

    Attributes:
        started_ns: when it started, in nanoseconds of the epoch.
    """

    settings: NodeSettings
    store: UnitStore
    runners: RunnerTable
    started_ns: int

    def find_command(self, work_type: str) -> WorkCommand | None:
        """Return the command of a work type, if the node offers it."""
        return next(
            (command for command in self.settings.work_commands if command.work_type == work_type), None
        )
