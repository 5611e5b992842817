"""Which directories a clean-up removes, and which it leaves; the words are those of ansible-runner."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from receptor_runner.cleanup.cleanup import clean_up
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Fate, Report
from receptor_runner.errors import UsageError
from receptor_runner.system.claims import claimed, mark
from tests.harness import wait_until


def old(directory: Path, minutes: float = 180) -> Path:
    """Make a directory that changed last so many minutes ago."""
    directory.mkdir(parents=True, exist_ok=True)
    moment = directory.stat().st_mtime - minutes * 60
    os.utime(directory, (moment, moment))
    return directory


def clean(base: Path, pattern: str = "awx_*", **options: object) -> tuple[Report, list[str]]:
    """Clean up below a directory; return the report and the lines that were told."""
    told: list[str] = []
    wanted = Cleanup(**({"file_pattern": f"{base}/{pattern}"} | options))  # type: ignore[arg-type] # as from a CLI
    return clean_up(wanted, told.append), told


def reasons(report: Report, fate: Fate) -> dict[str, str]:
    """Return why directories had a fate, by their last name."""
    return {Path(found.name).name: found.reason for found in report.of(fate)}


def test_matching_directories_go_but_neither_files_nor_excluded_ones(tmp_path: Path) -> None:
    """What matches and is a directory is removed, named and counted; a second run finds nothing."""
    for name in ("awx_1", "awx_2", "awx_3", "awx_keep"):
        old(tmp_path / name)
    (tmp_path / "awx_file").write_text("x")
    report, told = clean(tmp_path, exclude_strings=("keep",), grace_period_min=0)
    assert told == [
        *(f"Removed private data dir {tmp_path}/awx_{number}" for number in (1, 2, 3)),
        f"Removed 3 private data dir(s) in pattern {tmp_path}/awx_*",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["awx_file", "awx_keep"]
    assert report.changed
    again, told = clean(tmp_path, exclude_strings=("keep",), grace_period_min=0)
    assert (again.removed, again.changed, told) == (0, False, [])


def test_the_grace_period_is_in_minutes_and_may_be_a_fraction(tmp_path: Path) -> None:
    """Only what changed longer ago is removed."""
    old(tmp_path / "awx_old", minutes=0.6)
    (tmp_path / "awx_new").mkdir()
    clean(tmp_path, grace_period_min=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["awx_new"]


def test_a_grace_period_of_zero_spares_nothing(tmp_path: Path) -> None:
    """Zero means that the age does not matter, even of what claims to come from the future."""
    (tmp_path / "awx_1").mkdir()
    os.utime(tmp_path / "awx_1", (2**32, 2**32))
    assert clean(tmp_path, grace_period_min=0)[0].removed == 1


def test_the_contents_go_too_however_they_are_protected(tmp_path: Path) -> None:
    """Read-only directories, links and special files in a directory do not keep it; what links point at stays."""
    (outside := tmp_path / "outside").mkdir()
    (outside / "precious").write_text("x")
    inner = tmp_path / "awx_1" / "project" / "deep"
    inner.mkdir(parents=True)
    (inner / "link").symlink_to(outside)
    os.mkfifo(inner / "fifo")
    (inner / "file").write_text("x")
    inner.chmod(0o500)
    inner.parent.chmod(0o500)
    assert clean(tmp_path, grace_period_min=0)[0].removed == 1
    assert (outside / "precious").exists()
    assert not (tmp_path / "awx_1").exists()


def test_a_claimed_directory_is_never_removed(tmp_path: Path) -> None:
    """The directory of a running job stays, though nobody excluded it, until the job is over."""
    directory = old(tmp_path / "awx_1")
    with claimed(directory):
        report, told = clean(tmp_path)
        assert told == [f"Excluding running project {directory} from cleanup"]
        assert reasons(report, Fate.RUNNING) == {"awx_1": "in use by a worker"}
    assert clean(tmp_path)[0].removed == 1


def test_a_directory_in_which_a_process_stands_is_never_removed(tmp_path: Path) -> None:
    """A job of ansible-runner's worker claims nothing, but its ansible-playbook stands in the project."""
    project = tmp_path / "awx_1" / "project"
    project.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], cwd=project) as process:
        wait_until(lambda: Path(f"/proc/{process.pid}/cwd").resolve() == project, "the process stands there")
        report, _told = clean(tmp_path, grace_period_min=0)
        process.kill()
    assert reasons(report, Fate.RUNNING) == {"awx_1": f"in use by process {process.pid}"}
    assert clean(tmp_path, grace_period_min=0)[0].removed == 1


