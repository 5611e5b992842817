"""The status of a work unit, as the daemon keeps it on disk.

The command runner imports this module, and there is one runner per unit: only light modules of the standard
library are used, and the value is a small class because `dataclasses` alone would double a runner's start.
"""

from __future__ import annotations

import enum
import fcntl
import json
import os

TYPE_CHECKING = False  # importing typing would cost the runner more than the rest of this module
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_STATUS_BYTES = 16 * 1024 * 1024


class StoredUnitState(enum.IntEnum):
    """The states of a unit, with Receptor's numbers; the names are what clients see."""

    PENDING = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    CANCELED = 4

    @property
    def complete(self) -> bool:
        """Whether nothing will change any more (the daemon forgets Canceled here)."""
        return self >= StoredUnitState.SUCCEEDED


class Detail:
    """The texts a unit's Detail goes through, in the order of its life."""

    CREATED = "Unit Created"
    WAITING = "Waiting for Input Data"
    STARTING = "Starting Worker"
    LAUNCHING = "Launching command runner"
    NOT_STARTED = "Not started yet"
    KILLED = "Killed"
    CANCELED = "Canceled"
    PENDING_AT_RESTART = "Pending at restart"
    RUNNER_DIED = "Command runner died: the outcome of the command is unknown"


class StoredUnitStatus:
    """The content of a status file: the five keys of the daemon, in its order."""

    __slots__ = ("detail", "extra_data", "state", "stdout_size", "work_type")

    def __init__(
        self,
        *,
        state: int = StoredUnitState.PENDING,
        detail: str = Detail.CREATED,
        stdout_size: int = 0,
        work_type: str = "",
        extra_data: object = None,
    ) -> None:
        self.state = StoredUnitState(state)
        self.detail = detail
        self.stdout_size = stdout_size
        self.work_type = work_type
        self.extra_data = extra_data

    @property
    def pid(self) -> int:
        """The pid of the command runner; 0 when none is recorded."""
        found = self.extra_data.get("Pid") if isinstance(self.extra_data, dict) else None
        return found if isinstance(found, int) else 0

    @property
    def params(self) -> str:
        """The command line parameters, base and runtime joined."""
        found = self.extra_data.get("Params") if isinstance(self.extra_data, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def launchable(self) -> bool:
        """Whether the command has not been started and still may be."""
        return self.state is StoredUnitState.PENDING and self.detail != Detail.NOT_STARTED

    def as_dict(self) -> dict[str, object]:
        """Return the five keys by the daemon's names."""
        return {
            "State": int(self.state),
            "Detail": self.detail,
            "StdoutSize": self.stdout_size,
            "WorkType": self.work_type,
            "ExtraData": self.extra_data,
        }


class StatusUnreadable(ValueError):
    """A status file that holds no whole status, as a crash of its writer leaves one."""


def decode_status(line: bytes) -> StoredUnitStatus:
    """Read one status line.

    Args:
        line: the content of a status file.

    Raises:
        StatusUnreadable: it is not a whole status.
    """
    try:
        found = json.loads(line.partition(b"\n")[0])
        return StoredUnitStatus(
            state=found["State"],
            detail=str(found["Detail"]),
            stdout_size=int(found["StdoutSize"]),
            work_type=str(found["WorkType"]),
            extra_data=found.get("ExtraData"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StatusUnreadable(_cause_of(line, error)) from error


def _cause_of(line: bytes, error: Exception) -> str:
    return "unexpected end of JSON input" if not line.strip() else f"unreadable status: {error}"


class StatusFile:
    """One unit's status, read and changed under the lock that the daemon uses too (flock on `status.lock`).

    The line is rewritten in place and then cut to length, so that a full disk cannot lose it.

    Args:
        unit_dir: the unit's directory.
    """

    __slots__ = ("unit_dir",)

    def __init__(self, unit_dir: str) -> None:
        self.unit_dir = unit_dir

    def create(self, status: StoredUnitStatus) -> None:
        """Write the first status of a unit.

        Raises:
            OSError: it cannot be written.
        """
        with _Locked(self.unit_dir, os.O_CREAT) as fd:
            _write(fd, status)

    def read(self) -> StoredUnitStatus:
        """Return the status.

        Raises:
            FileNotFoundError: the unit is gone.
            StatusUnreadable: the file is damaged.
        """
        with _Locked(self.unit_dir, 0) as fd:
            return decode_status(os.pread(fd, MAX_STATUS_BYTES, 0))

    def overwrite(self, status: StoredUnitStatus) -> None:
        """Replace whatever the file holds, damaged or not."""
        with _Locked(self.unit_dir, 0) as fd:
            _write(fd, status)

    def update(
        self,
        *,
        state: StoredUnitState | None = None,
        detail: str | None = None,
        stdout_size: int | None = None,
        extra_data: object = ...,
        only_if: Callable[[StoredUnitStatus], bool] | None = None,
    ) -> StoredUnitStatus | None:
        """Change some of the keys in one locked step.

        Args:
            state, detail, stdout_size, extra_data: the new values; what is left out stays.
            only_if: is given the current status; a false answer leaves the file alone.

        Returns:
            The status as it is now, or None when `only_if` said no.

        Raises:
            FileNotFoundError: the unit is gone.
            StatusUnreadable: the file is damaged.
        """
        with _Locked(self.unit_dir, 0) as fd:
            status = decode_status(os.pread(fd, MAX_STATUS_BYTES, 0))
            if only_if is not None and not only_if(status):
                return None
            status.state = status.state if state is None else state
            status.detail = status.detail if detail is None else detail
            status.stdout_size = status.stdout_size if stdout_size is None else stdout_size
            status.extra_data = status.extra_data if extra_data is ... else extra_data
            _write(fd, status)
            return status


def measure_stdout(unit_dir: str) -> int:
    """Return how many bytes a unit's command has written; 0 before it wrote any."""
    try:
        fd = os.open(f"{unit_dir}/stdout", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def encode_json(value: object) -> bytes:
    """Encode as the daemon does: compact UTF-8, with the escapes for HTML that Go's encoder applies by default."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("utf-8", "replace")


def _write(fd: int, status: StoredUnitStatus) -> None:
    line = encode_json(status.as_dict()) + b"\n"
    os.pwrite(fd, line, 0)
    os.ftruncate(fd, len(line))


class _Locked:
    """The open status file, for as long as the lock is held."""

    __slots__ = ("_create", "_lock_fd", "_status_fd", "_unit_dir")

    def __init__(self, unit_dir: str, create: int) -> None:
        self._unit_dir = unit_dir
        self._create = create

    def __enter__(self) -> int:
        self._lock_fd = os.open(f"{self._unit_dir}/status.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            flags = os.O_RDWR | os.O_CLOEXEC | self._create
            self._status_fd = os.open(f"{self._unit_dir}/status", flags, 0o600)
        except BaseException:
            os.close(self._lock_fd)
            raise
        return self._status_fd

    def __exit__(self, *_: object) -> None:
        os.close(self._status_fd)
        os.close(self._lock_fd)
