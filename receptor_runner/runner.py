"""A job as its artifacts tell it: what `run` returns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from receptor_runner.errors import MissingInput
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import RunnerConfig

_EVENT_FILE = re.compile(r"(\d+)-(?!.*-partial).+\.json").fullmatch
_STATS = ("skipped", "ok", "dark", "failures", "ignored", "rescued", "processed", "changed")
_HOST_NAME = re.compile(r"[^/\0]+").fullmatch
_CACHE_PREFIX = "s1_"


class Runner:
    """A job and its artifacts, with the attributes of ansible-runner's Runner.

    Attributes:
        config: where things are, and what the worker said of the command.
        status: the last word: unstarted, starting, running, successful, failed, timeout, canceled, error or lost.
        rc: the return code, or None while there is none.
        explanation: why, where the status alone does not say.
    """

    def __init__(self, config: RunnerConfig) -> None:
        self.config = config
        self.status = "unstarted"
        self.rc: int | None = None
        self.explanation: str | None = None

    def settle(self, outcome: Outcome) -> None:
        """Take over how the job ended."""
        self.status = outcome.status.value
        self.rc = outcome.rc
        self.explanation = outcome.explanation

    @property
    def canceled(self) -> bool:
        """Whether the job was canceled."""
        return self.status == Status.CANCELED

    @property
    def timed_out(self) -> bool:
        """Whether a timeout stopped the job."""
        return self.status == Status.TIMEOUT

    @property
    def errored(self) -> bool:
        """Whether the job has no verdict of its own."""
        return self.status in {Status.ERROR, Status.LOST}

    @property
    def artifact_dir(self) -> Path:
        """The artifacts directory."""
        return Path(self.config.artifact_dir)

    @property
    def stdout(self) -> IO[str]:
        """The job's output, as an open text file.

        Raises:
            MissingInput: there is none.
        """
        return self._open("stdout")

    @property
    def stderr(self) -> IO[str]:
        """The job's error output, as an open text file; empty where both came over one terminal.

        Raises:
            MissingInput: there is none.
        """
        return self._open("stderr")

    def _open(self, name: str) -> IO[str]:
        try:
            return (self.artifact_dir / name).open(encoding="utf-8", errors="replace")
        except FileNotFoundError as error:
            raise MissingInput(f"{name} missing", cause=f"{self.artifact_dir} holds no {name}") from error

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        """The kept events, by counter."""
        directory = self.artifact_dir / "job_events"
        names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
        numbered = [(int(match[1]), match[0]) for name in names if (match := _EVENT_FILE(name))]
        for _counter, name in sorted(numbered):
            yield json.loads((directory / name).read_bytes())

    @property
    def stats(self) -> dict[str, Any] | None:
        """The numbers of the play recap: kind to host to count; None where the job had no recap."""
        for event in self.events:
            if event.get("event") == "playbook_on_stats":
                data = event.get("event_data") or {}
                return {key: data.get(key, {}) for key in _STATS}
        return None

    def host_events(self, host: str) -> Iterator[dict[str, Any]]:
        """Yield the events of one host."""
        for event in self.events:
            if (event.get("event_data") or {}).get("host") == host:
                yield event

    def get_fact_cache(self, host: str) -> dict[str, Any]:
        """Return the cached facts of a host, or an empty dict where there are none.

        Source: ansible-core before 2.19 names the file after the host; since then it carries a prefix, and the
        facts are wrapped in a `__payload__`.
        """
        if not _HOST_NAME(host):
            return {}
        directory = self.artifact_dir / "fact_cache"
        for name in (_CACHE_PREFIX + host, host):
            path = directory / name
            if path.is_file():
                value = json.loads(path.read_bytes())
                payload = value.get("__payload__")
                return dict(json.loads(payload)) if isinstance(payload, str) else dict(value)
        return {}
