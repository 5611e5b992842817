"""A real podman for tests: a store of its own, with an image that is made in a moment and without a network.

The image holds mount points only. Python and ansible come from this machine, by mounts that the engine's own
configuration names, so that command lines are as they would be with any image.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

IMAGE = "localhost/ee:test"
_LOOKS = 20

CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile={limits}", "nproc={limits}"]
netns = "none"
volumes = [{volumes}]
env = ["PATH={bin}:/usr/bin:/bin", "LANG=C.UTF-8"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{directory}/tmp"
[network]
network_backend = "netavark"
"""

STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{directory}/storage"
runroot = "{directory}/run"
"""

MOUNT_POINTS = ["usr", "etc", "proc", "sys", "dev", "run", "tmp", "var/tmp", "root", "home/runner", "runner"]


def _output(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@dataclass(frozen=True, kw_only=True)
class PodmanStore:
    """A podman with images and containers of its own."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make podman use this store."""
        return {
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
        }

    def podman(self, *words: str, stdin: bytes = b"") -> str:
        """Run podman; return what it prints."""
        return _output(self._run(*words, stdin=stdin))

    def _run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["podman", *words],
            input=stdin,
            capture_output=True,
            env={**os.environ, **self.environment},
            check=False,
        )

    def write_configuration(self, *, limits: str = "4096:4096") -> None:
        """Write both configuration files."""
        places = [Path("/usr"), Path(sys.prefix), Path(sys.base_prefix).resolve()]
        outside = [place for place in places[1:] if not place.is_relative_to("/usr")]
        volumes = ", ".join(f'"{place}:{place}:ro"' for place in dict.fromkeys([places[0], *outside]))
        values = {
            "volumes": volumes,
            "bin": Path(sys.prefix) / "bin",
            "directory": self.directory,
            "limits": limits,
        }
        (self.directory / "containers.conf").write_text(CONTAINERS_CONF.format(**values))
        (self.directory / "storage.conf").write_text(STORAGE_CONF.format(**values))

    def make_image(self, name: str = IMAGE, *changes: str, files: Mapping[str, str] | None = None) -> None:
        """Make an image of mount points, and of further files, by their paths."""
        options = [word for change in ("ENV HOME=/home/runner", *changes) for word in ("-c", change)]
        self.podman("import", "--quiet", *options, "-", name, stdin=self.image_archive(files))

    @staticmethod
    def image_archive(files: Mapping[str, str] | None = None) -> bytes:
        """Return an image's files as an archive."""
        with tempfile.TemporaryDirectory() as root:
            for place in MOUNT_POINTS:
                Path(root, place).mkdir(parents=True, exist_ok=True)
            for link in ("bin", "sbin", "lib", "lib64"):
                Path(root, link).symlink_to(f"usr/{link}")
            for open_to_all in ("tmp", "var/tmp", "home/runner"):
                Path(root, open_to_all).chmod(0o1777)
            users = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
            for path, content in {**users, **(files or {})}.items():
                Path(root, path).parent.mkdir(parents=True, exist_ok=True)
                Path(root, path).write_text(content)
                Path(root, path).chmod(0o755)
            tar = subprocess.run(
                ["tar", "--numeric-owner", "--owner=0", "--group=0", "-C", root, "-cf", "-", "."],
                capture_output=True,
                check=True,
            )
        return tar.stdout

    def containers(self) -> list[str]:
        """Return the names of all containers, half-made ones too.

        It is asked again where podman fails because one that it has listed is gone when it looks at it.
        """
        words = ("ps", "--all", "--external", "--format={{.Names}}")
        looks = (self._run(*words) for _attempt in range(_LOOKS))
        done = next((done for done in looks if b"container not known" not in done.stderr), None)
        return _output(done or self._run(*words)).split()

    def images(self) -> set[str]:
        """Return the names of all images."""
        return set(self.podman("images", "--format={{.Repository}}:{{.Tag}}").split())

    def processes(self) -> list[str]:
        """Return the command lines of the engine's processes that have to do with this store."""
        found = []
        for process in psutil.process_iter(["cmdline", "name"]):
            words = process.info["cmdline"] or []
            if process.info["name"] in {"conmon", "podman", "runc"} and self._is_ours(process, words):
                found.append(" ".join(words))
        return found

    def _is_ours(self, process: psutil.Process, words: list[str]) -> bool:
        if any(str(self.directory) in word for word in words):
            return True
        try:
            return str(self.directory) in process.environ().get("CONTAINERS_STORAGE_CONF", "")
        except (psutil.Error, OSError):
            return False

    def close(self) -> None:
        """Remove containers, images and the directory."""
        self.podman("rm", "--force", "--all", "--time=0")
        for mount in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            if (point := mount.split()[4]).startswith(str(self.directory)):
                subprocess.run(["umount", point], check=True)
        shutil.rmtree(self.directory)


def missing_programs(*names: str) -> list[str]:
    """Return which programs are not on PATH."""
    return [name for name in names if shutil.which(name) is None]


def skip_without(*names: str) -> None:
    """Skip the test, by their names, if programs are missing."""
    if missing := missing_programs(*names):
        pytest.skip(f"not on PATH: {', '.join(missing)}")


@pytest.fixture(scope="session")
def session_store() -> Iterator[PodmanStore]:
    """A store with the image, made once."""
    skip_without("podman", "runc", "conmon", "tar")
    store = PodmanStore(directory=Path(tempfile.mkdtemp(prefix="rr-podman-", dir="/tmp")))
    store.write_configuration()
    try:
        store.make_image()
        try:
            store.podman("run", "--rm", IMAGE, "true")
        except AssertionError as error:
            pytest.skip(f"podman cannot run containers here: {error}")
        yield store
    finally:
        store.close()


@pytest.fixture
def podman_store(session_store: PodmanStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[PodmanStore]:
    """The store, which podman uses in this process; nothing is left in it at the end but its images."""
    for name, value in session_store.environment.items():
        monkeypatch.setenv(name, value)
    yield session_store
    assert session_store.containers() == []
    assert session_store.processes() == []
