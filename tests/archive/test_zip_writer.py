"""The zip writer: what it writes, the standard library reads, at any size and in any number."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.archive import zip_writer
from receptor_runner.archive.segment import Segment
from receptor_runner.archive.zip_writer import Meta, ZipWriter
from receptor_runner.errors import MissingInput

FILE = stat.S_IFREG | 0o640
FOUR_GIB = 1 << 32
ZEROS = bytes(1 << 24)

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
contents = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=9), st.integers(1, 20_000)),
)


@given(st.dictionaries(names, contents, max_size=6), st.booleans())
@settings(deadline=None)
def test_the_standard_library_reads_what_is_written(files: dict[str, bytes], streamed: bool) -> None:
    """Names, contents, checksums and modes come out as they went in, written in one piece or as a stream."""
    file = BytesIO()
    with ZipWriter(file) as archive:
        for name, content in files.items():
            meta = Meta(name, FILE, 1_600_000_000)
            if streamed and content:
                archive.add_stream(meta, iter([content[:7], content[7:]]), len(content))
            else:
                archive.add(meta, content)
    with zipfile.ZipFile(file) as read:
        assert read.testzip() is None
        assert {info.orig_filename: read.read(info) for info in read.infolist()} == files
        assert {info.external_attr >> 16 for info in read.infolist()} <= {FILE}


def test_what_does_not_shrink_is_stored() -> None:
    """Random data is stored, text is compressed, whatever the size."""
    file = BytesIO()
    with ZipWriter(file) as archive:
        for name, content in {"random": os.urandom(300_000), "text": b"some text " * 30_000}.items():
            archive.add(Meta(name, FILE, None), content)
            archive.add_stream(Meta(f"{name} stream", FILE, None), iter([content]), len(content))
    methods = {info.filename: info.compress_type for info in zipfile.ZipFile(file).infolist()}
    assert methods == {"random": 0, "random stream": 0, "text": 8, "text stream": 8}


@pytest.mark.parametrize("level", range(10))
def test_every_level_is_read_by_the_standard_library(level: int) -> None:
    """Small and large files, in one piece and as a stream; 0 compresses nothing."""
    text = "".join(f"line {number}\n" for number in range(30_000)).encode()
    files = {"tiny": text[:3000], "one piece": text[:40_000], "stream": text}
    file = BytesIO()
    with ZipWriter(file, level=level) as archive:
        for name, content in files.items():
            if name == "stream":
                archive.add_stream(Meta(name, FILE, None), iter([content]), len(content))
            else:
                archive.add(Meta(name, FILE, None), content)
    with zipfile.ZipFile(file) as read:
        assert {info.filename: read.read(info) for info in read.infolist()} == files
        assert {info.compress_type for info in read.infolist()} == {8 if level else 0}


def test_a_higher_level_is_smaller() -> None:
    """What a person pays time for."""
    text = Path(zipfile.__file__).read_bytes()
    sizes = []
    for level in (0, 3, 9):
        file = BytesIO()
        with ZipWriter(file, level=level) as archive:
            archive.add(Meta("text", FILE, None), text)
        sizes.append(file.tell())
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_more_entries_than_the_old_format_counts() -> None:
    """An archive of 70,000 files is read whole."""
    file = BytesIO()
    with ZipWriter(file) as archive:
        for number in range(70_000):
            archive.add(Meta(f"f{number}", FILE, 1))
    with zipfile.ZipFile(file) as read:
        assert len(read.infolist()) == 70_000
        assert read.infolist()[-1].filename == "f69999"


class SparseFile:
    """A file in which blocks of zeros take no room."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        if data is ZEROS:
            self._file.seek(len(data), os.SEEK_CUR)
        else:
            self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def four_gib(size: int = FOUR_GIB) -> Iterator[bytes]:
    """Yield a little more than 4 GiB, or so many bytes, of which the first do not shrink."""
    yield os.urandom(1000)
    for _count in range(size // len(ZEROS)):
        yield ZEROS


def test_beyond_four_gib(tmp_path: Path) -> None:
    """A file of more than 4 GiB, and files of any size behind it, are found where they are."""
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        with ZipWriter(cast("IO[bytes]", SparseFile(file))) as archive:
            archive.add_stream(Meta("big", FILE, 1), four_gib(), FOUR_GIB + 1000)
            archive.add(Meta("behind", FILE, 1), b"content " * 99)
            archive.add_stream(Meta("large", FILE, 1), iter([b"large"]), FOUR_GIB)
            segment = Segment(archive.compression)
            segment.add("one", FILE, 1, b"1" * 99)
            segment.add("two", FILE, 1, b"2" * 99)
            archive.add_segment(segment)
        with zipfile.ZipFile(file) as read:
            big, behind, large, one, two = read.infolist()
            assert (read.read(one), read.read(two)) == (b"1" * 99, b"2" * 99)
            assert (big.file_size, big.compress_size) == (FOUR_GIB + 1000, FOUR_GIB + 1000)
            assert behind.header_offset > FOUR_GIB
            assert read.read(behind) == b"content " * 99
            assert read.read(large) == b"large"


def test_a_segment_that_crosses_four_gib(tmp_path: Path) -> None:
    """Of entries that are added together, each has an offset as wide as it needs."""
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        with ZipWriter(cast("IO[bytes]", SparseFile(file)), level=0) as archive:
            archive.add_stream(Meta("big", FILE, 1), four_gib(FOUR_GIB - len(ZEROS)), FOUR_GIB)
            segment = Segment(archive.compression)
            for number in range(3):
                segment.add(f"f{number}", FILE, 1, bytes([number]) * len(ZEROS))
            archive.add_segment(segment)
        with zipfile.ZipFile(file) as read:
            _big, *rest = read.infolist()
            assert rest[0].header_offset < FOUR_GIB < rest[-1].header_offset
            assert [read.read(entry)[0] for entry in rest] == [0, 1, 2]


def test_a_file_that_outgrows_its_header_is_an_error(tmp_path: Path) -> None:
    """A small file that becomes one of 4 GiB while it is read gives no damaged archive."""
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        archive = ZipWriter(cast("IO[bytes]", SparseFile(file)))
        with pytest.raises(MissingInput, match="grew"), archive:
            archive.add_stream(Meta("log", FILE, 1), four_gib(), 10)


def test_a_long_central_directory_is_spooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A central directory that went to disk meanwhile is whole."""
    monkeypatch.setattr(zip_writer, "_DIRECTORY_MEMORY", 1000)
    monkeypatch.setattr(zip_writer, "CHUNK_SIZE", 100)
    file = BytesIO()
    with ZipWriter(file) as archive:
        for number in range(100):
            archive.add(Meta(f"f{number}", FILE, 1), b"x")
    assert zipfile.ZipFile(file).testzip() is None
