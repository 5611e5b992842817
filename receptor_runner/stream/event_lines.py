"""Events, which are nearly all of a stream, read several times as fast as json reads them.

msgspec does not check the text that it skips, so only lines of ASCII may be given to it; ours and ansible-runner's are.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from receptor_runner.stream.messages import Event

_NOT_TAKEN = (msgspec.DecodeError, ValueError, RecursionError)

_Absent = Annotated[int, msgspec.Meta(gt=0, lt=0)]
"""No value fits: a line that has such a field is left to json."""


class _ReducedEvent(TypedDict):
    """What of a line tells that it is an event and nothing else, and what writing its files needs."""

    counter: Annotated[int, msgspec.Meta(ge=1)]
    uuid: Annotated[str, msgspec.Meta(min_length=1)]
    event: NotRequired[str | None]
    stdout: NotRequired[str | None]
    status: NotRequired[_Absent]
    zipfile: NotRequired[_Absent]
    eof: NotRequired[_Absent]
    kwargs: NotRequired[_Absent]


_decode_reduced = msgspec.json.Decoder(_ReducedEvent).decode
_decode_whole = msgspec.json.Decoder(dict[str, Any]).decode


def read_event(line: bytes) -> Event | None:
    """Return the event of a line with all its data, or None where json has to look.

    Args:
        line: ASCII only, without its line end.
    """
    try:
        return Event(_decode_whole(line), line) if read_reduced_event(line) else None
    except _NOT_TAKEN:
        return None


def read_reduced_event(line: bytes) -> Event | None:
    """Return the event of a line with `counter`, `uuid`, `event` and `stdout` alone, or None where json has to look.

    Args:
        line: ASCII only, without its line end.
    """
    try:
        data: dict[str, Any] = _decode_reduced(line)  # type: ignore[assignment]  # at run time it is a plain dict
    except _NOT_TAKEN:
        return None
    return None if data.get("event") == "keepalive" else Event(data, line)
