"""Lints receptor.yml files: what the daemon would refuse, what it would silently ignore, what would surprise later.

Nothing is started and no daemon is needed. What depends on the machine (paths, certificates) is checked only if the
files are for this one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.context import Context
from receptor_runner.receptor_config.checks.control import check_control
from receptor_runner.receptor_config.checks.duplicates import check_duplicates
from receptor_runner.receptor_config.checks.firewall import check_firewall
from receptor_runner.receptor_config.checks.key_values import check_values
from receptor_runner.receptor_config.checks.keys import check_keys
from receptor_runner.receptor_config.checks.links import check_links
from receptor_runner.receptor_config.checks.mesh import check_mesh
from receptor_runner.receptor_config.checks.node import check_node
from receptor_runner.receptor_config.checks.proxies import check_proxies
from receptor_runner.receptor_config.checks.signing import check_signing, check_signing_together
from receptor_runner.receptor_config.checks.tls import check_tls
from receptor_runner.receptor_config.checks.tls_files import check_tls_files
from receptor_runner.receptor_config.checks.work import check_work
from receptor_runner.receptor_config.document import Document
from receptor_runner.receptor_config.findings import Finding, Severity, error
from receptor_runner.receptor_config.parse import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

UNREADABLE = "unreadable"


def check_files(paths: Sequence[Path], *, on_this_machine: bool = True) -> list[Finding]:
    """Lint files, each for itself and all of them as nodes of one mesh.

    Args:
        paths: the files.
        on_this_machine: whether they are for this machine, so that the paths in them can be checked.

    Returns:
        The findings, ordered by file and line. A file that cannot be read gets a finding with the code UNREADABLE.
    """
    return check_documents([_read(path) for path in dict.fromkeys(paths)], on_this_machine=on_this_machine)


def check_text(text: str, *, file: str = "", on_this_machine: bool = True) -> list[Finding]:
    """Lint one text; see check_files."""
    return check_documents([parse(text, file=file)], on_this_machine=on_this_machine)


def check_documents(documents: Sequence[Document], *, on_this_machine: bool = True) -> list[Finding]:
    """Lint files that were parsed already; see check_files."""
    context = Context(on_this_machine=on_this_machine, now=datetime.now(UTC))
    found = [finding for document in documents for finding in _check_one(document, context)]
    found += [
        replace(finding, file=document.file) for document, finding in _check_all(tuple(documents), context)
    ]
    order = {document.file: position for position, document in enumerate(documents)}
    return sorted(found, key=lambda finding: (order[finding.file], finding.line))


def count(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return how many findings of each severity there are."""
    held = [finding.severity for finding in findings]
    return {severity: held.count(severity) for severity in Severity}


def _read(path: Path) -> Document:
    try:
        return parse(path.read_text(encoding="utf-8"), file=str(path))
    except OSError as fault:
        reason = fault.strerror or str(fault)
    except UnicodeDecodeError as fault:
        reason = str(fault)
    finding = error(UNREADABLE, 1, f"cannot read this file: {reason}")
    return Document(file=str(path), version=1, findings=(finding,))


def _check_one(document: Document, context: Context) -> Iterator[Finding]:
    checks: list[Iterable[Finding]] = [document.findings]
    if document.blocks:
        checks += [check_keys(document), check_values(document), check_duplicates(document)]
        checks += [check_node(document), check_firewall(document), check_links(document)]
        checks += [check_control(document, context), check_proxies(document), check_work(document, context)]
        checks += [check_signing(document, context), check_tls(document), check_tls_files(document, context)]
    for findings in checks:
        for finding in findings:
            yield replace(finding, file=document.file)


def _check_all(documents: tuple[Document, ...], context: Context) -> Iterator[tuple[Document, Finding]]:
    yield from check_signing_together(documents, context)
    yield from check_mesh(documents)
