"""Several processes pack as one would, and nothing depends on the others."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receptor_runner.archive import helper_process, shares
from receptor_runner.archive.compression import Compression
from receptor_runner.archive.pack import PackedArchive, pack
from receptor_runner.archive.packing_process import PackingProcess
from receptor_runner.archive.shares import pack_found
from receptor_runner.archive.zip_format import SMALL_SIZE
from receptor_runner.archive.zip_writer import ZipWriter
from receptor_runner.errors import MissingInput
from tests.archive.conftest import seen, travel
from tests.harness import wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

LEVELS = (0, 1, 3, 6)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of many small files, some larger ones, and files that are too large for a process to hand over."""
    root = tmp_path_factory.mktemp("tree")
    for number in range(2500):
        path = root / str(number % 7) / f"{number % 5}é" / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number} " * (number % 3000))
        path.chmod([0o644, 0o600, 0o755][number % 3])
        os.utime(path, (number, 1_000_000_000 + number))
    for number in (3, 4, 5):
        (root / str(number) / "large").write_bytes(bytes(SMALL_SIZE) + os.urandom(number * 100_000))
        (root / str(number) / "link").symlink_to("large")
    (root / "6" / "empty").mkdir()
    os.mkfifo(root / "6" / "fifo")
    return root


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have this process pack alone from now on."""
    return lambda: monkeypatch.setattr(shares, "processors", lambda: 1)


def entries(packed: PackedArchive) -> list[tuple[object, ...]]:
    """Return what is in an archive, in its order, and what could not travel; close it.

    How ISA-L compresses a small file depends on what its memory held before, so bytes are not compared.
    """
    with zipfile.ZipFile(packed.file) as archive:
        found = [
            (one.filename, one.external_attr, one.extra, one.file_size, one.CRC, archive.read(one))
            for one in archive.infolist()
        ]
    packed.close()
    return [*found, tuple(packed.skipped)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("processors", [2, 4])
def test_the_archive_is_the_same_however_many_pack(
    tree: Path, monkeypatch: pytest.MonkeyPatch, alone: Callable[[], None], level: int, processors: int
) -> None:
    """The same entries in the same order, at each level."""
    monkeypatch.setattr(shares, "processors", lambda: processors)
    together = entries(pack(tree, level=level))
    alone()
    assert entries(pack(tree, level=level)) == together


def test_others_do_a_part_of_the_work(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces come from the other process."""
    pieces = []
    receive = PackingProcess.piece

    def piece(process: PackingProcess) -> object:
        pieces.append(receive(process))
        return pieces[-1]

    monkeypatch.setattr(shares, "processors", lambda: 2)
    monkeypatch.setattr(PackingProcess, "piece", piece)
    pack(tree).close()
    assert pieces
    assert None not in pieces


def test_all_of_it_arrives(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, modes, times and links."""
    monkeypatch.setattr(shares, "processors", lambda: 3)
    packed = pack(tree)
    assert packed.skipped == ["6/fifo: a FIFO"]
    assert travel(packed, tmp_path / "target") == []
    expected = seen(tree)
    del expected["6/fifo"]
    assert seen(tmp_path / "target") == expected


@pytest.mark.parametrize("executable", ["/bin/false", "/missing/python"])
def test_a_process_that_cannot_start_is_not_missed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, alone: Callable[[], None], executable: str
) -> None:
    """The archive is complete."""
    monkeypatch.setattr(shares, "processors", lambda: 4)
    monkeypatch.setattr(sys, "executable", executable)
    without = entries(pack(tree))
    alone()
    assert entries(pack(tree)) == without


def test_without_descriptors_nothing_is_missed(tree: Path, alone: Callable[[], None]) -> None:
    """The archive is complete."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 4, limits[1]))
    try:
        without = entries(pack(tree))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    alone()
    assert entries(pack(tree)) == without


def test_a_process_that_is_killed_is_not_missed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, alone: Callable[[], None]
) -> None:
    """Wherever it is in its work, this process does the rest."""
    receive = PackingProcess.piece
    alone()
    whole = entries(pack(tree))
    monkeypatch.setattr(shares, "processors", lambda: 2)
    for number in (1, 2, 5, 9):
        come = iter(range(number))

        def piece(process: PackingProcess, come: Iterator[int] = come) -> object:
            if next(come, None) is None:
                helper = process._process._process
                if helper:
                    helper.kill()
            return receive(process)

        monkeypatch.setattr(PackingProcess, "piece", piece)
        assert entries(pack(tree)) == whole


