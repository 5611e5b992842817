"""Extraction: a hostile archive writes nothing outside of its target, and nothing at all when it is refused."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.archive.checks import FROM_TRANSMIT, ExtractionRules
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.pack import pack
from receptor_runner.archive.zip_format import DEEPEST
from receptor_runner.errors import ArchiveError
from tests.archive.conftest import seen, travel
from tests.harness.in_process import file_size_limit

FROM_WORKER = ExtractionRules(reserved=frozenset({"unit.json"}))
REGULAR = stat.S_IFREG | 0o644
LINK = stat.S_IFLNK | 0o777
DIRECTORY = stat.S_IFDIR | 0o755


def entry(name: str, mode: int = REGULAR, content: bytes = b"hostile") -> tuple[str, int, bytes]:
    """Return one entry of an archive; a link's content is where it leads."""
    return name, mode, b"" if name.endswith("/") else content


def archive(*entries: tuple[str, int, bytes]) -> bytes:
    """Return a zip file with a good first entry and those given, whatever they are called."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, mode, content in [entry("good", content=b"good"), *entries]:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.create_system = 3
            info.external_attr = mode << 16 | 0x20
            made.writestr(info, content)
    return file.getvalue()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A target with a neighbour that must stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("precious")
    return tmp_path / "target"


def check_neighbour(target: Path) -> None:
    """Check that only the target is there and its neighbour is untouched."""
    assert {path.name for path in target.parent.iterdir()} <= {"outside", "target"}
    assert [path.read_text() for path in (target.parent / "outside").iterdir()] == ["precious"]
    assert (target.parent / "outside/precious").stat().st_mode & 0o777 != 0o777


REFUSED = {
    "climbing": [entry("../outside/precious", stat.S_IFREG | 0o777)],
    "climbing in the middle": [entry("a/../../outside/precious")],
    "climbing directory": [entry("../outside/d/", DIRECTORY)],
    "absolute": [entry("/etc/receptor-runner-was-here")],
    "link, then a file through it": [entry("l", LINK, b"."), entry("l/precious")],
    "file through a link that comes later": [entry("l/precious"), entry("l", LINK, b".")],
    "link and directory of one name": [entry("l", LINK, b"."), entry("l/", DIRECTORY), entry("l/x")],
    "file, then a file below it": [entry("f"), entry("f/g")],
    "directory and file of one name": [entry("d/", DIRECTORY), entry("d")],
    "link to an empty name": [entry("l", LINK, b"")],
    "link with a NUL": [entry("l", LINK, b"a\0b")],
    "endless link": [entry("l", LINK, b"x" * 5000)],
    "endless name": [entry("n" * 256)],
    "endless depth": [entry("d/" * (DEEPEST + 1) + "f")],
}


@pytest.mark.parametrize("rules", [FROM_WORKER, FROM_TRANSMIT], ids=["worker", "transmit"])
@pytest.mark.parametrize("name", REFUSED)
def test_an_archive_that_would_leave_is_refused_whole(
    target: Path, name: str, rules: ExtractionRules
) -> None:
    """An archive with one entry that leads out, or cannot be, writes nothing, not even its good entries."""
    with pytest.raises(ArchiveError):
        extract(BytesIO(archive(*REFUSED[name])), target, rules)
    assert not target.exists()
    check_neighbour(target)


SKIPPED = {
    "absolute link": entry("l", LINK, b"/etc/passwd"),
    "climbing link": entry("l", LINK, b"../outside"),
    "link that climbs deeper down": entry("a/l", LINK, b"../../outside"),
    "link that climbs behind a name": entry("a/l", LINK, b"b/../../../outside"),
    "FIFO": entry("x", stat.S_IFIFO | 0o644),
    "socket": entry("x", stat.S_IFSOCK | 0o644),
    "device": entry("x", stat.S_IFCHR | 0o666),
    "block device": entry("x", stat.S_IFBLK | 0o666),
    "file in the guise of a directory": entry("x", DIRECTORY),
    "directory in the guise of a file": entry("x/", REGULAR),
    "reserved": entry("unit.json"),
    "reserved, with a dot": entry("./unit.json"),
    "below a reserved name": entry("unit.json/x"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_what_a_worker_may_not_bring_is_left_out_and_named(target: Path, name: str) -> None:
    """Links that lead out, special files and reserved names are skipped and reported; the rest arrives."""
    skipped = extract(BytesIO(archive(SKIPPED[name])), target, FROM_WORKER)
    assert len(skipped) == 1
    assert skipped[0].startswith(SKIPPED[name][0] + ": ")
    assert list(seen(target)) == ["good"]
    check_neighbour(target)


def test_what_lies_below_a_link_that_was_left_out_stays_inside(target: Path) -> None:
    """Where a link was skipped, a file below its name goes to a directory of its own."""
    skipped = extract(
        BytesIO(archive(entry("l", LINK, b"../outside"), entry("l/precious"))), target, FROM_WORKER
    )
    assert len(skipped) == 1
    assert (target / "l/precious").read_text() == "hostile"
    check_neighbour(target)


@pytest.mark.parametrize("link", [b"good", b"./good", b"deep/er", b".", b"..hidden", b"nothing"])
def test_links_that_stay_inside_arrive(target: Path, link: bytes) -> None:
    """A link that can only lead to places inside arrives with the same text."""
    assert extract(BytesIO(archive(entry("l", LINK, link))), target, FROM_WORKER) == []
    assert os.readlink(os.fsencode(target / "l")) == link


def test_a_link_may_climb_as_far_as_the_target(target: Path) -> None:
    """A link in a directory may lead to the target itself and to what is in it."""
    links = [entry("a/b/l", LINK, b"../../good"), entry("a/b/m", LINK, b"../..")]
    assert extract(BytesIO(archive(*links)), target, FROM_WORKER) == []
    assert (target / "a/b/l").read_text() == "good"


def test_an_operator_may_link_anywhere(target: Path) -> None:
    """In a private data directory, links lead wherever they lead."""
    assert extract(BytesIO(archive(entry("l", LINK, b"../outside"))), target, FROM_TRANSMIT) == []
    assert (target / "l/precious").read_text() == "precious"


def test_backslashes_and_odd_names_are_just_names(target: Path) -> None:
    """Names with backslashes, line ends, colons and escapes name files in the target."""
    odd = ["..\\..\\x", "C:\\x", "a\nb", "\x1b[31m", "~", "-rf", "..."]
    extract(BytesIO(archive(*[entry(name) for name in odd])), target, FROM_WORKER)
    assert {path.name for path in target.iterdir()} == {"good", *odd}
    check_neighbour(target)


def test_the_last_of_two_files_of_one_name_counts(target: Path) -> None:
    """Where a name comes twice, the later file is there in the end."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(entry("x", content=b"first"), entry("x", stat.S_IFREG | 0o600, b"second"))
    extract(BytesIO(twice), target, FROM_WORKER)
    assert (target / "x").read_text() == "second"
    assert (target / "x").stat().st_mode & 0o777 == 0o600


