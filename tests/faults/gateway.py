"""A unix socket in front of a node's, which can hold a conversation at an exact place."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

_PIECE = 64 * 1024
_TAIL = 256
_POLL_S = 0.02


@dataclass
class Hold:
    """A place in the conversation at which it is held.

    Attributes:
        upwards: whether it is in what the client sends, or in what the node answers.
        pattern: bytes after which it is.
        after: how many further bytes pass; 0 holds back the piece with the pattern itself.
        reached: set once a conversation is held.
        let_go: set by the test to let it go on.
    """

    upwards: bool
    pattern: bytes
    after: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


class Gateway:
    """Forwards every connection to the node, held where the test wants it.

    Args:
        path: the socket that clients use.
        target: the node's own socket.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._holds: list[Hold] = []
        self._closed = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(256)
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def hold(self, pattern: bytes, *, upwards: bool, after: int = 0) -> Hold:
        """Hold every conversation from now on at a place."""
        made = Hold(upwards, pattern, after)
        self._holds.append(made)
        return made

    def open(self) -> None:
        """Hold nothing any more."""
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.let_go.set()

    def close(self) -> None:
        """End all conversations."""
        self.open()
        self._closed.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while not self._closed.is_set():
            if not select.select([self._listener], [], [], _POLL_S)[0]:
                continue
            client, _address = self._listener.accept()
            thread = threading.Thread(target=self._converse, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, client: socket.socket) -> None:
        node = socket.socket(socket.AF_UNIX)
        with client, node, contextlib.suppress(OSError):
            node.connect(str(self._target))
            up = _Direction(client, node, [hold for hold in self._holds if hold.upwards])
            down = _Direction(node, client, [hold for hold in self._holds if not hold.upwards])
            while not (self._closed.is_set() or _is_gone(client) or (up.ended and down.ended)):
                if (up.is_held or down.is_held) and _is_gone(node):
                    return
                waiting = [way.source for way in (up, down) if way.is_open]
                for ready in select.select(waiting, [], [], _POLL_S)[0]:
                    (up if ready is client else down).forward()
                if not _is_gone(client):
                    up.go_on()
                    down.go_on()


class _Direction:
    def __init__(self, source: socket.socket, sink: socket.socket, holds: list[Hold]) -> None:
        self.source = source
        self._sink = sink
        self._holds = holds
        self._held: tuple[Hold, bytes] | None = None
        self._tail = b""
        self._passed: dict[int, int] = {}
        self.ended = False

    @property
    def is_held(self) -> bool:
        return self._held is not None

    @property
    def is_open(self) -> bool:
        return not self.ended and self._held is None

    def forward(self) -> None:
        try:
            data = self.source.recv(_PIECE)
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            with contextlib.suppress(OSError):
                self._sink.shutdown(socket.SHUT_WR)
            return
        self._pass(data)

    def go_on(self) -> None:
        if self._held and self._held[0].let_go.is_set():
            data, self._held = self._held[1], None
            self._sink.sendall(data)

    def _pass(self, data: bytes) -> None:
        seen, self._tail = self._tail + data, (self._tail + data)[-_TAIL:]
        for hold in self._holds:
            if hold.let_go.is_set():
                continue
            left = self._left(hold, seen, len(data))
            if left is not None and left < len(data):
                self._sink.sendall(data[:left])
                self._held = (hold, data[left:])
                hold.reached.set()
                return
        self._sink.sendall(data)

    def _left(self, hold: Hold, seen: bytes, size: int) -> int | None:
        """Return how many of the new bytes may still pass, or None if the place is not in sight."""
        passed = self._passed.get(id(hold))
        if passed is None:
            found = seen.find(hold.pattern)
            if found < 0:
                return None
            if not hold.after:
                return 0
            passed = -max(found + len(hold.pattern) - (len(seen) - size), 0)
        self._passed[id(hold)] = passed + size
        return max(hold.after - passed, 0)


def _is_gone(client: socket.socket) -> bool:
    """Whether the client has closed for good, which a half-close is not."""
    poll = select.poll()
    poll.register(client, 0)
    return bool(poll.poll(0))
