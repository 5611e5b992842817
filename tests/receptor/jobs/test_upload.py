"""Creating a unit and sending its payload, against both nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.errors import UnknownUnit
from receptor_runner.job import Job
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import UnitState, WorkOrder
from receptor_runner.receptor.jobs.never_ran import ran_nothing
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.jobs.upload import upload
from receptor_runner.transmit import prepare
from tests.harness import ServedNode, wait_until

ORDER = WorkOrder(work_type="receptor-runner", params="--worker-info")


def torn_payload() -> Iterator[bytes]:
    """A payload that cannot be read to its end."""
    yield b'{"kwargs": {}}\n'
    raise ZeroDivisionError


def test_a_unit_runs_its_payload(node: ServedNode) -> None:
    """The id is told before any payload flows, and the unit ends well."""
    control = Control(str(node.socket))
    states: list[UnitState] = []
    unit_id = upload(control, ORDER, [], lambda created: states.append(control.unit_status(created).state))
    assert states == [UnitState.PENDING]
    unit = Unit(control, unit_id)
    wait_until(lambda: unit.status().state.is_complete, "the unit has ended")
    assert unit.status().state is UnitState.SUCCEEDED


def test_a_unit_that_has_ended_here_is_gone_once_it_is_released(node: ServedNode) -> None:
    """It is not asked about again: the daemon logs errors for questions about units that it does not know."""
    control = Control(str(node.socket))
    unit = Unit(control, upload(control, ORDER, [], lambda _created: None))
    assert unit.discard_and_wait()
    assert f"unknown work unit {unit.unit_id}" not in node.log.read_text()
    with pytest.raises(UnknownUnit):
        unit.status()


def test_a_torn_payload_never_runs(node: ServedNode) -> None:
    """If anything fails before the payload is complete, the unit is removed and nothing of it runs."""
    control = Control(str(node.socket))
    created: list[str] = []
    removed: list[bool] = []
    order = WorkOrder(work_type="receptor-runner")
    with pytest.raises(ZeroDivisionError):
        upload(control, order, torn_payload(), created.append, removed.append)
    assert removed == [True]
    with pytest.raises(UnknownUnit):
        control.unit_status(created[0])


def test_what_fails_behind_the_last_piece_fails_before_it_is_sent(
    node: ServedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job cannot run, even if its unit cannot be released: the node starts it, but on a torn payload."""
    (tmp_path / "project").mkdir()
    play = f"- hosts: localhost\n  gather_facts: false\n  tasks: [{{file: {{path: {tmp_path}/ran, state: touch}}}}]\n"
    (tmp_path / "project" / "site.yml").write_text(play)
    shipment = prepare(Job(playbook="site.yml", ident="1"), tmp_path)
    size = sum(map(len, shipment.chunks()))

    def interrupt(sent: int, _size: int) -> None:
        if sent == size:
            raise KeyboardInterrupt

    def interrupt_again(_unit: Unit) -> bool:
        raise KeyboardInterrupt

    shipment.on_sent = interrupt
    monkeypatch.setattr(Unit, "discard", interrupt_again)
    control = Control(str(node.socket))
    created: list[str] = []
    with contextlib.closing(shipment), pytest.raises(KeyboardInterrupt):
        upload(control, WorkOrder(work_type="receptor-runner"), shipment.chunks(), created.append)
    unit = Unit(control, created[0])
    wait_until(lambda: unit.status().state.is_final, "the unit has ended")
    assert ran_nothing(unit, unit.status())
    assert not (tmp_path / "ran").exists()


def test_an_id_that_cannot_be_written_down_never_runs(node: ServedNode) -> None:
    """If the id cannot be written down, no payload flows and the unit is removed."""
    control = Control(str(node.socket))
    before = set(control.units())

    def fail(_unit_id: str) -> None:
        raise OSError

    with pytest.raises(OSError):
        upload(control, ORDER, [], fail)
    assert set(control.units()) == before
