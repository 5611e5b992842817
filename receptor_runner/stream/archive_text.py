"""An archive as it stands in a stream: base64 without line ends, out of which it comes piece by piece."""

from __future__ import annotations

from pybase64 import b64decode

from receptor_runner.errors import ArchiveError

_BLANKS = b" \t\r\n"


class ArchiveText:
    """The text of one archive.

    Whitespace in it is passed over, although neither ansible-runner nor we write any: what lies between may.

    Attributes:
        size: bytes of the zip file.
        received: how many of them have come.
    """

    __slots__ = ("received", "size")

    def __init__(self, size: int, received: int = 0) -> None:
        self.size = size
        self.received = received

    @property
    def is_complete(self) -> bool:
        """Whether all of it has come."""
        return self.received >= self.size

    def take(self, buffer: bytearray, offset: int) -> tuple[int, bytes]:
        """Decode what the buffer begins with, in whole groups of four characters; return how many bytes those take.

        Args:
            buffer: what has come of the stream; what is behind the archive stays untouched.
            offset: where in the stream it begins, for the error.

        Raises:
            ArchiveError: it is no base64, or longer or shorter than it says.
        """
        wanted = -(-(self.size - self.received) // 3) * 4
        try:
            consumed, count, data = _decoded(buffer, wanted)
        except ValueError as error:
            raise _damaged(f"base64: {error}", offset) from error
        if len(data) != min(count // 4 * 3, self.size - self.received):
            raise _damaged("wrong length", offset)
        self.received += len(data)
        return consumed, data


def _damaged(cause: str, offset: int) -> ArchiveError:
    return ArchiveError("the stream's archive is damaged", cause=cause, offset=offset)


def _decoded(buffer: bytearray, wanted: int) -> tuple[int, int, bytes]:
    """Decode at most so many characters; return how many bytes those take, how many they are, and what they give."""
    count = min(len(buffer), wanted) // 4 * 4
    try:
        with memoryview(buffer) as whole, whole[:count] as view:
            return count, count, b64decode(view, validate=True)
    except ValueError:  # there are blanks in it, or it is damaged
        consumed, text = _without_blanks(buffer, wanted)
        return consumed, len(text), b64decode(text, validate=True)


def _without_blanks(buffer: bytearray, wanted: int) -> tuple[int, bytes]:
    """Return how many bytes to consume for whole groups of four characters, at most `wanted`, and those."""
    text = bytes(buffer[:wanted])
    if len(text.translate(None, _BLANKS)) == len(text):
        count = len(text) // 4 * 4
        return count, text[:count]
    text = bytes(buffer)
    count = min(len(text.translate(None, _BLANKS)), wanted) // 4 * 4
    cut = _index_after(text, count)
    return cut, text[:cut].translate(None, _BLANKS)


def _index_after(text: bytes, count: int) -> int:
    """Return the index behind the first `count` characters of `text` that are not blank."""
    index = 0
    while count:
        step = text[index : index + count]
        count -= len(step.translate(None, _BLANKS))
        index += len(step)
    return index
