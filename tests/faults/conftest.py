"""A laboratory for faults: nodes of both kinds, jobs that count their runs, and a census after each test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.jobs.prune import orphaned_units, prunable_jobs
from receptor_runner.receptor.jobs.record import read_all
from receptor_runner.receptor.nodes.destination import Destination
from tests.faults.gateway import Gateway
from tests.harness import (
    BIN,
    NODE_KINDS,
    OURS,
    Commands,
    Finished,
    Gate,
    Project,
    ServedNode,
    contents,
    isolated_environment,
    kill_processes_of,
    processes_of,
    render_node,
    wait_until,
)
from tests.harness.projects import OURS_ALONE, hello_project

ACTOR = Path(__file__).with_name("actor.py")
PARTS = ("gate", "silent", "stubborn", "empty", "garbage", "short", "noisy", "smuggler", "torn")
JOB = """#!/bin/sh
printf x >> {directory}/runs
{more}
echo before
touch {directory}/waiting
while [ ! -e {directory}/open ]; do sleep 0.05; done
echo after
"""
ARTIFACTS = OURS_ALONE | {"command", "stdout", "stderr", "rc", "status", "job_events", "fact_cache"}


@dataclass
class Lab(Gate):
    """A node, a project whose job waits at a gate and counts its runs, and our commands.

    Attributes:
        directory: everything is below it, so that whatever is left behind can be found.
    """

    commands: Commands
    project: Project
    node: ServedNode
    gateways: list[Gateway] = field(default_factory=list)

    @property
    def socket(self) -> str:
        """Where the node is asked: the gateway, if there is one."""
        return str(self.gateways[-1].path if self.gateways else self.node.socket)

    @property
    def control(self) -> Control:
        """The node's control service, without a gateway."""
        return Control(str(self.node.socket))

    def gateway(self) -> Gateway:
        """Put a gateway in front of the node."""
        made = Gateway(self.directory / f"g{len(self.gateways)}.sock", self.node.socket)
        self.gateways.append(made)
        return made

    def words(self, command: str, ident: str = "job", work_type: str | None = None) -> list[str]:
        """Return the words of one of our commands for the job of an ident."""
        words = [command, str(self.project.path), "-i", ident]
        if command in {"run", "submit"}:
            words += ["-p", "test.yml", "-b", str(self.directory / "job.sh"), "--socket", self.socket]
            words += ["--work-type", work_type] if work_type else []
        return words

    def ask(
        self,
        command: str,
        *more: str,
        ident: str = "job",
        work_type: str | None = None,
        timeout_s: float = 60,
    ) -> Finished:
        """Run one of our commands to its end."""
        return self.commands.ours(*self.words(command, ident, work_type), *more, timeout_s=timeout_s)

    def start(
        self, command: str, *more: str, ident: str = "job", work_type: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one of our commands."""
        return self.commands.start(*self.words(command, ident, work_type), *more)

    def start_stuck_upload(self, *more: str) -> tuple[subprocess.Popen[bytes], Gateway]:
        """Start a `run` whose upload stops midway, at a gateway; return both."""
        self.project.write("project/big", os.urandom(300_000).hex())
        gateway = self.gateway()
        hold = gateway.hold(b'"zipfile"', upwards=True, after=100)
        client = self.start("run", *more)
        assert hold.reached.wait(30)
        return client, gateway

    def jobs(self, *more: str) -> list[dict[str, Any]]:
        """Return what `jobs --json` says."""
        found: list[dict[str, Any]] = json.loads(
            self.commands.ours("jobs", self.project.path, "--json", *more).text
        )["jobs"]
        return found

    def job(self) -> dict[str, Any]:
        """Return what `jobs --json` says of the only job."""
        (found,) = self.jobs()
        return found

    @property
    def record(self) -> dict[str, Any]:
        """The job's record on disk; {} if there is none."""
        return self.project.record()

    @property
    def artifacts(self) -> Path:
        """The artifacts of the job `job`."""
        return self.project.artifacts("job")

    def await_output(self, text: bytes = b"before") -> None:
        """Wait until something of the output is here."""
        path = self.artifacts / "stdout"
        wait_until(lambda: path.exists() and text in path.read_bytes(), "the output is here")

    def grow_artifacts(self, size: int) -> None:
        """Make the job leave a big file in its artifacts."""
        more = f'head -c {size} /dev/urandom > "$ANSIBLE_CACHE_PLUGIN_CONNECTION/big"'
        self.write_job(more)

    def write_job(self, more: str = "") -> None:
        """Write the program that our worker runs in Ansible's place."""
        path = self.directory / "job.sh"
        path.write_text(JOB.format(directory=self.directory, more=more))
        path.chmod(0o755)

    def undisturbed(self, unit: str) -> dict[str, bytes]:
        """Return the artifacts that the unit's output makes without any fault; the node need not run."""
        (sent,) = self.node.datadir.glob(f"*/{unit}/stdout")
        wait_until(lambda: _has_ended(sent.with_name("status")), "the unit has ended")
        directory = self.directory / "undisturbed"
        self.commands.ours("process", directory, "-i", "job", stdin=sent.read_bytes())
        return contents(directory / "artifacts" / "job")

    def processes(self) -> list[psutil.Process]:
        """Return the processes that belong here, the node's own aside."""
        node = self.node.process.pid if self.node.process else 0
        return [found for found in processes_of(self.directory) if found.pid != node]

    def runner_of(self, unit: str) -> psutil.Process:
        """Return the command runner of a unit."""
        found = [entry for entry in self.processes() if self._is_runner(entry, unit)]
        return found[0]

    @staticmethod
    def _is_runner(process: psutil.Process, unit: str) -> bool:
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            return unit in words and "command" in words
        return False

    def worker_of(self, unit: str) -> psutil.Process:
        """Return the worker of a unit: the command runner's child."""
        (found,) = self.runner_of(unit).children()
        return found

    @property
    def worker_directories(self) -> list[str]:
        """The temporary directories of workers that are there."""
        return [path.name for path in (self.directory / "tmp").iterdir() if "receptor-runner" in path.name]

    def census(self) -> None:
        """Check that nothing is left: no unit, no process, no temporary directory, no stray artifact."""
        self.open()
        for gateway in self.gateways:
            gateway.open()
        if not self.node.is_running():
            self.node.start()
        where = Destination(socket=str(self.node.socket), retry=RetryPolicy(deadline_s=5))
        list(prunable_jobs(read_all(self.project.path), where, prune=True))
        self.prune_orphans()
        wait_until(lambda: not self.control.units(), "no unit is left", 15)
        wait_until(lambda: not self.processes(), f"no process is left of {self.processes()}", 15)
        wait_until(lambda: not self.worker_directories, f"left: {self.worker_directories}", 10)
        for directory in (self.project.path / "artifacts").glob("*"):
            assert {path.name for path in directory.iterdir()} <= ARTIFACTS

    def prune_orphans(self) -> None:
        """Release the units that ran nothing."""
        list(orphaned_units(read_all(self.project.path), self.control, prune=True))

    def close(self) -> None:
        """End everything."""
        self.commands.close()
        for gateway in self.gateways:
            gateway.close()
        self.node.close()
        kill_processes_of(self.directory)


def _has_ended(status: Path) -> bool:
    """Whether a unit's status on disk is Succeeded or Failed; while it is being written it is neither."""
    with contextlib.suppress(ValueError):
        return json.loads(status.read_text())["State"] in {2, 3}
    return False


def _work_types(directory: Path) -> dict[str, str]:
    parts = {f"work.{part}": f"{sys.executable} -S -E {ACTOR} {directory} {part}" for part in PARTS}
    return parts | {
        "work.flood": f"{sys.executable} -S -E {ACTOR} {directory} flood {os.environ.get('FAULTS_EVENTS', '1000000')}",
        "work.alive": f"{OURS} worker --keepalive-seconds 0.2",
        "work.absent": f"{directory}/no-such-command worker",
        "work.ansible-runner": f"{BIN / 'ansible-runner'} worker",
    }


def build_lab(kind: str, directory: Path) -> Lab:
    """Build a laboratory with a running node."""
    temporary = directory / "tmp"
    temporary.mkdir()
    environment = isolated_environment(directory / "home", directory / "run") | {"TMPDIR": str(temporary)}
    node = render_node(kind, directory / "node", environment, _work_types(directory))
    made = Lab(directory, Commands(environment, directory), hello_project(directory / "pdd"), node)
    made.write_job()
    node.start()
    return made


@pytest.fixture(params=NODE_KINDS)
def lab(request: pytest.FixtureRequest, short_dir: Path) -> Iterator[Lab]:
    """A laboratory with a node of each kind in turn; nothing may be left of it after the test."""
    made = build_lab(str(request.param), short_dir)
    try:
        yield made
        made.census()
    finally:
        made.close()
