"""A job in a container, by whichever engine: its paths, its programs, its end."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.errors import ConfigError, MissingInput
from receptor_runner.execution.command import Plan
from receptor_runner.execution.end import End
from receptor_runner.execution.event_channel import VARIABLE, EventChannel
from receptor_runner.execution.guardian_client import GuardianClient, Program, StopContainer
from receptor_runner.execution.isolation.container_engine import Engine, call, call_until_done
from receptor_runner.execution.isolation.container_spec import (
    ContainerSpec,
    split_pull_policy,
    variables_set_by,
)
from receptor_runner.execution.isolation.container_words import judge_container, judge_pull
from receptor_runner.execution.isolation.foreign_files import has_foreign_files
from receptor_runner.execution.isolation.image_pull import PULL, ImagePull
from receptor_runner.execution.isolation.job_directory import JobDirectory
from receptor_runner.job import Job
from receptor_runner.outcome import Outcome

HOME_INSIDE = Path("/runner")
OURS_INSIDE = Path("/run/receptor-runner")
MOUNTED_INSIDE = OURS_INSIDE / "job"

CONTAINER = "container"

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_REFUSED_SOURCES = frozenset({"/", "/home", "/usr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a job's options say about its container, checked.

    Attributes:
        image: the image.
        pull_policy: always, missing, never or newer.
        options: further options of the engine, without the pull policy.
        mounts: mounts of the caller.
        workdir: the working directory, if it is named.
        host_cwd: a directory that the container sees where it is here, if it exists.
        name: a name that no other container has.
    """

    image: str
    pull_policy: str
    options: tuple[str, ...]
    mounts: tuple[str, ...]
    workdir: Path | None
    host_cwd: Path | None
    name: str

    @classmethod
    def read(cls, job: Job, ident: str) -> Wanted:
        """Read a job's options.

        Raises:
            ConfigError: the image is missing, or an option cannot be used.
        """
        if not job.container_image:
            raise ConfigError(
                "process_isolation needs a container_image",
                hint="name one with --container-image, or leave out --process-isolation",
            )
        mounts = tuple(job.container_volume_mounts or ())
        for mount in mounts:
            if mount.partition(":")[0].rstrip("/") in {source.rstrip("/") for source in _REFUSED_SOURCES}:
                raise ConfigError(
                    f"container_volume_mounts: `{mount}` is refused",
                    cause="/, /home and /usr are never mounted into a container",
                    hint="mount the directory below that the job needs",
                )
        policy, options = split_pull_policy(tuple(job.container_options or ()))
        host_cwd = Path(job.host_cwd) if job.host_cwd and Path(job.host_cwd).exists() else None
        return cls(
            image=job.container_image,
            pull_policy=policy,
            options=options,
            mounts=mounts,
            workdir=Path(job.container_workdir) if job.container_workdir else None,
            host_cwd=host_cwd,
            # Idents are unique for one sender only, and a container of the same name is somebody else's.
            name=f"ansible_runner_{_NOT_IN_NAMES.sub('_', ident)}_{uuid.uuid4().hex[:8]}",
        )


