"""The channel gives back what the plugin wrote, however it is torn, and waits for nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from receptor_runner.execution.event_channel import EventChannel
from tests.harness import wait_until


@pytest.fixture
def channel() -> Iterator[EventChannel]:
    """An open channel."""
    with closing(EventChannel.inherited()) as opened:
        yield opened


def test_an_empty_channel_holds_nobody_up(channel: EventChannel) -> None:
    """Where nothing was written, nothing comes, at once."""
    assert channel.read() == []
    assert list(channel.drain()) == []


def test_messages_are_whole_though_they_come_in_pieces(channel: EventChannel) -> None:
    """A message is given out when its line end has come, not before."""
    line = json.dumps({"text": "é\n"}).encode()
    os.write(channel.writer, line[:4])
    assert channel.read() == []
    os.write(channel.writer, line[4:] + b"\n" + line + b"\n{")
    assert channel.read() == [{"text": "é\n"}, {"text": "é\n"}]
    os.write(channel.writer, b"}\n\n")
    assert channel.read() == [{}]


def test_a_half_read_message_or_a_full_pipe_must_be_read_on(channel: EventChannel) -> None:
    """Only after whole messages in a small read may the next one wait: else its writer might."""
    found = []
    for written in (b"{}\n", b"{", b"}\n", b"{}\n" * 30_000):
        os.write(channel.writer, written)
        channel.read()
        found.append(channel.may_wait)
    assert found == [True, False, True, False]


def test_a_message_may_be_larger_than_the_pipe(channel: EventChannel) -> None:
    """A huge message arrives while its writer still waits for room."""
    message = {"text": "x" * 5_000_000}
    writer = threading.Thread(target=write_all, args=(channel.writer, json.dumps(message).encode() + b"\n"))
    writer.start()
    found: list[object] = []

    def has_come() -> bool:
        found.extend(channel.read())
        return bool(found)

    wait_until(has_come, "the message")
    writer.join()
    assert found == [message]


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data."""
    while data:
        data = data[os.write(descriptor, data) :]


def test_the_end_needs_no_end_of_file(channel: EventChannel) -> None:
    """What a program wrote is read to its end while a stray process still holds the channel open."""
    script = f"import os; os.write({channel.writer}, b'{{}}\\n'); print(1, flush=True); input()"
    words = [sys.executable, "-c", script]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[channel.writer]
    ) as stray:
        assert stray.stdout is not None
        stray.stdout.readline()
        assert list(channel.drain()) == [{}]
        stray.communicate(b"\n", timeout=10)
