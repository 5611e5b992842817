"""The edges: bytes from descriptors and files of any kind, and to them."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from receptor_runner.errors import InputFailed, OutputFailed, StreamError
from receptor_runner.system.pipes import (
    CHUNK_SIZE,
    DescriptorOutput,
    output_failed,
    read_descriptor,
    read_file,
    write_all,
)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe, closed afterwards where it is still open."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def test_a_descriptor_is_read_to_its_end(pipe: tuple[int, int]) -> None:
    """All that was written comes out, in pieces, and the end ends it."""
    reader, writer = pipe
    data = os.urandom(300_000)

    def write() -> None:
        DescriptorOutput(writer).write(data)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert b"".join(read_descriptor(reader)) == data
    thread.join()


def test_reading_stops_when_asked(pipe: tuple[int, int]) -> None:
    """Reading ends soon although nothing comes, and at once when it is woken."""
    reader, _writer = pipe
    wake, waker = os.pipe()
    stopped = threading.Event()
    found: list[bytes] = []

    def read() -> None:
        found.extend(read_descriptor(reader, stopped.is_set, wake))

    thread = threading.Thread(target=read)
    thread.start()
    stopped.set()
    os.write(waker, b"!")
    thread.join(10)
    assert not thread.is_alive()
    assert found == []
    os.close(wake)
    os.close(waker)


def test_a_descriptor_with_a_high_number(pipe: tuple[int, int]) -> None:
    """A process with more than a thousand open files can read."""
    import fcntl
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("this system allows no 2000 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    try:
        reader, writer = pipe
        high = fcntl.fcntl(reader, fcntl.F_DUPFD, 1500)
        os.write(writer, b"x")
        os.close(writer)
        assert list(read_descriptor(high)) == [b"x"]
        os.close(high)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_descriptor_that_cannot_be_read(pipe: tuple[int, int]) -> None:
    """A descriptor that is open for writing only, or not open, is a stream error with the system's reason."""
    _reader, writer = pipe
    with pytest.raises(StreamError, match="reading the stream failed"):
        list(read_descriptor(writer, wake=-1) if _fill(writer) else [])


def _fill(writer: int) -> bool:
    os.write(writer, b"x")
    os.close(writer)
    return True


def test_files_of_many_kinds(tmp_path: Path, pipe: tuple[int, int]) -> None:
    """Disk files, pipes, sockets' files, raw files and files in memory are read to their end."""
    data = os.urandom(CHUNK_SIZE + 1000)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as buffered, (tmp_path / "file").open("rb", buffering=0) as raw:
        for source in (buffered, raw, io.BytesIO(data), io.BufferedReader(io.BytesIO(data))):
            assert b"".join(read_file(cast("BinaryIO", source))) == data
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as file, theirs.makefile("rb", buffering=0) as unbuffered:
        ours.sendall(b"hello")
        assert next(read_file(cast("BinaryIO", file))) == b"hello"
        ours.sendall(b"again")
        ours.shutdown(socket.SHUT_WR)
        assert list(read_file(cast("BinaryIO", unbuffered))) == [b"again"]


def test_a_pipes_file_can_be_closed_while_nothing_came(pipe: tuple[int, int]) -> None:
    """No thread holds a file of a descriptor, so that it can be closed, or the program ended, at any time."""
    before = set(threading.enumerate())
    with open(pipe[0], "rb") as file:
        asked = iter([False, False, True])
        assert list(read_file(file, lambda: next(asked))) == []
        assert set(threading.enumerate()) <= before


class Stuck:
    """A file whose read never returns until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.closed = False

    def read(self, _size: int) -> bytes:
        """Wait."""
        self.go.wait(60)
        return b""


def test_a_read_that_blocks_does_not_keep_a_stop() -> None:
    """A file without a descriptor whose read blocks is given up when that is asked for."""
    stuck = Stuck()
    asked = iter([False, True])
    assert list(read_file(cast("BinaryIO", stuck), lambda: next(asked))) == []
    stuck.go.set()


class Broken:
    """A file that cannot be read."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def read(self, _size: int) -> bytes:
        """Fail."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (ValueError("read of closed file"), "read of closed file"),
        (RuntimeError("cannot read from timed out object"), "cannot read from timed out object"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read(error: BaseException, cause: str) -> None:
    """Whatever a read raises in another thread arrives here as a stream error, and nobody waits for ever."""
    with pytest.raises(InputFailed) as caught:
        list(read_file(cast("BinaryIO", Broken(error))))
    assert caught.value.cause == cause


class Lines:
    """A file that has readline and nothing else."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines

    def readline(self) -> bytes:
        """Return the next line."""
        return self.lines.pop(0) if self.lines else b""


def test_files_with_few_methods() -> None:
    """A file with readline alone, an iterable of lines, and a file of text are read like any other."""
    lines = [b"one\n", b"two\n"]
    for file in (Lines(list(lines)), list(lines), io.StringIO("one\ntwo\n")):
        assert b"".join(read_file(cast("BinaryIO", file))) == b"".join(lines)


def test_a_file_that_is_none_at_all() -> None:
    """What cannot be read in any way is an error instead of silence."""
    with pytest.raises(InputFailed, match="not iterable"):
        list(read_file(cast("BinaryIO", object())))


def test_a_socket_file_closed_by_another_thread() -> None:
    """A file that another thread closes while it is read is told as that, soon."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        file = theirs.makefile("rb")
        chunks = read_file(file)
        ours.sendall(b"hello")
        assert next(chunks) == b"hello"
        closer = threading.Timer(0.05, file.close)
        closer.start()
        with pytest.raises(InputFailed, match="the input was closed"):
            list(chunks)
        closer.join()


def test_a_stuck_file_closed_by_another_thread() -> None:
    """A file whose read never returns is given up once it is closed."""
    stuck = Stuck()
    stuck.closed = True
    with pytest.raises(InputFailed, match="the input was closed"):
        list(read_file(cast("BinaryIO", stuck)))
    stuck.go.set()


def test_what_a_question_raises_is_no_failed_read(pipe: tuple[int, int]) -> None:
    """The caller's own error, raised where it is asked whether to stop, reaches the caller as it is."""

    def ask() -> bool:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), open(pipe[0], "rb") as file:
        list(read_file(file, ask))
    with pytest.raises(ValueError, match="mine"):
        list(read_file(io.BytesIO(b"x"), ask))


@pytest.mark.parametrize("place", ["gone", "closed", "full"])
def test_an_output_that_takes_no_more(place: str, pipe: tuple[int, int]) -> None:
    """A reader that is gone, a closed file and a full disk are output errors with the system's reason."""
    outputs: dict[str, Any] = {"gone": DescriptorOutput(pipe[1]), "closed": io.BytesIO(), "full": None}
    os.close(pipe[0])
    outputs["closed"].close()
    with open("/dev/full", "wb", buffering=0) as full:
        outputs["full"] = full
        with pytest.raises(OutputFailed) as caught:
            write_all(outputs[place], iter([b"x" * 10]))
    assert caught.value.cause


def test_the_reason_of_a_failure() -> None:
    """The system's words are the cause where there are any."""
    assert output_failed(BrokenPipeError(32, "Broken pipe")).cause == "Broken pipe"
    assert output_failed(ValueError("odd")).cause == "odd"
