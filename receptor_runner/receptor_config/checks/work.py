"""Rules about what the node runs, and about signing and verifying it."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config import certificates
from receptor_runner.receptor_config.checks.files import mode_of
from receptor_runner.receptor_config.findings import Finding, error, note, warning
from receptor_runner.receptor_config.values import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receptor_runner.receptor_config.checks.context import Context
    from receptor_runner.receptor_config.parse import Block, Document


# The daemon splits parameters as a shell does, a word that begins with # hides the rest of its line.
_PIECE = r"""(?s:\\.|"(?:\\.|[^"\\])*+"|'[^']*+'|[^ \t\r\n"'\\])"""
_WORDS = re.compile(rf"(?:[ \t\r\n]++|#[^\n]*+|(?!#){_PIECE}++)*+")
_REMOTE = "remote"
_NO_JOB = "every job would fail at its start"


def check_work(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about work-commands, work-signing and work-verification of one file."""
    for block in document.all("work-command"):
        if context.on_this_machine:
            yield from _check_command(block)
    for block in document.all("work-command", "work-kubernetes"):
        yield from _check_name(block)
        yield from _check_params(block)
    yield from _check_order(document)
    yield from _check_verification(document)
    for block in document.all("work-python"):
        yield error("work-python", block.line, "the daemon refuses work-python; use a work-command")
    for block in document.all("work-signing"):
        yield from _check_expiration(block)
        yield from _check_key(block, "privatekey", context, certificates.read_signing_key)
    for block in document.all("work-verification"):
        yield from _check_key(block, "publickey", context, certificates.read_verifying_key)


def _check_order(document: Document) -> Iterator[Finding]:
    """Yield a finding if clients can ask for units before the daemon knows their work types.

    Source: the daemon acts on a v1 list from top to bottom, on a v2 map in an order of its own; one that is asked for
    a unit on its disk that it has not taken up yet can lock itself up.
    """
    control = document.first("control-service")
    if document.version == 2 or control is None:
        return
    late = [block for block in document.all("work-command", "work-kubernetes") if block.line > control.line]
    if late:
        yield note(
            "work-after-control",
            late[0].line,
            "clients are answered before this work type is known: a restarted daemon can then lock itself up",
            "put the control-service below the work types",
        )


def _check_name(block: Block) -> Iterator[Finding]:
    """Source: every daemon has the work type that passes work on to other nodes."""
    if block.text("worktype") == _REMOTE:
        yield error(
            "work-type-reserved",
            block.line_of("worktype"),
            f"the work type {_REMOTE} is the daemon's own, so it does not take this one",
            "choose another name",
        )


def _check_params(block: Block) -> Iterator[Finding]:
    split = ("params",) if block.kind.name == "work-command" else ("command", "params")
    for name in split:
        if not _WORDS.fullmatch(block.text(name)):
            yield error(
                "params",
                block.line_of(name),
                f"{name} has an open quote, or ends in a backslash: {_NO_JOB}",
                "they are split into words as a shell does it",
            )


def _check_command(block: Block) -> Iterator[Finding]:
    command, line = block.text("command"), block.line_of("command")
    if not command:
        return
    path = Path(command)
    if "/" not in command:
        if shutil.which(command) is None:
            yield error(
                "command-missing",
                line,
                f"{command} is not found on this PATH",
                "write an absolute path: the daemon's PATH is not yours",
            )
    elif not path.is_absolute():
        yield warning(
            "command-relative",
            line,
            f"the command {command} depends on where the daemon is started",
            "write an absolute path",
        )
    else:
        yield from _check_program(command, line)


def _check_program(command: str, line: int) -> Iterator[Finding]:
    mode = mode_of(command)
    if mode == 0:
        yield error("command-missing", line, f"{command} does not exist", _NO_JOB)
    elif mode and stat.S_ISDIR(mode):
        yield error("command-not-executable", line, f"{command} is a directory", _NO_JOB)
    elif mode and not os.access(command, os.X_OK):
        yield error("command-not-executable", line, f"{command} is not executable", f"chmod +x {command}")


def _check_verification(document: Document) -> Iterator[Finding]:
    has_key = any(block.text("publickey") for block in document.all("work-verification"))
    verifying = [b for b in document.all("work-command", "work-kubernetes") if b.flag("verifysignature")]
    if verifying and not has_key:
        yield error(
            "verification-key-missing",
            verifying[0].line_of("verifysignature"),
            "verifysignature needs work-verification with a publickey; the daemon refuses to start",
        )
    if has_key and not verifying:
        yield warning(
            "verification-unused",
            next(document.all("work-verification")).line,
            "there is a key to verify with, but no work type asks for it",
            "set verifysignature: true on the work-command",
        )


def _check_expiration(block: Block) -> Iterator[Finding]:
    text = block.text("tokenexpiration")
    if not text:
        yield error(
            "tokenexpiration-missing",
            block.line,
            "work-signing without tokenexpiration crashes the daemon at its start",
            "add tokenexpiration: 10m",
        )
        return
    line = block.line_of("tokenexpiration")
    expiry_s = seconds(text)
    if expiry_s is None:
        yield error("bad-duration", line, f"{text} is not a duration", "write 10m or 1h30m")
    elif expiry_s <= 0:
        yield error("bad-duration", line, f"a signature good for {text} is never good")


def _check_key(block: Block, name: str, context: Context, read: Callable[[Path], bytes]) -> Iterator[Finding]:
    filename, line = block.text(name), block.line_of(name)
    if filename and context.on_this_machine:
        yield from check_readable(filename, line)
        yield from _check_content(Path(filename), line, read)
        if name == "privatekey":
            yield from check_secrecy(filename, line)


def _check_content(path: Path, line: int, read: Callable[[Path], bytes]) -> Iterator[Finding]:
    try:
        if certificates.can_read():
            read(path)
    except OSError:
        return  # told by check_readable already
    except ValueError as fault:
        yield error("key-unusable", line, f"{path} cannot be used: {first_line(fault)}")


def check_readable(filename: str, line: int) -> Iterator[Finding]:
    """Yield a finding when that file is not there or may not be read."""
    path = Path(filename)
    try:
        path.open("rb").close()
    except (FileNotFoundError, ValueError):
        yield error("file-missing", line, f"{filename} does not exist")
    except OSError as fault:
        yield error("file-unreadable", line, f"{filename} cannot be read: {fault.strerror}")


def check_secrecy(filename: str, line: int) -> Iterator[Finding]:
    """Yield a finding when that private key can be read by others."""
    mode = mode_of(filename)
    if mode and stat.S_ISREG(mode) and mode & 0o007:
        yield warning("key-exposed", line, f"every user can read the key {filename}", f"chmod 600 {filename}")


def first_line(fault: Exception) -> str:
    """Return what an exception says, without its tail of advice."""
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def check_together(documents: tuple[Document, ...], context: Context) -> Iterator[tuple[Document, Finding]]:
    """Yield findings that only several files together can show, each with the file it belongs to."""
    signing = [(doc, block) for doc in documents for block in doc.all("work-signing")]
    verifying = [
        (doc, block)
        for doc in documents
        for block in doc.all("work-command", "work-kubernetes")
        if block.flag("verifysignature")
    ]
    # A file of which nothing could be read may hold what seems to be missing.
    told = warning if len(documents) > 1 and all(doc.blocks for doc in documents) else note
    if signing and not verifying:
        doc, block = signing[0]
        message = "work is signed here, but no file given verifies it"
        yield doc, told("signing-without-verification", block.line, message, _PAIR_HINT)
    if verifying and not signing:
        doc, block = verifying[0]
        message = "signed work is expected here, but no file given signs it"
        line = block.line_of("verifysignature")
        yield doc, told("verification-without-signing", line, message, _PAIR_HINT)
    if context.on_this_machine and certificates.can_read():
        yield from _check_pair(documents)


_PAIR_HINT = "the submitting node has work-signing, the executing one work-verification and verifysignature"


def _check_pair(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    signers = {key for _, _, key in _keys(documents, "work-signing", "privatekey")}
    for doc, block, key in _keys(documents, "work-verification", "publickey"):
        if signers and key not in signers:
            yield (
                doc,
                error(
                    "key-pair",
                    block.line_of("publickey"),
                    f"{block.text('publickey')} does not belong to the key that signs",
                ),
            )


def _keys(documents: tuple[Document, ...], kind: str, name: str) -> Iterator[tuple[Document, Block, bytes]]:
    read = certificates.read_signing_key if name == "privatekey" else certificates.read_verifying_key
    for doc in documents:
        for block in doc.all(kind):
            try:
                yield doc, block, read(Path(block.text(name)))
            except (ValueError, OSError):
                continue
