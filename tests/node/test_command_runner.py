"""The command runner as a process of its own, without any node."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from receptor_runner.node import start
from receptor_runner.node.unit_status import Detail, StoredUnitState, StoredUnitStatus
from receptor_runner.node.units import Unit, UnitStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    """A unit that waits to be run, with an empty payload."""
    made = UnitStore(tmp_path).create("cat", "")
    made.stdin.touch()
    return made


def _start(unit: Unit, command: str, params: str = "") -> subprocess.Popen[bytes]:
    extra_data = {"Pid": 0, "Params": params}
    unit.status_file.update(
        detail=Detail.LAUNCHING, extra_data=extra_data, only_if=lambda status: status.launchable
    )
    argv = [sys.executable, "-S", "-P", start.__file__, "command-runner", str(unit.unit_dir), command]
    return subprocess.Popen(argv, stderr=subprocess.PIPE)


def _run(unit: Unit, command: str, params: str = "") -> tuple[int, StoredUnitStatus]:
    with _start(unit, command, params) as process:
        code = process.wait(60)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    return code, unit.status_file.read()


def test_exit_status_is_passed_on(unit: Unit) -> None:
    """The runner ends with the command's own exit status and records it."""
    code, status = _run(unit, "sh", "-c 'echo out; echo err >&2; exit 7'")
    assert code == 7
    assert (status.state, status.detail, status.stdout_size) == (StoredUnitState.FAILED, "exit status 7", 8)
    assert unit.stdout.read_bytes() == b"out\nerr\n"


@pytest.mark.parametrize("state", [StoredUnitState.CANCELED, StoredUnitState.FAILED])
def test_unit_that_was_taken_back_does_not_run(unit: Unit, state: StoredUnitState) -> None:
    """A unit that was cancelled or failed before the runner came up stays as it is."""
    unit.status_file.update(state=state, detail="too late")
    code, status = _run(unit, "touch", str(unit.unit_dir / "ran"))
    assert (code, status.state, status.detail) == (255, state, "too late")
    assert not (unit.unit_dir / "ran").exists()


def test_unit_runs_only_once(unit: Unit) -> None:
    """A second runner for the same unit does nothing."""
    assert _run(unit, "sh", f"-c 'echo x >> {unit.unit_dir}/ran'")[0] == 0
    assert _run(unit, "sh", f"-c 'echo x >> {unit.unit_dir}/ran'")[0] == 255
    assert (unit.unit_dir / "ran").read_text() == "x\n"


@pytest.mark.parametrize(
    ("number", "state", "detail"),
    [
        (signal.SIGINT, StoredUnitState.CANCELED, "Canceled"),
        (signal.SIGTERM, StoredUnitState.FAILED, "Killed"),
    ],
)
def test_signals_end_the_command(
    unit: Unit, number: signal.Signals, state: StoredUnitState, detail: str
) -> None:
    """An interrupt is a cancel; a termination is recorded as the daemon records it."""
    with _start(unit, "sh", "-c 'echo up; exec sleep 600'") as process:
        while not unit.stdout.exists() or not unit.stdout.read_bytes():
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == 255
    status = unit.status_file.read()
    assert (status.state, status.detail, status.stdout_size) == (state, detail, 3)


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        ("/nonexistent/cmd", "fork/exec /nonexistent/cmd: no such file or directory"),
        ("/dev", "fork/exec /dev: permission denied"),
        ("no-such-command", 'exec: "no-such-command": executable file not found in $PATH'),
    ],
)
def test_command_that_cannot_start_is_named(unit: Unit, command: str, detail: str) -> None:
    """A command that cannot be started fails the unit with the reason."""
    code, status = _run(unit, command)
    assert (code, status.state, status.detail) == (255, StoredUnitState.FAILED, detail)


def test_params_may_be_long(unit: Unit) -> None:
    """Parameters need not fit into one argument of the runner."""
    code, _status = _run(unit, "sh", f"-c 'echo $#' {'x ' * 100_000}")
    assert code == 0
    assert unit.stdout.read_bytes() == b"99999\n"


def test_params_with_a_null_byte_fail_the_unit(unit: Unit) -> None:
    """What cannot be an argument is a failure with a reason, not a crash."""
    code, status = _run(unit, "cat", "a\x00b")
    assert (code, status.state, status.detail) == (255, StoredUnitState.FAILED, "embedded null byte")


def test_unit_that_vanishes_does_not_stop_the_command(unit: Unit) -> None:
    """When somebody removes a running unit, its command still comes to its own end."""
    with _start(unit, "sh", "-c 'until test -e ../go; do sleep 0.05; done; exit 5'") as process:
        pass_on = unit.unit_dir.parent / "go"
        while not unit.stdout.exists():
            assert process.poll() is None
        UnitStore(unit.unit_dir.parent).remove(unit)
        pass_on.touch()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 255


def test_runner_is_light() -> None:
    """The runner loads no module that a node with a hundred of them would feel."""
    heavy = {"dataclasses", "subprocess", "pathlib", "argparse", "logging", "ssl", "yaml", "click"}
    loaded = _list_modules("import receptor_runner.node.command_runner, sys")
    assert (loaded - _list_modules("import sys")) & heavy == set()


def _list_modules(imports: str) -> set[str]:
    argv = [sys.executable, "-c", f"{imports}; print(*sys.modules)"]
    return set(subprocess.run(argv, capture_output=True, check=True, text=True).stdout.split())
