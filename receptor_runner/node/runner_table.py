"""The command runners of a node: started, found again after a restart, watched, interrupted."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.node.unit_processes import end_orphans, is_runner_of
from receptor_runner.node.unit_status import (
    Detail,
    StatusUnreadable,
    StoredUnitState,
    StoredUnitStatus,
    measure_stdout,
)
from receptor_runner.node.units import Unit, UnitStore, fail_if_never_started, fail_unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

ORPHAN_TIMEOUT_S = 10.0
CANCEL_TIMEOUT_S = 20.0
_RETRY_PAUSE_S = 1.0
_BLOCKED_UNTIL_READY = [signal.SIGINT, signal.SIGTERM]
_DEFAULTS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ]
_PROGRAM = [
    sys.executable,
    "-S",
    "-P",
    str(Path(__file__).absolute().with_name("start.py")),
    "command-runner",
]
_log = logging.getLogger("receptor_runner.node")


class CommandRunner:
    """A living command runner.

    Attributes:
        ended: set once the runner is gone and the unit's status is final.
        cancelled: a client canceled the unit: a runner that ends without a final status means Canceled then.
    """

    __slots__ = ("cancelled", "ended", "pid", "pidfd", "unit")

    def __init__(self, *, unit: Unit, pid: int, pidfd: int) -> None:
        self.unit = unit
        self.pid = pid
        self.pidfd = pidfd
        self.ended = threading.Event()
        self.cancelled = False


class RunnerTable:
    """The table of living runners, and the thread that notices when one ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_unit: dict[str, CommandRunner] = {}
        self._by_pidfd: dict[int, CommandRunner] = {}
        self._epoll = select.epoll()
        threading.Thread(target=self._watch, name="runners", daemon=True).start()

    def launch(self, unit: Unit, command: str) -> None:
        """Start the command runner of a unit that waits for it.

        Args:
            unit: the unit, its payload complete.
            command: the work type's command.

        Raises:
            OSError: no process can be started.
        """
        with self._lock:
            runner_pid = _spawn(unit, command)
            try:
                self._add(unit, runner_pid)
            except OSError:
                # It cannot be watched, so it must not start the command.
                os.kill(runner_pid, signal.SIGKILL)
                os.waitpid(runner_pid, 0)
                raise
        _record_pid(unit, runner_pid)

    def resume(self, store: UnitStore) -> None:
        """Take up the units that an earlier life of the node left.

        Units whose runner lives are watched again; those never started fail; those whose runner is dead fail too,
        once what is left of their processes has ended.
        """
        store.sweep()
        for unit in store.list():
            try:
                self._resume_unit(unit)
            except OSError as error:
                _log.warning("cannot take up unit %s: %s", unit.unit_id, error)

    def cancel(self, unit: Unit) -> None:
        """End a unit's command and all its processes, and wait until they are gone.

        A unit that has not started never will; one that has ended stays as it is.
        """
        _prevent_start(unit)
        with self._lock:
            runner = self._by_unit.get(unit.unit_id)
        if runner is not None:
            self._end(runner)

    def _end(self, runner: CommandRunner) -> None:
        runner.cancelled = True
        self._signal(runner, signal.SIGINT)
        if not runner.ended.wait(CANCEL_TIMEOUT_S):
            self._signal(runner, signal.SIGKILL)
            runner.ended.wait()

    def _signal(self, runner: CommandRunner, number: signal.Signals) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            if runner.pidfd in self._by_pidfd:
                signal.pidfd_send_signal(runner.pidfd, number)

    def _add(self, unit: Unit, pid: int) -> None:
        runner = CommandRunner(unit=unit, pid=pid, pidfd=os.pidfd_open(pid))
        self._by_unit[unit.unit_id] = runner
        self._by_pidfd[runner.pidfd] = runner
        self._epoll.register(runner.pidfd, select.EPOLLIN)

    def _remove(self, runner: CommandRunner) -> None:
        with self._lock:
            del self._by_unit[runner.unit.unit_id], self._by_pidfd[runner.pidfd]
            os.close(runner.pidfd)

    def _resume_unit(self, unit: Unit) -> None:
        try:
            status = unit.status_file.read()
        except StatusUnreadable:
            status = fail_unreadable(unit)
        if status.state.complete:
            return
        if is_runner_of(status.pid, str(unit.unit_dir)):
            with self._lock, contextlib.suppress(ProcessLookupError):
                self._add(unit, status.pid)
                return
        if not fail_if_never_started(unit, measure_stdout(str(unit.unit_dir))):
            _in_background(partial(_settle_in_time, unit, cancelled=False))

    def _watch(self) -> None:
        while True:
            for pidfd, _event in self._epoll.poll():
                self._epoll.unregister(pidfd)
                runner = self._by_pidfd[pidfd]
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(runner.pid, 0)
                _in_background(partial(self._conclude, runner))

    def _conclude(self, runner: CommandRunner) -> None:
        _settle_in_time(runner.unit, cancelled=runner.cancelled)
        self._close(runner)

    def _close(self, runner: CommandRunner) -> None:
        _log.info("unit %s ended", runner.unit.unit_id)
        self._remove(runner)
        runner.ended.set()


