"""What a test learns about a playbook that ran, and the messages of a failed assert."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from receptor_runner.outcome import Outcome, Status
from receptor_runner.recap import COUNTS, read_events

_MOST_HOSTS = 5
"""How many hosts a message names."""
_MOST_LINES = 8
_LONGEST_LINE = 300
_LAST_LINES = 12
_FAILURES = frozenset({"runner_on_failed", "runner_on_unreachable"})
_SUCCESSES = frozenset({"runner_on_ok"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a job.

    Attributes:
        counter: its number in the job, from 1.
        kind: Ansible's name for it, such as `runner_on_ok` or `playbook_on_task_start`.
        stdout: the output that Ansible printed with it.
        data: its details, the `event_data` of ansible-runner.
    """

    counter: int
    kind: str
    stdout: str = field(default="", repr=False)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Event:
        """Read an event from the content of its file."""
        data = content.get("event_data")
        return cls(
            counter=int(content.get("counter") or 0),
            kind=str(content.get("event") or ""),
            stdout=str(content.get("stdout") or ""),
            data=data if isinstance(data, dict) else {},
        )

    @property
    def host(self) -> str | None:
        """The host that it is about."""
        return self._text("host")

    @property
    def task(self) -> str | None:
        """The name of its task."""
        return self._text("task")

    @property
    def task_path(self) -> str | None:
        """Where the task is written, as `roles/web/tasks/main.yml:3`, relative to the project."""
        path = self._text("task_path")
        return path.rpartition("/project/")[2] if path else None

    @property
    def result(self) -> Mapping[str, Any]:
        """What the module returned."""
        result = self.data.get("res")
        return result if isinstance(result, dict) else {}

    @property
    def changed(self) -> bool:
        """Whether the module changed something."""
        return self.result.get("changed") is True

    @property
    def ignored(self) -> bool:
        """Whether it is a failure that the task ignores."""
        return self.data.get("ignore_errors") is True

    @property
    def message(self) -> str:
        """What the module said: its message, with what the program behind it wrote to stderr."""
        loop = self.result.get("results")
        if isinstance(loop, list):
            failed = [item for item in loop if isinstance(item, dict) and item.get("failed")]
            items = [f"(item={item.get('item')}) {_said(item)}" for item in failed]
            return "\n".join(items) or _said(self.result)
        return _said(self.result)

    def _text(self, key: str) -> str | None:
        value = self.data.get(key)
        return None if value is None else str(value)


