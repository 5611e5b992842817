"""The zip reader: it reads what others write, and takes nothing on trust."""

from __future__ import annotations

import os
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.archive.zip_format import SMALL_SIZE
from receptor_runner.archive.zip_reader import ZipReader
from receptor_runner.archive.zip_writer import Meta, ZipWriter
from receptor_runner.errors import ArchiveError
from tests.archive.test_zip_writer import FILE, FOUR_GIB, SparseFile, contents, four_gib, names


def contents_of(file: BytesIO) -> dict[bytes, bytes]:
    """Check and read a whole archive, the small entries in one piece and once more in pieces."""
    reader = ZipReader(file)
    entries = list(reader.entries())
    reader.check(entries)
    found = {entry.raw_name: b"".join(reader.pieces(entry)) for entry in entries}
    assert {entry.raw_name: reader.content(entry) for entry in entries} == found
    return found


@given(st.dictionaries(names.filter(lambda name: "\0" not in name), contents, max_size=5), st.booleans())
@settings(deadline=None)
def test_what_the_standard_library_writes_is_read(files: dict[str, bytes], deflated: bool) -> None:
    """Names and contents come out as they went in, stored or deflated."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert contents_of(file) == {name.encode(): content for name, content in files.items()}


def test_an_archive_with_a_comment_and_descriptors_is_read() -> None:
    """A comment at the end, and sizes that follow the content, as other zip tools write them, do no harm."""

    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    file = Pipe()
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = b"PK\5\6 is how a directory ends"
        archive.writestr("name", b"content")
    assert contents_of(BytesIO(file.getvalue())) == {b"name": b"content"}


@pytest.mark.parametrize("content", [b"x" * 5_000_000, os.urandom(3_000_000)], ids=["deflated", "stored"])
def test_large_entries_come_in_bounded_pieces(content: bytes) -> None:
    """No piece of a large entry is larger than a small entry may be."""
    file = BytesIO()
    with ZipWriter(file) as archive:
        archive.add(Meta("large", FILE, 1), content)
    reader = ZipReader(file)
    (entry,) = reader.entries()
    pieces = list(reader.pieces(entry))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= SMALL_SIZE


def test_beyond_four_gib(tmp_path: Path) -> None:
    """Sizes and places beyond 4 GiB are read from their 64-bit fields."""
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        with ZipWriter(SparseFile(file)) as archive:  # type: ignore[arg-type]
            archive.add_stream(Meta("big", FILE, 1), four_gib(), FOUR_GIB + 1000)
            archive.add(Meta("behind", FILE, 1), b"content " * 99)
        reader = ZipReader(file)
        big, behind = reader.entries()
        assert (big.size, big.packed_size) == (FOUR_GIB + 1000, FOUR_GIB + 1000)
        assert reader.content(behind) == b"content " * 99


def overlapping() -> bytes:
    """Return an archive with two entries that share their bytes."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", b"content")
        archive.filelist.append(archive.filelist[0])
    return file.getvalue()


def lying(size: int) -> bytes:
    """Return an archive with a deflated entry of 1000 bytes that says it has another size."""
    file = BytesIO()
    with ZipWriter(file) as archive:
        archive.add(Meta("a", FILE, 1), b"x" * 1000)
    return file.getvalue().replace((1000).to_bytes(4, "little"), size.to_bytes(4, "little"))


LIES = {
    "shared bytes": overlapping(),
    "less than it says": lying(5000),
    "more than it says": lying(10),
    "much less than it says": lying(SMALL_SIZE + 1),
}


@pytest.mark.parametrize("name", LIES)
def test_an_archive_that_lies_is_refused(name: str) -> None:
    """Sizes are what was found, not what was promised; the same bytes count once."""
    reader = ZipReader(BytesIO(LIES[name]))
    with pytest.raises(ArchiveError, match="damaged"):
        reader.check(reader.entries())
