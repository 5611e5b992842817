"""What a clean-up asks of a container engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from receptor_runner.cleanup.cleanup import clean_up
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Report
from receptor_runner.errors import MissingInput, WorkerFailed

NAMES = "images --format={{.Repository}}:{{.Tag}}"


class StandIn:
    """An executable that stands in for an engine: it writes down its words and answers as it is told."""

    def __init__(self, path: Path, answers: str) -> None:
        self.path = path
        self._words = path.with_suffix(".words")
        path.write_text(f'#!/bin/sh\necho "$*" >> {self._words}\ncase "$*" in\n{answers}\nesac\n')
        path.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        """What it was asked, in order."""
        return self._words.read_text().splitlines() if self._words.exists() else []

    def clean(self, *images: str, prune: bool = False, dry_run: bool = False) -> tuple[Report, list[str]]:
        """Clean up images with it; return the report and what was told."""
        told: list[str] = []
        wanted = Cleanup(remove_images=images, image_prune=prune, engine=str(self.path), dry_run=dry_run)
        return clean_up(wanted, told.append), told


def test_podman_is_asked_to_untag_each_name_alone(tmp_path: Path) -> None:
    """Of an image with several names only the wanted ones go (a stand-in for podman shows the words)."""
    podman = StandIn(tmp_path / "podman", "images*) echo 'q.io/a:1 q.io/a:2 <none>:<none>' | tr ' ' '\\n';;")
    report, told = podman.clean("q.io/a")
    assert podman.asked == [f"{NAMES} q.io/a", "untag q.io/a:1 q.io/a:1", "untag q.io/a:2 q.io/a:2"]
    assert told == ["Removed image name q.io/a:1", "Removed image name q.io/a:2", "Removed 2 image(s)"]
    assert report.changed


def test_docker_counts_what_it_untagged(tmp_path: Path) -> None:
    """Other engines remove by name, and say how many names are gone (a stand-in for docker shows the words)."""
    docker = StandIn(tmp_path / "docker", "images*) echo q.io/a:1;;\nrmi*) echo 'Untagged: q.io/a:1';;")
    assert docker.clean("q.io/a:1")[1] == ["Removed image name q.io/a:1", "Removed 1 image(s)"]
    assert docker.asked == [f"{NAMES} q.io/a:1", "rmi q.io/a:1 -f"]


def test_an_unknown_image_changes_nothing(tmp_path: Path) -> None:
    """An engine without such an image is asked for nothing more (with a stand-in)."""
    podman = StandIn(tmp_path / "podman", "")
    report, told = podman.clean("q.io/none")
    assert (podman.asked, told, report.changed) == ([f"{NAMES} q.io/none"], [], False)


@pytest.mark.parametrize(
    ("answer", "changed"), [("", False), ("echo Total reclaimed space: 0B", False), ("echo sha256:1", True)]
)
def test_a_prune_changes_something_if_the_engine_says_so(tmp_path: Path, answer: str, changed: bool) -> None:
    """Pruning comes last, and counts only if something was reclaimed (with a stand-in)."""
    podman = StandIn(tmp_path / "podman", f"images*) echo q.io/a:1;;\n*prune*) {answer};;")
    report, told = podman.clean("q.io/a:1", prune=True)
    assert podman.asked[-1] == "image prune -f"
    assert ("Pruned images" in told) == report.pruned == changed


def test_one_failing_image_does_not_stop_the_others(tmp_path: Path) -> None:
    """Each failure is kept with the engine's own words, and the rest goes on (with a stand-in)."""
    podman = StandIn(
        tmp_path / "podman", "*bad*) echo 'no  such\nthing' >&2; exit 125;;\nimages*) echo q.io/good:1;;"
    )
    report, told = podman.clean("q.io/bad", "q.io/good", prune=True)
    assert told == ["Removed image name q.io/good:1", "Removed 1 image(s)"]
    assert podman.asked[-1] == "image prune -f"
    failure = report.failure()
    assert isinstance(failure, WorkerFailed)
    assert failure.cause == "no such thing"


