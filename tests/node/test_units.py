"""Units as directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from receptor_runner.node.refusal import Refused
from receptor_runner.node.units import UNIT_ID, UnitStore

if TYPE_CHECKING:
    from pathlib import Path


def test_units_are_made_found_listed_and_removed(tmp_path: Path) -> None:
    """A unit has an id of eight letters and digits, and is gone once removed."""
    store = UnitStore(tmp_path / "data" / "n1")
    assert store.list() == []
    units = sorted((store.create("cat", "") for _ in range(5)), key=lambda unit: unit.unit_id)
    assert all(UNIT_ID.fullmatch(unit.unit_id) for unit in units)
    assert store.list() == units
    assert store.find(units[0].unit_id) == units[0]
    store.remove(units[0])
    store.remove(units[0])
    with pytest.raises(Refused, match=f"unknown work unit {units[0].unit_id}"):
        store.find(units[0].unit_id)
    with pytest.raises(Refused, match="unknown work unit"):
        units[0].read_status()
    assert store.list() == units[1:]


def test_other_files_are_no_units(tmp_path: Path) -> None:
    """Only directories that are called and filled like a unit are units."""
    store = UnitStore(tmp_path)
    (tmp_path / "readme.txt").touch()
    (tmp_path / "AAAAAAAA").touch()
    (tmp_path / "BBBBBBBB").mkdir()
    assert store.list() == []
    for name in ("AAAAAAAA", "BBBBBBBB", "..", "", "AAAAAAA\n"):
        with pytest.raises(Refused):
            store.find(name)


def test_unit_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first status cannot be written, no directory stays behind."""
    import resource
    import signal

    store = UnitStore(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        with pytest.raises(OSError, match="File too large"):
            store.create("cat", "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []
