"""The index of a sliced job: which slice has which hosts, where it runs, and how it ended. Values alone, no IO."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from receptor_runner.artifacts import slice_ident
from receptor_runner.errors import ContactLost, RunnerError
from receptor_runner.json_values import from_json
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.record import Record, now
from receptor_runner.slices.merging import SliceEnd, merged_end

SCHEMA = 1

WAITING = "waiting"
"""The status of a slice that was not submitted yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceEntry:
    """One slice.

    Attributes:
        number: from 1.
        ident: the ident of its job, below the same `artifacts/` as the sliced job.
        hosts: its hosts.
        target: the node that was asked for; None for the local node.
        node: the node where it runs; None until it is submitted.
        unit: its unit on the local node.
        status: the status of its job, or `waiting`.
        rc: the return code, once there is one.
        exit_code: what a command for this slice alone would exit with; None until it has ended.
        explanation: why, where the status alone does not say.
    """

    number: int
    ident: str
    hosts: tuple[str, ...]
    target: str | None = None
    node: str | None = None
    unit: str | None = None
    status: str = WAITING
    rc: int | None = None
    exit_code: int | None = None
    explanation: str | None = None

    @property
    def end(self) -> SliceEnd | None:
        """How it ended; None while that is not known."""
        if self.exit_code is None:
            return None
        return SliceEnd(
            status=Status(self.status),
            rc=self.rc,
            exit_code=self.exit_code,
            explanation=self.explanation,
        )

    def as_submitted(self, record: Record) -> Self:
        """Return the entry of a slice that has a unit, and no end yet."""
        status = record.checkpoint.status or record.stage.value
        return dataclasses.replace(
            self,
            node=record.node,
            unit=record.unit_id,
            status=status,
            rc=None,
            exit_code=None,
            explanation=None,
        )

    def with_end(self, ended: Outcome | RunnerError) -> Self:
        """Return the entry of a slice that ended.

        One with which contact is lost may still run: it has no end, and an attach finds out.
        """
        if isinstance(ended, ContactLost):
            return dataclasses.replace(self, explanation=str(ended))
        end = SliceEnd.of(ended)
        return dataclasses.replace(
            self,
            status=end.status.value,
            rc=end.rc,
            exit_code=end.exit_code,
            explanation=end.explanation,
        )

    @property
    def place(self) -> str:
        """Where it runs or is to run, in a word."""
        return self.node or self.target or "local"

    def as_waiting(self, target: str | None) -> Self:
        """Return the entry of a slice that is to run, again or for the first time."""
        return dataclasses.replace(
            self,
            target=target,
            node=None,
            unit=None,
            status=WAITING,
            rc=None,
            exit_code=None,
            explanation=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The index of a sliced job.

    Attributes:
        ident: the sliced job.
        title: what it runs, as `Job.title` says.
        with_localhost: whether plays for the implicit localhost run, in each slice.
        slices: all slices, by number.
        created: when the sliced job was planned (ISO 8601, UTC).
        updated: when the index was written last (likewise).
        status: how the sliced job ended; `running` until then.
        rc: its return code.
        exit_code: what the command for the sliced job exits with; None until all slices have ended.
    """

    ident: str
    title: str = ""
    with_localhost: bool = False
    slices: tuple[SliceEntry, ...] = ()
    created: str = field(default_factory=now)
    updated: str = ""
    status: str = "running"
    rc: int | None = None
    exit_code: int | None = None

    @classmethod
    def planned(
        cls, ident: str, title: str, hosts: Sequence[tuple[str, ...]], *, with_localhost: bool
    ) -> Self:
        """Return the index of a sliced job of which nothing was submitted yet."""
        slices = tuple(
            SliceEntry(number=number, ident=slice_ident(ident, number), hosts=own)
            for number, own in enumerate(hosts, start=1)
        )
        return cls(ident=ident, title=title, with_localhost=with_localhost, slices=slices)

    @property
    def end(self) -> SliceEnd | None:
        """How the sliced job ended; None while a slice has not."""
        ends = [entry.end for entry in self.slices]
        known = [end for end in ends if end]
        return merged_end(known) if len(known) == len(ends) else None

    def entry(self, number: int) -> SliceEntry:
        """Return a slice by its number."""
        return self.slices[number - 1]

    def with_entry(self, entry: SliceEntry) -> Self:
        """Return the index with one entry replaced; once the last one has ended, with the end of the sliced job."""
        slices = tuple(entry if old.number == entry.number else old for old in self.slices)
        index = dataclasses.replace(self, slices=slices, status="running", rc=None, exit_code=None)
        end = index.end
        if end is None:
            return index
        return dataclasses.replace(index, status=end.status.value, rc=end.rc, exit_code=end.exit_code)

    def to_json(self) -> dict[str, Any]:
        """Return the index as a JSON object; each slice has its artifacts' directory, relative to the index."""
        value = {"schema": SCHEMA, **dataclasses.asdict(self)}
        value["slices"] = [{**entry, "artifacts": f"../{entry['ident']}"} for entry in value["slices"]]
        return value

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read an index from its JSON object; keys that this version does not know are ignored.

        Raises:
            ValueError: it is no index.
        """
        return from_json(value, cls)