def _prevent_start(unit: Unit) -> None:
    try:
        unit.status_file.update(
            state=StoredUnitState.CANCELED, detail=Detail.CANCELED, only_if=lambda status: status.launchable
        )
    except StatusUnreadable:
        fail_unreadable(unit)


def _spawn(unit: Unit, command: str) -> int:
    argv = [*_PROGRAM, str(unit.unit_dir), command]
    file_actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(
        sys.executable,
        argv,
        os.environ,
        file_actions=file_actions,
        setsid=True,
        setsigmask=_BLOCKED_UNTIL_READY,
        setsigdef=_DEFAULTS,
    )


def _record_pid(unit: Unit, pid: int) -> None:
    # The runner records its pid too, in case the node dies at this very point. Recorded here as well, so that a client
    # that reads the status right after "Job Started" sees it.
    def is_unclaimed(status: StoredUnitStatus) -> bool:
        return not status.state.complete and status.pid == 0

    with contextlib.suppress(OSError, StatusUnreadable):
        params = unit.status_file.read().params
        unit.status_file.update(extra_data={"Pid": pid, "Params": params}, only_if=is_unclaimed)


def _settle_in_time(unit: Unit, *, cancelled: bool) -> None:
    while not _settle(unit, cancelled=cancelled):
        time.sleep(_RETRY_PAUSE_S)


def _settle(unit: Unit, *, cancelled: bool) -> bool:
    """Whether the status of a unit without a runner is final now; the system may be short of something."""
    try:
        if not _accept_final_status(unit, cancelled=cancelled):
            _record_death(unit, cancelled=cancelled)
    except FileNotFoundError:
        return True
    except OSError as error:
        _log.warning("cannot settle unit %s yet: %s", unit.unit_id, error)
        return False
    return True


def _accept_final_status(unit: Unit, *, cancelled: bool) -> bool:
    """Whether the runner left a final status; the runner's pid means nothing any more then."""
    try:
        if cancelled:
            # A runner of the daemon that is canceled records Failed and Killed.
            unit.status_file.update(
                state=StoredUnitState.CANCELED, detail=Detail.CANCELED, only_if=_was_killed
            )
        done = unit.status_file.update(extra_data=None, only_if=lambda status: status.state.complete)
    except StatusUnreadable:
        return False
    return done is not None


def _was_killed(status: StoredUnitStatus) -> bool:
    return status.state is StoredUnitState.FAILED and status.detail == Detail.KILLED


def _record_death(unit: Unit, *, cancelled: bool) -> None:
    end_orphans(str(unit.unit_dir), ORPHAN_TIMEOUT_S)
    status = StoredUnitStatus(
        state=StoredUnitState.CANCELED if cancelled else StoredUnitState.FAILED,
        detail=Detail.CANCELED if cancelled else Detail.RUNNER_DIED,
        stdout_size=measure_stdout(str(unit.unit_dir)),
        work_type=_read_work_type(unit),
    )
    unit.status_file.overwrite(status)


def _read_work_type(unit: Unit) -> str:
    try:
        return unit.status_file.read().work_type
    except StatusUnreadable:
        return ""


def _in_background(action: Callable[[], None]) -> None:
    threading.Thread(target=action, daemon=True).start()
