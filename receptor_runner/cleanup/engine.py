"""What a clean-up asks a container engine: to remove names of images, images without a name, and containers of jobs."""

from __future__ import annotations

import fnmatch
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.errors import MissingInput, RunnerError, WorkerFailed
from receptor_runner.execution.isolation.container_spec import DIRECTORY_LABEL
from receptor_runner.execution.isolation.docker import Docker
from receptor_runner.execution.isolation.podman import Podman

_NAMES = "--format={{.Repository}}:{{.Tag}}"
_NO_NAME = "<none>"
_NOTHING_PRUNED = {"", "Total reclaimed space: 0B"}
_LABEL = f'(index .Config.Labels "{DIRECTORY_LABEL}")'
_CONTAINER = "[{{json .Name}}, {{json .State.Status}}, {{json " + _LABEL + "}}]"
_OVER = {"exited", "dead"}


def _is_meant(name: str, wanted: str) -> bool:
    """Whether a full name is the wanted one, which may lack the registry or the tag, or be a pattern."""
    repository = name.rpartition(":")[0]
    tails = [
        whole.split("/", start)[-1] for whole in (name, repository) for start in range(name.count("/") + 1)
    ]
    return any(fnmatch.fnmatchcase(tail, wanted) for tail in tails)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContainer:
    """The container of a job.

    Attributes:
        name: its name.
        directory: the private data directory of the job.
        is_over: whether nothing runs in it any more.
    """

    name: str
    directory: Path
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine: podman, docker, or what takes the same words.

    Attributes:
        executable: its name or path.
    """

    executable: str

    def names(self, wanted: str) -> list[str]:
        """Return the names of images that an image option means.

        Args:
            wanted: a name, with or without tag and registry, or a pattern of one.

        Raises:
            RunnerError: the engine is missing, or failed.

        Source: asked for one name, podman 4 lists every other name of that image too.
        """
        found = self._run("images", _NAMES, wanted).split()
        return [name for name in found if _NO_NAME not in name and _is_meant(name, wanted)]

    def untag(self, name: str) -> int:
        """Take a name away from its image; return how many are gone.

        Layers, and containers that run, stay.

        Raises:
            RunnerError: the engine is missing, or failed.

        Source: `podman rmi` would kill running containers, and `podman untag` without a second word takes away every
        name of the image; `docker rmi` only takes away the name.
        """
        if Path(self.executable).name == "podman":
            self._run("untag", name, name)
            return 1
        return self._run("rmi", name, "-f").count("Untagged:")

    def nameless(self) -> int:
        """Return how many images a prune would find."""
        return len(self._run("images", "--filter", "dangling=true", "--quiet").split())

    def prune(self) -> bool:
        """Remove images without a name; return whether there were any.

        Raises:
            RunnerError: the engine is missing, or failed.
        """
        return self._run("image", "prune", "-f") not in _NOTHING_PRUNED

    @property
    def is_installed(self) -> bool:
        """Whether it is on this machine."""
        return shutil.which(self.executable) is not None

    def job_containers(self) -> list[JobContainer]:
        """Return the containers of this tool's jobs; the engine takes them away when a job ends.

        Raises:
            RunnerError: the engine is missing, or failed.
        """
        listed = self._run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={DIRECTORY_LABEL}")
        return [found for name in listed.split() if (found := self._inspect(name))]

    def _inspect(self, container: str) -> JobContainer | None:
        """Return what a container is, or None if it is gone by now."""
        try:
            name, state, directory = json.loads(
                self._run("container", "inspect", "--format", _CONTAINER, container)
            )
        except WorkerFailed:
            return None
        return JobContainer(name=name.removeprefix("/"), directory=Path(directory), is_over=state in _OVER)

    def remove_container(self, name: str) -> None:
        """End and remove a container, whatever state it is in.

        Raises:
            RunnerError: the engine is missing, or failed.
        """
        kind = Podman if Path(self.executable).name == "podman" else Docker
        self._run(*kind(executable=self.executable).remove(name)[1:])

    def _run(self, *words: str) -> str:
        """Run the engine; return what it prints."""
        try:
            done = subprocess.run(
                [self.executable, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise self._missing(error) from error
        if done.returncode:
            raise self._failed(words, done)
        return done.stdout.strip()

    def _missing(self, error: OSError) -> RunnerError:
        return MissingInput(
            f"the container engine `{self.executable}` cannot be run",
            cause=error.strerror,
            hint="install it, name another with --process-isolation-executable, or leave the image options out",
        )

    def _failed(self, words: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> RunnerError:
        said = " ".join((done.stderr or done.stdout).split())
        return WorkerFailed(
            f"`{self.executable} {' '.join(words)}` failed",
            cause=said[-500:] or f"exit status {done.returncode}",
        )
