"""The decoder: any bytes, in any pieces, become the same messages, and never a message that was not sent."""

from __future__ import annotations

import base64
import binascii
import json
import textwrap
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.errors import ArchiveError, StreamError
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import EOF_LINE, KEEPALIVE_LINE, encode_archive, encode_line
from receptor_runner.stream.messages import (
    ArchiveData,
    ArchiveEnd,
    ArchiveStart,
    Eof,
    Event,
    Keepalive,
    Kwargs,
    Message,
    Noise,
    StatusLine,
    Unknown,
    WorkerLine,
)
from receptor_runner.stream.position import Position
from tests.harness import Commands, Project

ZIP = bytes(range(256)) * 3 + b"!"
EVENT = {"uuid": "u-1", "counter": 1, "stdout": "é\r\n", "event": "verbose"}
STREAM = b"".join(
    [
        encode_line({"kwargs": {"ident": "1"}}),
        encode_line({"status": "starting", "zipfile": 7, "eof": 1}),
        encode_line(EVENT),
        KEEPALIVE_LINE,
        encode_line({"worker_output": "stray"}),
        *encode_archive(len(ZIP), [ZIP]),
        encode_line({"status": "successful"}),
        EOF_LINE,
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=9), values, max_size=4)
records = st.one_of(
    objects.map(lambda value: encode_line({"status": "running", "more": value})),
    objects.map(lambda value: encode_line({"kwargs": value})),
    st.tuples(st.integers(1, 10**12), objects).map(
        lambda pair: encode_line({"counter": pair[0], "uuid": "u", "event_data": pair[1]})
    ),
    st.binary(max_size=80).map(lambda data: b"".join(encode_archive(len(data), [data]))),
    st.just(KEEPALIVE_LINE),
)
streams = st.lists(records, max_size=6).map(lambda parts: b"".join([*parts, EOF_LINE]))


def decode(pieces: Iterable[bytes], decoder: Decoder | None = None) -> list[Message]:
    """Return the messages of a stream, the pieces of an archive joined into one."""
    decoder = decoder or Decoder()
    messages: list[Message] = []
    for piece in pieces:
        messages += decoder.feed(piece)
    return joined(messages)


def joined(messages: Iterable[Message]) -> list[Message]:
    """Join the pieces of archives, which depend on how the bytes came."""
    found: list[Message] = []
    for message in messages:
        if isinstance(message, ArchiveData) and found and isinstance(found[-1], ArchiveData):
            found[-1] = ArchiveData(found[-1].data + message.data)
        else:
            found.append(message)
    return found


def kept(messages: Iterable[Message]) -> list[Message]:
    """Leave out what is no message."""
    return [message for message in messages if not isinstance(message, Noise)]


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut a stream at some places."""
    marks = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(marks)]


def line(value: Any) -> bytes:
    """Return a value of any kind as a line."""
    return json.dumps(value).encode() + b"\n"


def test_every_kind_of_message_is_told_apart() -> None:
    """Each line becomes a message of its kind, in order, and an archive's bytes come out whole."""
    assert decode([STREAM]) == [
        Kwargs({"ident": "1"}),
        StatusLine({"status": "starting", "zipfile": 7, "eof": 1}),
        Event(EVENT, json.dumps(EVENT).encode()),
        Keepalive(),
        WorkerLine("stray"),
        ArchiveStart(len(ZIP)),
        ArchiveData(ZIP),
        ArchiveEnd(),
        StatusLine({"status": "successful"}),
        Eof(),
    ]


@settings(max_examples=50, deadline=None)
@given(streams, st.lists(st.integers(0, 10**6), max_size=8))
def test_messages_do_not_depend_on_the_pieces(stream: bytes, places: list[int]) -> None:
    """A stream cut anywhere, even byte by byte, gives the same messages and nothing that is noise."""
    whole = decode([stream])
    assert whole[-1] == Eof()
    assert kept(whole) == whole
    assert decode(cut(stream, places)) == whole
    assert decode(stream[index : index + 1] for index in range(len(stream))) == whole


@settings(max_examples=50, deadline=None)
@given(streams, st.integers(0, 10**6))
def test_a_cut_stream_never_ends_well(stream: bytes, place: int) -> None:
    """A stream cut anywhere before its end marker is complete has no Eof, and the error says how many bytes came."""
    piece = stream[: place % (len(stream) - 1)]
    decoder = Decoder()
    messages = [*decoder.feed(piece), *decoder.finish()]
    assert Eof() not in messages
    with pytest.raises(StreamError) as caught:
        decoder.check_complete()
    if decoder.position.archive_size is None:
        assert caught.value.cause == f"{len(piece)} bytes came"
    else:
        size, received = decoder.position.archive_size, decoder.position.archive_received
        assert caught.value.cause == f"received {received} of {size} bytes"


