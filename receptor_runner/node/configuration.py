"""Reads the settings of a persistent node from a receptor.yml, as the daemon reads it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError
from receptor_runner.node.settings import ControlService, LogLevel, NodeSettings, WorkCommand
from receptor_runner.receptor_config.checks.control import check_service
from receptor_runner.receptor_config.checks.duplicates import check_duplicates
from receptor_runner.receptor_config.checks.key_values import check_values
from receptor_runner.receptor_config.checks.keys import check_keys
from receptor_runner.receptor_config.checks.node import check_id, check_level
from receptor_runner.receptor_config.checks.permissions import check_mode
from receptor_runner.receptor_config.checks.work import check_work_type
from receptor_runner.receptor_config.document import Block, Document
from receptor_runner.receptor_config.findings import Finding, Severity, error
from receptor_runner.receptor_config.parse import parse
from receptor_runner.receptor_config.values import whole_number
from receptor_runner.system.directories import state_directories
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUPPORTED = ("node", "log-level", "local-only", "control-service", "work-command")
_DAEMON_HINT = "run the receptor daemon with this file: receptor --config FILE"
_DEFAULT_MODE = 0o600


def find_default_data_dir() -> Path:
    """Return where units live unless told otherwise: below XDG_STATE_HOME, where no tmp cleaner comes.

    Raises:
        ConfigError: there is no such directory.
    """
    state = next(state_directories(), None)
    if state is None:
        raise ConfigError(
            "no directory for the node's units",
            cause="this user has no state directory that can be written",
            hint="set `datadir` in the node block of receptor.yml",
        )
    return state / "node"


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
    if size > MAX_ADDRESS_BYTES:
        message = f"the socket path is {size} bytes long; the limit is {MAX_ADDRESS_BYTES}"
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