def _said(result: Mapping[str, Any]) -> str:
    """Return the message of a result; that of a failed command is empty of any cause without its stderr."""
    parts = [result.get("msg"), result.get("module_stderr") or result.get("stderr")]
    if not parts[1] and result.get("rc"):
        parts[1] = result.get("stdout")
    texts = [str(part).strip() for part in parts if part]
    return "\n".join(dict.fromkeys(text for text in texts if text)) or "no message"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecap:
    """The play recap of one host, or the sum over all hosts: how many tasks ended how."""

    ok: int = 0
    changed: int = 0
    unreachable: int = 0
    failed: int = 0
    skipped: int = 0
    rescued: int = 0
    ignored: int = 0

    def __str__(self) -> str:
        shown = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return " ".join(
            f"{name}={count}" for name, count in shown.items() if count or name in {"ok", "changed"}
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PlaybookResult:
    """How a playbook ended, and everything it left.

    Attributes:
        playbook: the playbook, as the test named it.
        outcome: the status, the return code, and why, where the status alone does not say.
        artifacts: the directory with `rc`, `status`, `stdout`, `command`, `job_events/` and `fact_cache/`.
        events: all events, in order.
        recap: the play recap by host; empty if Ansible never got that far.
        stdout: what ansible-playbook printed.
    """

    playbook: str
    outcome: Outcome
    artifacts: Path
    events: tuple[Event, ...] = ()
    recap: Mapping[str, HostRecap] = field(default_factory=dict)
    stdout: str = ""

    @property
    def status(self) -> Status:
        """The status: successful, failed, timeout, canceled, error or lost."""
        return self.outcome.status

    @property
    def exit_code(self) -> int:
        """The exit code of `receptor-runner playbook` for this job; 0 if and only if it succeeded."""
        return self.outcome.exit_code

    @property
    def succeeded(self) -> bool:
        """Whether the playbook ran to its end without a failure."""
        return self.status is Status.SUCCESSFUL

    @property
    def totals(self) -> HostRecap:
        """The recap, summed over all hosts."""
        names = [entry.name for entry in fields(HostRecap)]
        return HostRecap(**{name: sum(getattr(host, name) for host in self.recap.values()) for name in names})

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return self.totals.changed

    def events_of(self, kind: str, *, host: str | None = None, task: str | None = None) -> tuple[Event, ...]:
        """Return the events of a kind, in order.

        Args:
            kind: Ansible's name, such as `runner_on_failed`.
            host: only those about this host.
            task: only those of tasks of this name.
        """
        return tuple(
            event
            for event in self.events
            if event.kind == kind and host in {None, event.host} and task in {None, event.task}
        )

    @property
    def failures(self) -> tuple[Event, ...]:
        """The failed and unreachable results that count: neither ignored nor rescued, the last one of each host."""
        last = {
            event.host: event
            for event in self.events
            if event.kind in _FAILURES and not event.ignored and self._failed_on(event.host)
        }
        return tuple(sorted(last.values(), key=lambda event: event.counter))

    @property
    def changes(self) -> tuple[Event, ...]:
        """The results that changed something."""
        return tuple(event for event in self.events if event.kind in _SUCCESSES and event.changed)

    def _failed_on(self, host: str | None) -> bool:
        """Return whether a host failed in the end; without a recap every failure counts."""
        recap = self.recap.get(host or "")
        return recap is None or bool(recap.failed or recap.unreachable)

    def assert_ok(self) -> PlaybookResult:
        """Fail the test, with the messages of the tasks that failed, unless the playbook succeeded; return the result.

        Raises:
            AssertionError: it did not succeed.
        """
        __tracebackhide__ = True
        if not self.succeeded:
            raise AssertionError("\n".join(self._explanation()))
        return self

    def assert_unchanged(self) -> PlaybookResult:
        """Fail the test unless the playbook succeeded and changed nothing; return the result.

        For a second run, it shows that a playbook is idempotent.

        Raises:
            AssertionError: it did not succeed, or it changed something.
        """
        __tracebackhide__ = True
        self.assert_ok()
        if self.changed:
            lines = [f"{self.playbook}: {self.changed} changed, where nothing was to change"]
            lines += [_title(event) for event in self.changes[:_MOST_HOSTS]]
            raise AssertionError("\n".join([*lines, *self._more(len(self.changes))]))
        return self

    def _explanation(self) -> Iterator[str]:
        yield f"{self.playbook}: {self.status}, exit code {self.exit_code}"
        failures = self.failures
        for event in failures[:_MOST_HOSTS]:
            yield f"{_title(event)}\n{_indented(event.message)}"
        yield from self._more(len(failures))
        if not failures:
            if self.outcome.explanation:
                yield _indented(self.outcome.explanation)
            yield from textwrap.indent(_last_lines(self.stdout), "    ").splitlines()
        yield f"  artifacts: {self.artifacts}"

    def _more(self, count: int) -> list[str]:
        return [f"  and {count - _MOST_HOSTS} more"] if count > _MOST_HOSTS else []

    def __repr__(self) -> str:
        hosts = [f"{name}: {recap}" for name, recap in self.recap.items()]
        shown = [
            *hosts[:_MOST_HOSTS],
            *(f"{len(hosts) - _MOST_HOSTS} more hosts",)[: len(hosts) > _MOST_HOSTS],
        ]
        return f"<{'; '.join([f'{self.playbook} {self.status}, exit code {self.exit_code}', *shown])}>"


def _title(event: Event) -> str:
    place = f" ({event.task_path})" if event.task_path else ""
    return f"  {event.host}: {event.task}{place}"


def _indented(text: str) -> str:
    lines = text.splitlines()
    shown = [line[:_LONGEST_LINE] for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"... and {len(lines) - _MOST_LINES} more lines")
    return textwrap.indent("\n".join(shown), "    ")


def _last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-_LAST_LINES:])


def read_result(playbook: str, outcome: Outcome, artifacts: Path) -> PlaybookResult:
    """Read the result of a job from its artifacts.

    Args:
        playbook: what the test named.
        outcome: how the job ended.
        artifacts: its artifacts directory.
    """
    events = tuple(Event.read(content) for content in read_events(artifacts))
    stdout = artifacts / "stdout"
    return PlaybookResult(
        playbook=playbook,
        outcome=outcome,
        artifacts=artifacts,
        events=events,
        recap=_recap(events),
        stdout=stdout.read_text(errors="replace") if stdout.is_file() else "",
    )


def _recap(events: tuple[Event, ...]) -> dict[str, HostRecap]:
    stats = next((event.data for event in reversed(events) if event.kind == "playbook_on_stats"), {})
    counts = {name: stats.get(key) or {} for key, name in COUNTS.items()}
    hosts = sorted({host for of_hosts in counts.values() for host in of_hosts})
    return {
        host: HostRecap(**{name: int(of_hosts.get(host, 0)) for name, of_hosts in counts.items()})
        for host in hosts
    }
