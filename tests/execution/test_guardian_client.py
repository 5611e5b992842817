"""The guardian starts programs as they are wanted, says how they end, and stops whole trees."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from receptor_runner.errors import RunnerError
from receptor_runner.execution.guardian import JOB
from receptor_runner.execution.guardian_client import Exit, GuardianClient, Program, Stopped
from tests.harness import wait_until


@pytest.fixture
def guardian() -> Iterator[GuardianClient]:
    """A guardian."""
    with GuardianClient() as made:
        yield made


def program(*argv: str, cwd: Path, descriptors: dict[int, int] | None = None, **env: str) -> Program:
    """Return a program of the job."""
    return Program(
        name=JOB,
        argv=argv,
        env={"PATH": "/usr/bin:/bin", **env},
        cwd=cwd,
        terminal=False,
        descriptors=descriptors or {},
    )


def report(guardian: GuardianClient) -> Exit | Stopped:
    """Return the next report."""
    return next(guardian.reports())


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -TERM $$", -15)])
def test_an_end_is_reported(guardian: GuardianClient, tmp_path: Path, script: str, code: int) -> None:
    """A program that exits, or is killed by a signal, is reported with its code."""
    guardian.spawn(program("sh", "-c", script, cwd=tmp_path))
    ended = report(guardian)
    assert ended == Exit(name=JOB, code=code)
    assert isinstance(ended, Exit)
    assert ended.signal_name == ("SIGTERM" if code < 0 else None)


def test_a_program_gets_what_it_is_given_and_no_more(guardian: GuardianClient, tmp_path: Path) -> None:
    """It has its own environment and directory, the named descriptors at their numbers, and no others."""
    reader, writer = os.pipe()
    script = "import os; print(dict(os.environ)['A'], os.getcwd(), *sorted(os.listdir('/proc/self/fd')), flush=True)"
    descriptors = {0: writer, 1: writer, 2: writer, 5: writer}
    guardian.spawn(
        program(sys.executable, "-I", "-c", script, cwd=tmp_path, descriptors=descriptors, A="é x")
    )
    os.close(writer)
    report(guardian)
    variable, letter, directory, *numbers = os.read(reader, 4096).decode().split()
    os.close(reader)
    assert (variable, letter, directory) == ("é", "x", str(tmp_path))
    # listing the directory needs a descriptor of its own
    assert numbers == ["0", "1", "2", "3", "5"]


@pytest.mark.parametrize(
    ("argv", "error"), [(("nosuchprogram",), FileNotFoundError), (("/",), PermissionError)]
)
def test_a_program_that_cannot_be_started_is_an_error(
    guardian: GuardianClient, tmp_path: Path, argv: tuple[str, ...], error: type[OSError]
) -> None:
    """The error of the attempt comes back, with the program's name, and the guardian serves on."""
    with pytest.raises(error) as caught:
        guardian.spawn(program(*argv, cwd=tmp_path))
    assert caught.value.filename == argv[0]
    assert guardian.spawn(program("true", cwd=tmp_path)) > 0


def test_a_stop_reaches_processes_of_other_sessions(guardian: GuardianClient, tmp_path: Path) -> None:
    """A process that left its group, and whose parent is gone, is killed although it ignores all else."""
    flag = tmp_path / "ready"
    stubborn = f"trap '' INT TERM HUP; echo $$ > {flag}.tmp; mv {flag}.tmp {flag}; sleep 100; sleep 100"
    guardian.spawn(
        program("sh", "-c", f'setsid sh -c "{stubborn.replace("$", chr(92) + "$")}" & exit', cwd=tmp_path)
    )
    assert isinstance(report(guardian), Exit)
    wait_until(flag.exists, "the stubborn process runs")
    pid = int(flag.read_text())
    guardian.stop()
    assert report(guardian) == Stopped(left=[], undone=[])
    wait_until(lambda: not psutil.pid_exists(pid), "it is gone")


def test_what_a_job_leaves_on_purpose_lives_on(tmp_path: Path) -> None:
    """The end of the guardian kills its helpers, but not what the job left running."""
    with GuardianClient() as guardian:
        helper = guardian.spawn(
            Program(
                name="helper",
                argv=("sleep", "100"),
                env={"PATH": "/usr/bin:/bin"},
                cwd=tmp_path,
                terminal=False,
                descriptors={},
            )
        )
        left = guardian.spawn(program("sleep", "100", cwd=tmp_path))
    assert not psutil.pid_exists(helper)
    assert psutil.pid_exists(left)
    os.kill(left, signal.SIGKILL)


def test_a_guardian_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """When somebody killed the guardian, the next request says so."""
    guardian = GuardianClient()
    os.kill(guardian.pid, signal.SIGKILL)
    with pytest.raises(RunnerError, match="guardian"):
        guardian.spawn(program("true", cwd=tmp_path))
    guardian.close()
