"""The settings of the embedded node, read from a receptor.yml as the daemon reads it.

A node is started for each job, so this module imports only the checks that matter to a node without a mesh.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError
from receptor_runner.receptor_config.checks.control import check_service
from receptor_runner.receptor_config.checks.duplicates import check_duplicates
from receptor_runner.receptor_config.checks.key_values import check_values
from receptor_runner.receptor_config.checks.keys import check_keys
from receptor_runner.receptor_config.checks.node import check_id, check_level
from receptor_runner.receptor_config.checks.permissions import check_mode
from receptor_runner.receptor_config.checks.sockets import LONGEST_SOCKET_PATH
from receptor_runner.receptor_config.checks.work import check_work_type
from receptor_runner.receptor_config.document import Block, Document
from receptor_runner.receptor_config.findings import Finding, Severity, error
from receptor_runner.receptor_config.parse import parse
from receptor_runner.receptor_config.values import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUPPORTED = ("node", "log-level", "local-only", "control-service", "work-command")
_DAEMON_HINT = "run the receptor daemon with this file: receptor --config FILE"
_DEFAULT_MODE = 0o600


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
        blocks: what the file said, for comparing on a reload.
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
    """Read a receptor.yml in Receptor's v1 form, the list.

    Args:
        path: the file.

    Returns:
        The settings; relative paths start from the current directory, as in the daemon.

    Raises:
        ConfigError: the file cannot be read, the daemon would refuse it, or it asks for what a local node cannot do.
    """
    document = read_document(path)
    node, log_level = document.first("node"), document.first("log-level")
    services = tuple(_read_service(block) for block in document.all("control-service"))
    level = log_level.text("level").lower() if log_level else ""
    return NodeSettings(
        node_id=document.node_id or socket.gethostname(),
        data_dir=_read_data_dir(node),
        control_services=services,
        work_commands=tuple(_read_work_command(block) for block in document.all("work-command")),
        log_level=LogLevel(level or LogLevel.ERROR),
        source=path.absolute(),
        blocks=document.blocks,
    )


def read_document(path: Path) -> Document:
    """Parse a receptor.yml and check it for an embedded node.

    Raises:
        ConfigError: see read_settings.
    """
    try:
        document = parse(path.read_text(encoding="utf-8"), file=str(path))
    except OSError as fault:
        raise ConfigError(f"cannot read {path}", cause=fault.strerror) from fault
    except UnicodeDecodeError as fault:
        raise ConfigError(f"cannot read {path}", cause=str(fault)) from fault
    for finding in _findings(document):
        if finding.severity is Severity.ERROR:
            raise ConfigError(f"{path}:{finding.line}: {finding.message}", hint=finding.hint)
    return document


def _findings(document: Document) -> Iterator[Finding]:
    """Yield findings in the order in which they help: what is not supported before details of it."""
    yield from document.findings
    yield from _check_form(document)
    for block in document.blocks:
        yield from _check_supported(block)
    yield from check_keys(document)
    yield from check_values(document)
    yield from check_duplicates(document)
    for block in document.blocks:
        yield from _check_block(block)
    yield from _check_reachable(document)


def _check_block(block: Block) -> Iterable[Finding]:
    match block.kind.name:
        case "node":
            return (*check_id(block), *_check_directory_name(block))
        case "log-level":
            return check_level(block)
        case "control-service":
            return (*check_service(block), *check_mode(block), *_check_socket(block), *_check_address(block))
        case "work-command":
            return check_work_type(block)
        case _:
            return ()


def _check_form(document: Document) -> Iterator[Finding]:
    if document.version == 2:
        message = "this is a v2 file (a map of blocks); the embedded node reads the v1 form"
        yield error("layout", 1, message, "write a list: one `- BLOCK:` for each block, with its keys below")


def _check_supported(block: Block) -> Iterator[Finding]:
    kind = block.kind.name
    if kind not in _SUPPORTED:
        message = f"the embedded node does not support {kind}: it is not part of a mesh"
        yield error("not-supported", block.line, message, _DAEMON_HINT)
    unsupported = {"node": ("firewallrules",), "control-service": ("tls", "tcptls")}
    names = [name for name in unsupported.get(kind, ()) if block.get(name)]
    if block.flag("verifysignature"):
        names.append("verifysignature")
    for name in names:
        message = f"the embedded node does not support {name} of {kind}"
        yield error("not-supported", block.line_of(name), message, _DAEMON_HINT)


def _check_directory_name(block: Block) -> Iterator[Finding]:
    node_id = block.text("id")
    if "/" in node_id or node_id in {".", ".."} or not node_id.isprintable():
        message = f"invalid node id {node_id!r}: it names a directory"
        yield error("node-id-odd", block.line_of("id"), message, "use letters, digits, `.`, `_` and `-`")


def _check_socket(block: Block) -> Iterator[Finding]:
    filename = block.text("filename")
    size = len(os.fsencode(Path(filename).absolute())) if filename else 0
    if size > LONGEST_SOCKET_PATH:
        message = f"the socket path is {size} bytes long; the limit is {LONGEST_SOCKET_PATH}"
        hint = "use a shorter directory, such as $XDG_RUNTIME_DIR"
        yield error("socket-too-long", block.line_of("filename"), message, hint)


def _check_address(block: Block) -> Iterator[Finding]:
    listen = block.text("tcplisten")
    host = _split_address(listen)[0]
    if listen and not _is_loopback(host):
        message = f"the embedded node listens only on loopback addresses, not on {host}"
        hint = "anyone who reaches the port can run commands; to serve a network, run the receptor daemon"
        yield error("not-supported", block.line_of("tcplisten"), message, hint)


def _check_reachable(document: Document) -> Iterator[Finding]:
    services = document.all("control-service")
    if not any(block.text("filename") or block.text("tcplisten") for block in services):
        message = "no control-service has a filename or tcplisten, so no client can reach the node"
        hint = "add `- control-service: {service: control, filename: ./control.sock}`"
        yield error("not-reachable", 1, message, hint)


def _read_data_dir(block: Block | None) -> Path:
    named = block.text("datadir") if block is not None else ""
    return Path(named).absolute() if named else find_default_data_dir().absolute()


def _read_work_command(block: Block) -> WorkCommand:
    return WorkCommand(
        work_type=block.text("worktype"),
        command=block.text("command"),
        params=block.text("params"),
        allow_runtime_params=block.flag("allowruntimeparams"),
    )


def _read_service(block: Block) -> ControlService:
    filename, listen, mode = block.text("filename"), block.text("tcplisten"), block.scalar("permissions")
    return ControlService(
        service=block.text("service") or "control",
        filename=Path(filename).absolute() if filename else None,
        permissions=(whole_number(mode.text) if mode else None) or _DEFAULT_MODE,
        tcp_listen=_split_address(listen) if listen else None,
    )


def _split_address(text: str) -> tuple[str, int]:
    """Return host and port; a bare port means the loopback, where the daemon would listen on all addresses."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port) if port.isdecimal() else 0


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
