"""Checks of signed work: the keys, how long a signature is valid, and that signers and verifiers fit together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config import certificates
from receptor_runner.receptor_config.checks.files import check_readable, check_secrecy, first_line
from receptor_runner.receptor_config.findings import Finding, error, note, warning
from receptor_runner.receptor_config.values import read_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receptor_runner.receptor_config.checks.context import Context
    from receptor_runner.receptor_config.document import Block, Document

_WORK = ("work-command", "work-kubernetes")
_PAIR_HINT = (
    "the submitting node needs work-signing, the executing node work-verification and verifysignature"
)


def check_signing(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about work-signing and work-verification of one file."""
    yield from _check_verification(document)
    for block in document.all("work-signing"):
        yield from _check_expiration(block)
        yield from _check_key(block, "privatekey", context, certificates.read_signing_key)
    for block in document.all("work-verification"):
        yield from _check_key(block, "publickey", context, certificates.read_verifying_key)


def _check_verification(document: Document) -> Iterator[Finding]:
    has_key = any(block.text("publickey") for block in document.all("work-verification"))
    verifying = [block for block in document.all(*_WORK) if block.flag("verifysignature")]
    if verifying and not has_key:
        message = "verifysignature requires work-verification with a publickey; the daemon refuses to start"
        yield error("verification-key-missing", verifying[0].line_of("verifysignature"), message)
    if has_key and not verifying:
        line = next(document.all("work-verification")).line
        message = "no work type verifies signatures, so this key has no effect"
        hint = "set verifysignature: true on the work-command"
        yield warning("verification-unused", line, message, hint)


def _check_expiration(block: Block) -> Iterator[Finding]:
    text, line = block.text("tokenexpiration"), block.line_of("tokenexpiration")
    if not text:
        message = "work-signing without tokenexpiration crashes the daemon when it starts"
        yield error("tokenexpiration-missing", block.line, message, "add tokenexpiration: 10m")
        return
    expiry_s = read_duration_s(text)
    if expiry_s is None:
        yield error("bad-duration", line, f"{text} is not a duration", "write 10m or 1h30m")
    elif expiry_s <= 0:
        yield error("bad-duration", line, f"with tokenexpiration: {text} no signature is ever valid")


def _check_key(block: Block, name: str, context: Context, read: Callable[[Path], bytes]) -> Iterator[Finding]:
    filename, line = block.text(name), block.line_of(name)
    if filename and context.on_this_machine:
        yield from check_readable(filename, line)
        yield from _check_content(Path(filename), line, read)
        if name == "privatekey":
            yield from check_secrecy(filename, line)


def _check_content(path: Path, line: int, read: Callable[[Path], bytes]) -> Iterator[Finding]:
    try:
        read(path)
    except OSError:
        return  # check_readable has reported it
    except ValueError as fault:
        yield error("key-unusable", line, f"cannot use {path}: {first_line(fault)}")


def check_signing_together(
    documents: tuple[Document, ...], context: Context
) -> Iterator[tuple[Document, Finding]]:
    """Yield findings that only several files together can show, each with the file it belongs to."""
    signing = [(doc, block) for doc in documents for block in doc.all("work-signing")]
    verifying = [
        (doc, block) for doc in documents for block in doc.all(*_WORK) if block.flag("verifysignature")
    ]
    # The other half may be in a file that was not given, or of which nothing could be read.
    report = warning if len(documents) > 1 and all(doc.blocks for doc in documents) else note
    if signing and not verifying:
        doc, block = signing[0]
        message = "work is signed here, but none of these files verifies it"
        yield doc, report("signing-without-verification", block.line, message, _PAIR_HINT)
    if verifying and not signing:
        doc, block = verifying[0]
        message = "signed work is required here, but none of these files signs it"
        line = block.line_of("verifysignature")
        yield doc, report("verification-without-signing", line, message, _PAIR_HINT)
    if context.on_this_machine:
        yield from _check_pairs(documents)


def _check_pairs(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    signers = {key for _, _, key in _keys(documents, "work-signing", "privatekey")}
    for doc, block, key in _keys(documents, "work-verification", "publickey"):
        if signers and key not in signers:
            message = f"{block.text('publickey')} does not match the key that signs"
            yield doc, error("key-pair", block.line_of("publickey"), message)


def _keys(documents: tuple[Document, ...], kind: str, name: str) -> Iterator[tuple[Document, Block, bytes]]:
    read = certificates.read_signing_key if name == "privatekey" else certificates.read_verifying_key
    for doc in documents:
        for block in doc.all(kind):
            try:
                yield doc, block, read(Path(block.text(name)))
            except (ValueError, OSError):
                continue
