"""A second process writes files beside the one that extracts, and nothing depends on it."""

from __future__ import annotations

import os
import resource
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptor_runner.archive import small_files
from receptor_runner.archive.checks import FROM_TRANSMIT, ExtractionRules
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.frames import encode_frame
from receptor_runner.archive.helper_process import HelperProcess
from receptor_runner.archive.pack import pack
from receptor_runner.archive.writing_process import WritingProcess, batched
from tests.archive.conftest import seen
from tests.harness import wait_until
from tests.harness.in_process import file_size_limit

if TYPE_CHECKING:
    from receptor_runner.archive.small_files import File

IN_TWO = ExtractionRules(links_stay_inside=False, keep_special_bits=True, in_two_processes=True)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[int]:
    """The descriptor of a directory `target` with a directory `d/e` in it."""
    (tmp_path / "target/d/e").mkdir(parents=True)
    descriptor = os.open(tmp_path / "target", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


pytestmark = pytest.mark.usefixtures("nothing_left")


def file(name: str, *parts: str, content: bytes = b"content") -> File:
    """Return a file to write."""
    return parts, name, content, 0o6751, 1_000_000_001.0


def test_files_arrive_whole(target: int, tmp_path: Path) -> None:
    """With content, special bits and time, wherever they go."""
    batch = [file("a"), file("b", "d", "e", content=b""), file("c", "d"), file("d", "d", "e")]
    with WritingProcess(target) as second:
        assert second.take(batch)
        assert second.finish() == []
    for name, content in {"a": b"content", "d/e/b": b"", "d/c": b"content", "d/e/d": b"content"}.items():
        path = tmp_path / "target" / name
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o6751
        assert path.stat().st_mtime == 1_000_000_001


def test_without_descriptors_everything_is_left_to_the_caller(target: int) -> None:
    """A process that cannot be started takes nothing, and is no error."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (target + 1, limits[1]))
    try:
        with WritingProcess(target) as second:
            assert not second.take([file("a")])
            assert second.finish() == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_it_takes_no_more_than_it_keeps_up_with(target: int) -> None:
    """Two batches wait at most; once they are done it takes more."""
    with WritingProcess(target) as second:
        taken = [second.take([file(f"{number}-{part}") for part in range(200)]) for number in range(3)]
        assert taken[:2] == [True, True]
        wait_until(lambda: second.take([file("later")]), "it has done something")
        assert second.finish() == []


@pytest.mark.parametrize("way", ["something stands there", "no such directory", "a link on the way"])
def test_what_it_could_not_write_is_left_to_the_caller(target: int, tmp_path: Path, way: str) -> None:
    """The batch with the error and all after it, however far it came."""
    (tmp_path / "target/taken").write_text("before")
    (tmp_path / "target/link").symlink_to("d")
    wrong = {
        "something stands there": file("taken"),
        "no such directory": file("x", "missing"),
        "a link on the way": file("x", "link", "e"),
    }[way]
    bad, later = [file("first"), wrong, file("never")], [file("later")]
    with WritingProcess(target) as second:
        assert second.take([file("good")])
        wait_until((tmp_path / "target/good").exists, "the first batch")
        assert second.take(bad)
        is_taken = second.take(later)
        assert [batch for batch in second.finish() if batch[0][1] != "good"] == (
            [bad, later] if is_taken else [bad]
        )
    assert (tmp_path / "target/taken").read_text() == "before"
    assert not (tmp_path / "target/never").exists()
    assert list((tmp_path / "target/d/e").iterdir()) == []


def test_a_process_that_cannot_start_takes_nothing(target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is left to the caller."""
    monkeypatch.setattr(sys, "executable", "/missing/python")
    with WritingProcess(target) as second:
        assert not second.take([file("a")])
        assert second.finish() == []


def test_it_writes_nothing_without_its_parent(target: int, tmp_path: Path) -> None:
    """A process whose parent is gone leaves the directory to whoever removes it."""
    process = HelperProcess(small_files.__name__, target, os.getppid(), descriptor=target)
    process.request(encode_frame([file("orphan")]))
    assert os.read(process.answers, 1) == b""
    process.close()
    assert not (tmp_path / "target/orphan").exists()


def test_batches_hold_all_files_in_their_order() -> None:
    """However many there are, and however large."""
    files = [file(str(number), content=bytes(number * 97 % 5000)) for number in range(1000)]
    batches = list(batched(files))
    assert [one for batch in batches for one in batch] == files
    assert all(sum(len(one[2]) for one in batch) < 1 << 17 and len(batch) <= 64 for batch in batches)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with many small files, a large one, a link, special bits and read-only directories."""
    source = tmp_path_factory.mktemp("many")
    for number in range(4500):
        path = source / f"new{number % 3}" / str(number % 50) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number:0{number % 1500}}")
        path.chmod([0o644, 0o400, 0o4755, 0o440][number % 4])
        os.utime(path, (number, 1_000_000_000 + number))
    (source / "old").mkdir()
    (source / "old/file").write_text("new")
    (source / "large").write_bytes(os.urandom(1_000_000))
    (source / "new0/link").symlink_to("0")
    (source / "new0").chmod(0o555)
    return source


@pytest.mark.parametrize("executable", [sys.executable, "/bin/false", "/missing/python"])
def test_many_files_are_the_same_by_whichever_process(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    """Also over a target with files, and where the second process fails."""
    monkeypatch.setattr(sys, "executable", executable)
    packed = pack(many)
    for name, rules in {"one": FROM_TRANSMIT, "two": IN_TWO}.items():
        (tmp_path / name / "old").mkdir(parents=True)
        (tmp_path / name / "old/file").write_text("old")
        (tmp_path / name / "old").chmod(0o500)
        assert extract(packed.file, tmp_path / name, rules) == []
        os.utime(tmp_path / name / "old", (1, 1))
    packed.close()
    assert seen(tmp_path / "two") == seen(tmp_path / "one")
    assert len(seen(tmp_path / "two")) > 4500


def test_the_last_of_two_files_of_one_name_counts_among_many_too(many: Path, tmp_path: Path) -> None:
    """Whichever process would be faster."""
    packed = pack(many)
    with zipfile.ZipFile(packed.file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name in ("new1/1/1", "new2/2/2"):
            archive.writestr(name, "the last")
    extract(packed.file, tmp_path / "target", IN_TWO)
    packed.close()
    assert (tmp_path / "target/new1/1/1").read_text() == "the last"
    assert (tmp_path / "target/new2/2/2").read_text() == "the last"


def test_many_files_that_do_not_fit_end_the_extraction(many: Path, tmp_path: Path) -> None:
    """The error is that of a single process."""
    packed = pack(many)
    with file_size_limit(1000), pytest.raises(OSError, match="File too large"):
        extract(packed.file, tmp_path / "target", IN_TWO)
    packed.close()