def test_special_bits_only_for_an_operator(tmp_path: Path) -> None:
    """A worker's archive cannot make setuid files; an operator's own bits are kept."""
    packed = archive(entry("x", stat.S_IFREG | 0o6755))
    extract(BytesIO(packed), tmp_path / "worker", FROM_WORKER)
    extract(BytesIO(packed), tmp_path / "operator", FROM_TRANSMIT)
    assert stat.S_IMODE((tmp_path / "worker/x").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "operator/x").stat().st_mode) == 0o6755


def test_archives_without_modes_give_private_files(target: Path) -> None:
    """Entries of tools that know no modes become 0600 and 0700."""
    extract(BytesIO(archive(entry("x", 0), entry("d/", 0), entry("e/f", 0))), target, FROM_WORKER)
    modes = {name: stat.S_IMODE(mode) for name, (mode, *_rest) in seen(target).items()}
    assert modes == {"good": 0o644, "x": 0o600, "d": 0o700, "e": 0o700, "e/f": 0o600}


def test_modes_of_directories_that_come_after_their_files(target: Path) -> None:
    """A directory's mode counts wherever its entry stands, also when nobody may write into it."""
    late = archive(entry("a/b/f"), entry("a/b/", stat.S_IFDIR | 0o555), entry("a/", stat.S_IFDIR | 0o750))
    extract(BytesIO(late), target, FROM_WORKER)
    assert stat.S_IMODE((target / "a").stat().st_mode) == 0o750
    assert stat.S_IMODE((target / "a/b").stat().st_mode) == 0o555


