"""The settings of the embedded node, read from the daemon's own configuration file."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from receptor_runner.errors import ConfigError
from receptor_runner.node.config_file import Block, load_blocks

_MAX_SOCKET_PATH_BYTES = 107
_RESERVED_WORK_TYPE = "remote"


class LogLevel(StrEnum):
    """The levels of `log-level`."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlService:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCommand:
    """One `work-command` block: a work type and what runs for it."""

    work_type: str
    command: str
    params: str = ""
    allow_runtime_params: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Everything the node needs to know.

    Attributes:
        source: the file the settings came from; a node without one cannot reload.
    """

    node_id: str
    data_dir: Path
    control_services: tuple[ControlService, ...]
    work_commands: tuple[WorkCommand, ...] = ()
    log_level: LogLevel = LogLevel.ERROR
    source: Path | None = None
    blocks: tuple[Block, ...] = field(default=(), repr=False)


def find_default_data_dir() -> Path:
    """Return where units live unless told otherwise: below XDG_STATE_HOME, where no tmp cleaner comes."""
    state_home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state_home).expanduser() / "receptor-runner" / "node"


def read_settings(path: Path) -> NodeSettings:
    """Read a receptor.yml in Receptor's list form.

    Args:
        path: the file.

    Returns:
        The settings; relative socket names are relative to the current directory, as with the daemon.

    Raises:
        ConfigError: the file cannot be read, or holds what a local node cannot do.
    """
    return build_settings(load_blocks(path), path)


def build_settings(blocks: tuple[Block, ...], source: Path) -> NodeSettings:
    """Turn checked blocks into settings.

    Raises:
        ConfigError: a block is missing, doubled or contradictory.
    """
    node = _single(blocks, "node")
    services = tuple(_read_service(block) for block in blocks if block.name == "control-service")
    _refuse_without_socket(services, source)
    return NodeSettings(
        node_id=_read_node_id(node),
        data_dir=_read_data_dir(node),
        control_services=services,
        work_commands=_read_work_commands(blocks),
        log_level=_read_log_level(_single(blocks, "log-level")),
        source=source.absolute(),
        blocks=blocks,
    )


def _single(blocks: tuple[Block, ...], name: str) -> Block | None:
    found = [block for block in blocks if block.name == name]
    if len(found) > 1:
        raise ConfigError(f"{found[1].place}: only one {name} block is allowed")
    return found[0] if found else None


def _read_node_id(block: Block | None) -> str:
    node_id = block.text("id") if block is not None else ""
    node_id = node_id or socket.gethostname()
    if node_id.lower() == "localhost":
        raise ConfigError("node: the id localhost is reserved", hint="set `- node: {id: NAME}`")
    if "/" in node_id or node_id in {".", ".."} or not node_id.isprintable():
        raise ConfigError(f"node: {node_id!r} cannot be an id: it names a directory")
    return node_id


def _read_data_dir(block: Block | None) -> Path:
    named = block.text("datadir") if block is not None else ""
    return Path(named).absolute() if named else find_default_data_dir().absolute()


def _read_log_level(block: Block | None) -> LogLevel:
    name = block.text("level").lower() if block is not None else ""
    try:
        return LogLevel(name or LogLevel.ERROR)
    except ValueError as error:
        levels = ", ".join(LogLevel)
        raise ConfigError(f"log-level: {name} is not a level", hint=f"one of {levels}") from error


def _read_work_commands(blocks: tuple[Block, ...]) -> tuple[WorkCommand, ...]:
    commands: dict[str, WorkCommand] = {}
    for block in blocks:
        if block.name != "work-command":
            continue
        command = _read_work_command(block)
        if command.work_type in commands:
            raise ConfigError(f"{block.place}: work type {command.work_type} is already registered")
        commands[command.work_type] = command
    return tuple(commands.values())


def _read_work_command(block: Block) -> WorkCommand:
    if block.flag("verifysignature"):
        raise ConfigError(
            f"{block.place}: the embedded node verifies no signatures",
            hint="signed work is for a mesh: run the receptor daemon with this file",
        )
    work_type = block.need("worktype")
    if work_type == _RESERVED_WORK_TYPE:
        raise ConfigError(
            f"{block.place}: the work type {work_type} is Receptor's own", hint="name another one"
        )
    return WorkCommand(
        work_type=work_type,
        command=block.need("command"),
        params=block.text("params"),
        allow_runtime_params=block.flag("allowruntimeparams"),
    )


def _read_service(block: Block) -> ControlService:
    for key in ("tls", "tcptls"):
        if block.text(key):
            raise ConfigError(
                f"{block.place}: the embedded node has no TLS ({key})",
                hint="run the receptor daemon with this file, or use its unix socket",
            )
    filename = block.text("filename")
    tcp_listen = block.text("tcplisten")
    return ControlService(
        service=block.text("service") or "control",
        filename=_check_socket_path(Path(filename).absolute(), block) if filename else None,
        permissions=block.permissions("permissions", 0o600),
        tcp_listen=_parse_address(tcp_listen, block) if tcp_listen else None,
    )


def _check_socket_path(path: Path, block: Block) -> Path:
    size = len(os.fsencode(path))
    if size > _MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"{block.place}: the socket path is {size} bytes long, the system allows {_MAX_SOCKET_PATH_BYTES}",
            cause=str(path),
            hint="use a shorter directory, such as $XDG_RUNTIME_DIR",
        )
    return path


def _parse_address(text: str, block: Block) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{block.place}: tcplisten {text} has no port")
    host = host.strip("[]") or "127.0.0.1"
    if not _is_loopback(host):
        raise ConfigError(
            f"{block.place}: the embedded node listens on loopback addresses only, not on {host}",
            hint="whoever reaches the port may run commands: a network is the receptor daemon's job",
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_without_socket(services: tuple[ControlService, ...], source: Path) -> None:
    if not any(service.filename or service.tcp_listen for service in services):
        raise ConfigError(
            f"{source}: no control-service with a filename or tcplisten, nobody could reach the node",
            hint="add `- control-service: {service: control, filename: ./control.sock}`",
        )