@pytest.mark.parametrize("place", [70, 1200, 1499])
def test_a_read_that_fails_is_an_error_whoever_meets_it(
    tree: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """The error names the file, as that of a single process; not even root can read what is no memory."""
    monkeypatch.setattr(shares, "processors", lambda: 2)
    with os.scandir(tree / "0" / "0é") as listing, os.scandir("/proc/self") as own:
        file = next(entry for entry in listing if entry.is_file())
        unreadable = next(entry for entry in own if entry.name == "mem")
    found = [(f"{number}", file) for number in range(1500)]
    found[place] = ("memory", unreadable)
    expected = pytest.raises(MissingInput, match="cannot read /proc/self/mem")
    with tempfile.TemporaryFile() as target, expected, ZipWriter(target) as archive:
        pack_found(archive, found, [])


def test_files_that_vanish_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever process would have read them."""
    monkeypatch.setattr(shares, "processors", lambda: 2)
    for number in range(1500):
        (tmp_path / f"{number:04}").write_text("content")
    start = shares._Packing.start_processes

    def remove(self: shares._Packing) -> None:
        for number in range(0, 1500, 10):
            (tmp_path / f"{number:04}").unlink(missing_ok=True)
        start(self)

    monkeypatch.setattr(shares._Packing, "start_processes", remove)
    packed = pack(tmp_path)
    assert packed.skipped == [f"{number:04}: vanished" for number in range(0, 1500, 10)]
    packed.close()


def test_a_process_takes_no_more_than_it_keeps_up_with(tree: Path) -> None:
    """Two shares wait at most; once one is finished it takes more."""
    listed = [("name", str(tree / "0" / "0é" / "0"), True)] * 3
    process = PackingProcess(Compression(3))
    assert [process.take(listed) for _number in range(3)] == [True, True, False]
    wait_until(lambda: process.is_ready, "a piece")
    piece = process.piece()
    assert piece
    assert (piece.end, piece.skipped, piece.is_large) == (3, [], False)
    process.finished()
    assert process.take(listed)
    process.close()


def test_a_process_that_waits_can_be_closed(tree: Path) -> None:
    """It ends, although nobody has read what it has to say."""
    process = PackingProcess(Compression(0))
    listed = [("small", str(tree / "3" / "4é" / "2999"), True)] * 60_000
    assert process.take(listed)
    wait_until(lambda: process.is_ready, "a piece")
    process.close()


@pytest.mark.parametrize("pipe_size", [4096, 65536])
def test_a_small_pipe_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Callable[[], None], pipe_size: int
) -> None:
    """Where names are long, and the system gives little room for what waits, no process waits for the other."""
    for number in range(1500):
        (tmp_path / f"{number:0200}").write_bytes(os.urandom(6000))
    monkeypatch.setattr(helper_process, "_PIPE_SIZE", pipe_size)
    monkeypatch.setattr(shares, "processors", lambda: 2)
    together = entries(pack(tmp_path))
    alone()
    assert entries(pack(tmp_path)) == together


def test_a_process_starts_light() -> None:
    """Until it has started, its processor is idle: it imports nothing that takes long."""
    heavy = {"typing", "re", "enum", "pathlib", "dataclasses", "tempfile", "subprocess"}
    program = (
        f"import sys; sys.path += {list(helper_process._PACKAGES)}; "
        f"import receptor_runner.archive.packing_process; print({heavy} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout == "set()\n"
