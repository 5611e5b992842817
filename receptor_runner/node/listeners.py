"""The sockets of the node and the locks that keep a second node away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError, NodeUnavailable, pasteable
from receptor_runner.system.sockets import short_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from receptor_runner.node.settings import ControlService

_BACKLOG = 512


@contextlib.contextmanager
def open_listeners(services: Sequence[ControlService]) -> Iterator[list[socket.socket]]:
    """Open the sockets of all control services; unix sockets are removed at the end.

    Raises:
        NodeUnavailable: another node has one of them.
        ConfigError: one cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        listeners = []
        for service in services:
            if service.filename is not None:
                listeners.append(stack.enter_context(_listen_unix(service.filename, service.permissions)))
            if service.tcp_listen is not None:
                listeners.append(stack.enter_context(_listen_tcp(service.tcp_listen)))
        yield listeners


@contextlib.contextmanager
def lock_file(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock; the file stays, for removing it would let two hold it.

    Raises:
        NodeUnavailable: another process holds it.
        ConfigError: the file cannot be made.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot lock the {what}", cause=f"{path}: {error.strerror}") from error
    try:
        _take_lock(fd, what)
        yield
    finally:
        os.close(fd)


def _take_lock(fd: int, what: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise NodeUnavailable(
            f"another node already serves the {what}", hint="stop that node, or configure another place"
        ) from error


@contextlib.contextmanager
def _listen_unix(path: Path, permissions: int) -> Iterator[socket.socket]:
    with lock_file(path.with_name(f"{path.name}.lock"), f"socket {path}"):
        _remove_stale(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with listening:
            with short_address(os.fspath(path)) as address:
                _bind(listening, address, f"socket {path}")
            path.chmod(permissions)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
            yield listening
            path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Remove the socket of a dead node; anything else stays, since it is not ours to remove."""
    if path.is_socket():
        path.unlink(missing_ok=True)
    elif path.exists() or path.is_symlink():
        raise ConfigError(
            f"cannot open the socket {path}",
            cause="there is something else",
            hint=pasteable("ls", "-ld", path),
        )


@contextlib.contextmanager
def _listen_tcp(address: tuple[str, int]) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(listening, address, f"TCP port {address[1]} of {address[0]}")
        listening.listen(_BACKLOG)
        listening.setblocking(False)
        yield listening


def _bind(listening: socket.socket, address: str | tuple[str, int], what: str) -> None:
    try:
        listening.bind(address)
    except OSError as error:
        raise ConfigError(f"cannot open the {what}", cause=error.strerror) from error