WAYS: dict[str, Callable[[Path], object]] = {
    "a directory where a file goes": lambda target: (target / "f").mkdir(),
    "a file where a directory goes": lambda target: (target / "d").write_text("mine"),
    "a link where a directory goes": lambda target: (target / "d").symlink_to("../outside"),
    "a file above a file": lambda target: (target / "d").write_text("mine"),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_does_not_fit_over_the_target_is_refused(target: Path, way: str) -> None:
    """Where a directory stands for a file, or another thing for a directory, nothing is written."""
    target.mkdir()
    WAYS[way](target)
    before = seen(target)
    with pytest.raises(ArchiveError, match="here"):
        extract(BytesIO(archive(entry("d/", DIRECTORY), entry("d/g"), entry("f"))), target, FROM_TRANSMIT)
    assert seen(target) == before
    check_neighbour(target)


def test_links_fifos_and_files_in_the_way_are_replaced(target: Path) -> None:
    """What stands where a file goes is replaced: a link is not followed, a FIFO does not block."""
    target.mkdir()
    (target / "to-file").symlink_to("../outside/precious")
    (target / "to-nothing").symlink_to("nothing")
    (target / "hard").hardlink_to(target.parent / "outside/precious")
    os.mkfifo(target / "fifo")
    names = ["to-file", "to-nothing", "hard", "fifo"]
    extract(BytesIO(archive(*[entry(name) for name in names])), target, FROM_WORKER)
    assert {name: (target / name).read_text() for name in names} == dict.fromkeys(names, "hostile")
    assert not any((target / name).is_symlink() for name in names)
    check_neighbour(target)


def damaged(content: bytes, *, encrypted: bool = False) -> bytes:
    """Return an archive whose second file is damaged."""
    whole = bytearray(archive(entry("second", content=content)))
    if encrypted:
        for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            place = whole.rindex(signature)
            whole[place + flags] |= 1
    else:
        whole[whole.index(content)] ^= 1
    return bytes(whole)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip at all",
        archive()[:-10],
        archive()[40:],
        damaged(b"the content"),
        damaged(b"the content", encrypted=True),
        archive(entry("ö")).replace("ö".encode(), b"\xff\xfe"),
    ],
    ids=["empty", "garbage", "no end", "no beginning", "crc", "encrypted", "name"],
)
def test_a_damaged_archive_writes_nothing(target: Path, content: bytes) -> None:
    """Damage anywhere is found before the first file is written."""
    with pytest.raises(ArchiveError):
        extract(BytesIO(content), target, FROM_WORKER)
    assert not target.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(target: Path, method: int) -> None:
    """Only what the peer emits, stored and deflated files, is read."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("x", b"x" * 100)
    with pytest.raises(ArchiveError, match="not supported"):
        extract(file, target, FROM_WORKER)
    assert not target.exists()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 300),
)
def test_any_damage_is_an_archive_error_or_harmless(changes: list[tuple[int, int]], shorter: int) -> None:
    """Whatever bytes of an archive change, extraction succeeds inside of its target or raises ArchiveError."""
    whole = bytearray(
        archive(
            entry("d/", DIRECTORY),
            entry("d/f", content=zlib.compress(b"x" * 100)),
            entry("l", LINK, b"d/f"),
        )
    )
    for place, value in changes:
        whole[place % len(whole)] = value
    del whole[len(whole) - shorter % 40 :]
    with tempfile.TemporaryDirectory() as root:
        target = Path(root, "inside", "target")
        target.parent.mkdir()
        try:
            extract(BytesIO(whole), target, FROM_WORKER)
        except ArchiveError:
            assert not target.exists()
        assert [path.name for path in Path(root).iterdir()] == ["inside"]
        assert [path.name for path in target.parent.iterdir()] in ([], ["target"])


def test_a_time_field_that_is_cut_off_is_passed_over(target: Path) -> None:
    """An extra field that holds no time leaves the entry its local one."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        info = zipfile.ZipInfo("x", (2001, 2, 3, 4, 5, 6))
        info.extra = struct.pack("<HHB", 0x5455, 1, 1)
        made.writestr(info, b"")
    extract(file, target, FROM_WORKER)
    assert 980_000_000 < (target / "x").stat().st_mtime < 983_000_000


