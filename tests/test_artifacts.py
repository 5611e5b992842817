"""The artifacts directory: modes whatever the umask, whole files or none, errors of ours."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.artifacts import (
    draft_of,
    make_directory,
    open_at,
    open_directory,
    read_rc,
    read_status,
    sync_directory,
    write_atomically,
    write_in,
    writing,
)
from receptor_runner.errors import OutputFailed, StreamError


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each of several umasks in turn."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_directories_are_private(tmp_path: Path, umask: int) -> None:
    """A directory and its missing parents are 0700 whatever the umask; those that are there stay as they are."""
    tmp_path.chmod(0o755)
    made = make_directory(tmp_path / "a" / "b")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path, made.parent, made)] == [0o755, 0o700, 0o700]
    assert make_directory(made) == made


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    """A file is written 0600, replaces what was there, and leaves no draft."""
    path = tmp_path / "file"
    for content in (b"one", b"", b"three" * 1000):
        write_atomically(path, content, durable=durable)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    sync_directory(tmp_path)


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    """While a file is replaced again and again, a reader sees one whole content or the other."""
    path = tmp_path / "file"
    contents = {b"a" * 100_000, b"b" * 100_000}
    write_atomically(path, b"a" * 100_000)
    over = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        for content in contents:
            write_atomically(path, content)
    over.set()
    reader.join()
    assert seen <= contents


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Where a directory stands in the place of the file, it stays and no draft is left."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_in_the_way_of_a_write_is_refused(tmp_path: Path) -> None:
    """Whoever may write to the directory could choose which file is overwritten."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    draft_of(tmp_path / "file").symlink_to(precious)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write_atomically(tmp_path / "file", b"content")
    assert precious.read_text() == "mine"
    assert not (tmp_path / "file").exists()


def test_going_on_in_a_file(tmp_path: Path) -> None:
    """A file is opened behind the wanted size, what follows is cut off, and a link is refused."""
    (tmp_path / "file").write_bytes(b"0123456789")
    with open_at(tmp_path / "file", 4) as file:
        file.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"0123x"
    with open_at(tmp_path / "new", 0) as file:
        assert file.tell() == 0
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic"):
        open_at(tmp_path / "link", 0)


def test_files_in_an_open_directory(tmp_path: Path) -> None:
    """Files are written 0600 and replaced; links are followed neither for the directory nor for a file."""
    directory = open_directory(tmp_path / "job_events")
    for content in (b"longer", b"short"):
        write_in(directory, "1.json", content)
    (tmp_path / "job_events/2.json").symlink_to("../victim")
    with pytest.raises(OSError, match="symbolic"):
        write_in(directory, "2.json", b"x")
    os.close(directory)
    assert (tmp_path / "job_events/1.json").read_bytes() == b"short"
    assert (tmp_path / "job_events/1.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to("job_events")
    with pytest.raises(OSError, match="director"):
        open_directory(tmp_path / "link")


@pytest.mark.parametrize(
    ("text", "rc"), [("0", 0), ("254", 254), ("-9", -9), ("None", None), ("", None), ("x", None)]
)
def test_reading_the_return_code(tmp_path: Path, text: str, rc: int | None) -> None:
    """The return code is the number in the file, or None."""
    assert read_rc(tmp_path) is None
    (tmp_path / "rc").write_text(text)
    assert read_rc(tmp_path) == rc


def test_reading_what_is_no_file(tmp_path: Path) -> None:
    """A directory or garbage in the place of a file reads as nothing."""
    (tmp_path / "rc").mkdir()
    (tmp_path / "status").write_bytes(b"\xff")
    assert read_rc(tmp_path) is None
    assert read_status(tmp_path) is None
    (tmp_path / "status").write_text("failed")
    assert read_status(tmp_path) == "failed"


def test_what_the_system_says_becomes_our_error(tmp_path: Path) -> None:
    """An error of the system becomes an output error with its reason; one of ours stays."""
    with pytest.raises(OutputFailed, match=str(tmp_path)) as caught, writing(tmp_path):
        (tmp_path / "no" / "file").write_text("x")
    assert caught.value.cause == f"No such file or directory: {tmp_path}/no/file"
    with pytest.raises(StreamError), writing(tmp_path):
        raise StreamError("x")
