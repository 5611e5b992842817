"""How a job stands, computed from its events: the model behind the status line. No IO, no clock of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from receptor_runner.outcome import Status

RATE_WINDOW_S = 10.0
"""The rate of an upload is the average over this time: long enough to be steady, short enough to be true."""


class Phase(StrEnum):
    """How far a job has come."""

    PACKING = "packing"
    UPLOADING = "uploading"
    WAITING = "waiting for the job to start"
    RUNNING = "running"
    FETCHING = "fetching the artifacts"


class HostState(IntEnum):
    """The worst that happened on a host."""

    OK = 0
    CHANGED = 1
    FAILED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The progress of an upload.

    Attributes:
        sent: bytes.
        size: bytes in all.
        rate: bytes per second.
    """

    sent: int
    size: int
    rate: float

    @property
    def left_s(self) -> float | None:
        """Seconds until it is done; None while that cannot be known."""
        return (self.size - self.sent) / self.rate if self.rate > 0 else None


class UploadMeter:
    """Measures the rate of an upload over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._sent = self._size = 0

    def measure(self, sent: int, size: int, now: float) -> Upload:
        """Take how much is sent; return the progress.

        Args:
            sent: bytes.
            size: bytes in all.
            now: seconds of a monotonic clock.
        """
        samples = self._samples
        samples.append((now, sent))
        while now - samples[0][0] > RATE_WINDOW_S and len(samples) > 2:
            samples.popleft()
        self._sent, self._size = sent, size
        return self.progress(now)

    def progress(self, now: float) -> Upload:
        """Return the progress at a moment; the rate of an upload that stands still falls.

        Args:
            now: seconds of a monotonic clock.
        """
        since, before = self._samples[0]
        rate = (self._sent - before) / (now - since) if now > since else 0.0
        return Upload(sent=self._sent, size=self._size, rate=rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCounts:
    """How many hosts are in which state; each host counts once, by the worst that happened on it."""

    ok: int = 0
    changed: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """How many hosts there are."""
        return self.ok + self.changed + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusLine:
    """What the status line shows.

    Attributes:
        phase: how far the job has come.
        node: where it runs; "" while that is unknown.
        play: the play in progress.
        task: the task in progress.
        hosts: the hosts so far.
        elapsed_s: seconds since the job began.
        trouble: why nothing arrives; "" if nothing is wrong.
        trouble_s: for how long that has been so.
        upload: the progress of the upload, while there is one.
    """

    phase: Phase
    node: str
    play: str
    task: str
    hosts: HostCounts
    elapsed_s: float
    trouble: str
    trouble_s: float
    upload: Upload | None


@dataclass(slots=True, kw_only=True)
class RunView:
    """The state of a job, fed with what happens to it.

    Attributes:
        began: when the job began, in seconds of the caller's monotonic clock.
        phase: how far it has come.
        node: where it runs.
        play: the play in progress.
        task: the task in progress.
        failures: host and task of each failure that was not ignored, in order.
    """

    began: float
    phase: Phase = Phase.PACKING
    node: str = ""
    play: str = ""
    task: str = ""
    failures: list[tuple[str, str]] = field(default_factory=list)
    _hosts: dict[str, HostState] = field(default_factory=dict)
    _meter: UploadMeter = field(default_factory=UploadMeter)
    _trouble: str = ""
    _trouble_since: float = 0.0

    def take_upload(self, sent: int, size: int, now: float) -> Upload:
        """Take how many bytes of how many are sent; return the progress."""
        upload = self._meter.measure(sent, size, now)
        self.phase = Phase.UPLOADING if sent < size else Phase.WAITING
        return upload

    def take_status(self, data: Mapping[str, Any]) -> None:
        """Take a status line of the stream."""
        is_running = data.get("status") in {Status.STARTING, Status.RUNNING}
        self.phase = Phase.RUNNING if is_running else Phase.FETCHING

    def take_trouble(self, text: str, now: float) -> None:
        """Take why nothing arrives; "" once it is over."""
        if text != self._trouble:
            self._trouble, self._trouble_since = text, now

    def take_event(self, event: Mapping[str, Any]) -> None:
        """Take an event of the job. Events without data, as `--omit-event-data` makes them, change little."""
        self.phase = Phase.RUNNING
        data = event.get("event_data")
        if not isinstance(data, dict) or not data:
            return
        match event.get("event"):
            case "runner_on_ok" | "runner_item_on_ok":
                is_changed = isinstance(res := data.get("res"), dict) and res.get("changed") is True
                self._count(data, HostState.CHANGED if is_changed else HostState.OK)
            case (
                "playbook_on_task_start" | "playbook_on_handler_task_start" | "playbook_on_cleanup_task_start"
            ):
                self.task = _text(data, "task")
            case "runner_on_failed" | "runner_on_unreachable":
                self._take_failure(data)
            case "playbook_on_play_start":
                self.play, self.task = _text(data, "play"), ""
            case "playbook_on_stats":
                self._take_stats(data)

    def _count(self, data: Mapping[str, Any], state: HostState) -> None:
        host = data.get("host")
        if isinstance(host, str) and state >= self._hosts.get(host, state):
            self._hosts[host] = state

    def _take_failure(self, data: Mapping[str, Any]) -> None:
        if data.get("ignore_errors"):
            self._count(data, HostState.OK)
            return
        self._count(data, HostState.FAILED)
        failure = (_text(data, "host"), _text(data, "task"))
        if failure not in self.failures:  # after a crash the latest events come again
            self.failures.append(failure)

    def _take_stats(self, data: Mapping[str, Any]) -> None:
        """Take the recap. It alone knows which failures were rescued, and which hosts came before an attach."""
        counts = {key: value for key in _RECAP if isinstance(value := data.get(key), dict)}
        failed = counts.get("failures", {}).keys() | counts.get("dark", {}).keys()
        hosts = {host for hosts in counts.values() for host in hosts}
        changed = counts.get("changed", {})
        self._hosts = {
            host: HostState.FAILED if host in failed else HostState(host in changed) for host in hosts
        }
        self.failures = [failure for failure in self.failures if failure[0] in failed]

    @property
    def hosts(self) -> HostCounts:
        """How many hosts are in which state."""
        states = list(self._hosts.values())
        return HostCounts(
            ok=states.count(HostState.OK),
            changed=states.count(HostState.CHANGED),
            failed=states.count(HostState.FAILED),
        )

    def line(self, now: float) -> StatusLine:
        """Return what the status line shows at a moment."""
        return StatusLine(
            phase=self.phase,
            node=self.node,
            play=self.play,
            task=self.task,
            hosts=self.hosts,
            elapsed_s=max(now - self.began, 0.0),
            trouble=self._trouble,
            trouble_s=max(now - self._trouble_since, 0.0) if self._trouble else 0.0,
            upload=self._meter.progress(now) if self.phase is Phase.UPLOADING else None,
        )


_RECAP = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored", "processed")


def _text(data: Mapping[str, Any], key: str) -> str:
    """Return a text of an event as one line, without what could drive the terminal: it comes from the worker."""
    return "".join(char if char.isprintable() else " " for char in str(data.get(key) or ""))
