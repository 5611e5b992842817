"""Rules about the control service: its socket, the socket's mode, its TCP port."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.files import mode_of
from receptor_runner.receptor_config.checks.ports import check_port
from receptor_runner.receptor_config.findings import Finding, error, note, warning
from receptor_runner.receptor_config.parse import Block, Document, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.checks.context import Context

# sun_path holds 108 bytes, the last of which is the terminator.
LONGEST_SOCKET_PATH = 107
_LONGEST_SERVICE = 8
_OWNER_RW = 0o600
_EVERYBODY_WRITES = 0o002


def check_control(document: Document, context: Context) -> Iterator[Finding]:
    """Yield findings about control services and the other unix sockets."""
    for block in document.all("control-service", "unix-socket-server"):
        yield from _check_socket(block, context)
        yield from check_mode(block)
    for block in document.all("control-service"):
        yield from _check_tcp(block)
        service = block.text("service")
        if len(service) > _LONGEST_SERVICE:
            yield error("service-name", block.line_of("service"), f"{service} is longer than 8 characters")
    yield from _check_reach(document)


def _check_reach(document: Document) -> Iterator[Finding]:
    named = {block.text("service") or "control": block for block in document.all("control-service")}
    usable = {service: block for service, block in named.items() if len(service) <= _LONGEST_SERVICE}
    if usable and "control" not in usable:
        service, block = next(iter(usable.items()))
        message = f"other nodes submit work to the service control, not to {service}"
        yield note("service-name", block.line_of("service"), message)


def _check_socket(block: Block, context: Context) -> Iterator[Finding]:
    filename, line = block.text("filename"), block.line_of("filename")
    if not filename:
        return
    size = len(filename.encode())
    if size > LONGEST_SOCKET_PATH:
        yield error(
            "socket-too-long",
            line,
            f"the socket's path has {size} bytes, the system allows {LONGEST_SOCKET_PATH}",
            "use a shorter directory, such as /run/receptor",
        )
    if not filename.startswith("/"):
        yield warning(
            "socket-relative",
            line,
            f"the socket {filename} depends on where the daemon is started",
            "write an absolute path",
        )
    elif context.on_this_machine:
        yield from check_taken(filename, line)
        yield from _check_folder(Path(filename).parent, line)


def check_taken(filename: str, line: int) -> Iterator[Finding]:
    """Yield a finding when a socket would replace something else.

    Source: before it listens, the daemon removes what has the socket's name, a directory with all it holds.
    """
    mode = mode_of(filename)
    if mode and not stat.S_ISSOCK(mode):
        lost = (
            "a directory, which the daemon deletes with all it holds"
            if stat.S_ISDIR(mode)
            else "no socket; the daemon deletes it"
        )
        yield error(
            "socket-not-a-socket",
            line,
            f"{filename} is {lost}",
            "give the socket a path of its own, such as /run/receptor/control.sock",
        )


def _check_folder(folder: Path, line: int) -> Iterator[Finding]:
    mode = mode_of(str(folder))
    if mode is not None and not stat.S_ISDIR(mode):
        yield error(
            "socket-dir-missing",
            line,
            f"there is no directory {folder}; the daemon will not make it",
            f"mkdir -p {folder} (below /run: RuntimeDirectory= or tmpfiles.d, to survive a reboot)",
        )


def check_mode(block: Block) -> Iterator[Finding]:
    """Yield findings about the permissions of one socket.

    The daemon reads the number as YAML and Go do: 0660, '0660', 0o660 and '0o660' are octal, 660 is decimal.
    """
    value, line = block.scalar("permissions"), block.line_of("permissions")
    if value is None:
        return
    if re.fullmatch(r"0[oO]?[0-7]+", value.text):
        mode = int(value.text.lower().replace("o", ""), 8)
        yield from _check_bits(mode, line)
        yield from _check_spelling(value, line)
    elif re.fullmatch(r"[1-9][0-9]*", value.text):
        yield from _check_decimal(value.text, line)
    else:
        yield error(
            "permissions", line, f"permissions: {value.text} is not an octal mode", 'write "0660", quoted'
        )


def _check_spelling(value: Scalar, line: int) -> Iterator[Finding]:
    if not value.quoted:
        yield note(
            "permissions-unquoted",
            line,
            f"permissions: {value.text} is octal to the daemon, but not to every YAML reader",
            f'quote it: "{value.text}"',
        )


def _check_decimal(text: str, line: int) -> Iterator[Finding]:
    mode = int(text)
    if mode <= 0o777 and mode & _OWNER_RW == _OWNER_RW:
        yield warning(
            "permissions-decimal",
            line,
            f"permissions: {text} is decimal, which is 0{mode:o} in octal",
            f'write "0{mode:o}", quoted',
        )
        yield from _check_bits(mode, line)
    else:
        yield error(
            "permissions-decimal",
            line,
            f"permissions: {text} is decimal, so the socket gets the mode 0{mode:o}",
            f'write "0{text}", quoted',
        )


def _check_bits(mode: int, line: int) -> Iterator[Finding]:
    if mode > 0o777 or mode & _OWNER_RW != _OWNER_RW:
        yield error("permissions-bits", line, f"with the mode 0{mode:o} its owner cannot use the socket")
    elif mode & _EVERYBODY_WRITES:
        yield warning(
            "permissions-open",
            line,
            f"with the mode 0{mode:o} every user of this machine can run work as the daemon's user",
            'write "0660" and give the group to those who may',
        )


def _check_tcp(block: Block) -> Iterator[Finding]:
    listen, line = block.text("tcplisten"), block.line_of("tcplisten")
    if not listen:
        if block.text("tcptls"):
            yield warning(
                "tcptls-unused",
                block.line_of("tcptls"),
                "tcptls without tcplisten does nothing",
                "tls is for the mesh, tcptls for the TCP port",
            )
        return
    if not re.fullmatch(r"((\[[^\]]+\]|[^:\s]*):)?\d+", listen):
        yield error("tcplisten", line, f"tcplisten: {listen} is not a port or host:port")
    elif wrong := check_port(listen, line):
        yield from wrong
    elif not block.text("tcptls"):
        yield from _check_plain(block, listen, line)


def _check_plain(block: Block, listen: str, line: int) -> Iterator[Finding]:
    if block.text("tls"):
        yield warning(
            "tcptls-missing",
            line,
            "tls protects the mesh service only, the TCP port is plain",
            "add tcptls with the same name",
        )
    elif not re.match(r"(127\.|localhost:|\[::1\])", listen):
        yield warning(
            "tcplisten-plain",
            line,
            f"whoever reaches tcplisten {listen} can run work, unseen and unasked",
            "bind it to 127.0.0.1 or add tcptls with requireclientcert",
        )
