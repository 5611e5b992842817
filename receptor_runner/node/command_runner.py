"""The process between the node and one unit's command.

It leads a session of its own and outlives the node, starts the command on the unit's files, keeps the unit's
status up to date, and on SIGINT or SIGTERM ends the command and everything below it. It is started by `start.py`
and takes the parameters from the unit's status, so that they need not fit into one argument.
"""

from __future__ import annotations

import os
import signal
import time

from receptor_runner.node.command_line import split_params
from receptor_runner.node.unit_processes import kill_descendants, reap_children
from receptor_runner.node.unit_status import (
    Detail,
    StatusFile,
    StatusUnreadable,
    StoredUnitState,
    StoredUnitStatus,
    measure_stdout,
)
from receptor_runner.system.processes import adopt_orphans, command_line, descendants

STATUS_PERIOD_S = 0.25
_GUARDIAN = "/execution/guardian.py"
INTERRUPT_TIMEOUT_S = 10.0
_STOPPING = {signal.SIGINT, signal.SIGTERM}
_WATCHED = {signal.SIGCHLD, *_STOPPING}
_DEFAULT_FOR_CHILD = [signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD]


def main(argv: list[str]) -> int:
    """Run the command of one unit and record how it ended.

    Args:
        argv: the unit's directory and the command.

    Returns:
        The exit status: that of the command, or 255 when it was killed or never started.
    """
    unit_dir, command = argv
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    adopt_orphans()
    status_file = StatusFile(unit_dir)
    claimed = _claim(status_file)
    if claimed is None:
        return 255
    try:
        child = _start_command(unit_dir, command, claimed.params)
    except (OSError, ValueError) as error:
        _finish(status_file, StoredUnitState.FAILED, _describe_start_error(error))
        return 255
    return _attend(status_file, child)


def _claim(status_file: StatusFile) -> StoredUnitStatus | None:
    # From here on the unit counts as started: a cancel or a restart of the node that came first has won.
    claimed = status_file.update(detail=Detail.NOT_STARTED, only_if=lambda status: status.launchable)
    if claimed is None:
        return None
    extra_data = {"Pid": os.getpid(), "Params": claimed.params}
    return status_file.update(extra_data=extra_data)


def _start_command(unit_dir: str, command: str, params: str) -> int:
    argv = [command, *split_params(params)]
    output_flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
    file_actions = [
        (os.POSIX_SPAWN_OPEN, 0, f"{unit_dir}/stdin", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, f"{unit_dir}/stdout", output_flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(
        find_executable(command),
        argv,
        os.environ,
        file_actions=file_actions,
        setsigmask=[],
        setsigdef=_DEFAULT_FOR_CHILD,
    )


class CommandNotFound(OSError):
    """A bare command name that PATH does not lead to."""


def find_executable(command: str) -> str:
    """Find a command: a path as it stands, a bare name on PATH.

    Raises:
        CommandNotFound: no directory of PATH holds an executable of that name.
    """
    if "/" in command:
        return command
    for directory in os.get_exec_path():
        candidate = f"{directory}/{command}"
        if directory and os.access(candidate, os.X_OK) and not _is_directory(candidate):
            return candidate
    raise CommandNotFound(f'exec: "{command}": executable file not found in $PATH')


def _is_directory(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_DIRECTORY | os.O_PATH | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _describe_start_error(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError) or isinstance(error, CommandNotFound):
        return str(error)
    return f"fork/exec {error.filename}: {os.strerror(error.errno or 0).lower()}"


def _attend(status_file: StatusFile, child: int) -> int:
    report_at = time.monotonic() + STATUS_PERIOD_S
    reported = -1
    while True:
        received = signal.sigtimedwait(_WATCHED, max(0.0, report_at - time.monotonic()))
        if (wait_status := reap_children().get(child)) is not None:
            return _record_exit(status_file, wait_status)
        if received is not None and received.si_signo in _STOPPING:
            return _stop(status_file, child, signal.Signals(received.si_signo))
        if time.monotonic() >= report_at:
            report_at += STATUS_PERIOD_S
            reported = _report_progress(status_file, child, reported)


def _report_progress(status_file: StatusFile, child: int, reported: int) -> int:
    size = measure_stdout(status_file.unit_dir)
    if size != reported:
        _record(status_file, StoredUnitState.RUNNING, f"Running: PID {child}", size)
    return size


def _stop(status_file: StatusFile, child: int, received: signal.Signals) -> int:
    os.kill(child, signal.SIGINT)
    _wait_for(child, INTERRUPT_TIMEOUT_S)
    kill_descendants(os.getpid(), spare=_under_guardians)
    if received is signal.SIGINT:
        _finish(status_file, StoredUnitState.CANCELED, Detail.CANCELED)
    else:
        _finish(status_file, StoredUnitState.FAILED, Detail.KILLED)
    return 255


def _under_guardians() -> set[int]:
    """Return the guardians of workers among the processes below, and what is below them.

    A guardian ends what its worker started, and removes the worker's directory, which may take longer than anybody
    should wait; then it ends.
    """
    guardians = {
        pid for pid in descendants(os.getpid()) if any(word.endswith(_GUARDIAN) for word in command_line(pid))
    }
    return guardians.union(*(descendants(pid) for pid in guardians))


def _wait_for(child: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while child not in reap_children() and (left_s := deadline - time.monotonic()) > 0:
        signal.sigtimedwait({signal.SIGCHLD}, left_s)


def _record_exit(status_file: StatusFile, wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    _finish(
        status_file, StoredUnitState.FAILED if code else StoredUnitState.SUCCEEDED, describe_exit(wait_status)
    )
    return code if code >= 0 else 255


def describe_exit(wait_status: int) -> str:
    """Say how a command ended, in the daemon's words: `exit status 2`, `signal: killed`."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return f"exit status {code}"
    dumped = " (core dumped)" if os.WCOREDUMP(wait_status) else ""
    return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}{dumped}"


def _finish(status_file: StatusFile, state: StoredUnitState, detail: str) -> None:
    _record(status_file, state, detail, measure_stdout(status_file.unit_dir))


def _record(status_file: StatusFile, state: StoredUnitState, detail: str, size: int) -> None:
    # The unit may have been removed meanwhile; its command still runs to its end, which is reported to no one.
    try:
        status_file.update(state=state, detail=detail, stdout_size=size)
    except StatusUnreadable:
        status_file.overwrite(StoredUnitStatus(state=state, detail=detail, stdout_size=size))
    except OSError:
        return
