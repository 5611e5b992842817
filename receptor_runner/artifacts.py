"""The artifacts directory of a job: names, modes, atomic writes.

Layout and modes are ansible-runner's: `artifacts/<ident>/` holds `command`, `stdout`, `stderr`, `rc`, `status`,
`job_events/<counter>-<uuid>.json` and `fact_cache/`; directories are 0700, files 0600.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path
from typing import IO

from receptor_runner.errors import OutputFailed, RunnerError
from receptor_runner.system.files import open_regular, read_regular

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC

KEY_NAME = "ssh_key_data"
CERTIFICATE_NAME = f"{KEY_NAME}-cert.pub"
"""The names that ansible-runner gives to a job's private key and to the signed certificate of that key."""

RECORD_NAME = "unit.json"
LOCK_NAME = "unit.lock"
CANCEL_NAME = "unit.cancel"
SPOOL_NAME = "archive.part"
INDEX_NAME = "slices.json"
RESERVED_NAMES = frozenset({RECORD_NAME, LOCK_NAME, CANCEL_NAME, SPOOL_NAME, INDEX_NAME})
"""Names in an artifacts directory that are ours: never packed, never taken from an archive."""

_TAIL_SIZE = 200
_SLICE_IDENT = re.compile(r"(.+)-slice-[1-9][0-9]*").fullmatch


def slice_ident(ident: str, number: int) -> str:
    """Return the ident of a slice, which is a job of its own below the same `artifacts/`.

    Args:
        ident: the ident of the sliced job.
        number: the slice, from 1.
    """
    return f"{ident}-slice-{number}"


def sliced_job_ident(ident: str) -> str | None:
    """Return the ident of the sliced job if an ident has the form of a slice's, else None."""
    match = _SLICE_IDENT(ident)
    return match[1] if match else None


def make_directory(path: Path) -> Path:
    """Create `path` and its missing parents, each 0700 whatever the umask says."""
    missing = [path, *path.parents]
    for directory in reversed([entry for entry in missing if not entry.is_dir()]):
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        directory.chmod(DIRECTORY_MODE)
    return path


def make_private(directory: Path) -> None:
    """Take the permissions of group and others away from a directory and all files in it; links stay as they are."""
    for parent, names, files in os.walk(directory):
        for name in (*names, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)


def write_atomically(path: Path, content: bytes, *, durable: bool = False, mode: int = FILE_MODE) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        path: the file; its directory must exist.
        content: all of it.
        durable: whether it must also survive a power cut (fsync of file and directory).
        mode: who may read it; by default only this user.
    """
    draft = draft_of(path)
    try:
        write_draft(draft, content, durable=durable, mode=mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def draft_of(path: Path) -> Path:
    """Return where this process writes a file that is to take the place of `path`.

    Raises:
        IsADirectoryError: the path has no name, such as `.` and `/`: it can only be a directory.
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_draft(draft: Path, content: bytes, *, durable: bool, mode: int) -> None:
    """Write a file that is to take the place of another; a link in its way is refused.

    Args:
        draft: the file.
        content: all of it.
        durable: whether it must be on disk then.
        mode: who may read it.
    """
    with open(os.open(draft, _WRITE_FLAGS, FILE_MODE), "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
        os.fchmod(file.fileno(), mode)  # the umask may have cut it down


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class writing:
    """Turns what the system says about a write below `directory` into our error."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, RunnerError):
            cause = error.strerror or str(error)
            if error.filename:
                cause += f": {error.filename}"
            raise OutputFailed(f"cannot write the artifacts in {self._directory}", cause=cause) from error


def open_directory(path: Path) -> int:
    """Make a directory 0700 unless it is there, and return a descriptor of it; a link is refused."""
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def open_at(path: Path, size: int) -> IO[bytes]:
    """Open a file of ours for reading and writing behind its first `size` bytes; the rest of it is cut off."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = open(os.open(path, flags, FILE_MODE), "r+b")  # noqa: SIM115 - the caller closes it
    file.truncate(size)
    file.seek(size)
    return file


def write_in(directory: int, name: str, content: bytes) -> None:
    """Write a file 0600 in an open directory."""
    descriptor = os.open(name, _WRITE_FLAGS, FILE_MODE, dir_fd=directory)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def read_rc(artifact_dir: Path) -> int | None:
    """Return the return code that the worker recorded, or None where it recorded none."""
    try:
        return int(read_regular(artifact_dir / "rc") or b"")
    except (OSError, ValueError):
        return None


def read_status(artifact_dir: Path) -> str | None:
    """Return the status that is recorded, or None where there is none."""
    try:
        content = read_regular(artifact_dir / "status")
        return None if content is None else content.decode()
    except (OSError, ValueError):
        return None


def last_output(artifact_dir: Path) -> str:
    """Return the end of the artifact `stdout`, to show it in an explanation; nothing where there is none."""
    with contextlib.suppress(OSError), open_regular(artifact_dir / "stdout") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_SIZE, 0))
        return file.read().decode(errors="replace").strip()
    return ""


def artifact_directory(private_data_dir: Path, artifact_dir: str | None, ident: str) -> Path:
    """Return the directory a job's artifacts go to on the worker."""
    base = Path(artifact_dir) if artifact_dir else private_data_dir / "artifacts"
    return base / ident
