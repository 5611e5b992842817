"""The stream from a worker to process, as it is written."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import pytest
from receptor_runner import result_stream
from receptor_runner.result_stream import ResultStream
from receptor_runner.stream.encoder import EOF_LINE
from receptor_runner.system.cancel import CancelToken

from tests.harness import wait_until


@dataclass
class Recorder:
    """An output that keeps each write."""

    writes: list[bytes] = field(default_factory=list)
    failure: OSError | None = None

    def write(self, data: bytes) -> None:
        """Keep a write, or fail."""
        if self.failure:
            raise self.failure
        self.writes.append(data)

    def flush(self) -> None:
        """Do nothing."""

    @property
    def data(self) -> bytes:
        """All that was written."""
        return b"".join(self.writes)


def test_writes_are_collected_and_keep_their_order() -> None:
    """Many small lines from several threads arrive in few writes, whole, and each thread's in its order."""
    output = Recorder()
    stream = ResultStream(output)

    def send(letter: str) -> None:
        for number in range(500):
            stream.event({"letter": letter, "number": number})

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.archive(3, [b"abc"])
    stream.finish()
    lines = [json.loads(line) for line in output.data.splitlines()[:1500]]
    for letter in "abc":
        assert [line["number"] for line in lines if line["letter"] == letter] == list(range(500))
    assert output.data.endswith(b'{"zipfile": 3}\nYWJj{"eof": true}\n')
    assert len(output.writes) < 300


def test_a_single_line_goes_out_although_nothing_follows() -> None:
    """A line that waits for company is sent soon when none comes."""
    output = Recorder()
    stream = ResultStream(output)
    for number in range(3):
        stream.event({"number": number})
    wait_until(lambda: output.data.count(b"\n") == 3, "all lines are out")
    stream.finish()


def test_nothing_follows_the_end_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent after the end is dropped, even if it would go out at once, and ending twice is ending once."""
    monkeypatch.setattr(result_stream, "COALESCE_S", 0.0)
    output = Recorder()
    stream = ResultStream(output, keepalive_s=0.001)
    stream.finish()
    size = len(output.data)
    stream.event({"late": 1})
    stream.archive(1, [b"x"])
    stream.finish()
    assert len(output.data) == size
    assert output.data.endswith(EOF_LINE)


@pytest.mark.parametrize("keepalive_s", [1e300, float("inf"), float("nan"), -1.0])
def test_odd_intervals_do_not_stop_the_writing(keepalive_s: float) -> None:
    """An interval beyond measure is as good as none, and lines still go out."""
    output = Recorder()
    stream = ResultStream(output, keepalive_s=keepalive_s)
    stream.event({"a": 1})
    stream.event({"b": 1})
    wait_until(lambda: output.data.count(b"\n") == 2, "both lines are out")
    stream.finish()
    assert b"keepalive" not in output.data


def test_an_output_that_fails_asks_for_a_stop() -> None:
    """When writing fails the job is asked to stop, and later lines do no harm."""
    stop = CancelToken()
    stream = ResultStream(Recorder(failure=BrokenPipeError(32, "Broken pipe")), stop=stop)
    stream.event({"a": 1})
    wait_until(lambda: stop.requested, "the stop is requested")
    stream.finish()
    assert isinstance(stream.failure, BrokenPipeError)
    stop.close()
