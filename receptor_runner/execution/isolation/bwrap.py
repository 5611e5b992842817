"""bubblewrap: a job in a sandbox that sees a part of this machine's files and its own processes only."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from receptor_runner.errors import MissingInput
from receptor_runner.execution.command import CALLBACK_DIRECTORY, Plan
from receptor_runner.execution.end import End
from receptor_runner.execution.event_channel import DESCRIPTOR, VARIABLE, EventChannel
from receptor_runner.execution.guardian_client import GuardianClient, Program, StopBelow
from receptor_runner.job import Job
from receptor_runner.outcome import Outcome, Status

_SYSTEM = ("/bin", "/etc", "/opt", "/usr")
_LINKS = (("usr/lib", "/lib"), ("usr/lib64", "/lib64"))
_STARTS = "bwrap: "


class Bwrap:
    """One job's sandbox.

    Args:
        executable: bwrap, or a path to it.
        job: the job, its options joined with the settings.
        private_data_dir: its files.
        artifact_dir: where its artifacts go.

    Raises:
        MissingInput: bwrap is not here.
    """

    shares_paths = True

    def __init__(self, executable: str, job: Job, private_data_dir: Path, artifact_dir: Path) -> None:
        if shutil.which(executable) is None:
            raise MissingInput(
                f"the sandbox `{executable}` is not found on this worker",
                hint="install bubblewrap on the node, or name another engine with --process-isolation-executable",
            )
        self._executable = executable
        self._private_data_dir = private_data_dir
        self._artifact_dir = artifact_dir
        self._hidden = _paths(job.process_isolation_hide_paths)
        self._shown = _paths(job.process_isolation_show_paths)
        self._read_only = _paths(job.process_isolation_ro_paths)

    @property
    def callback_directory(self) -> Path:
        """The plugin's directory in the package."""
        return CALLBACK_DIRECTORY

    def base_environment(self, worker: Mapping[str, str]) -> Mapping[str, str]:
        """Return the worker's environment; a temporary directory that is not visible inside is left out."""
        visible = Path(worker.get("TMPDIR", "/tmp")).resolve() == Path("/tmp").resolve()  # noqa: S108 - made inside
        return worker if visible else {name: worker[name] for name in worker if name != "TMPDIR"}

    def inside(self, path: Path) -> Path:
        """Return the path itself."""
        return path

    def shared(self, path: Path) -> Path:
        """Return the path itself."""
        return path

    def working_directory(self, planned: Path) -> Path:
        """Return the planned one."""
        return planned

    def open(self, guardian: GuardianClient) -> None:
        """Create nothing: the sandbox's own directories exist in its memory only."""

    def preparation(self) -> Program | None:
        """Return None: nothing has to run before."""
        return None

    def wrap(self, plan: Plan) -> Program:
        """Return bwrap with the plan's command."""
        argv = [self._executable, "--die-with-parent", "--unshare-pid"]
        argv += ["--dev-bind", "/dev", "/dev", "--proc", "/proc", "--dir", "/tmp"]  # noqa: S108 - its own
        for path in _SYSTEM:
            argv += ["--ro-bind-try", path, path]
        for target, link in _LINKS:
            argv += ["--symlink", target, link]
        argv += self._mounts(plan)
        argv += ["--chdir", str(plan.cwd), *plan.command]
        return Program(
            name=plan.command[0],
            argv=argv,
            env={**plan.env, VARIABLE: str(DESCRIPTOR)},
            cwd=plan.cwd,
            terminal=True,
            descriptors={},
            stop=StopBelow(below=Path(self._executable).name),
        )

    def _mounts(self, plan: Plan) -> list[str]:
        """Return the options for all paths, parents before what is below them: the nearest one counts for a path."""
        root = self._private_data_dir.resolve()
        further = {path.resolve() for path in (self._artifact_dir, plan.cwd, *plan.shared)}
        own = {root, *(path for path in further if not path.is_relative_to(root))}
        kinds = [
            ("--ro-bind", {*self._read_only, *_programs(plan)}),
            ("--bind", {*self._shown, *own}),
            ("", self._hidden),
        ]
        chosen = {path: option for option, paths in kinds for path in paths if path.exists() or path in own}
        words: list[str] = []
        for path in sorted(chosen):
            if option := chosen[path]:
                words += [option, str(path), str(path)]
            elif path.is_dir():
                words += ["--tmpfs", str(path)]
            else:
                words += ["--ro-bind", os.devnull, str(path)]
        return words

    def open_channel(self) -> EventChannel:
        """Open a pipe that the job inherits."""
        return EventChannel.inherited()

    def judge(self, program: Program, end: End) -> Outcome | None:
        """Return an error where bwrap itself failed, which it says in one line; it exits 1 then, as a job may."""
        last = end.last_text.strip().rpartition("\n")[2].strip()
        is_ours = program.argv[0] == self._executable and end.exit is not None and end.exit.code == 1
        if is_ours and last.startswith(_STARTS) and "execvp" not in last:
            why = f"bwrap cannot start the job: {last.removeprefix(_STARTS)}"
            return Outcome(status=Status.ERROR, rc=1, explanation=why)
        return None

    def close(self) -> None:
        """Remove nothing: the sandbox is gone with its last process."""


def _paths(given: str | list[str] | None) -> set[Path]:
    return {Path(path).resolve() for path in ([given] if isinstance(given, str) else given or ())}


def _programs(plan: Plan) -> Iterable[Path]:
    """Return what has to be visible for the command to run: the plugin, the resolver's file, an ansible of our own."""
    yield CALLBACK_DIRECTORY.resolve()
    yield Path("/etc/resolv.conf").resolve()  # often a link to what is not visible
    program = shutil.which(plan.command[0], path=plan.env.get("PATH"))
    for prefix in map(Path, (sys.prefix, sys.base_prefix)):
        is_ours = program is not None and Path(program).is_relative_to(sys.prefix)
        if is_ours and not prefix.is_relative_to("/usr"):
            yield prefix.resolve()
