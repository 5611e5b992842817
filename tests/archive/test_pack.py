"""Packing, and that what is packed here or by the peer arrives the same."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.archive.pack import MemoryFile, pack
from receptor_runner.archive.zip_format import DEEPEST
from receptor_runner.errors import OutputFailed
from receptor_runner.stream.encoder import EOF_LINE, encode_archive
from tests.archive.conftest import Tree, build, seen, travel

MIXED: Tree = {
    "file": ("file", b"content", 0o644, 1_600_000_000),
    "script": ("file", b"#!/bin/sh\n", 0o755, 1_600_000_001),
    "zeros": ("file", bytes(300_000), 0o600, 1_600_000_000),
    "noise": ("file", os.urandom(300_001), 0o640, 1_600_000_000),
    "none": ("file", b"", 0o600, 1_600_000_000),
    "ünï ← \\ name": ("file", b"x", 0o600, 1_600_000_000),
    "link": ("link", "file"),
    "dangling": ("link", "nothing/there"),
    "absolute": ("link", "/bin"),
    "here": ("link", "."),
    "empty": ("directory", {}, 0o755, 1_600_000_000),
    "deep": (
        "directory",
        {"er": ("directory", {"f": ("file", b"f", 0o400, 1), "up": ("link", "../..")}, 0o755, 1_500_000_000)},
        0o555,
        1_500_000_000,
    ),
}

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})
mtimes = st.integers(0, (1 << 31) - 1)
leaves = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=50), st.integers(0, 0o7777), mtimes),
    st.tuples(st.just("link"), names),
)
nodes = st.recursive(
    leaves,
    lambda inner: st.tuples(
        st.just("directory"), st.dictionaries(names, inner, max_size=4), st.integers(0o700, 0o777), mtimes
    ),
    max_leaves=8,
)


@given(st.dictionaries(names, nodes, max_size=4))
@settings(max_examples=30, deadline=None)
def test_any_tree_arrives_equal_and_arrives_again(tree: Tree) -> None:
    """Files, directories and links arrive with content, full mode and time in UTC; once more changes no content."""
    with tempfile.TemporaryDirectory() as root:
        source, target = Path(root, "source"), Path(root, "target")
        source.mkdir()
        build(source, tree)
        assert travel(pack(source), target) == []
        assert seen(target) == seen(source)
        assert travel(pack(source), target) == []
        assert _without_times(seen(target)) == _without_times(seen(source))


def test_extraction_merges(tmp_path: Path) -> None:
    """What is in the target and not in the archive stays; what is in both is replaced."""
    source, target = tmp_path / "source", tmp_path / "target"
    for directory in (source, target):
        (directory / "both").mkdir(parents=True)
    (source / "both/new").write_text("new")
    (source / "both/same").write_text("from the archive")
    (target / "both/same").write_text("old")
    (target / "both/own").write_text("own")
    (target / "both").chmod(0o750)
    travel(pack(source), target)
    assert {path.name: path.read_text() for path in (target / "both").iterdir()} == {
        "new": "new",
        "same": "from the archive",
        "own": "own",
    }
    assert (target / "both").stat().st_mode & 0o777 == 0o750


def test_the_peer_extracts_ours_and_we_the_peers(tmp_path: Path) -> None:
    """An archive travels between ansible-runner and us in both directions with the same names, modes and links."""
    from ansible_runner.utils.streaming import stream_dir, unstream_dir

    source = tmp_path / "source"
    source.mkdir()
    build(source, MIXED)
    packed = pack(source)
    ours = b"".join(encode_archive(packed.size, packed.chunks()))
    packed.close()
    header, _newline, text = ours.partition(b"\n")
    unstream_dir(BytesIO(text + EOF_LINE), packed.size, str(tmp_path / "peer"))
    assert header == b'{"zipfile": %d}' % packed.size
    theirs = BytesIO()
    theirs.name = "theirs"
    stream_dir(str(source), theirs)
    _unpack_stream(theirs.getvalue(), tmp_path / "ours")
    for target in ("peer", "ours"):
        assert _without_times(seen(tmp_path / target)) == _without_times(seen(source))


def _unpack_stream(stream: bytes, target: Path) -> None:
    from receptor_runner.archive.checks import FROM_TRANSMIT
    from receptor_runner.archive.extraction import extract
    from receptor_runner.stream.decoder import Decoder
    from receptor_runner.stream.messages import ArchiveData

    data = b"".join(piece.data for piece in Decoder().feed(stream) if isinstance(piece, ArchiveData))
    extract(BytesIO(data), target, FROM_TRANSMIT)


def _without_times(tree: Tree) -> Tree:
    return {name: (mode, content) for name, (mode, content, _time) in tree.items()}


def test_order_and_names_in_the_archive(tmp_path: Path) -> None:
    """A directory's files come before its directories, each directory before what is in it, the root not at all."""
    build(
        tmp_path, {"b": ("directory", {"c": ("file", b"", 0o600, 1)}, 0o700, 1), "z": ("file", b"", 0o600, 1)}
    )
    packed = pack(tmp_path)
    assert zipfile.ZipFile(packed.file).namelist() == ["z", "b/", "b/c"]
    packed.close()


