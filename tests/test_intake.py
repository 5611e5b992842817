"""What a worker takes in: large archives are written by a thread, and fail as small ones do."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.archive.pack import pack
from receptor_runner.archive.zip_format import SPOOL_MEMORY
from receptor_runner.errors import ArchiveError, OutputFailed, StreamError
from receptor_runner.intake import Received, extract_archives, receive
from receptor_runner.stream.encoder import EOF_LINE, encode_archive, encode_line
from receptor_runner.system.cancel import CancelToken

from tests.harness.in_process import file_size_limit

CONTENT = os.urandom(SPOOL_MEMORY + 1_000_000)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A stream whose archive does not fit into memory."""
    source = tmp_path_factory.mktemp("source")
    (source / "large").write_bytes(CONTENT)
    (source / "small").write_bytes(b"small")
    packed = pack(source)
    archive = b"".join(encode_archive(packed.size, packed.chunks()))
    packed.close()
    return encode_line({"kwargs": {}}) + archive + EOF_LINE


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    """Yield a stream in pieces."""
    return (stream[start : start + size] for start in range(0, len(stream), size))


@pytest.fixture
def received() -> Iterator[Received]:
    """What is received; afterwards no thread is left."""
    received = Received()
    yield received
    received.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "background"]


@pytest.mark.parametrize("size", [65_537, 1 << 20])
def test_a_large_archive_arrives(stream: bytes, received: Received, tmp_path: Path, size: int) -> None:
    """Whatever the pieces are in which it comes."""
    assert receive(pieces(stream, size), received, CancelToken())
    assert extract_archives(received, tmp_path, None) == []
    assert (tmp_path / "large").read_bytes() == CONTENT
    assert (tmp_path / "small").read_bytes() == b"small"


def test_a_stream_that_ends_inside_of_a_large_archive(stream: bytes, received: Received) -> None:
    """It is refused, whatever is being written at that moment."""
    with pytest.raises(StreamError, match="ends inside of an archive"):
        receive(pieces(stream[:-2_000_000], 1 << 18), received, CancelToken())


def test_a_large_archive_that_is_damaged(stream: bytes, received: Received) -> None:
    """Base64 that is none is refused there too."""
    middle = len(stream) // 2
    damaged = stream[:middle] + b"!!!!" + stream[middle + 4 :]
    with pytest.raises(ArchiveError, match="base64"):
        receive(pieces(damaged, 1 << 18), received, CancelToken())


def test_an_archive_that_cannot_be_stored(stream: bytes, received: Received) -> None:
    """The error names the cause, wherever the archive ends."""
    with (
        file_size_limit(SPOOL_MEMORY),
        pytest.raises(OutputFailed, match=r"cannot store the received archive.*File too large"),
    ):
        receive(pieces(stream, 1 << 18), received, CancelToken())


def test_a_stop_inside_of_a_large_archive(stream: bytes, received: Received) -> None:
    """What came until then counts for nothing, and that is no error."""
    stop = CancelToken()

    def stopped() -> Iterator[bytes]:
        yield from pieces(stream[:-2_000_000], 1 << 18)
        stop.request()

    assert not receive(stopped(), received, stop)
