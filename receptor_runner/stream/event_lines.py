"""Events, which are nearly all of a stream, read several times as fast as json reads them.

msgspec does not check the text that it skips, so only lines of ASCII may be given to it; ours and ansible-runner's are.
"""

from __future__ import annotations

import msgspec

from receptor_runner.stream.messages import Event

_UNSET = msgspec.UNSET
_NOT_TAKEN = (msgspec.DecodeError, ValueError, RecursionError)


class _EventLine(msgspec.Struct, gc=False):
    """What of a line tells that it is an event and nothing else, and what writing its files needs."""

    counter: int
    uuid: str
    event: str | None = None
    stdout: str | None = None
    status: msgspec.Raw | msgspec.UnsetType = _UNSET
    zipfile: msgspec.Raw | msgspec.UnsetType = _UNSET
    eof: msgspec.Raw | msgspec.UnsetType = _UNSET
    kwargs: msgspec.Raw | msgspec.UnsetType = _UNSET

    @property
    def is_event(self) -> bool:
        """Whether nothing makes it another kind of message."""
        return bool(
            self.counter
            and self.uuid
            and self.event != "keepalive"
            and self.status is self.zipfile is self.eof is self.kwargs is _UNSET
        )


_decode_line = msgspec.json.Decoder(_EventLine).decode
_decode_whole = msgspec.json.Decoder().decode


def read_event(line: bytes) -> Event | None:
    """Return the event of a line with all its data, or None where json has to look.

    Args:
        line: ASCII only, without its line end.
    """
    try:
        return Event(_decode_whole(line), line) if _decode_line(line).is_event else None
    except _NOT_TAKEN:
        return None


def read_reduced_event(line: bytes) -> Event | None:
    """Return the event of a line with `counter`, `uuid` and `stdout` alone, or None where json has to look.

    Args:
        line: ASCII only, without its line end.
    """
    try:
        found = _decode_line(line)
    except _NOT_TAKEN:
        return None
    if not found.is_event:
        return None
    return Event({"counter": found.counter, "uuid": found.uuid, "stdout": found.stdout}, line)