def test_an_empty_directory_gives_an_empty_archive(tmp_path: Path) -> None:
    """Of nothing the archive has 22 bytes, as with the peer."""
    packed = pack(tmp_path)
    assert packed.size == 22
    assert travel(packed, tmp_path / "target") == []
    assert list((tmp_path / "target").iterdir()) == []


def test_files_from_memory(tmp_path: Path) -> None:
    """A file from memory travels with its mode, replaces one on disk, and never reaches the disk here."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "secret").write_text("old")
    before = seen(source)
    travel(
        pack(source, extra={"secret": MemoryFile(b"new"), "a/b": MemoryFile(b"", 0o640)}), tmp_path / "target"
    )
    assert (tmp_path / "target/secret").read_text() == "new"
    assert (tmp_path / "target/secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "target/a/b").stat().st_mode & 0o777 == 0o640
    assert seen(source) == before


def test_what_is_not_wanted_stays_here(tmp_path: Path) -> None:
    """A name that is not wanted does not travel, and a directory of that name is not entered."""
    source = tmp_path / "source"
    build_into = {
        "in": ("file", b"", 0o600, 1),
        "out": ("directory", {"x": ("file", b"", 0o600, 1)}, 0o700, 1),
    }
    source.mkdir()
    build(source, build_into)
    asked: list[str] = []

    def wanted(name: str) -> bool:
        asked.append(name)
        return name != "out"

    travel(pack(source, wanted=wanted), tmp_path / "target")
    assert list(seen(tmp_path / "target")) == ["in"]
    assert sorted(asked) == ["in", "out"]


def test_what_cannot_travel_is_reported(short_dir: Path) -> None:
    """FIFOs, sockets, devices, names that are no UTF-8 and trees too deep are left out and named; the rest travels."""
    source = short_dir / "s"
    source.mkdir()
    os.mkfifo(source / "fifo")
    (source / "file").write_text("x")
    (source / os.fsdecode(b"bad\xff")).write_text("x")
    deep = source.joinpath(*"d" * (DEEPEST + 1))
    deep.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        packed = pack(source)
    skipped = list(packed.skipped)
    travel(packed, short_dir / "t")
    assert [text.partition(": ")[2] for text in sorted(skipped)] == [
        "the name is no UTF-8",
        "nested too deep",
        "a FIFO",
        "a socket",
    ]
    arrived = seen(short_dir / "t")
    assert "file" in arrived
    assert not {"fifo", "socket"} & arrived.keys()
    assert len(arrived) == DEEPEST + 1


def test_a_link_to_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    """The text of a link arrives byte for byte, whatever it is."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to(os.fsdecode(b"to\xff"))
    travel(pack(source), tmp_path / "target")
    assert os.readlink(os.fsencode(tmp_path / "target/link")) == b"to\xff"


def test_a_very_deep_tree_is_walked(tmp_path: Path) -> None:
    """A tree as deep as may be arrives whole."""
    deep = tmp_path.joinpath("source", *"d" * (DEEPEST - 1))
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    travel(pack(tmp_path / "source"), tmp_path / "target")
    assert tmp_path.joinpath("target", *"d" * (DEEPEST - 1), "file").read_text() == "x"


def test_files_that_vanish_meanwhile(tmp_path: Path) -> None:
    """Files and directories that come and go while they are packed never break the archive."""
    source = tmp_path / "source"
    source.mkdir()
    over = threading.Event()

    def stir() -> None:
        while not over.is_set():
            for index in range(20):
                (source / f"d{index}").mkdir()
                (source / f"d{index}" / "f").write_text("x")
                (source / f"f{index}").symlink_to("x")
            for index in range(20):
                (source / f"d{index}" / "f").unlink()
                (source / f"d{index}").rmdir()
                (source / f"f{index}").unlink()

    stirrer = threading.Thread(target=stir)
    stirrer.start()
    try:
        for round_ in range(20):
            packed = pack(source)
            assert all(text.endswith(": vanished") for text in packed.skipped)
            travel(packed, tmp_path / f"target{round_}")
    finally:
        over.set()
        stirrer.join()


