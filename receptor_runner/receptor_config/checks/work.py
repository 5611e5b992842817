"""Checks of what the node runs: work types, commands, parameters."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.files import mode_of
from receptor_runner.receptor_config.findings import Finding, error, note, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.checks.context import Context
    from receptor_runner.receptor_config.document import Block, Document

# The daemon splits parameters like a shell; a word that begins with # hides the rest of its line.
_PIECE = r"""(?s:\\.|"(?:\\.|[^"\\])*+"|'[^']*+'|[^ \t\r\n"'\\])"""
_WORDS = re.compile(rf"(?:[ \t\r\n]++|#[^\n]*+|(?!#){_PIECE}++)*+")
_REMOTE = "remote"
_NO_JOB = "every job would fail at its start"


def check_work(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about the work types of one file."""
    for block in document.all("work-command", "work-kubernetes"):
        yield from check_work_type(block)
        if context.on_this_machine and block.kind.name == "work-command":
            yield from _check_command(block)
    yield from _check_order(document)
    for block in document.all("work-python"):
        yield error("work-python", block.line, "the daemon refuses work-python", "use a work-command")


def check_work_type(block: Block) -> Iterator[Finding]:
    """Yield findings about the name and the parameters of one work type.

    Source: every daemon has the work type `remote`, which passes work on to other nodes.
    """
    if block.text("worktype") == _REMOTE:
        message = f"the work type `{_REMOTE}` is the daemon's own; it refuses this one"
        yield error("work-type-reserved", block.line_of("worktype"), message, "choose another name")
    split = ("params",) if block.kind.name == "work-command" else ("command", "params")
    for name in split:
        if fault := split_fault(block.text(name)):
            message = f"{name} {fault}: {_NO_JOB}"
            yield error("params", block.line_of(name), message, "the daemon splits them like a shell")


def split_fault(words: str) -> str | None:
    """Return why the daemon could not split a command line, None if it can."""
    return None if _WORDS.fullmatch(words) else "has an open quote or ends in a backslash"


def _check_order(document: Document) -> Iterator[Finding]:
    """Yield a finding if clients can ask for units before the daemon knows their work types.

    Source: the daemon acts on a v1 list from top to bottom, on a v2 map in an order of its own. If a client asks for
    a unit on disk before the daemon has registered its work type, the daemon can deadlock.
    """
    control = document.first("control-service")
    if document.version == 2 or control is None:
        return
    late = [block for block in document.all("work-command", "work-kubernetes") if block.line > control.line]
    if late:
        message = "clients can connect before this work type is registered; a restarted daemon can deadlock"
        hint = "put the control-service below the work types"
        yield note("work-after-control", late[0].line, message, hint)


def _check_command(block: Block) -> Iterator[Finding]:
    command, line = block.text("command"), block.line_of("command")
    if "/" in command and not Path(command).is_absolute():
        message = f"the command {command} depends on the directory that the daemon is started in"
        yield warning("command-relative", line, message, "write an absolute path")
    elif "/" in command:
        yield from _check_program(command, line)
    elif command and shutil.which(command) is None:
        hint = "write an absolute path; the daemon's PATH may differ from yours"
        yield error("command-missing", line, f"{command} is not on this PATH", hint)


def _check_program(command: str, line: int) -> Iterator[Finding]:
    mode = mode_of(command)
    if mode == 0:
        yield error("command-missing", line, f"{command} does not exist", _NO_JOB)
    elif mode and stat.S_ISDIR(mode):
        yield error("command-not-executable", line, f"{command} is a directory", _NO_JOB)
    elif mode and not os.access(command, os.X_OK):
        yield error("command-not-executable", line, f"{command} is not executable", f"chmod +x {command}")
