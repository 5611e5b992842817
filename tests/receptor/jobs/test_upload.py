"""Creating a unit and sending its payload, against both nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from receptor_runner.errors import UnknownUnit
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import UnitState, WorkOrder
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.jobs.upload import upload
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
    assert "ERROR" not in node.log.read_text()
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


def test_an_id_that_cannot_be_written_down_never_runs(node: ServedNode) -> None:
    """If the id cannot be written down, no payload flows and the unit is removed."""
    control = Control(str(node.socket))
    before = set(control.units())

    def fail(_unit_id: str) -> None:
        raise OSError

    with pytest.raises(OSError):
        upload(control, ORDER, [], fail)
    assert set(control.units()) == before
