"""Workers without a store are asked again after a while, not each time."""

from __future__ import annotations

import os
from pathlib import Path

from receptor_runner.store.refusals import Refusals

WORKER = ("near", "far", "receptor-runner")


def test_a_refusal_is_remembered_for_a_while(tmp_path: Path) -> None:
    """Only of that worker, and not longer than an hour."""
    refusals = Refusals(directory=tmp_path / "state" / "without-store")
    assert not refusals.includes(*WORKER)
    refusals.note(*WORKER)
    assert refusals.includes(*WORKER)
    assert not refusals.includes("near", "other", "receptor-runner")

    (path,) = (tmp_path / "state" / "without-store").iterdir()
    os.utime(path, (0, 0))
    assert not refusals.includes(*WORKER)
    refusals.note(*WORKER)
    assert refusals.includes(*WORKER)


def test_without_a_place_nothing_is_remembered(tmp_path: Path) -> None:
    """A user without a home, or a disk that refuses, asks each time."""
    (tmp_path / "file").touch()
    for refusals in (Refusals(directory=None), Refusals(directory=tmp_path / "file" / "x")):
        refusals.note(*WORKER)
        assert not refusals.includes(*WORKER)
