"""A connection to a control service, through receptorctl; the only module that imports it.

It adds what receptorctl lacks: a deadline for connecting, for the greeting and for every reply, and waits that signals
end.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import re
import select
import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from receptor_runner.errors import UsageError
from receptor_runner.system.sockets import short_address

_SLICE_S = 0.5
_ADDRESS = re.compile(
    r"(?P<kind>tcp|tls):(?://)?(?:\[(?P<ipv6>[0-9A-Fa-f:]+)\]|(?P<host>[^:\[\]/]+)):(?P<port>\d+)"
    r"|(?:unix:(?://)?)?(?P<path>(?!tcp:|tls:)[^:]+)"
)


def _import_socket_interface() -> ModuleType:
    """Import this one module of receptorctl, under its usual name.

    Whoever imports `receptorctl` itself gets its command line as well: 30 ms at the start of each of our commands.
    """
    name = "receptorctl.socket_interface"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("receptorctl")
    spec = importlib.machinery.PathFinder.find_spec(
        name, package.submodule_search_locations if package else None
    )
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_socket_interface = _import_socket_interface()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The client side of a control service behind TLS: paths of PEM files."""

    rootcas: str | None = None
    key: str | None = None
    cert: str | None = None
    verify: bool = True


class Connection(_socket_interface.ReceptorControl):  # type: ignore[misc,name-defined] # receptorctl ships no types
    """receptorctl's connection, with a deadline, and always closed."""

    _socket: Any
    _sockfile: Any

    def __init__(self, address: str, deadline_s: float, tls: Tls | None) -> None:
        super().__init__(address)
        self._deadline_s = deadline_s
        self._tls = tls

    def connect(self) -> None:
        if self._socket is None:
            self._socket = _open_socket(self._socketaddress, self._deadline_s, self._tls)
            self._sockfile = self._socket.makefile("rwb")
            self._await(select.POLLIN)
            if not self._sockfile.peek(1):
                raise ConnectionResetError("the node closed the connection")
            self.handshake()

    def pass_on_to(self, node: str, tls_client: str | None) -> None:
        """Connect through to the control service of another node, which greets and answers from now on.

        Args:
            node: the other node.
            tls_client: the local node's TLS client for it.

        Raises:
            RuntimeError: the local node cannot, in its words.
        """
        try:
            self.connect_to_service(node, "control", tls_client or "")
        except RuntimeError as refusal:
            raise RuntimeError(str(refusal).removeprefix("ERROR: ")) from refusal
        self.handshake()

    def reply_within(self, seconds: float) -> None:
        self._deadline_s = seconds
        self._socket.settimeout(seconds)

    def readstr(self) -> str:
        if not self._has_read_ahead():
            self._await(select.POLLIN)
        return str(super().readstr())

    def send(self, data: bytes) -> None:
        """Send a piece of a payload; the deadline is for each write of the system."""
        left = memoryview(data)
        while left:
            self._await(select.POLLOUT)
            left = left[self._socket.send(left) :]

    def end_sending(self) -> None:
        """Close the sending half: nothing more will be sent."""
        _socket_interface.shutdown_write(self._socket)

    def _has_read_ahead(self) -> bool:
        """Return whether a reply is in our buffers already, where polling the socket does not show it."""
        self._socket.setblocking(False)
        try:
            with contextlib.suppress(ssl.SSLWantReadError):
                return bool(self._sockfile.peek(1))
            return False
        finally:
            self._socket.settimeout(self._deadline_s)

    def _await(self, event: int) -> None:
        """Wait until the socket is ready, or until the deadline."""
        poller = select.poll()
        poller.register(self._socket, event)
        end = time.monotonic() + self._deadline_s
        # In slices: Python runs the handler of a signal that arrives just before the system call only after that call.
        while not poller.poll(_SLICE_S * 1000):
            if time.monotonic() >= end:
                raise TimeoutError("timed out")

    def peer_pid(self) -> int | None:
        """Return the process at the other end of a unix socket, None for another kind of socket."""
        if self._socket.family != socket.AF_UNIX:
            return None
        size = struct.calcsize("3i")
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", credentials)[0]) or None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close without waiting for what could not be sent yet."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.setblocking(False)
            if self._sockfile is not None:
                self._sockfile.close()
        self._socket.close()
        self._socket = self._sockfile = None


def path_of(address: str) -> Path | None:
    """Return the path of a unix socket's address, None for another kind of address."""
    match = _ADDRESS.fullmatch(address)
    return Path(match["path"]).expanduser() if match and match["path"] else None


def _open_socket(address: str, deadline_s: float, tls: Tls | None) -> socket.socket:
    if path := path_of(address):
        return _open_unix(str(path), deadline_s)
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise UsageError(
            f"invalid socket address `{address}`", hint="use a path, tcp://host:port or tls://host:port"
        )
    host = match["host"] or match["ipv6"]
    plain = socket.create_connection((host, int(match["port"])), deadline_s)
    if match["kind"] == "tcp":
        return plain
    try:
        return _tls_context(tls or Tls()).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _open_unix(path: str, deadline_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(deadline_s)
        with short_address(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.rootcas)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert and tls.key:
        context.load_cert_chain(tls.cert, tls.key)
    return context
