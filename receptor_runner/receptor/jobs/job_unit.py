"""The unit of a recorded job: its cancel is noted, so that a later follower knows that it was ours."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.receptor.jobs.record import Record, RecordFile
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.embedded import EmbeddedNode
from receptor_runner.receptor.nodes.locate import LocalNode


class JobUnit(Unit):
    """The unit of a job with a record.

    Args:
        file: the job's record, which names a unit.
        destination: deadlines.
    """

    def __init__(self, file: RecordFile, destination: Destination) -> None:
        record = file.require()
        assert record.unit_id is not None
        super().__init__(destination.control(reach(record)), record.unit_id)
        self._file = file

    def cancel(self) -> bool:
        """Note that the cancel is ours, then stop the unit; see `Unit.cancel`."""
        # Before the cancel, not after it: a follower in another process may see its effect before we see the reply.
        self._file.note_cancel()
        return super().cancel()

    def canceled_by(self) -> str | None:
        """Return who canceled the job with this tool, None if nobody did."""
        return self._file.canceled_by()


def reach(record: Record) -> LocalNode:
    """Return the node to which a job was submitted. An embedded one is started again only if its unit may be there.

    Raises:
        NodeUnavailable: the directory of an embedded node belongs to another user.
    """
    embedded = None
    if record.node_directory and not record.released:
        embedded = EmbeddedNode(Path(record.node_directory))
        embedded.check_owner()
    return LocalNode(socket=record.socket, source="the job's record", embedded=embedded)
