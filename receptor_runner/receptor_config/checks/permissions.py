"""Checks of a socket's mode, which the daemon takes as a number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error, note, warning
from receptor_runner.receptor_config.values import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.document import Block, Scalar

_OWNER_RW = 0o600
_OTHERS_WRITE = 0o002


def check_mode(block: Block) -> Iterator[Finding]:
    """Yield findings about the permissions of one socket.

    Source: the daemon reads the number as Go does: 0660 and 0o660 are octal, quoted or not, and 660 is decimal.
    """
    value, line = block.scalar("permissions"), block.line_of("permissions")
    if value is None:
        return
    mode = whole_number(value.text)
    if mode is not None and re.fullmatch(r"0[oO]?[0-7]+", value.text):
        yield from _check_bits(mode, line)
        yield from _check_spelling(value, line)
    elif mode is not None and re.fullmatch(r"[1-9][0-9]*", value.text):
        yield from _check_decimal(value.text, mode, line)
    else:
        message = f"permissions: {value.text} is not an octal mode"
        yield error("permissions", line, message, 'write "0660", in quotes')


def _check_spelling(value: Scalar, line: int) -> Iterator[Finding]:
    if not value.quoted:
        message = f"permissions: {value.text} is octal to the daemon, but not to every YAML reader"
        yield note("permissions-unquoted", line, message, f'quote it: "{value.text}"')


def _check_decimal(text: str, mode: int, line: int) -> Iterator[Finding]:
    if mode <= 0o777 and mode & _OWNER_RW == _OWNER_RW:
        message = f"permissions: {text} is decimal, which is 0{mode:o} in octal"
        yield warning("permissions-decimal", line, message, f'write "0{mode:o}", in quotes')
        yield from _check_bits(mode, line)
    else:
        message = f"permissions: {text} is decimal, so the socket gets mode 0{mode:o}"
        yield error("permissions-decimal", line, message, f'write "0{text}", in quotes')


def _check_bits(mode: int, line: int) -> Iterator[Finding]:
    if mode > 0o777 or mode & _OWNER_RW != _OWNER_RW:
        yield error("permissions-bits", line, f"with mode 0{mode:o} the owner cannot use the socket")
    elif mode & _OTHERS_WRITE:
        message = f"with mode 0{mode:o} every user on this machine can run work as the daemon's user"
        yield warning("permissions-open", line, message, 'write "0660" and add the right users to the group')