def test_times_beyond_the_range_of_zip(tmp_path: Path) -> None:
    """Times before 1980 and in the far future neither break packing nor, where a field has room, get lost."""
    source = tmp_path / "source"
    source.mkdir()
    for name, seconds in {"old": 86_400, "early": -86_400, "late": 5_000_000_000, "never": 1 << 33}.items():
        (source / name).write_text(name)
        os.utime(source / name, (seconds, seconds))
    travel(pack(source), tmp_path / "target")
    assert (tmp_path / "target/old").stat().st_mtime == 86_400
    assert {path.name for path in (tmp_path / "target").iterdir()} == {"old", "early", "late", "never"}


def test_times_are_the_same_in_another_time_zone(tmp_path: Path, timezone: pytest.MonkeyPatch) -> None:
    """A file packed in one time zone and extracted in another has the same time in UTC."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    os.utime(source / "file", (1_700_000_001, 1_700_000_001))
    timezone.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    packed = pack(source)
    timezone.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    travel(packed, tmp_path / "target")
    assert (tmp_path / "target/file").stat().st_mtime == 1_700_000_001


def test_the_digest_tells_contents_and_modes_apart(tmp_path: Path) -> None:
    """The digest of an archive changes with names, contents and modes, but not with times."""
    (tmp_path / "file").write_text("x")
    digests = []
    for change in ("none", "time", "mode", "content", "name"):
        match change:
            case "time":
                os.utime(tmp_path / "file", (1, 1))
            case "mode":
                (tmp_path / "file").chmod(0o755)
            case "content":
                (tmp_path / "file").write_text("y")
            case "name":
                (tmp_path / "file").rename(tmp_path / "other")
        packed = pack(tmp_path)
        digests.append(packed.digest(lambda _name: True))
        assert b"".join(packed.chunks())[:2] == b"PK"
        packed.close()
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


UNREADABLE = """
import os, sys
from pathlib import Path
from random import Random
from receptor_runner.errors import MissingInput
from receptor_runner.archive.pack import pack
if os.geteuid() == 0:
    os.setuid(65534)
for name in ("file", "directory"):
    try:
        pack(Path(sys.argv[1], name))
    except MissingInput as error:
        print(error)
"""


def test_what_is_unreadable_is_an_error_before_the_first_byte(short_dir: Path) -> None:
    """A file or directory that may not be read ends the packing, with its name."""
    short_dir.chmod(0o755)
    (short_dir / "file").mkdir()
    (short_dir / "file/secret").write_text("x")
    (short_dir / "file/secret").chmod(0)
    (short_dir / "directory/closed").mkdir(parents=True)
    (short_dir / "directory/closed").chmod(0)
    script = [sys.executable, "-c", UNREADABLE, str(short_dir)]
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    (short_dir / "directory/closed").chmod(0o700)
    assert len(said) == 2
    assert "file/secret: Permission denied" in said[0]
    assert "directory/closed: Permission denied" in said[1]


def test_a_full_temporary_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the spool cannot be written, the error says that packing failed, not that an input is missing."""
    (tmp_path / "big").write_bytes(os.urandom(2_000_000))
    monkeypatch.setattr("receptor_runner.archive.pack.SPOOL_MEMORY", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputFailed, match="packing failed"):
        pack(tmp_path)


def test_a_directory_that_is_gone_gives_an_empty_archive(tmp_path: Path) -> None:
    """A root that vanished is reported like anything else that did."""
    packed = pack(tmp_path / "gone")
    assert packed.skipped == [f"{tmp_path / 'gone'}: vanished"]
    packed.close()


ROOT = Path(__file__).parents[2]
BIG = """
import resource, sys
from pathlib import Path
from receptor_runner.archive.pack import pack
from tests.archive.conftest import travel
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
travel(pack(Path(sys.argv[1])), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_flat(tmp_path: Path) -> None:
    """A file of 200 MB is packed, sent and extracted with no more than 40 MB of memory."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    with (source / "big").open("wb") as file:
        file.seek(180_000_000)
        file.write(os.urandom(20_000_000))
    grown_kb = int(subprocess.check_output([sys.executable, "-c", BIG, source, target], cwd=ROOT))
    assert grown_kb < 40_000
    assert (target / "big").stat().st_size == 200_000_000
    (target / "big").unlink()
