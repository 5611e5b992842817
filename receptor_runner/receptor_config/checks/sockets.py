"""Checks of unix sockets: the length of the path, the directory, and what the daemon would delete."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import pasteable
from receptor_runner.receptor_config.checks.files import mode_of
from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.checks.context import Context
    from receptor_runner.receptor_config.document import Block


def check_socket(block: Block, context: Context) -> Iterator[Finding]:
    """Yield findings about the filename of one block."""
    filename, line = block.text("filename"), block.line_of("filename")
    if not filename:
        return
    yield from _check_length(filename, line)
    if not filename.startswith("/"):
        message = f"the socket {filename} depends on the directory that the daemon is started in"
        yield warning("socket-relative", line, message, "write an absolute path")
    elif context.on_this_machine:
        yield from check_replaced(filename, line)
        yield from _check_directory(Path(filename).parent, line)


def _check_length(filename: str, line: int) -> Iterator[Finding]:
    size = len(filename.encode())
    if size > MAX_ADDRESS_BYTES:
        message = f"the socket path is {size} bytes long; the limit is {MAX_ADDRESS_BYTES}"
        yield error("socket-too-long", line, message, "use a shorter directory, such as /run/receptor")


def check_replaced(filename: str, line: int) -> Iterator[Finding]:
    """Yield a finding if a socket would replace something that is not a socket.

    Source: before it listens, the daemon removes whatever has the socket's name, a directory with its contents.
    """
    mode = mode_of(filename)
    if not mode or stat.S_ISSOCK(mode):
        return
    if stat.S_ISDIR(mode):
        message = f"{filename} is a directory; the daemon deletes it and everything in it"
    else:
        message = f"{filename} is not a socket; the daemon deletes it"
    hint = "give the socket a path of its own, such as /run/receptor/control.sock"
    yield error("socket-not-a-socket", line, message, hint)


def _check_directory(directory: Path, line: int) -> Iterator[Finding]:
    mode = mode_of(str(directory))
    if mode is not None and not stat.S_ISDIR(mode):
        message = f"the directory {directory} does not exist, and the daemon does not create it"
        make = pasteable("mkdir", "-p", directory)
        hint = f"{make} (below /run, use RuntimeDirectory= or tmpfiles.d to survive a reboot)"
        yield error("socket-dir-missing", line, message, hint)
