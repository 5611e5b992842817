"""Checks of control services: the name that other nodes use, and the TCP port."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.permissions import check_mode
from receptor_runner.receptor_config.checks.ports import check_port
from receptor_runner.receptor_config.checks.sockets import check_socket
from receptor_runner.receptor_config.findings import Finding, error, note, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.checks.context import Context
    from receptor_runner.receptor_config.document import Block, Document

# The daemon sends service names in a field of this many bytes.
_LONGEST_SERVICE = 8


def check_control(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about control services and the other unix sockets."""
    for block in document.all("control-service", "unix-socket-server"):
        yield from check_socket(block, context)
        yield from check_mode(block)
    for block in document.all("control-service"):
        yield from check_service(block)
    yield from _check_reach(document)


def check_service(block: Block) -> Iterator[Finding]:
    """Yield findings about the name and the TCP port of one control service."""
    service = block.text("service")
    if len(service) > _LONGEST_SERVICE:
        message = f"the service name {service} is longer than {_LONGEST_SERVICE} characters"
        yield error("service-name", block.line_of("service"), message)
    yield from _check_tcp(block)


def _check_reach(document: Document) -> Iterator[Finding]:
    named = {block.text("service") or "control": block for block in document.all("control-service")}
    usable = {service: block for service, block in named.items() if len(service) <= _LONGEST_SERVICE}
    if usable and "control" not in usable:
        service, block = next(iter(usable.items()))
        message = f"other nodes submit work to the service `control`, not to `{service}`"
        yield note("service-name", block.line_of("service"), message)


def _check_tcp(block: Block) -> Iterator[Finding]:
    listen, line = block.text("tcplisten"), block.line_of("tcplisten")
    if not listen:
        if block.text("tcptls"):
            hint = "tls is for the mesh, tcptls for the TCP port"
            yield warning(
                "tcptls-unused", block.line_of("tcptls"), "tcptls without tcplisten does nothing", hint
            )
    elif not re.fullmatch(r"((\[[^\]]+\]|[^:\s]*):)?\d+", listen):
        yield error("tcplisten", line, f"tcplisten: {listen} is not a port or host:port")
    elif wrong := check_port(listen, line):
        yield from wrong
    elif not block.text("tcptls"):
        yield from _check_plain(block, listen, line)


def _check_plain(block: Block, listen: str, line: int) -> Iterator[Finding]:
    if block.text("tls"):
        message = "tls protects only the service in the mesh; the TCP port is unencrypted"
        yield warning("tcptls-missing", line, message, "add tcptls with the same name")
    elif not re.match(r"(127\.|localhost:|\[::1\])", listen):
        message = f"anyone who can reach tcplisten {listen} can run work, without encryption or a password"
        hint = "bind it to 127.0.0.1, or add tcptls with requireclientcert"
        yield warning("tcplisten-plain", line, message, hint)