def test_the_pid_file_of_ansible_runner_start_is_read_the_right_way_round(tmp_path: Path) -> None:
    """A living process keeps its directory, a dead one does not."""
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    for name, content in (("awx_live", os.getpid()), ("awx_dead", dead.pid), ("awx_odd", "no number")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pid").write_text(f"{content}\n")
    report, _told = clean(tmp_path, grace_period_min=0)
    assert reasons(report, Fate.RUNNING) == {"awx_live": f"in use by process {os.getpid()}"}
    assert [path.name for path in tmp_path.iterdir()] == ["awx_live"]


def test_links_are_left_and_named_and_do_not_stop_the_rest(tmp_path: Path) -> None:
    """Neither a link nor a dangling one, nor what lies behind one that a wildcard matched, is touched."""
    inside = tmp_path / "target" / "awx_inside"
    inside.mkdir(parents=True)
    (tmp_path / "awx_dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "awx_link").symlink_to(inside)
    (tmp_path / "linked").symlink_to(tmp_path / "target")
    (tmp_path / "awx_z").mkdir()
    report, _told = clean(tmp_path, grace_period_min=0)
    assert sorted(reasons(report, Fate.SKIPPED)) == ["awx_dangling", "awx_link"]
    assert report.removed == 1
    report, _told = clean(tmp_path, "l*/awx_*", grace_period_min=0)
    assert [found.name for found in report.of(Fate.SKIPPED)] == [f"{tmp_path}/linked/awx_inside"]
    assert inside.is_dir()


def test_a_link_that_the_pattern_itself_names_is_meant(tmp_path: Path) -> None:
    """Links in front of the first wildcard are the operator's own."""
    (tmp_path / "real" / "awx_1").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert clean(tmp_path, "link/awx_*", grace_period_min=0)[0].removed == 1


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make a directory that even its owner cannot remove"
)
def test_one_failure_does_not_stop_the_rest(tmp_path: Path) -> None:
    """What cannot be removed is named with its reason; what can be is removed and counted."""
    for name in ("awx_1", "awx_2", "awx_3"):
        (tmp_path / name).mkdir()
    stuck = tmp_path / "awx_2" / "file"
    stuck.write_text("x")
    if subprocess.run(["chattr", "+i", stuck], capture_output=True, check=False).returncode:
        pytest.skip("this filesystem has no immutable files")
    try:
        report, told = clean(tmp_path, grace_period_min=0)
    finally:
        subprocess.run(["chattr", "-i", stuck], check=True)
    assert reasons(report, Fate.FAILED) == {"awx_2": "Operation not permitted"}
    assert told[-1] == f"Removed 2 private data dir(s) in pattern {tmp_path}/awx_*"
    failure = report.failure()
    assert failure is not None
    assert failure.exit_code == 74


@pytest.mark.parametrize("pattern", ["*", "?*", "[a-z]*", "*_*", ".*"])
def test_a_pattern_without_a_name_removes_only_what_a_worker_made(tmp_path: Path, pattern: str) -> None:
    """A bare wildcard is not explicit: of what it matches, only marked directories go, the others are named."""
    (tmp_path / "some_thing").mkdir()
    (tmp_path / ".some_hidden").mkdir()
    for name in ("our_work", ".our_hidden"):
        (tmp_path / name).mkdir()
        mark(tmp_path / name)
    report, _told = clean(tmp_path, pattern, grace_period_min=0)
    assert report.removed == 1
    assert list(reasons(report, Fate.SKIPPED).values()) == [
        "no worker created it, and the pattern has no literal name"
    ]


def test_registry_credentials_go_with_their_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directories with registry credentials of each ident go before the private data directory does."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("42_ab", "4_cd", "*_ef", "43_gh"):
        (tmp_path / f"ansible_runner_registry_{name}").mkdir()
    (tmp_path / "ansible_runner_registry_42_link").symlink_to(tmp_path)
    for ident in ("42", "*"):
        (tmp_path / "awx_1" / "artifacts" / ident).mkdir(parents=True)
    _report, told = clean(tmp_path, grace_period_min=0)
    assert told == [
        f"Removed associated registry auth dir {tmp_path}/ansible_runner_registry_*_ef",
        f"Removed associated registry auth dir {tmp_path}/ansible_runner_registry_42_ab",
        f"Removed private data dir {tmp_path}/awx_1",
        f"Removed 1 private data dir(s) in pattern {tmp_path}/awx_*",
    ]
    assert sorted(path.name.rpartition("registry_")[2] for path in tmp_path.iterdir()) == [
        "42_link",
        "43_gh",
        "4_cd",
    ]


def test_a_dry_run_tells_and_touches_nothing(tmp_path: Path) -> None:
    """What would go is told by name, nothing is gone and nothing changed."""
    directory = old(tmp_path / "awx_1")
    report, told = clean(tmp_path, dry_run=True)
    assert told == [
        f"Would remove private data dir {directory}",
        f"Would remove 1 private data dir(s) in pattern {tmp_path}/awx_*",
    ]
    assert (report.changed, report.removed, directory.is_dir()) == (False, 1, True)


def test_a_protected_match_is_refused_before_anything_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One protected directory among the matches, and all of them stay."""
    (tmp_path / "awx_1").mkdir()
    (tmp_path / "awx_home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "awx_home"))
    with pytest.raises(UsageError, match="Provided pattern could result in deleting system folders"):
        clean(tmp_path, grace_period_min=0)
    assert (tmp_path / "awx_1").is_dir()


def test_a_directory_with_a_mount_in_it_is_left(tmp_path: Path) -> None:
    """A filesystem that is mounted in a directory is somebody else's."""
    (tmp_path / "awx_1" / "mnt").mkdir(parents=True)
    script = (
        "from receptor_runner.cleanup.cleanup import clean_up;"
        "from receptor_runner.cleanup.options import Cleanup; import sys;"
        "print([f.reason for f in clean_up(Cleanup(file_pattern=sys.argv[1], grace_period_min=0)).directories])"
    )
    mount = f'mount -t tmpfs none "$1/awx_1/mnt" && exec "{sys.executable}" -c "$2" "$1/awx_*"'
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", str(tmp_path), script],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no private mounts here: {done.stderr.strip()}")
    assert done.stdout == f"['a filesystem is mounted at {tmp_path}/awx_1/mnt']\n"
    assert (tmp_path / "awx_1" / "mnt").is_dir()
