"""The directory of a mesh on this machine: which one, whose it is, and which mesh is in it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.artifacts import write_atomically
from receptor_runner.errors import OutputFailed, UsageError, pasteable
from receptor_runner.mesh.local.processes import end_processes, receptor_processes
from receptor_runner.system.directories import state_directories
from receptor_runner.system.files import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receptor_runner.mesh.description import MeshDescription

MARKER = ".mesh.json"
"""No node id begins with a dot, so that the directory of a node cannot have this name."""

_LOCK = ".lock"
_SCHEMA = 1


def default_directory() -> Path:
    """Return this user's directory for a mesh: in the state directory, else in the temporary one."""
    for state in state_directories():
        return state / "mesh"
    return Path(tempfile.gettempdir(), f"receptor-runner-mesh-{os.geteuid()}")


class Claim(Enum):
    """What was found in a directory that was taken for a mesh.

    NEW: nothing; it is ours from now on.
    INCOMPLETE: this mesh, but its files are not all there: writing them was interrupted, or goes on.
    COMPLETE: this mesh, with all its files.
    """

    NEW = "new"
    INCOMPLETE = "incomplete"
    COMPLETE = "complete"


class MeshDirectory:
    """A directory that holds one mesh and nothing else; a marker file tells it from all other directories.

    Args:
        path: the directory; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        # Its processes are found by this path in their command lines, so that there must be one way to write it.
        self.path = path.resolve()

    def claim(self, description: MeshDescription) -> Claim:
        """Take the directory for a mesh.

        Raises:
            UsageError: something else, or another mesh, is in it.
            OutputFailed: it cannot be written.
        """
        if not self.holds_mesh():
            self._check_empty()
            return Claim.NEW if self._create_marker() else Claim.INCOMPLETE
        held = self._read()
        if held and held != _as_data(description):
            raise UsageError(
                f"{self.path} holds another mesh, or an older version of this one",
                hint="choose another directory with --dir, or stop that one: "
                + pasteable("receptor-runner", "mesh", "down", "--dir", self.path),
            )
        return Claim.COMPLETE if held else Claim.INCOMPLETE

    @contextlib.contextmanager
    def locked(self, description: MeshDescription, report: Callable[[str], None]) -> Iterator[Claim]:
        """Take the directory for a mesh, as `claim`, and keep other processes from doing so meanwhile.

        Args:
            description: the mesh.
            report: takes a line if another process has to be waited for.

        Raises:
            UsageError, OutputFailed: as `claim`.
        """
        with contextlib.ExitStack() as stack:
            while True:
                claim = self.claim(description)
                descriptor = self._open_lock()
                stack.callback(os.close, descriptor)
                _lock(
                    descriptor,
                    lambda: report(f"waiting for another process that is starting the mesh in {self.path}"),
                )
                if self._is_lock(descriptor):
                    break
            yield claim

    def _open_lock(self) -> int:
        try:
            return os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OutputFailed(f"cannot write {self.path}", cause=error.strerror) from error

    def _is_lock(self, descriptor: int) -> bool:
        """Return whether the lock is still there: whoever held it may have removed the directory."""
        try:
            return os.path.samestat(os.fstat(descriptor), (self.path / _LOCK).stat())
        except FileNotFoundError:
            return False

    def _create_marker(self) -> bool:
        """Create the marker of a mesh whose files are not there yet; return False if another process was faster."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / MARKER).touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            return False
        except OSError as error:
            raise OutputFailed(f"cannot write {self.path}", cause=error.strerror) from error
        return True

    def complete(self, description: MeshDescription) -> None:
        """Note that all files of a mesh are there: what was interrupted before that is written again.

        Raises:
            OutputFailed: it cannot be written.
        """
        marker = json.dumps({"schema": _SCHEMA, "mesh": _as_data(description)})
        try:
            write_atomically(self.path / MARKER, f"{marker}\n".encode())
        except OSError as error:
            raise OutputFailed(f"cannot write {self.path}", cause=error.strerror) from error

    def holds_mesh(self) -> bool:
        """Return whether a mesh of this user's is in it."""
        try:
            return (self.path / MARKER).stat().st_uid == os.geteuid()
        except OSError:
            return False

    def is_running(self) -> bool:
        """Return whether a daemon or a job of the mesh is running."""
        return bool(receptor_processes(self.path))

    def end(self) -> None:
        """End the daemons and the jobs of the mesh; its files stay."""
        end_processes(self.path)

    def remove(self) -> bool:
        """End what runs below it and remove it; return False if it does not exist.

        Raises:
            UsageError: it holds no mesh.
        """
        if not self.path.exists():
            return False
        if not self.holds_mesh():
            raise UsageError(
                f"{self.path} holds no mesh of yours",
                cause=f"there is no file {MARKER} of yours in it",
                hint="name the directory that `mesh up` was given with --dir",
            )
        self.end()
        # The marker goes last: a removal that is interrupted can be repeated.
        for entry in self.path.iterdir():
            if entry.name != MARKER:
                remove_tree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        remove_tree(self.path, check=True)
        return True

    def _check_empty(self) -> None:
        """Check that nothing is lost, or shown to others, if a mesh goes there."""
        if not self.path.exists():
            return
        hint = "choose another directory with --dir"
        # Anybody can make a directory of a known name in /tmp, and could then replace the files in it.
        if self.path.stat().st_uid != os.geteuid():
            raise UsageError(f"{self.path} belongs to another user", hint=hint)
        if not self.path.is_dir() or any(self.path.iterdir()):
            raise UsageError(
                f"{self.path} is not an empty directory",
                cause="it holds no mesh, and what is in it would be removed with the mesh",
                hint=hint,
            )

    def _read(self) -> dict[str, Any]:
        """Return the mesh whose files are there; nothing if they are not complete."""
        try:
            read: dict[str, Any] = json.loads((self.path / MARKER).read_text())["mesh"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return read


def _lock(descriptor: int, on_wait: Callable[[], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _as_data(description: MeshDescription) -> dict[str, Any]:
    """Return a description as JSON has it, without the lines of its file: a comment makes no other mesh."""
    data = dataclasses.asdict(description)
    for table in (data, *data["nodes"]):
        for name in ("line", "lines"):
            table.pop(name, None)
    as_json: dict[str, Any] = json.loads(json.dumps(data, default=_plain))
    return as_json


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else dict(value)  # type: ignore[call-overload] # a mapping
