"""What a node needs to know. Only light modules are imported: a node is started for each job."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from receptor_runner.receptor_config.document import Block


class LogLevel(StrEnum):
    """The levels of `log-level`."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


class ControlService(NamedTuple):
    """One `control-service` block.

    Attributes:
        filename: the unix socket, if any.
        permissions: its mode.
        tcp_listen: host and port of a TCP listener, if any.
    """

    service: str = "control"
    filename: Path | None = None
    permissions: int = 0o600
    tcp_listen: tuple[str, int] | None = None


class WorkCommand(NamedTuple):
    """One `work-command` block: a work type and what runs for it."""

    work_type: str
    command: str
    params: str = ""
    allow_runtime_params: bool = False


class NodeSettings(NamedTuple):
    """Everything the node needs to know.

    Attributes:
        source: the file the settings came from; a node without one cannot reload.
        blocks: what the file said, for comparing on a reload.
    """

    node_id: str
    data_dir: Path
    control_services: tuple[ControlService, ...]
    work_commands: tuple[WorkCommand, ...] = ()
    log_level: LogLevel = LogLevel.ERROR
    source: Path | None = None
    blocks: tuple[Block, ...] = ()
