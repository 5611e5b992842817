"""The `work` commands that answer with one line: list, status, cancel, release, force-release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.node.refusal import Refused
from receptor_runner.node.replies import Ordered
from receptor_runner.node.unit_status import StoredUnitStatus

if TYPE_CHECKING:
    from receptor_runner.node.requests import WorkRequest
    from receptor_runner.node.state import NodeState
    from receptor_runner.node.units import Unit

_UNKNOWN_WORK_TYPE = "Unknown WorkType"


def answer_work(node: NodeState, work: WorkRequest) -> dict[str, object]:
    """Do what one of these commands asks.

    Args:
        node: the node's state.
        work: the request.

    Returns:
        The reply.

    Raises:
        Refused: no such unit, or a signature where none is expected.
        OSError: the unit's files cannot be changed.
    """
    if work.subcommand == "list":
        return _list(node, work.unit_id)
    unit = node.store.find(work.unit_id or "")
    if work.subcommand == "status":
        return describe_unit(node, unit)
    refuse_signature(work)
    node.runners.cancel(unit)
    if work.subcommand == "cancel":
        return {"cancelled": unit.unit_id}
    node.store.remove(unit)
    return {"released": unit.unit_id}


def refuse_signature(work: WorkRequest) -> None:
    """Refuse a signature: no work type here verifies any.

    Raises:
        Refused: the request carries one.
    """
    if work.signature:
        raise Refused("work type did not expect a signature")


def describe_unit(node: NodeState, unit: Unit) -> dict[str, object]:
    """Return a unit's status as clients see it."""
    status = unit.read_status()
    is_known = node.find_command(status.work_type) is not None
    return {
        **status.as_dict(),
        "ExtraData": _show_extra_data(status) if is_known else _UNKNOWN_WORK_TYPE,
        "StateName": status.state.name.capitalize(),
    }


def _show_extra_data(status: StoredUnitStatus) -> object:
    # The daemon's structure, not a map: Pid before Params.
    return Ordered(status.extra_data) if isinstance(status.extra_data, dict) else status.extra_data


def _list(node: NodeState, unit_id: str | None) -> dict[str, object]:
    if unit_id is not None:
        return {unit_id: describe_unit(node, node.store.find(unit_id))}
    listed: dict[str, object] = {}
    for unit in node.store.list():
        try:
            listed[unit.unit_id] = describe_unit(node, unit)
        except Refused:
            continue
    return listed