@settings(max_examples=50, deadline=None)
@given(streams, st.integers(0, 10**6))
def test_decoding_goes_on_from_any_position(stream: bytes, place: int) -> None:
    """From the position after any message, inside of archives too, a new decoder yields exactly the rest."""
    decoder = Decoder()
    first: list[Message] = []
    positions = [decoder.position]
    counts = [0]
    for index in range(len(stream)):
        for message in decoder.feed(stream[index : index + 1]):
            first.append(message)
            positions.append(decoder.position)
            counts.append(len(first))
    chosen = place % len(positions)
    position = positions[chosen]
    rest = decode([stream[position.offset :]], Decoder(position))
    assert joined([*first[: counts[chosen]], *rest]) == joined(first)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\n", b"  \r\n", b"a warning\n", b"Traceback: 'x'\n", b"\xff\xfe\n"]), max_size=6
    )
)
def test_noise_between_messages_changes_nothing(noise: list[bytes]) -> None:
    """Blank lines and lines of others between messages are passed over, and only the latter are reported."""
    lines = [encode_line({"status": "running"}), encode_line(EVENT), KEEPALIVE_LINE, EOF_LINE]
    mixed = b"".join(a + b for a, b in zip([*noise, *[b""] * 6][:4], lines, strict=True))
    messages = decode([mixed])
    assert kept(messages) == decode([b"".join(lines)])
    reported = [message.excerpt for message in messages if isinstance(message, Noise)]
    assert reported == [piece.strip() for piece in noise[:4] if piece.strip()]
    assert not any(message.damaged for message in messages if isinstance(message, Noise))


def test_noise_says_where_it_is() -> None:
    """Noise carries its offset, its size and its beginning, whatever bytes it has."""
    stream = KEEPALIVE_LINE + b"\xff" + b"x" * 999 + b"\n" + EOF_LINE
    _alive, noise, _end = decode([stream])
    assert isinstance(noise, Noise)
    assert (noise.offset, noise.size, noise.excerpt[:3]) == (len(KEEPALIVE_LINE), 1000, b"\xffxx")
    assert len(str(noise)) < 400


