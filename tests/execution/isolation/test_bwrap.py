"""Jobs in real sandboxes of bubblewrap: what they see, how they end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.execution.command import Plan
from receptor_runner.execution.guardian import descendants
from receptor_runner.execution.guardian_client import StopBelow
from receptor_runner.execution.isolation.bwrap import Bwrap
from receptor_runner.job import Job
from receptor_runner.outcome import Status
from tests.execution.conftest import Ran, Workplace
from tests.harness.containers import skip_without


@dataclass
class Sandbox:
    """A private data directory whose jobs run in bubblewrap."""

    place: Workplace

    def begin(self, **options: Any) -> Ran:
        """Start a run."""
        return self.place.begin(process_isolation=True, process_isolation_executable="bwrap", **options)

    def shell(self, script: str, **options: Any) -> Ran:
        """Run a shell script to its end."""
        ran = self.begin(binary="sh", cmdline=f"-c '{script}'", **options)
        assert ran.outcome
        return ran


@pytest.fixture
def sandbox(workplace: Workplace, temporary: Path) -> Iterator[Sandbox]:
    """A workplace whose jobs run in bubblewrap; they leave no file outside of it and no process."""
    skip_without("bwrap")
    before = descendants(os.getpid())  # daemons that other tests share may live in this process
    made = Sandbox(workplace)
    yield made
    workplace.close()
    assert list(temporary.iterdir()) == []
    assert descendants(os.getpid()) <= before


def test_a_playbook_runs_with_its_events(sandbox: Sandbox) -> None:
    """A playbook runs as outside, in a process namespace of its own, and its events come."""
    name = sandbox.place.playbook("- debug: msg={{ lookup('pipe', 'echo $PPID; ls /proc') }}")
    ran = sandbox.begin(playbook=name)
    assert ran.outcome.status is Status.SUCCESSFUL
    listed = str(ran.told.named("runner_on_ok")[0]["event_data"]["res"]["msg"]).split()
    assert str(os.getpid()) not in {entry for entry in listed if entry.isdigit()} or os.getpid() < 100
    assert ran.told.named("playbook_on_stats")


def test_paths_are_shown_hidden_and_protected(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of nested paths the nearest counts: what is hidden below a shown one is hidden, and the other way round."""
    for name in ("shown/hidden/visible", "guarded", "unseen"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    sandbox.place.write("secret/file", "x")
    sandbox.place.write("password", "hunter2")
    ran = sandbox.shell(
        f"cd {tmp_path}; find . -name file; touch guarded/new; touch shown/new; "
        f"cat {sandbox.place.path}/password; ls {sandbox.place.path}/secret",
        process_isolation_show_paths=[f"{tmp_path}/shown", f"{tmp_path}/shown/hidden/visible"],
        process_isolation_hide_paths=[
            f"{tmp_path}/shown/hidden",
            f"{sandbox.place.path}/secret",
            f"{sandbox.place.path}/password",
        ],
        process_isolation_ro_paths=f"{tmp_path}/guarded",
    )
    lines = set(ran.told.text.splitlines())
    assert {"./shown/hidden/visible/file", "./guarded/file"} <= lines
    assert not {"./unseen/file", "./job/secret/file", "hunter2"} & lines
    assert any("Read-only file system" in line for line in lines)
    assert (tmp_path / "shown" / "new").exists()
    assert not (tmp_path / "guarded" / "new").exists()


def test_a_copy_of_the_project_is_visible_and_the_base_path_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    """With directory_isolation_base_path the job works in a copy, which is gone afterwards; the base path stays."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "mine").touch()
    sandbox.place.write("project/file", "x")
    ran = sandbox.shell("pwd; ls; touch made", directory_isolation_base_path=str(base))
    assert ran.told.text.startswith(f"{base}/runner_di_")
    assert ran.told.text.endswith("file")
    assert [path.name for path in base.iterdir()] == ["mine"]
    assert not (sandbox.place.path / "project" / "made").exists()


def test_a_canceled_job_is_interrupted(sandbox: Sandbox) -> None:
    """A cancel interrupts ansible inside, not the sandbox, which would take it along without a word."""
    ran = sandbox.begin(playbook=sandbox.place.playbook("- command: sleep 600"))
    ran.told.wait_for("runner_on_start")
    ran.stop.request()
    assert ran.outcome.status is Status.CANCELED
    assert "User interrupted execution" in ran.told.text


def test_the_sandboxs_own_failure_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    """What bwrap itself cannot do is an error in its words."""
    ran = sandbox.shell(
        "true", project_dir=str(tmp_path / "job" / "project"), artifact_dir=str(tmp_path / "a")
    )
    assert ran.outcome.status is Status.SUCCESSFUL
    skipped = sandbox.place.path / "project"
    skipped.mkdir(exist_ok=True)
    ran = sandbox.shell("true", process_isolation_hide_paths=[str(skipped.parent)])
    assert (ran.outcome.status, ran.outcome.rc) == (Status.ERROR, 1)
    assert "bwrap cannot start the job: Can't chdir" in str(ran.outcome.explanation)


def test_the_command_line_names_what_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is read-only, the private data dir writable, parents come before what is below them."""
    (tmp_path / "bwrap").write_text("#!/bin/sh\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    pdd, hidden = tmp_path / "job", tmp_path / "job" / "hidden"
    hidden.mkdir(parents=True)
    job = Job.from_kwargs({"process_isolation_hide_paths": [str(hidden), "/no/such/path"]})
    program = Bwrap("bwrap", job, pdd, pdd / "artifacts").wrap(Plan(command=("x", "y"), env={}, cwd=pdd))
    words = " ".join(program.argv)
    assert words.startswith(
        "bwrap --die-with-parent --unshare-pid --dev-bind /dev /dev --proc /proc --dir /tmp"
    )
    assert f"--bind {pdd} {pdd} --tmpfs {hidden}" in words
    assert words.endswith(f"--chdir {pdd} x y")
    assert "/no/such" not in words
    assert program.stop == StopBelow(below="bwrap")
