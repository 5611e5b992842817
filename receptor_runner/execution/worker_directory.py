"""The private data dir of a worker: created, checked before it is deleted, and removed at the end."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.artifacts import DIRECTORY_MODE
from receptor_runner.errors import OutputFailed, UsageError
from receptor_runner.system.claims import mark
from receptor_runner.system.directories import PREFIX
from receptor_runner.system.files import remove_tree
from receptor_runner.system.protected import Protected


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDirectory:
    """The private data dir of one worker.

    Attributes:
        private_data_dir: its path, or None for a new temporary directory that is removed at the end.
        delete: remove the named directory before and after the job, as `--delete` does.
    """

    private_data_dir: Path | None = None
    delete: bool = False

    def check(self) -> None:
        """Check that `--delete` may remove the directory.

        Raises:
            UsageError: it is a system directory, a home directory, or holds the current directory.
        """
        if self.private_data_dir is None or not self.delete:
            return
        path = self.private_data_dir.resolve()
        why = Protected().reason(path)
        if why or len(path.parts) <= 2:
            cause = f"it is {why or 'just below the root'}"
            raise UsageError(
                f"--delete would remove {path}", cause=cause, hint="use a directory that holds nothing else"
            )

    def open(self) -> Path:
        """Create the directory if it does not exist, and return it.

        Raises:
            OutputFailed: it cannot be created.
        """
        try:
            if self.private_data_dir is None:
                return _marked(Path(tempfile.mkdtemp(prefix=PREFIX)))
            directory = self.private_data_dir.resolve()
            if self.delete:
                remove_tree(directory)
            is_new = not directory.exists()
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            return _marked(directory) if is_new else directory
        except OSError as error:
            cause = f"{error.strerror}: {error.filename}"
            raise OutputFailed("cannot create the private data directory", cause=cause) from error

    @property
    def is_temporary(self) -> bool:
        """Whether the directory is removed when the worker ends."""
        return self.private_data_dir is None or self.delete

    def close(self, directory: Path) -> None:
        """Remove the directory if it is temporary."""
        if self.is_temporary:
            remove_tree(directory)


def _marked(directory: Path) -> Path:
    mark(directory)
    return directory
