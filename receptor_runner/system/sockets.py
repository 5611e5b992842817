"""Unix sockets below paths of any length."""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False  # importing typing would cost a node's start more than the rest of this module
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ADDRESS_BYTES = 107
"""The longest path that fits into a unix socket's address, its final NUL left out."""


@contextmanager
def short_address(path: str) -> Iterator[str]:
    """Provide an address for binding or connecting to the unix socket at `path`.

    A path that is too long is reached through a descriptor of its directory, which is open only meanwhile.

    Raises:
        OSError: the directory of a long path cannot be opened.

    Source: the address of a unix socket holds 108 bytes; paths may have 4096.
    """
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield path
        return
    directory, name = os.path.split(path)
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
