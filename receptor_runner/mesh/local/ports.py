"""Free TCP ports of the loopback."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

_RANGE = range(20_000, 32_768)
"""Below the ports that Linux gives to outgoing connections: until its daemon listens, nobody else is given a port."""

_TRIES = 1000


def free_ports(count: int) -> list[int]:
    """Return so many different ports on which nobody listens now.

    Raises:
        OSError: there are none.
    """
    chosen: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, _TRIES):
        if len(chosen) == count:
            break
        if _is_free(port):
            chosen.append(port)
    if len(chosen) < count:
        raise OSError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop}")
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the daemon does: a port whose last connection has just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
