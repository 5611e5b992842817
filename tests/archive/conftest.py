"""Trees on disk, and what is seen of them."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.archive.checks import FROM_TRANSMIT, ExtractionRules
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.pack import PackedArchive
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import encode_archive
from receptor_runner.stream.messages import ArchiveData

Tree = dict[str, tuple[Any, ...]]


def build(directory: Path, tree: Tree) -> None:
    """Make a tree on disk: name to (kind, content or link, mode, mtime)."""
    for name, (kind, content, *rest) in tree.items():
        path = directory / name
        if kind == "link":
            path.symlink_to(content)
            continue
        if kind == "file":
            path.write_bytes(content)
        else:
            path.mkdir()
            build(path, content)
        mode, mtime = rest
        path.chmod(mode)
        os.utime(path, (mtime, mtime))


def seen(root: Path) -> Tree:
    """Return all that is in a directory: mode, content or link, and the time in whole seconds."""
    found: Tree = {}
    for path in root.rglob("*"):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found[str(path.relative_to(root))] = (status.st_mode, os.readlink(os.fsencode(path)), 0)
        else:
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
            found[str(path.relative_to(root))] = (status.st_mode, content, int(status.st_mtime))
    return found


def travel(packed: PackedArchive, target: Path, rules: ExtractionRules = FROM_TRANSMIT) -> list[str]:
    """Send an archive over the wire and extract it; return what the extraction skipped."""
    decoder = Decoder()
    with tempfile.TemporaryFile() as spool:
        for block in encode_archive(packed.size, packed.chunks()):
            for message in decoder.feed(block):
                if isinstance(message, ArchiveData):
                    spool.write(message.data)
        packed.close()
        return extract(spool, target, rules)


@pytest.fixture
def timezone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test set TZ; it is restored afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """The test leaves no descriptors and no processes; what earlier tests left may go meanwhile."""
    descriptors, children = _census()
    yield
    descriptors_now, children_now = _census()
    assert descriptors_now <= descriptors
    assert children_now <= children


def _census() -> tuple[int, set[str]]:
    """Return how many descriptors are open, and which children there are."""
    children = set(Path("/proc/thread-self/children").read_text().split())
    return len(list(Path("/proc/self/fd").iterdir())), children
