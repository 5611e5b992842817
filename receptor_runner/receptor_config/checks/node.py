"""Checks of the node itself: its id, its data directory, its log level, and whether it is linked to anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error, note, warning
from receptor_runner.receptor_config.schema import BACKENDS
from receptor_runner.receptor_config.values import closest, read_duration_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.document import Block, Document

_LEVELS = ("error", "warning", "info", "debug")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 -- the directories that are warned about
_SHORTEST_IDLE_S = 21
_DATADIR_HINT = "set node.datadir, for example to /var/lib/receptor"
_DEFAULT_DATADIR = "without datadir, units are kept below /tmp/receptor, where cleanup jobs delete them"


def check_node(document: Document) -> Iterator[Finding]:
    """Yield findings about the node block and the log level."""
    # Blocks that could not be read would only seem to be missing, and certificate commands do not make a node.
    if not document.findings and not any(block.kind.name.startswith("cert-") for block in document.blocks):
        yield from _check_presence(document)
    for node in document.all("node"):
        yield from check_id(node)
        yield from _check_datadir(node)
        yield from _check_idle(node)
    for block in document.all("log-level"):
        yield from check_level(block)


def _check_presence(document: Document) -> Iterator[Finding]:
    if document.first("node") is None:
        yield note("no-node", 1, "no node block: the host's name becomes the node's id")
        yield warning("datadir-tmp", 1, _DEFAULT_DATADIR, _DATADIR_HINT)
    if not any(_is_backend(block) for block in document.blocks):
        hint = "add a listener or a peer, or local-only for a node without a mesh"
        if document.version == 2 and document.first("local-only"):
            hint = "in v2, write `local-only:` with `local: true` below"
        yield error("no-backend", 1, "no listener, peer or local-only: the daemon exits at once", hint)
    if document.first("work-command") and document.first("control-service") is None:
        message = "work-commands without a control-service: nobody can submit work"
        hint = "add a control-service; without a filename it serves the mesh alone"
        yield warning("no-control-service", 1, message, hint)


def _is_backend(block: Block) -> bool:
    if block.kind.name == "local-only" and block.version == 2:
        return block.flag("local")
    return block.kind.name in BACKENDS


def check_id(node: Block) -> Iterator[Finding]:
    """Yield findings about the id of the node."""
    node_id = node.text("id")
    if node_id.lower() == "localhost":
        yield error("node-id-reserved", node.line_of("id"), "the node id `localhost` is reserved")
    elif not node_id:
        yield note("no-node-id", node.line, "no id: the host's name becomes the node's id")
    elif re.search(r"[\s/]", node_id):
        message = f"the node id {node_id!r} contains a blank or a slash"
        hint = "use letters, digits, `.`, `_` and `-`: the id names a directory and is a word in commands"
        yield warning("node-id-odd", node.line_of("id"), message, hint)


def _check_datadir(node: Block) -> Iterator[Finding]:
    datadir, line = node.text("datadir"), node.line_of("datadir")
    if not datadir:
        yield warning("datadir-tmp", line, _DEFAULT_DATADIR, _DATADIR_HINT)
    elif not datadir.startswith("/"):
        message = f"datadir {datadir} depends on the directory that the daemon is started in"
        yield warning("datadir-relative", line, message, _DATADIR_HINT)
    elif is_temporary(datadir):
        message = f"datadir {datadir} is a temporary directory, where cleanup jobs delete units"
        yield warning("datadir-tmp", line, message, _DATADIR_HINT)


def is_temporary(directory: str) -> bool:
    """Return whether a directory is one of those that are cleaned up from time to time, or below one."""
    return any(Path(directory).is_relative_to(temporary) for temporary in _TEMPORARY)


def _check_idle(node: Block) -> Iterator[Finding]:
    text, line = node.text("maxidleconnectiontimeout"), node.line_of("maxidleconnectiontimeout")
    if not text:
        return
    idle_s = read_duration_s(text)
    if idle_s is None:
        yield error("bad-duration", line, f"{text} is not a duration", "write 60s, 30m or 1h30m")
    elif idle_s < _SHORTEST_IDLE_S:
        message = f"maxidleconnectiontimeout: {text} is too short; the daemon requires at least 21s"
        yield error("idle-too-short", line, message)


def check_level(block: Block) -> Iterator[Finding]:
    """Yield findings about the log level."""
    level = block.text("level")
    if level and level.lower() not in _LEVELS:
        guess = closest(level, _LEVELS)
        hint = f"did you mean {guess}?" if guess else f"use one of {', '.join(_LEVELS)}"
        yield error("log-level", block.line_of("level"), f"unknown log level {level!r}", hint)