READ_ONLY = """
import os, sys
from pathlib import Path
from receptor_runner.archive.pack import pack
from receptor_runner.archive.checks import FROM_TRANSMIT
from receptor_runner.archive.extraction import extract
b"x".decode("cp437")  # a codec that is imported when it is first used, which another user may not be able to
if os.geteuid() == 0:
    os.setuid(65534)
for _ in range(2):
    packed = pack(Path(sys.argv[1]))
    extract(packed.file, Path(sys.argv[2]), FROM_TRANSMIT)
"""


def test_read_only_directories_twice_and_without_privileges(short_dir: Path) -> None:
    """A user who is not root can extract a tree with read-only directories, and again over itself."""
    source = short_dir / "source"
    (source / "closed/deeper").mkdir(parents=True)
    (source / "closed/deeper/file").write_text("x")
    for directory in ("closed/deeper", "closed"):
        (source / directory).chmod(0o555)
    short_dir.chmod(0o777)
    script = [sys.executable, "-c", READ_ONLY, str(source), str(short_dir / "target")]
    subprocess.run(script, check=True)
    assert stat.S_IMODE((short_dir / "target/closed").stat().st_mode) == 0o555
    assert stat.S_IMODE((short_dir / "target/closed/deeper").stat().st_mode) == 0o555
    assert (short_dir / "target/closed/deeper/file").read_text() == "x"
    for directory in ("source/closed", "target/closed"):
        (short_dir / directory).chmod(0o755)
        (short_dir / directory / "deeper").chmod(0o755)


def test_names_that_say_that_all_is_there_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for one of those files finds everything else in place."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("rc", "status", "stdout", "zzz"):
        (source / name).write_text(name)
    written: list[str] = []
    opened = os.open

    def noting(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_EXCL and dir_fd is not None:
            written.append(str(path))
        return opened(path, flags, mode, dir_fd=dir_fd)

    packed = pack(source)
    monkeypatch.setattr(os, "open", noting)
    travel(packed, tmp_path / "target", ExtractionRules(written_last=frozenset({"rc", "status"})))
    assert written[-2:] == ["rc", "status"]
    assert sorted(written) == ["rc", "status", "stdout", "zzz"]


def test_large_and_small_files_arrive_beside_each_other(target: Path) -> None:
    """Whichever thread writes them: contents and special bits."""
    large = os.urandom(700_000)
    data = archive(
        entry("first", content=large),
        entry("d/small"),
        entry("d/large", stat.S_IFREG | 0o4711, large * 2),
        entry("last"),
    )
    assert extract(BytesIO(data), target, FROM_TRANSMIT) == []
    assert (target / "first").read_bytes() == large
    assert (target / "d/large").read_bytes() == large * 2
    assert stat.S_IMODE((target / "d/large").stat().st_mode) == 0o4711
    assert (target / "d/small").read_bytes() == (target / "last").read_bytes() == b"hostile"


def test_a_file_that_cannot_grow_ends_the_extraction(target: Path) -> None:
    """The error is the system's, no thread or descriptor is left, and nothing comes after the file that failed."""
    large = archive(entry("large", content=os.urandom(4_000_000)), entry("after"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with file_size_limit(1_000_000), pytest.raises(OSError, match="File too large"):
        extract(BytesIO(large), target, FROM_TRANSMIT)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert sorted(path.name for path in target.iterdir()) == ["good", "large"]
    assert not [thread for thread in threading.enumerate() if thread.name == "background"]