@pytest.mark.parametrize("width", [1, 3, 76, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \t"])
def test_blanks_inside_of_base64_are_skipped(width: int, end: str) -> None:
    """An archive whose text is wrapped at any width decodes to the same bytes, in any pieces."""
    text = end.join(textwrap.wrap(base64.b64encode(ZIP).decode(), width)).encode()
    stream = line({"zipfile": len(ZIP)}) + text + end.encode() + EOF_LINE
    for pieces in ([stream], [stream[index : index + 1] for index in range(len(stream))]):
        assert decode(pieces) == [ArchiveStart(len(ZIP)), ArchiveData(ZIP), ArchiveEnd(), Eof()]


def test_several_objects_on_a_line() -> None:
    """Objects that stand on one line, or behind an archive, are messages each."""
    stream = b'{"status": "a"}{"status": "b"} [1] {"zipfile": 1} \nQQ=={"status": "c"}{"eof": true} \n'
    assert decode([stream]) == [
        StatusLine({"status": "a"}),
        StatusLine({"status": "b"}),
        Unknown([1]),
        ArchiveStart(1),
        ArchiveData(b"A"),
        ArchiveEnd(),
        StatusLine({"status": "c"}),
        Eof(),
    ]


def test_a_message_behind_foreign_text_is_found() -> None:
    """Text without a line end before a message is noise that may hide damage; the message itself is kept."""
    noise, status = decode([b'50% done {"status": "running"}\n'])
    assert isinstance(noise, Noise)
    assert noise.damaged
    assert status == StatusLine({"status": "running"})


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_damaged_message_never_yields_what_lies_inside(start: int, end: int) -> None:
    """Of a message that lost its head, its tail or a piece of its middle nothing is taken for a message."""
    inner = {"status": "successful", "eof": True, "zipfile": 3}
    whole = json.dumps({"counter": 1, "uuid": "u", "event_data": {"a": inner, "b": [inner, inner]}}).encode()
    first, last = sorted((1 + start % (len(whole) - 1), 1 + end % (len(whole) - 1)))
    for damaged in (whole[first:], whole[:last]):
        messages = decode([damaged + b"\n", KEEPALIVE_LINE])
        assert all(isinstance(message, Noise | Unknown | Keepalive) for message in messages)
    messages = decode([whole[:first] + whole[last:] + b"\n", KEEPALIVE_LINE])
    assert all(isinstance(message, Noise | Unknown | Keepalive | Event) for message in messages)


def test_what_follows_a_damaged_line_is_read_again() -> None:
    """After a damaged line decoding goes on with the next line."""
    noise, alive = decode([b'{"counter": 1, "uu\n' + KEEPALIVE_LINE])
    assert isinstance(noise, Noise)
    assert noise.damaged
    assert alive == Keepalive()


@pytest.mark.parametrize(
    "text",
    [
        "12",
        "true",
        "null",
        '"text"',
        "[1, 2]",
        "{}",
        '{"event": "verbose"}',
        '{"counter": 0, "uuid": "u"}',
        '{"counter": 1, "uuid": 0}',
        '{"counter": true, "uuid": "u"}',
        '{"counter": "1", "uuid": "u"}',
        '{"kwargs": "no mapping"}',
        '{"news": {"of": "tomorrow"}}',
        "NaN",
    ],
)
def test_what_is_of_no_known_kind_is_passed_over(text: str) -> None:
    """JSON of a kind that is not known is reported as such, and the next message is read."""
    unknown, alive = decode([text.encode() + b"\n" + KEEPALIVE_LINE])
    assert isinstance(unknown, Unknown)
    assert alive == Keepalive()


@pytest.mark.parametrize("size", ["-1", "1.5", '"12"', "null", "true", "[1]", "1e3"])
def test_an_archive_of_no_size_is_a_damaged_message(size: str) -> None:
    """A header whose size is no number of bytes announces nothing, but is not passed over in silence."""
    raw = f'{{"zipfile": {size}}}'.encode()
    noise, alive = decode([b"  " + raw + b"\n" + KEEPALIVE_LINE])
    assert isinstance(noise, Noise)
    assert noise.damaged
    assert raw in noise.excerpt
    assert alive == Keepalive()


@pytest.mark.parametrize(
    "text", ["[" * 50_000, '{"a":' * 50_000, '{"counter": ' + "9" * 5000 + ', "uuid": "u"}', "9" * 5000]
)
def test_monsters_are_noise(text: str) -> None:
    """Deep nesting and numbers beyond all measure do no harm."""
    noise, alive = decode([text.encode() + b"\n" + KEEPALIVE_LINE])
    assert isinstance(noise, Noise)
    assert alive == Keepalive()


def test_bytes_that_are_no_utf8_inside_of_a_message() -> None:
    """A message with bytes that are no UTF-8 is still one, and its own bytes are kept."""
    raw = b'{"counter": 1, "uuid": "u", "stdout": "\xff"}'
    (event,) = decode([raw + b"\n"])
    assert isinstance(event, Event)
    assert event.raw == raw


@pytest.mark.parametrize(
    "text", [b"QUJ*", b"QU==QUJD", b"=QUJ", b"Q===", b'QUJD{"eof": true}', b"QUJDREVG"], ids=str
)
@pytest.mark.parametrize("step", [1, 1000])
def test_wrong_base64_is_an_error_however_it_comes(text: bytes, step: int) -> None:
    """Text that is no base64, or gives another number of bytes, is an error with an offset, in any pieces."""
    stream = line({"zipfile": 5}) + text + b"\n"
    with pytest.raises(ArchiveError) as caught:
        decode(stream[index : index + step] for index in range(0, len(stream), step))
    assert caught.value.offset is not None
    assert caught.value.offset >= len(line({"zipfile": 5}))


@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 79), st.sampled_from(b"=-_Az+\xff")), max_size=2),
)
def test_base64_is_read_as_strictly_as_the_standard_library_reads_it(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    """Text that strict base64 refuses is an error here too, and all other text gives the same bytes."""
    text = bytearray(base64.b64encode(data))
    for place, character in changes:
        text[place % len(text)] = character
    try:
        expected = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        expected = b""
    stream = [line({"zipfile": len(data)}), bytes(text), EOF_LINE]
    if len(expected) == len(data):
        assert decode(stream)[1:] == [ArchiveData(expected), ArchiveEnd(), Eof()]
    else:
        with pytest.raises(ArchiveError):
            decode(stream)


def test_an_empty_archive() -> None:
    """An archive of no bytes begins and ends."""
    assert decode([b'{"zipfile": 0}\n{"eof": true}\n']) == [ArchiveStart(0), ArchiveEnd(), Eof()]


def test_what_follows_the_end_is_dropped() -> None:
    """Nothing that comes after the end marker is looked at, and the position stays behind the marker."""
    decoder = Decoder()
    assert decode([EOF_LINE + b"Released\n", KEEPALIVE_LINE], decoder) == [Eof()]
    assert decoder.position == Position(offset=len(EOF_LINE), ended=True)
    assert decode([KEEPALIVE_LINE], Decoder(decoder.position)) == []
    Decoder(decoder.position).check_complete()


def test_the_last_line_needs_no_line_end() -> None:
    """A stream whose end marker lacks its line end is complete."""
    decoder = Decoder()
    assert decode([KEEPALIVE_LINE + EOF_LINE.strip()], decoder) == [Keepalive()]
    assert list(decoder.finish()) == [Eof()]
    decoder.check_complete()


def test_a_line_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that grows beyond what a message can have is given up, so that memory does not fill."""
    monkeypatch.setattr("receptor_runner.stream.decoder.LINE_LIMIT", 1000)
    decoder = Decoder()
    with pytest.raises(StreamError, match="no end"):
        for _ in range(100):
            list(decoder.feed(b"x" * 100))


def test_streams_of_the_peer(project: Project, commands: Commands) -> None:
    """Both streams as ansible-runner really writes them decode without noise, to their end marker."""
    transmitted = commands.peer("transmit", project.path, "-p", "test.yml").stdout
    worked = commands.peer("worker", stdin=transmitted).stdout
    forth, back = decode([transmitted]), decode([worked])
    assert [type(message) for message in forth] == [Kwargs, ArchiveStart, ArchiveData, ArchiveEnd, Eof]
    assert kept(back) == back
    assert [message.data["status"] for message in back if isinstance(message, StatusLine)] == [
        "starting",
        "running",
        "successful",
    ]
    counters = [message.data["counter"] for message in back if isinstance(message, Event)]
    assert counters == list(range(1, len(counters) + 1))
    assert back[-4:] == [back[-4], back[-3], ArchiveEnd(), Eof()]


numbers = st.one_of(
    st.integers(), st.floats(), st.integers(-(10**30), 10**30), st.sampled_from([1e308, -0.0, 0.1])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(st.characters(exclude_categories=[]), max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["counter", "uuid", "stdout", "event", "status", "zipfile", "eof", "kwargs", "other"])


@given(
    st.dictionaries(KEYS, values, max_size=5),
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(b'{}[]",:\\x01e\n\xff')), max_size=2),
)
def test_events_are_read_as_json_reads_them(
    fields: dict[str, Any], ascii_only: bool, is_event: bool, changes: list[tuple[int, int]]
) -> None:
    """The fast way gives what the standard library gives: the same events with the same values, and no others."""
    named = fields | ({"counter": 7, "uuid": "u"} if is_event else {})
    text = json.dumps(named, ensure_ascii=ascii_only)
    raw = bytearray(text.encode(errors="surrogatepass"))
    for place, character in changes:
        raw[place % len(raw)] = character
    whole = [message for message in Decoder().feed(bytes(raw) + b"\n") if isinstance(message, Event)]
    parts = Decoder(whole_events=False).feed(bytes(raw) + b"\n")
    part = [message for message in parts if isinstance(message, Event)]
    assert [message.raw for message in part] == [message.raw for message in whole]
    for message, reduced in zip(whole, part, strict=True):
        expected = json.loads(message.raw.decode(errors="surrogateescape"))
        assert repr(message.data) == repr(expected)
        for key in ("counter", "uuid", "stdout"):
            assert repr(reduced.data.get(key)) == repr(expected.get(key))


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_a_byte_order_mark_is_skipped(ending: bytes) -> None:
    """The mark that Windows tools put before a text is no message and no damage, at any line."""
    mark = b"\xef\xbb\xbf"
    stream = [mark + line(EVENT), mark + line({"status": "running"}), mark + EOF_LINE.strip() + ending]
    decoder = Decoder()
    assert [*decode(stream, decoder), *decoder.finish()] == [
        Event(EVENT, line(EVENT).strip()),
        StatusLine({"status": "running"}),
        Eof(),
    ]
    assert decoder.position.offset == sum(map(len, stream))
