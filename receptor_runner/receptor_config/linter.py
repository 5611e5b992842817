"""Lints receptor.yml files: what the daemon would refuse, what it would silently ignore, what would surprise later.

Nothing is started and no daemon is needed. Whatever depends on the machine (paths, certificates) is looked at only
when the files are for this one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.context import Context
from receptor_runner.receptor_config.checks.control import check_control
from receptor_runner.receptor_config.checks.node import check_node
from receptor_runner.receptor_config.checks.shape import check_shape
from receptor_runner.receptor_config.checks.tls import check_reader, check_tls
from receptor_runner.receptor_config.checks.work import check_together, check_work
from receptor_runner.receptor_config.findings import Finding, Severity, error, warning
from receptor_runner.receptor_config.parse import Document, parse
from receptor_runner.receptor_config.schema import LISTENERS, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["UNREADABLE", "Finding", "Severity", "check_documents", "check_files", "check_text", "count"]

UNREADABLE = "unreadable"


def check_files(paths: Sequence[Path], *, on_this_machine: bool = True) -> list[Finding]:
    """Lint files, each for itself and all of them as parts of one mesh.

    Args:
        paths: the files.
        on_this_machine: whether they are for this machine, so that the paths in them can be looked at.

    Returns:
        The findings, ordered by file and line; a file that cannot be read is one itself, with the code UNREADABLE.
    """
    return check_documents([_read(path) for path in dict.fromkeys(paths)], on_this_machine=on_this_machine)


def check_text(text: str, *, file: str = "", on_this_machine: bool = True) -> list[Finding]:
    """Lint one text; see check_files."""
    return check_documents([parse(text, file=file)], on_this_machine=on_this_machine)


def check_documents(documents: Sequence[Document], *, on_this_machine: bool = True) -> list[Finding]:
    """Lint files that were read already; see check_files."""
    context = Context(on_this_machine=on_this_machine, now=datetime.now(UTC))
    found = [finding for document in documents for finding in _check_one(document, context)]
    found += [
        replace(finding, file=document.file) for document, finding in _check_all(tuple(documents), context)
    ]
    order = {document.file: position for position, document in enumerate(documents)}
    return sorted(found, key=lambda finding: (order[finding.file], finding.line))


def count(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many errors, warnings and notes there are."""
    held = [finding.severity for finding in findings]
    return {f"{severity.value}s": held.count(severity) for severity in Severity}


def _read(path: Path) -> Document:
    try:
        return parse(path.read_text(encoding="utf-8"), file=str(path))
    except OSError as fault:
        reason = fault.strerror or str(fault)
    except UnicodeDecodeError as fault:
        reason = str(fault)
    finding = error(UNREADABLE, 1, f"this file cannot be read: {reason}")
    return Document(file=str(path), version=1, findings=(finding,))


def _check_one(document: Document, context: Context) -> Iterator[Finding]:
    rules: list[Iterable[Finding]] = [document.findings]
    if document.blocks:
        rules += [check_shape(document), check_node(document), check_control(document, context)]
        rules += [check_work(document, context), check_tls(document, context)]
    for findings in rules:
        for finding in findings:
            yield replace(finding, file=document.file)


def _check_all(documents: tuple[Document, ...], context: Context) -> Iterator[tuple[Document, Finding]]:
    yield from check_together(documents, context)
    yield from check_reader(documents, context)
    yield from _check_ids(documents)
    yield from _check_meetings(documents)


def _check_ids(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    seen: dict[str, str] = {}
    for document in documents:
        node, node_id = document.first("node"), document.node_id
        if node and node_id in seen:
            message = f"the node id {node_id} is also that of {seen[node_id]}; ids are unique in a mesh"
            yield document, warning("duplicate-node-id", node.line_of("id"), message)
        if node_id:
            seen.setdefault(node_id, document.file)


def _check_meetings(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    """Two ends of a link are told apart by the port, for a host may have several names."""
    with_tls: dict[tuple[str, str], set[bool]] = {}
    for document in documents:
        for block in document.all(*LISTENERS):
            ends = with_tls.setdefault((block.kind.name.split("-")[0], block.text("port")), set())
            ends.add(bool(block.text("tls")))
    for document in documents:
        for block in document.all(*PEERS):
            port = block.text("address").rpartition(":")[2].partition("/")[0]
            ends = with_tls.get((block.kind.name.split("-")[0], port), set())
            if ends and bool(block.text("tls")) not in ends:
                message = f"one end of the link to {block.text('address')} has TLS, the other has not"
                yield document, warning("tls-one-sided", block.line, message)
