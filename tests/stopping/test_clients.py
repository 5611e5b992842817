"""Whenever a signal stops a client, it says so, says what has become of the job, and leaves no process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.harness import Census, Commands, Project, finish, wait_until
from tests.harness.commands import Finished

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

STOPPED_AFTER = """
import importlib, os, sys
from receptor_runner.cli import main

def stopped(module, name, number):
    place = importlib.import_module(module)
    original = getattr(place, name)
    def call(*arguments, **options):
        result = original(*arguments, **options)
        os.kill(os.getpid(), number)
        return result
    setattr(place, name, call)

stopped(sys.argv[1], sys.argv[2], int(sys.argv[3]))
sys.exit(main(sys.argv[4:]))
"""
"""Calls the command line, and sends the signal to it the moment a function has returned."""

SLOW_INVENTORY = """#!/bin/sh
touch {sign}
sleep 300 &
sleep 300
"""


def by_name(number: signal.Signals) -> str:
    """Name a test's parameter."""
    return number.name


def stopped_after(commands: Commands, where: str, number: int, *words: str | Path) -> Finished:
    """Run our command line to its end, stopped by a signal when a function has returned."""
    module, name = where.rsplit(":")
    return commands.run(sys.executable, "-c", STOPPED_AFTER, module, name, str(int(number)), *words)


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("receptor_runner.receptor.jobs.submit:start", signal.SIGTERM),
        *(("receptor_runner.cli.run:submit_job", number) for number in SIGNALS),
    ],
    ids=["SIGTERM-submitted", *map(by_name, SIGNALS)],
)
def test_between_submitting_and_following(
    commands: Commands, project: Project, where: str, number: signal.Signals
) -> None:
    """A signal between the submit and the following ends the client with the command that attaches to the job."""
    done = stopped_after(commands, where, number, "run", project.path, "-p", "test.yml", "-i", "job")
    assert (done.rc, "the job may be running" in done.stderr) == (128 + number, True), done.stderr
    assert f"hint: receptor-runner attach {project.path} -i job" in done.stderr
    assert commands.ours("attach", project.path, "-i", "job").rc == 0


def test_a_submitted_job_is_named(commands: Commands, project: Project) -> None:
    """A signal between the submit and the line that it prints ends `submit` with the way back to the job."""
    where = "receptor_runner.cli.submit:submit_job"
    words: list[str | Path] = ["submit", project.path, "-p", "test.yml", "-i", "job"]
    done = stopped_after(commands, where, signal.SIGTERM, *words)
    assert done.rc == 143
    assert f"hint: receptor-runner attach {project.path} -i job" in done.stderr
    assert commands.ours("attach", project.path, "-i", "job").rc == 0


@pytest.mark.parametrize("number", SIGNALS, ids=by_name)
def test_while_the_job_is_packed(commands: Commands, project: Project, number: signal.Signals) -> None:
    """A signal before the submit says that nothing has run."""
    where = "receptor_runner.transmit:prepare"
    done = stopped_after(commands, where, number, "run", project.path, "-p", "test.yml", "-i", "job")
    assert (done.rc, done.stderr.strip()) == (
        128 + number,
        "error: interrupted; nothing of the job has run",
    )


def test_a_python_caller_stops_its_job(commands: Commands, project: Project) -> None:
    """A Ctrl-C between the submit and the following of `run()` cancels the job instead of leaving it."""
    script = f"""
import os, signal
import receptor_runner
from receptor_runner.receptor.jobs import submit
start = submit.start
def stopped(*arguments, **options):
    start(*arguments, **options)
    raise KeyboardInterrupt
submit.start = stopped
runner = receptor_runner.run(private_data_dir={str(project.path)!r}, playbook="test.yml", ident="job", quiet=True)
print(runner.status)
"""
    project.playbook("- pause: seconds=60")
    done = commands.run(sys.executable, "-c", script)
    assert (done.text.split(), done.stderr) == (["canceled"], "")


def test_a_closed_terminal_leaves_the_job_running(
    commands: Commands, project: Project, tmp_path: Path
) -> None:
    """SIGHUP while a job is followed detaches: the job goes on to its end."""
    go = tmp_path / "go"
    project.playbook(f"- wait_for: path={go} sleep=1")
    client = commands.start("run", project.path, "-p", "test.yml", "-i", "job")
    wait_until(lambda: listing(project, "job_events"), "the job runs")
    client.send_signal(signal.SIGHUP)
    done = finish(client)
    assert done.rc == 129
    assert "the job goes on" in done.stderr
    go.touch()
    assert commands.ours("attach", project.path, "-i", "job").rc == 0


def listing(project: Project, name: str) -> list[Path]:
    """The files in a directory of the job's artifacts."""
    directory = project.artifacts("job") / name
    return list(directory.iterdir()) if directory.is_dir() else []


class Listing:
    """A command that waits for a slow dynamic inventory."""

    def __init__(self, commands: Commands, project: Project, directory: Path, *more: str) -> None:
        self.census = Census()
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        commands.environment |= {"TMPDIR": str(self.temporary), **self.census.variables}
        self.sign = directory / "sign"
        project.write("inventory/hosts", SLOW_INVENTORY.format(sign=self.sign))
        (project.path / "inventory/hosts").chmod(0o755)
        words = ["-p", "test.yml", "-i", "job", "--slices", "2", *more]
        self.client: subprocess.Popen[bytes] = commands.start("run", project.path, *words)
        wait_until(self.sign.exists, "the inventory is asked")


@pytest.mark.parametrize("number", SIGNALS, ids=by_name)
def test_while_the_hosts_are_listed(
    commands: Commands, project: Project, short_dir: Path, number: signal.Signals
) -> None:
    """A signal while Ansible lists the hosts ends Ansible and the inventory script too, and leaves no file."""
    listed = Listing(commands, project, short_dir)
    listed.client.send_signal(number)
    done = finish(listed.client)
    try:
        assert (done.rc, "error: interrupted; nothing of the job has run" in done.stderr) == (
            128 + number,
            True,
        )
        listed.census.check_empty()
        assert [*listed.temporary.iterdir()] == []
    finally:
        listed.census.kill()


@pytest.mark.slow
def test_while_hosts_are_listed_with_a_vault(commands: Commands, project: Project, short_dir: Path) -> None:
    """So it is if Ansible keeps the terminal, to ask for a vault password there."""
    secret = project.write("secret", "s3cret")
    listed = Listing(commands, project, short_dir, "--cmdline", f"--vault-password-file {secret}")
    listed.client.terminate()
    done = finish(listed.client)
    try:
        assert done.rc == 143
        listed.census.check_empty()
    finally:
        listed.census.kill()


def test_a_slow_inventory_is_told(commands: Commands, project: Project, short_dir: Path) -> None:
    """Whoever waits for the hosts learns after a moment that they are being listed."""
    listed = Listing(commands, project, short_dir)
    assert listed.client.stderr is not None
    line = listed.client.stderr.readline()
    listed.client.terminate()
    finish(listed.client)
    listed.census.kill()
    assert line == b"waiting for ansible-inventory to list the hosts of inventory\n"
