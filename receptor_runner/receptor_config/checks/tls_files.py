"""Checks of the files that TLS blocks name: readable, valid, matching, and carrying the node's id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config import certificates
from receptor_runner.receptor_config.checks.files import check_readable, check_secrecy, first_line
from receptor_runner.receptor_config.findings import Finding, Severity, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.certificates import CertificateFacts
    from receptor_runner.receptor_config.checks.context import Context
    from receptor_runner.receptor_config.document import Block, Document


def check_tls_files(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about certificates and keys; a server and a client that share files get each warning once."""
    if not context.on_this_machine:
        return
    reported: set[tuple[str, str]] = set()
    for block in document.all("tls-server", "tls-client"):
        for finding in _check_files(document, block, context):
            fact = (finding.code, finding.message)
            if finding.severity is Severity.ERROR or fact not in reported:
                yield finding
            reported.add(fact)


def _check_files(document: Document, block: Block, context: Context) -> Iterator[Finding]:
    for name in ("cert", "key", "clientcas", "rootcas"):
        if block.text(name):
            yield from check_readable(block.text(name), block.line_of(name))
    yield from check_secrecy(block.text("key"), block.line_of("key"))
    for name in ("clientcas", "rootcas"):
        yield from _check_authority(block, name, context)
    yield from _check_certificate(document, block, context)


def _check_authority(block: Block, name: str, context: Context) -> Iterator[Finding]:
    facts = _facts(block, name)
    if isinstance(facts, Finding):
        yield facts
    elif facts is not None:
        yield from _check_dates(facts, block, name, context)


def _check_certificate(document: Document, block: Block, context: Context) -> Iterator[Finding]:
    facts = _facts(block, "cert")
    if isinstance(facts, Finding):
        yield facts
        facts = None
    if facts is not None:
        yield from _check_dates(facts, block, "cert", context)
        yield from _check_node_id(document, block, facts)
    yield from _check_key(block, facts)


def _facts(block: Block, name: str) -> CertificateFacts | Finding | None:
    path = Path(block.text(name))
    try:
        return certificates.read_certificate(path) if block.text(name) else None
    except OSError:
        return None  # check_readable has reported it
    except ValueError as fault:
        message = f"{path} does not contain a certificate"
        return error("cert-unusable", block.line_of(name), message, first_line(fault))


def _check_dates(facts: CertificateFacts, block: Block, name: str, context: Context) -> Iterator[Finding]:
    line, filename = block.line_of(name), block.text(name)
    if facts.not_after <= context.now:
        yield error("cert-expired", line, f"{filename} expired on {facts.not_after:%Y-%m-%d}")
    elif facts.not_before > context.now:
        message = f"{filename} is not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC"
        yield error("cert-not-yet", line, message)
    elif facts.not_after - context.now < certificates.SOON:
        yield warning("cert-expires-soon", line, f"{filename} expires on {facts.not_after:%Y-%m-%d}")


def _check_node_id(document: Document, block: Block, facts: CertificateFacts) -> Iterator[Finding]:
    node_id = document.node_id
    if not node_id or block.flag("skipreceptornamescheck") or node_id in facts.node_ids:
        return
    held = ", ".join(facts.node_ids) or "none"
    message = (
        f"{block.text('cert')} does not carry the node id {node_id} (it carries {held}); "
        "the daemon refuses to start"
    )
    hint = f"issue one with the subjectAltName otherName:{certificates.NODE_ID_OID};UTF8:{node_id}"
    yield error("cert-node-id", block.line_of("cert"), message, hint)


def _check_key(block: Block, facts: CertificateFacts | None) -> Iterator[Finding]:
    line, path = block.line_of("key"), Path(block.text("key"))
    try:
        public_key = certificates.read_private_key(path) if block.text("key") else None
    except OSError:
        return  # check_readable has reported it
    except ValueError as fault:
        yield error("key-unusable", line, f"cannot use {path}: {first_line(fault)}")
        return
    if public_key and facts and public_key != facts.public_key:
        yield error("key-mismatch", line, f"{path} is not the key of {block.text('cert')}")
