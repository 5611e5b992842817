"""Checks of listeners and peers: ports, addresses, costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from receptor_runner.receptor_config.checks.ports import check_port
from receptor_runner.receptor_config.document import Block, Document, Entry, Scalar, Table
from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.schema import LISTENERS, PEERS
from receptor_runner.receptor_config.values import is_number, is_positive

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_links(document: Document) -> Iterator[Finding]:
    """Yield findings about listeners and peers."""
    yield from _check_ports(document)
    for block in document.all(*PEERS, *LISTENERS):
        yield from _check_cost(block)
        yield from _check_node_costs(block)
    for block in document.all(*PEERS):
        yield from _check_peer(block)
    for block in document.all("ws-listener") if document.version == 2 else ():
        if not block.text("path"):
            message = "a v2 ws-listener without a path crashes the daemon"
            yield error("ws-path", block.line, message, "add `path: /`")


def _check_ports(document: Document) -> Iterator[Finding]:
    taken: dict[tuple[str, str], int] = {}
    for block in document.all(*LISTENERS):
        port, line = block.text("port"), block.line_of("port")
        yield from check_port(port, line)
        if port == "0":
            yield warning("bad-port", line, "port 0 is any free port, so no peer can know it")
            continue
        family = ("udp" if block.kind.name == "udp-listener" else "tcp", port)
        if port and family in taken:
            yield error("duplicate-port", line, f"port {port} is already used on line {taken[family]}")
        taken.setdefault(family, line)


def _check_cost(block: Block) -> Iterator[Finding]:
    text, line = block.text("cost"), block.line_of("cost")
    if not is_number(text) or is_positive(text):
        return
    # v2 cannot tell a cost of 0 from one that is not set.
    if block.version == 2 and not text.startswith("-"):
        yield warning("bad-value", line, "v2 reads a cost of 0 as 1")
    else:
        yield error("bad-value", line, "the cost must be greater than 0")


def _check_node_costs(block: Block) -> Iterator[Finding]:
    held = block.get("nodecost")
    for entry in held.value.entries if held and isinstance(held.value, Table) else ():
        if not _is_cost(block, entry):
            message = f"the cost of {entry.written} is not a number"
            yield error("bad-value", entry.line, message, "write it without quotes, such as 1.5")
        elif isinstance(entry.value, Scalar) and not is_positive(entry.value.text):
            yield error("bad-value", entry.line, f"the cost of {entry.written} must be greater than 0")


def _is_cost(block: Block, entry: Entry) -> bool:
    """Source: v1 accepts what YAML reads as a number; v2 also accepts text that looks like one."""
    cost = entry.value
    if not isinstance(cost, Scalar) or (cost.quoted and block.version == 1):
        return False
    return is_number(cost.text)


def _check_peer(block: Block) -> Iterator[Finding]:
    address, line = block.text("address"), block.line_of("address")
    if block.kind.name == "ws-peer":
        if address and urlsplit(address).scheme not in {"ws", "wss"}:
            hint = "write ws://host:port/path or wss://host:port/path"
            yield error("peer-address", line, f"{address} is not a WebSocket URL", hint)
        yield from _check_header(block)
    elif address and not re.fullmatch(r"(\[[^\]]+\]|[^:\s/]+):\d+", address):
        yield error("peer-address", line, f"{address} is not host:port")
    else:
        yield from check_port(address, line)
    if block.version == 2 and block.text("redial") and not block.flag("redial"):
        message = "v2 always redials; this setting has no effect"
        yield warning("redial-ignored", block.line_of("redial"), message)


def _check_header(block: Block) -> Iterator[Finding]:
    header = block.text("extraheader")
    if header and ":" not in header:
        message = f"extraheader: {header} is not key:value, which crashes the daemon"
        yield error("bad-value", block.line_of("extraheader"), message)
