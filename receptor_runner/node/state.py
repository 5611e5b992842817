"""What every session of a node shares."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from receptor_runner.node.runner_table import RunnerTable
    from receptor_runner.node.settings import NodeSettings, WorkCommand
    from receptor_runner.node.units import UnitStore


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A running node.

    Attributes:
        started_ns: when it started, in nanoseconds of the epoch.
    """

    settings: NodeSettings
    store: UnitStore
    runners: RunnerTable
    started_ns: int = field(default_factory=time.time_ns)

    def find_command(self, work_type: str) -> WorkCommand | None:
        """Return the command of a work type, if the node offers it."""
        return next(
            (command for command in self.settings.work_commands if command.work_type == work_type), None
        )
