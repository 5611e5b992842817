"""What cannot be written, or fails unexpectedly, while slices run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import OutputFailed
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.slices.index import Index, SliceEntry
from receptor_runner.slices.packing import SharedShipment
from receptor_runner.slices.running import Requests, SliceRun
from receptor_runner.slices.sliced_job import SlicedJob
from receptor_runner.transmit import Shipment

DONE = Outcome(status=Status.SUCCESSFUL, rc=0)
LIMIT_S = 20.0


class Watcher:
    """Is told how slices end, and may fail at it."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.fails_at = 0

    def ended(self, entry: SliceEntry) -> None:
        """Note the slice."""
        self.ends.append(entry.number)
        if entry.number == self.fails_at:
            raise ZeroDivisionError

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args: None


class Run:
    """A run of three slices on two lanes, of which each ends well at once; only the index is real."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.watcher = Watcher()
        self.job = SlicedJob(directory, "job")
        index = Index.planned("job", "site.yml", [("a",), ("b",), ("c",)], with_localhost=False)
        self.job.write(index)
        shipments = SharedShipment(Shipment(job=None))  # type: ignore[arg-type] # nothing is sent
        self.running = SliceRun(self.job, index, shipments, Destination(), self.watcher, Requests())
        monkeypatch.setattr(self.running, "_run_slice", lambda _number, _node: DONE)
        self.result: Index | BaseException | None = None

    def to_the_end(self) -> Index | BaseException | None:
        """Run it; return the index, or what it raised. A hang is a failure."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
        return self.result

    def _run(self) -> None:
        try:
            self.result = self.running.run([1, 2, 3], ["n1", "n2"])
        except BaseException as error:
            self.result = error


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run."""
    return Run(tmp_path, monkeypatch)


@pytest.mark.parametrize("failing", [1, 3], ids=["first", "last"])
def test_an_index_that_cannot_be_written_for_a_moment_is_written_later(
    run: Run, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Every slice runs, and the index on disk ends as they did."""
    write, calls = run.job.write, []

    def write_unless_full(index: Index, *, durable: bool = False) -> Index:
        calls.append(index)
        if len(calls) == failing:
            raise OutputFailed("cannot write", cause="No space left on device")
        return write(index, durable=durable)

    monkeypatch.setattr(run.job, "write", write_unless_full)
    assert run.to_the_end() == run.job.read()
    assert [entry.status for entry in run.job.read().slices] == ["successful"] * 3


def test_an_index_that_cannot_be_written_at_all_is_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes once every slice has ended."""

    def refuse(_index: Index) -> Index:
        raise OutputFailed("cannot write", cause="No space left on device")

    monkeypatch.setattr(run.job, "write", refuse)
    assert isinstance(run.to_the_end(), OutputFailed)
    assert sorted(run.watcher.ends) == [1, 2, 3]


def test_an_unexpected_failure_in_a_lane_ends_the_run(run: Run) -> None:
    """The other lane does not wait for the slice of this one, and the failure is told."""
    run.watcher.fails_at = 1
    assert isinstance(run.to_the_end(), ZeroDivisionError)
