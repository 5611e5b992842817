"""When the node of a job is no longer needed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.node.lifetime import JobLifetime
from receptor_runner.node.unit_status import StoredUnitState
from receptor_runner.node.units import UnitStore
from tests.harness import wait_until


@pytest.fixture
def starter() -> Iterator[socket.socket]:
    """The node's end of the socket to its starter."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs


@pytest.fixture
def store(tmp_path: Path) -> UnitStore:
    """Units beside a control socket."""
    (tmp_path / "control.sock").touch()
    return UnitStore(tmp_path / "units")


def lifetime(store: UnitStore, starter: socket.socket, idle_timeout_s: float = 0) -> JobLifetime:
    """Return the lifetime of the node that serves a store."""
    return JobLifetime(idle_timeout_s, starter, store.directory.with_name("control.sock"))


def end_unit(store: UnitStore) -> None:
    """Leave a unit that has succeeded."""
    store.create("cat", "").status_file.update(state=StoredUnitState.SUCCEEDED)


def test_a_starter_that_packs_is_waited_for(store: UnitStore, starter: socket.socket) -> None:
    """Before its first client a node waits for its starter without a limit, and no longer than that."""
    life = lifetime(store, starter)
    assert not life.is_over(store, 0)
    life.note_starter_gone()
    wait_until(lambda: life.is_over(store, 0), "a node that nobody will use is over")


def test_a_starter_that_forked_does_not_keep_the_node(store: UnitStore, starter: socket.socket) -> None:
    """After its first client a node ends although the socket of its starter is still open."""
    life = lifetime(store, starter)
    assert not life.is_over(store, 1)
    assert life.is_over(store, 0)


def test_a_job_that_runs_keeps_its_node(store: UnitStore, starter: socket.socket) -> None:
    """Without any client the node stays until its units have ended."""
    life = lifetime(store, starter)
    life.note_starter_gone()
    unit = store.create("cat", "")
    assert not life.is_over(store, 0)
    unit.status_file.update(state=StoredUnitState.FAILED)
    assert life.is_over(store, 0)


def test_ended_units_are_served_for_the_set_time(store: UnitStore, starter: socket.socket) -> None:
    """Until the idle timeout has passed, a client may still come for what has ended."""
    life = lifetime(store, starter, idle_timeout_s=3600)
    life.note_starter_gone()
    end_unit(store)
    assert not life.is_over(store, 0)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_node_without_its_socket_is_over(
    store: UnitStore, starter: socket.socket, is_replaced: bool
) -> None:
    """A node that clients cannot reach any more makes room for the next one, even with a job that runs."""
    life = lifetime(store, starter)
    store.create("cat", "")
    path = store.directory.with_name("control.sock")
    assert not life.is_over(store, 1)
    path.rename(path.with_name("old"))
    if is_replaced:
        path.touch()
    assert life.is_over(store, 1)
