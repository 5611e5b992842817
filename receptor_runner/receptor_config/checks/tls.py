"""Checks of TLS blocks and of the keys that refer to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.document import Block, Document, Entry, Items, Scalar
from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.schema import Reference
from receptor_runner.receptor_config.values import closest

if TYPE_CHECKING:
    from collections.abc import Iterator

_FINGERPRINT_SIZES = (64, 128)


def check_tls(document: Document) -> Iterator[Finding]:
    """Yield findings about TLS blocks and about the keys that refer to them."""
    for block in document.blocks:
        yield from _check_references(document, block)
    yield from _check_unused(document)
    yield from _check_plain_listeners(document)
    for block in document.all("tls-server"):
        yield from _check_clients(block)
    for block in document.all("tls-client"):
        if block.flag("insecureskipverify"):
            message = "with insecureskipverify any server is trusted"
            yield warning("tls-unverified", block.line_of("insecureskipverify"), message)
    for block in document.all("tls-server", "tls-client"):
        yield from _check_pins(block)


def _check_references(document: Document, block: Block) -> Iterator[Finding]:
    for entry in block.entries:
        key = block.kind.key(entry.name)
        name = block.text(entry.name)
        if key and key.reference and name:
            yield from _check_reference(document, entry, key.reference, name)


def _check_reference(document: Document, entry: Entry, wanted: Reference, name: str) -> Iterator[Finding]:
    names = _names(document, wanted)
    other = Reference.TLS_CLIENT if wanted is Reference.TLS_SERVER else Reference.TLS_SERVER
    if name in names:
        return
    if name in _names(document, other):
        message = f"{entry.written}: {name} is a {other.value}; this key requires a {wanted.value}"
        hint = "listeners and services use a tls-server, peers a tls-client"
        yield error("tls-wrong-side", entry.line, message, hint)
    else:
        guess = closest(name, names)
        hint = f"did you mean {guess}?" if guess else f"add a {wanted.value} with `name: {name}`"
        yield error("tls-undefined", entry.line, f"no {wanted.value} is named {name}", hint)


def _names(document: Document, reference: Reference) -> list[str]:
    return [block.text("name") for block in document.all(reference.value)]


def _used_servers(document: Document) -> set[str]:
    names = {
        block.text(key.name)
        for block in document.blocks
        for key in block.kind.keys
        if key.reference is Reference.TLS_SERVER
    }
    return names - {""}


def _check_unused(document: Document) -> Iterator[Finding]:
    used = _used_servers(document)
    for block in document.all("tls-server"):
        if block.text("name") not in used:
            message = f"nothing uses the tls-server {block.text('name')}"
            yield warning("tls-unused", block.line, message, "set `tls:` of a listener or service to it")


def _check_plain_listeners(document: Document) -> Iterator[Finding]:
    if document.first("tls-server") and _used_servers(document):
        for block in document.all("tcp-listener", "ws-listener"):
            if not block.text("tls"):
                message = "this listener does not use TLS, although the node has a tls-server"
                yield warning("listener-plain", block.line, message)


def _check_clients(block: Block) -> Iterator[Finding]:
    if block.flag("requireclientcert") and not block.text("clientcas"):
        yield warning(
            "clientcas-missing",
            block.line_of("requireclientcert"),
            "without clientcas, certificates of every public authority are accepted",
            "set clientcas to the certificate of the mesh's own authority",
        )
    if block.text("clientcas") and not block.flag("requireclientcert"):
        yield warning(
            "clientcert-optional",
            block.line_of("clientcas"),
            "clients without a certificate are accepted",
            "set requireclientcert: true",
        )


def _check_pins(block: Block) -> Iterator[Finding]:
    for name in ("pinnedclientcert", "pinnedservercert"):
        entry = block.get(name)
        values = entry.value.values if entry and isinstance(entry.value, Items) else ()
        for value in values:
            digits = value.text.replace(":", "") if isinstance(value, Scalar) else ""
            if len(digits) not in _FINGERPRINT_SIZES or not re.fullmatch(r"[0-9a-fA-F]+", digits):
                message = f"{name}: not a SHA-256 or SHA-512 fingerprint"
                hint = "openssl x509 -in CERT -noout -fingerprint -sha256"
                yield error("fingerprint", value.line, message, hint)