def test_a_dry_run_only_looks(tmp_path: Path) -> None:
    """What would go is told; the engine is asked only what it has (with a stand-in)."""
    podman = StandIn(tmp_path / "podman", "*dangling*) echo 1; echo 2;;\nimages*) echo q.io/a:1;;")
    report, told = podman.clean("q.io/a:1", prune=True, dry_run=True)
    assert podman.asked == [f"{NAMES} q.io/a:1", "images --filter dangling=true --quiet"]
    assert told == ["Would remove image name q.io/a:1", "Would remove 1 image(s)", "Would prune 2 image(s)"]
    assert not report.changed


def test_a_missing_engine_is_one_clear_error(tmp_path: Path) -> None:
    """It is missed once, however many images there are, and only after the directories are cleaned up."""
    (tmp_path / "awx_1").mkdir()
    wanted = Cleanup(
        file_pattern=f"{tmp_path}/awx_*",
        grace_period_min=0,
        remove_images=("a", "b"),
        image_prune=True,
        engine="no-such-engine",
    )
    report = clean_up(wanted)
    assert (report.removed, len(report.engine_failures)) == (1, 1)
    failure = report.failure()
    assert isinstance(failure, MissingInput)
    assert str(failure) == "the container engine `no-such-engine` cannot be run: No such file or directory"


def test_no_engine_is_needed_without_an_image_option(tmp_path: Path) -> None:
    """A machine without an engine can have its directories cleaned up."""
    assert clean_up(Cleanup(file_pattern=f"{tmp_path}/x*", engine="no-such-engine")).failure() is None


def test_the_real_docker_client_without_its_daemon_fails_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of an engine that cannot work are handed on."""
    if not shutil.which("docker"):
        pytest.skip("no docker on PATH")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    report = clean_up(Cleanup(remove_images=("q.io/a",), engine="docker"))
    failure = report.failure()
    assert isinstance(failure, WorkerFailed)
    assert "/nonexistent/docker.sock" in str(failure)


NAMES_OF_ONE = [
    "localhost/receptor-runner/a:1",
    "localhost/receptor-runner/a:2",
    "localhost/receptor-runner/b:1",
]


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real podman, with a storage of its own that holds one image with several names."""
    found = shutil.which("podman")
    if not found:
        pytest.skip("no podman on PATH")
    storage = tmp_path / "storage.conf"
    places = f'graphroot = "{tmp_path / "graph"}"\nrunroot = "{tmp_path / "run"}"\n'
    storage.write_text(f'[storage]\ndriver = "vfs"\n{places}')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    (tmp_path / "root.tar").write_bytes(b"\0" * 10240)
    ask(found, "import", str(tmp_path / "root.tar"), NAMES_OF_ONE[0])
    for name in NAMES_OF_ONE[1:]:
        ask(found, "tag", NAMES_OF_ONE[0], name)
    return found


def ask(engine: str, *words: str) -> list[str]:
    """Return the words that the engine prints."""
    return subprocess.run([engine, *words], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    ("wanted", "gone"),
    [
        ("localhost/receptor-runner/a:1", NAMES_OF_ONE[:1]),
        ("receptor-runner/a:2", NAMES_OF_ONE[1:2]),
        ("localhost/receptor-runner/a", NAMES_OF_ONE[:2]),
        ("localhost/receptor-runner/none", []),
    ],
)
def test_the_real_podman_loses_the_wanted_names_only(podman: str, wanted: str, gone: list[str]) -> None:
    """Of an image with several names those that are meant go; the others, and the image, stay."""
    report = clean_up(Cleanup(remove_images=(wanted,), image_prune=True))
    assert (report.images, report.pruned, report.engine_failures) == (len(gone), False, [])
    assert set(ask(podman, "images", "--format={{.Repository}}:{{.Tag}}")) == set(NAMES_OF_ONE) - set(gone)


def test_the_real_podman_prunes_what_lost_its_last_name(podman: str) -> None:
    """An image goes with its last name if pruning is wanted, and the storage is empty then."""
    report = clean_up(Cleanup(remove_images=tuple(NAMES_OF_ONE), image_prune=True))
    assert (report.images, report.pruned, report.engine_failures) == (3, True, [])
    assert ask(podman, "images", "--quiet", "--all") == []