class Container:
    """One job's container.

    Args:
        engine: the engine.
        job: the job, its options joined with the settings.
        private_data_dir: its files.
        artifact_dir: where its artifacts go.
        ident: its ident.

    Raises:
        ConfigError: an option is missing or cannot be used.
        MissingInput: the engine is not here.
    """

    shares_paths = False

    def __init__(
        self, engine: Engine, job: Job, private_data_dir: Path, artifact_dir: Path, ident: str
    ) -> None:
        self._engine = engine
        self._wanted = Wanted.read(job, ident)
        wanted = self._wanted
        self._pull = ImagePull(engine, wanted.image, wanted.pull_policy, job.container_auth_data)
        self._private_data_dir = private_data_dir
        self._project_dir = Path(job.project_dir) if job.project_dir else private_data_dir / "project"
        self._moves = _moves(job, private_data_dir, artifact_dir)
        if shutil.which(engine.executable) is None:
            raise MissingInput(
                f"the container engine `{engine.executable}` is not found on this worker",
                hint=f"install {Path(engine.executable).name} on the node, or name another engine with "
                "--process-isolation-executable",
            )
        self._directory: JobDirectory | None = None
        self._runs = False

    @property
    def callback_directory(self) -> Path:
        """Where the copy of the plugin is mounted."""
        return MOUNTED_INSIDE / "callback"

    def base_environment(self, worker: Mapping[str, str]) -> Mapping[str, str]:
        """Return next to nothing: a job has the environment of its image."""
        return self._engine.variables

    def inside(self, path: Path) -> Path:
        """Return where the job finds a path: below /runner if it is in the private data dir."""
        for host, inside in self._moves.items():
            if path.is_relative_to(host):
                return inside / path.relative_to(host)
        return path

    def shared(self, path: Path) -> Path:
        """Return where the job finds what is in a directory made for it."""
        return OURS_INSIDE / path.parent.name / path.name

    def working_directory(self, planned: Path) -> Path:
        """Return the working directory: what the job names, else the project.

        Source: ansible-runner's rule, also for modules. A missing project it leaves to the engine, which makes one.
        """
        named = self._wanted.workdir or self._wanted.host_cwd
        if named or planned not in {self._project_dir, self._private_data_dir}:
            return named or HOME_INSIDE / "project"  # a copy of the project takes its place
        return self.inside(self._project_dir) if self._project_dir.is_dir() else HOME_INSIDE

    def open(self, guardian: GuardianClient) -> None:
        """Make the directory through which we talk to the container."""
        self._directory = JobDirectory()
        self._directory.watch(guardian)

    def preparation(self) -> Program | None:
        """Return the program that pulls the image, if one is needed."""
        assert self._directory
        return self._pull.program(self._directory.path)

    def wrap(self, plan: Plan) -> Program:
        """Return the engine's client that runs the plan's command in a container, and hand it the environment."""
        assert self._directory
        taken = variables_set_by(self._wanted.options)
        variables = {name: value for name, value in plan.env.items() if name not in taken}
        self._directory.write_variables({**variables, VARIABLE: str(MOUNTED_INSIDE / "events")})
        name = self._wanted.name
        return Program(
            name=CONTAINER,
            argv=self._engine.run(self._spec(plan, self._directory)),
            # The job's variables must not reach the engine itself: PATH or CONTAINERS_CONF would change it.
            env=dict(os.environ),
            cwd=self._private_data_dir,
            terminal=True,
            descriptors={},
            stop=StopContainer(
                interrupt=self._engine.interrupt(name),
                remove=self._engine.remove(name),
                reclaim=self._engine.reclaim,
            ),
        )

    def _spec(self, plan: Plan, directory: JobDirectory) -> ContainerSpec:
        own = {inside: host for host, inside in self._moves.items()}
        if plan.copy:
            own[HOME_INSIDE / "project"] = plan.copy
        mounts = [f"{host}/:{inside}/:Z" for inside, host in own.items()]
        ours = [f"{directory.mounted}:{MOUNTED_INSIDE}:ro,Z"]
        ours += [f"{shared}:{OURS_INSIDE / shared.name}:Z" for shared in plan.shared]
        host_cwd = self._wanted.host_cwd
        return ContainerSpec(
            name=self._wanted.name,
            directory=self._private_data_dir,
            image=self._wanted.image,
            options=self._wanted.options,
            host_mounts=(f"{host_cwd}/:{host_cwd}/",) if host_cwd else (),
            workdir=plan.cwd,
            mounts=(*mounts, *self._wanted.mounts, *ours),
            command=("python3", str(MOUNTED_INSIDE / "start.py"), *plan.command),
        )

    def open_channel(self) -> EventChannel:
        """Open the channel of the container, which is going to start now: the login is not needed any more."""
        assert self._directory
        self._pull.close(self._directory.path)
        self._runs = True
        return self._directory.open_channel()

    def judge(self, program: Program, end: End) -> Outcome | None:
        """Return the outcome where the engine decided it."""
        assert self._directory
        if program.name == PULL:
            return judge_pull(end, program.argv[0], self._wanted.image)
        if program.name == CONTAINER:
            self._runs = False
            return judge_container(end, self._directory.take_reports(), program.argv[0], self._wanted.image)
        return None

    def close(self) -> None:
        """Remove the directory and the container, and make the job's files ours."""
        if self._directory:
            self._pull.close(self._directory.path)
            self._directory.close()
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if self._runs:  # its session did not see its end: the guardian is gone
                call_until_done(self._engine.remove(self._wanted.name))
            if self._engine.reclaim and has_foreign_files(self._private_data_dir):
                call((*self._engine.reclaim, str(self._private_data_dir)))


def _moves(job: Job, private_data_dir: Path, artifact_dir: Path) -> dict[Path, Path]:
    """Return which directories of this machine are where inside.

    Raises:
        ConfigError: one cannot be mounted.
    """
    moves = {private_data_dir: HOME_INSIDE}
    if not artifact_dir.is_relative_to(private_data_dir):
        moves = {artifact_dir: OURS_INSIDE / "artifacts", **moves}
    if job.project_dir and not Path(job.project_dir).is_relative_to(private_data_dir):
        moves = {Path(job.project_dir): HOME_INSIDE / "project", **moves}
    for directory in moves:
        if ":" in str(directory):
            raise ConfigError(
                f"{directory} cannot be mounted into a container", cause="its name has a colon in it"
            )
    return moves
