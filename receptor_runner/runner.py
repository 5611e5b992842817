"""What `run` returns: the status of a job and access to its artifacts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from receptor_runner.artifacts import make_directory, write_atomically
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.handlers import RunnerConfig
from receptor_runner.outcome import Outcome, Status
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.files import open_regular, read_regular

_EVENT_FILE = re.compile(r"(\d+)-(?!.*-partial).+\.json").fullmatch
_STATS = ("skipped", "ok", "dark", "failures", "ignored", "rescued", "processed", "changed")
_HOST_NAME = re.compile(r"[^/\0]+").fullmatch
_CACHE_PREFIX = "s1_"
_FOLLOW_POLL_S = 0.1
_ARCHIVED_TIME_S = 2


class Runner:
    """A job and its artifacts, with the attributes of ansible-runner's Runner.

    Attributes:
        config: where things are, and what the worker said of the command.
        status: unstarted, starting, running, successful, failed, timeout, canceled, error or lost.
        rc: the return code, or None while there is none.
        explanation: why, where the status alone does not say.
        cancel_token: requests the cancel of the job; the same as setting `canceled`.
    """

    def __init__(self, config: RunnerConfig) -> None:
        self.config = config
        self.cancel_token = CancelToken()
        self.status = "unstarted"
        self.rc: int | None = None
        self.explanation: str | None = None
        self._is_active = False

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Mark the time during which the artifacts grow, so that `events` waits for more."""
        self._is_active = True
        try:
            yield
        finally:
            self._is_active = False

    def settle(self, outcome: Outcome) -> None:
        """Take over how the job ended."""
        self.status = outcome.status.value
        self.rc = outcome.rc
        self.explanation = outcome.explanation

    @property
    def canceled(self) -> bool:
        """Whether the job was canceled, or is about to be. Setting it to true cancels the job."""
        return self.status == Status.CANCELED or (self._is_active and self.cancel_token.requested)

    @canceled.setter
    def canceled(self, wanted: bool) -> None:
        if wanted:
            self.cancel_token.request()

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
    def _fact_cache(self) -> Path:
        return Path(self.config.fact_cache)

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
            return TextIOWrapper(open_regular(self.artifact_dir / name), encoding="utf-8", errors="replace")
        except FileNotFoundError as error:
            raise MissingInput(f"{name} missing", cause=f"{self.artifact_dir} holds no {name}") from error

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        """The kept events, by counter; while the job runs also those to come, until it ends."""
        told = 0
        is_over = False
        while not is_over:
            is_over = not self._is_active
            for counter, event in self._events_after(told):
                told = counter
                yield event
            if not is_over:
                time.sleep(_FOLLOW_POLL_S)

    def _events_after(self, counter: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield number and event of each finished file; one that is being written ends the list."""
        directory = self.artifact_dir / "job_events"
        names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
        numbered = [(int(match[1]), match[0]) for name in names if (match := _EVENT_FILE(name))]
        for number, name in sorted(entry for entry in numbered if entry[0] > counter):
            try:
                yield number, json.loads(read_regular(directory / name) or b"")
            except ValueError:
                return

    @property
    def stats(self) -> dict[str, Any] | None:
        """The numbers of the play recap: kind to host to count; None where the job had no recap."""
        for event in self.events:
            if event.get("event") == "playbook_on_stats":
                data = _data(event)
                return {key: data.get(key, {}) for key in _STATS}
        return None

    def host_events(self, host: str) -> Iterator[dict[str, Any]]:
        """Yield the events of one host."""
        for event in self.events:
            if _data(event).get("host") == host:
                yield event

    def get_fact_cache(self, host: str) -> dict[str, Any]:
        """Return the cached facts of a host, or an empty dict where there are none.

        Source: ansible-core before 2.19 names the file after the host; since then it carries a prefix, and the
        facts are wrapped in a `__payload__`, in which values may be wrapped with their tags.
        """
        if not _HOST_NAME(host):
            return {}
        names = sorted((_CACHE_PREFIX + host, host), key=lambda name: -_written_at(self._fact_cache / name))
        for name in names:
            with contextlib.suppress(OSError), open_regular(self._fact_cache / name) as file:
                return _facts(file.read())
        return {}

    def set_fact_cache(self, host: str, data: Mapping[str, Any]) -> None:
        """Keep facts of a host for the next job of the same ident, which finds them in its cache.

        Args:
            host: the name in the inventory.
            data: fact by name.

        Raises:
            UsageError: the name of the host cannot be that of a file.

        Source: the two forms that `get_fact_cache` reads; each ansible-core passes over the other's. An archive keeps
            times to two seconds, so these files are made that much older than what the next job writes.
        """
        if not _HOST_NAME(host) or host in {".", ".."}:
            raise UsageError(f"`{host}` cannot be a host in the fact cache")
        directory = make_directory(self._fact_cache)
        text = json.dumps(dict(data))
        wrapped = json.dumps({"__payload__": text})
        written_at = time.time() - _ARCHIVED_TIME_S
        for name, content in ((host, text), (_CACHE_PREFIX + host, wrapped)):
            write_atomically(directory / name, content.encode())
            os.utime(directory / name, (written_at, written_at))


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("event_data")
    return data if isinstance(data, dict) else {}


def _written_at(path: Path) -> float:
    """Return when a file was written; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except (OSError, ValueError):
        return 0


def _facts(text: bytes) -> dict[str, Any]:
    value = json.loads(text)
    payload = value.get("__payload__")
    return dict(json.loads(payload, object_hook=_plain) if isinstance(payload, str) else value)


def _plain(value: dict[str, Any]) -> Any:
    """Return a value without what ansible notes about it: where it came from, whether it is a template."""
    if "__ansible_type" not in value:
        return value
    return value.get("value", value.get("iso8601", value))
