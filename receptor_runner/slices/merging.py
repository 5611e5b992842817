"""How the ends of all slices make one end, and their recaps one recap. No IO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from receptor_runner.errors import RunnerError
from receptor_runner.outcome import VERDICTS, Outcome, Status
from receptor_runner.recap import COUNTS

_ORDER = (Status.SUCCESSFUL, Status.FAILED, Status.CANCELED, Status.TIMEOUT, Status.ERROR, Status.LOST)
"""The final statuses, the worst last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceEnd:
    """How a slice ended, or the sliced job.

    Attributes:
        status: the final status; `error` and `lost` where the job itself has none.
        rc: the return code, or None where there is none.
        exit_code: what a command for it exits with.
        explanation: why, where the status alone does not say.
    """

    status: Status
    rc: int | None
    exit_code: int
    explanation: str | None = None

    @property
    def is_verdict(self) -> bool:
        """Whether the job itself ended, rather than something around it."""
        return self.status in VERDICTS

    @classmethod
    def of(cls, end: Outcome | RunnerError) -> Self:
        """Return the end of a slice."""
        if isinstance(end, Outcome):
            return cls(
                status=end.status, rc=end.rc, exit_code=end.exit_code, explanation=end.explanation or None
            )
        return cls(status=Status.ERROR, rc=None, exit_code=end.exit_code, explanation=str(end))


def merged_end(ends: Iterable[SliceEnd]) -> SliceEnd:
    """Return the end of a sliced job: the worst end of its slices.

    From the worst: lost, so that its hosts may be in any state (75); no verdict, by the largest exit code; stopped
    (254); failed, by the largest return code; successful.

    Args:
        ends: how each slice ended, one at least.
    """
    return max(ends, key=_badness)


def _badness(end: SliceEnd) -> tuple[int, int]:
    return _ORDER.index(end.status), end.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRecap:
    """The play recap of a sliced job.

    Attributes:
        counts: host to count by its name in the event; a host that several slices count, such as localhost, has the
            sum.
    """

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def hosts(self) -> int:
        """How many hosts took part."""
        return len(self.counts)

    @property
    def failed_hosts(self) -> list[str]:
        """The hosts that failed or could not be reached, by name."""
        return sorted(host for host, counts in self.counts.items() if _is_failed(counts))

    @property
    def changed(self) -> int:
        """How many of the other hosts were changed."""
        return sum(bool(counts.get("changed")) and not _is_failed(counts) for counts in self.counts.values())


def _is_failed(counts: Mapping[str, int]) -> bool:
    return bool(counts.get("failures") or counts.get("dark"))


def merged_recap(stats: Iterable[Mapping[str, Any]]) -> MergedRecap:
    """Return the recap of a sliced job.

    Args:
        stats: the data of each slice's `playbook_on_stats` event; what is not a count is left out.
    """
    merged: dict[str, dict[str, int]] = {}
    for data in stats:
        for name in COUNTS:
            for host, count in _counts(data.get(name)):
                of_host = merged.setdefault(host, {})
                of_host[name] = of_host.get(name, 0) + count
    return MergedRecap(counts=merged)


def _counts(value: object) -> Iterable[tuple[str, int]]:
    items = value.items() if isinstance(value, dict) else ()
    return ((str(host), count) for host, count in items if isinstance(count, int))


def recap_lines(recap: MergedRecap) -> list[str]:
    """Return a recap as Ansible prints one: a title, and a line for each host.

    Source: the columns of Ansible's default output.
    """
    if not recap.counts:
        return []
    width = max(map(len, recap.counts))
    title = "PLAY RECAP OF ALL SLICES "
    return [title.ljust(79, "*"), *(_line(host, recap.counts[host], width) for host in sorted(recap.counts))]


def _line(host: str, counts: Mapping[str, int], width: int) -> str:
    words = [f"{title}={counts.get(name, 0)}".ljust(9) for name, title in COUNTS.items()]
    return f"{host.ljust(width)} : {'  '.join(words)}".rstrip()
