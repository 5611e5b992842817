"""What in a stream was not a message, and the explanation of a stream that is damaged or stops halfway."""

from __future__ import annotations

import logging

from receptor_runner.errors import ArchiveError, InputFailed, StreamError
from receptor_runner.stream.messages import Noise

log = logging.getLogger("receptor_runner.process")

BAD_LINE = "Failed to JSON parse a line from worker stream."
NO_LINE = (
    "Unexpected empty line encountered during worker stream. "
    "Worker did not produce events or streaming was aborted, check execution node health."
)


class StreamDamage:
    """The noise of a stream.

    Attributes:
        count: how many messages were damaged so far.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._last: Noise | None = None

    def take(self, noise: Noise) -> None:
        """Take the next noise, and log it."""
        self._last = noise
        self.count += noise.damaged
        log.warning("in the stream: %s", noise)

    def passed(self) -> None:
        """Forget noise that was no damage: a whole message has followed it, so it did no harm."""
        if self._last and not self._last.damaged:
            self._last = None

    def explain(self, error: StreamError, *, ended: bool) -> str:
        """Return what is wrong with the stream.

        A stream that is damaged or stops halfway is explained by ansible-runner's own sentence first, which callers
        look for. It blames the worker's node, so nothing else may use it.

        Args:
            error: what was raised.
            ended: whether the stream's end marker has come.
        """
        detail = str(error)
        if isinstance(error, InputFailed):
            return detail
        if self._last is not None:
            return f"{BAD_LINE} Error: {detail} Line with invalid JSON data: {self._last.excerpt!r}"
        if isinstance(error, ArchiveError) or ended:
            return detail
        return f"{NO_LINE} {detail}"
