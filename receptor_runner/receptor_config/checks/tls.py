"""Rules about TLS: names that fit, certificates that carry the node's id, keys that can be used."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config import certificates
from receptor_runner.receptor_config.checks.work import check_readable, check_secrecy, first_line
from receptor_runner.receptor_config.findings import Finding, Severity, error, note, warning
from receptor_runner.receptor_config.parse import Block, Document, Items, Scalar
from receptor_runner.receptor_config.schema import Reference
from receptor_runner.receptor_config.values import closest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.certificates import CertificateFacts
    from receptor_runner.receptor_config.checks.context import Context

_SOON = timedelta(days=30)
_FINGERPRINT_SIZES = (64, 128)


def check_tls(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about TLS blocks and about the keys that name them."""
    for block in document.blocks:
        yield from _check_references(document, block)
    yield from _check_unused(document)
    for block in document.all("tls-server"):
        yield from _check_clients(block)
    for block in document.all("tls-client"):
        if block.flag("insecureskipverify"):
            yield warning(
                "tls-unverified",
                block.line_of("insecureskipverify"),
                "with insecureskipverify anybody can be the server",
            )
    for block in document.all("tls-server", "tls-client"):
        yield from _check_pins(block)
    if context.on_this_machine:
        yield from _check_all_files(document, context)


def check_reader(documents: tuple[Document, ...], context: Context) -> Iterator[tuple[Document, Finding]]:
    """Yield a finding when no certificate could be looked at, once for all files, with the first it matters to."""
    kinds = ("tls-server", "tls-client", "work-signing", "work-verification")
    found = next(((document, block) for document in documents for block in document.all(*kinds)), None)
    if found and context.on_this_machine and not certificates.can_read():
        document, block = found
        yield (
            document,
            note(
                "certificates-unchecked",
                block.line,
                "certificates and keys were not looked at: the package cryptography is not installed",
                "pip install 'receptor-runner[tls]'",
            ),
        )


def _check_all_files(document: Document, context: Context) -> Iterator[Finding]:
    """A server and a client often share their files; what is odd about one is told where it is named first."""
    told: set[tuple[str, str]] = set()
    for block in document.all("tls-server", "tls-client"):
        for finding in _check_files(document, block, context):
            fact = (finding.code, finding.message)
            if finding.severity is Severity.ERROR or fact not in told:
                yield finding
            told.add(fact)


def _check_references(document: Document, block: Block) -> Iterator[Finding]:
    for entry in block.entries:
        key = block.kind.key(entry.name)
        name = block.text(entry.name)
        if key is None or key.reference is None or not name:
            continue
        wanted = _names(document, key.reference)
        other = Reference.TLS_CLIENT if key.reference is Reference.TLS_SERVER else Reference.TLS_SERVER
        if name in wanted:
            continue
        if name in _names(document, other):
            message = (
                f"{entry.written}: {name} is a {other.value}, and a {key.reference.value} is needed here"
            )
            hint = "listeners and services take a tls-server, peers a tls-client"
            yield error("tls-wrong-side", entry.line, message, hint)
        else:
            guess = closest(name, wanted)
            hint = f"did you mean {guess}?" if guess else f"define a {key.reference.value} of that name"
            yield error("tls-undefined", entry.line, f"there is no {key.reference.value} named {name}", hint)


def _names(document: Document, reference: Reference) -> list[str]:
    return [block.text("name") for block in document.all(reference.value)]


def _check_unused(document: Document) -> Iterator[Finding]:
    used = {
        block.text(key.name)
        for block in document.blocks
        for key in block.kind.keys
        if key.reference is Reference.TLS_SERVER
    }
    servers = list(document.all("tls-server"))
    for block in servers:
        if block.text("name") not in used:
            message = f"the tls-server {block.text('name')} is defined, but nothing uses it"
            yield warning("tls-unused", block.line, message, "name it as tls: of a listener or service")
    if servers and used - {""}:
        for block in document.all("tcp-listener", "ws-listener"):
            if not block.text("tls"):
                yield warning("listener-plain", block.line, "this listener is plain though the node has TLS")


def _check_clients(block: Block) -> Iterator[Finding]:
    if block.flag("requireclientcert") and not block.text("clientcas"):
        yield warning(
            "clientcas-missing",
            block.line_of("requireclientcert"),
            "without clientcas every certificate of a public authority is good",
            "set clientcas to the mesh's own authority",
        )
    if block.text("clientcas") and not block.flag("requireclientcert"):
        yield warning(
            "clientcert-optional",
            block.line_of("clientcas"),
            "clients without a certificate are let in",
            "set requireclientcert: true",
        )


def _check_pins(block: Block) -> Iterator[Finding]:
    for name in ("pinnedclientcert", "pinnedservercert"):
        entry = block.get(name)
        values = entry.value.values if entry and isinstance(entry.value, Items) else ()
        for value in values:
            digits = value.text.replace(":", "") if isinstance(value, Scalar) else ""
            if len(digits) not in _FINGERPRINT_SIZES or not re.fullmatch(r"[0-9a-fA-F]+", digits):
                yield error(
                    "fingerprint",
                    value.line,
                    "this is not a SHA-256 or SHA-512 fingerprint",
                    "openssl x509 -in CERT -noout -fingerprint -sha256",
                )


def _check_files(document: Document, block: Block, context: Context) -> Iterator[Finding]:
    for name in ("cert", "key", "clientcas", "rootcas"):
        if block.text(name):
            yield from check_readable(block.text(name), block.line_of(name))
    yield from check_secrecy(block.text("key"), block.line_of("key"))
    if certificates.can_read():
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
        return None  # told by check_readable already
    except ValueError as fault:
        return error("cert-unusable", block.line_of(name), f"{path} holds no certificate", first_line(fault))


def _check_dates(facts: CertificateFacts, block: Block, name: str, context: Context) -> Iterator[Finding]:
    line, filename = block.line_of(name), block.text(name)
    if facts.not_after <= context.now:
        yield error("cert-expired", line, f"{filename} expired on {facts.not_after:%Y-%m-%d}")
    elif facts.not_before > context.now:
        yield error(
            "cert-not-yet", line, f"{filename} is not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC"
        )
    elif facts.not_after - context.now < _SOON:
        yield warning("cert-expires-soon", line, f"{filename} expires on {facts.not_after:%Y-%m-%d}")


def _check_node_id(document: Document, block: Block, facts: CertificateFacts) -> Iterator[Finding]:
    node_id = document.node_id
    if not node_id or block.flag("skipreceptornamescheck") or node_id in facts.node_ids:
        return
    held = ", ".join(facts.node_ids) or "none"
    yield error(
        "cert-node-id",
        block.line_of("cert"),
        f"{block.text('cert')} does not carry the node id {node_id} (it carries {held}); the daemon refuses it",
        f"make one with the subjectAltName otherName:{certificates.NODE_ID_OID};UTF8:{node_id}",
    )


def _check_key(block: Block, facts: CertificateFacts | None) -> Iterator[Finding]:
    line, path = block.line_of("key"), Path(block.text("key"))
    try:
        public_key = certificates.read_private_key(path) if block.text("key") else None
    except OSError:
        return
    except ValueError as fault:
        yield error("key-unusable", line, f"{path} cannot be used: {first_line(fault)}")
        return
    if public_key and facts and public_key != facts.public_key:
        yield error("key-mismatch", line, f"{path} is not the key of {block.text('cert')}")
