"""Archives that refer to kept files: the reader ends with the files of the whole archive, or with an error."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.archive.checks import FROM_TRANSMIT
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.kept_files import KeptFile, marked_files
from receptor_runner.archive.pack import MemoryFile, PackedArchive, pack
from receptor_runner.archive.references import candidates, digests_of, refer
from receptor_runner.archive.zip_format import SMALL_SIZE
from receptor_runner.archive.zip_reader import ZipReader
from receptor_runner.errors import ArchiveError
from tests.archive.conftest import seen, travel


@dataclass
class MemoryStore:
    """What a reader has kept."""

    files: dict[bytes, bytes] = field(default_factory=dict)

    def has(self, digest: bytes, size: int) -> bool:
        """Return whether a file is there."""
        return len(self.files.get(digest, b"")) == size

    def pieces(self, digest: bytes) -> Iterator[bytes]:
        """Yield its content."""
        yield self.files[digest]


def digest_of(content: bytes) -> bytes:
    """Return the SHA-256."""
    return hashlib.sha256(content).digest()


def everything(_name: str, _mode: int) -> bool:
    """Let any file be kept."""
    return True


def all_digests(packed: PackedArchive) -> dict[str, bytes]:
    """Return the digests of all files in an archive."""
    return digests_of(packed, list(candidates(packed, everything)))


names = st.text("abä ", min_size=1, max_size=4).map(lambda text: f"project/{text.strip() or 'x'}")
files = st.dictionaries(names, st.binary(max_size=3000) | st.just(b"text " * 900), max_size=6)


@given(files, st.sets(st.integers(0, 5)))
@settings(deadline=None)
def test_whatever_is_kept_the_same_files_arrive(contents: dict[str, bytes], chosen: set[int]) -> None:
    """For any choice of kept files: names, contents, modes and times are those of the whole archive."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "in").mkdir()
        whole = pack(root / "in", extra={file: MemoryFile(text, 0o640) for file, text in contents.items()})
        digests = all_digests(whole)
        kept = {digest for number, digest in enumerate(digests.values()) if number in chosen}
        store = MemoryStore(
            {digest: text for text in contents.values() if (digest := digest_of(text)) in kept}
        )
        reduced = refer(whole, digests, kept)
        marked = {file.name for file in marked_files(ZipReader(reduced.file).entries())}

        travel(whole, root / "whole")
        travel(reduced, root / "reduced", replace(FROM_TRANSMIT, blobs=store))

        arrived, expected = seen(root / "reduced"), seen(root / "whole")
        assert arrived.keys() == expected.keys()
        assert {file: arrived[file] for file in contents} == {file: expected[file] for file in contents}
        assert marked == {file for file, digest in digests.items() if digest not in kept}


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[PackedArchive]:
    """An archive with a small file, a large one, an empty one, a link and a directory."""
    root = tmp_path / "in"
    (root / "empty").mkdir(parents=True)
    (root / "small").write_bytes(b"small " * 50)
    (root / "large").write_bytes(bytes(range(256)) * (SMALL_SIZE // 128))
    (root / "nothing").touch()
    (root / "link").symlink_to("small")
    packed = pack(root)
    yield packed
    packed.close()


def test_files_are_hashed_and_the_rest_is_not(whole: PackedArchive, tmp_path: Path) -> None:
    """Links, directories and empty files are never kept; large files are hashed as small ones are."""
    expected = {name: digest_of((tmp_path / "in" / name).read_bytes()) for name in ("small", "large")}
    assert all_digests(whole) == expected


def test_a_marked_archive_is_one_that_anybody_reads(whole: PackedArchive, tmp_path: Path) -> None:
    """Nothing kept: the standard library reads the archive, and the marks name what may be kept."""
    digests = all_digests(whole)
    marked = refer(whole, digests, set())
    with zipfile.ZipFile(marked.file) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 5
    assert set(marked_files(ZipReader(marked.file).entries())) == {
        KeptFile(name, digest, (tmp_path / "in" / name).stat().st_size) for name, digest in digests.items()
    }
    marked.close()


def test_only_what_is_missing_is_in_it(whole: PackedArchive) -> None:
    """A change of one file costs that file."""
    digests = all_digests(whole)
    reduced = refer(whole, digests, {digests["large"]})
    assert reduced.size < 2000
    reduced.close()


def test_others_refuse_references(whole: PackedArchive, tmp_path: Path) -> None:
    """The standard library, and with it ansible-runner, refuses; so does a reader of ours without a store."""
    digests = all_digests(whole)
    reduced = refer(whole, digests, set(digests.values()))
    with zipfile.ZipFile(reduced.file) as archive, pytest.raises(NotImplementedError):
        archive.extractall(tmp_path / "peer")
    with pytest.raises(ArchiveError, match="not supported"):
        extract(reduced.file, tmp_path / "ours", FROM_TRANSMIT)
    assert not (tmp_path / "ours").exists()
    reduced.close()


def test_a_missing_file_is_an_error_before_anything_is_written(whole: PackedArchive, tmp_path: Path) -> None:
    """A store that was emptied refuses the archive."""
    digests = all_digests(whole)
    reduced = refer(whole, digests, set(digests.values()))
    with pytest.raises(ArchiveError, match="not in the store"):
        extract(reduced.file, tmp_path / "out", replace(FROM_TRANSMIT, blobs=MemoryStore()))
    assert not (tmp_path / "out").exists()
    reduced.close()
