"""The claim and the mark of a private data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from receptor_runner.errors import OutputFailed
from receptor_runner.system.claims import claimed, is_marked, mark, unclaimed
from tests.harness import wait_until

HOLD = """
import signal, sys
from pathlib import Path
from receptor_runner.system.claims import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    signal.pause()
"""


def is_free(directory: Path) -> bool:
    """Whether no job has claimed a directory."""
    with unclaimed(directory) as free:
        return free


def test_a_claim_leaves_no_file_and_ends_with_its_process(tmp_path: Path) -> None:
    """A worker that is killed without warning does not keep its directory for ever."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"claimed\n"
        assert not is_free(tmp_path)
        assert list(tmp_path.iterdir()) == []
        worker.send_signal(signal.SIGKILL)
    wait_until(lambda: is_free(tmp_path), "the claim has ended")


def test_several_jobs_may_share_a_directory(tmp_path: Path) -> None:
    """A directory is free only after the last of its jobs."""
    with claimed(tmp_path):
        with claimed(tmp_path):
            assert not is_free(tmp_path)
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_a_removed_directory_cannot_be_claimed(tmp_path: Path) -> None:
    """A job whose directory was cleaned away before it began does not begin."""
    with pytest.raises(OutputFailed, match="was removed before its job began"), claimed(tmp_path / "gone"):
        pytest.fail("claimed")


def test_a_directory_that_cannot_be_read_is_no_obstacle_to_a_job(tmp_path: Path) -> None:
    """Where no claim can be had, a job runs all the same: here the path ends in a file."""
    (tmp_path / "file").touch()
    with claimed(tmp_path / "file"):
        assert True


def test_the_mark_is_not_in_the_listing(tmp_path: Path) -> None:
    """A marked directory is empty to whoever lists it."""
    assert not is_marked(tmp_path)
    mark(tmp_path)
    if not os.listxattr(tmp_path):
        pytest.skip("this filesystem holds no extended attributes")
    assert is_marked(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_attributes_the_name_of_a_temporary_directory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of ours in the temporary directory, with a worker's prefix, counts as made by a worker."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "receptor-runner-x" / "receptor-runner-y").mkdir(parents=True)
    assert is_marked(tmp_path / "receptor-runner-x")
    assert not is_marked(tmp_path / "receptor-runner-x" / "receptor-runner-y")
