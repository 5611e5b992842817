"""What the system says about files is no bug of ours."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from receptor_runner.cli.system_errors import explained
from receptor_runner.errors import MissingInput, OutputFailed
from tests.harness import OURS, Commands


@pytest.mark.parametrize(
    ("number", "kind", "lines"),
    [
        (
            errno.EACCES,
            MissingInput,
            ["error: cannot use /a b/c", "  cause: Permission denied", "  hint: ls -ld '/a b'"],
        ),
        (
            errno.ENOSPC,
            OutputFailed,
            ["error: cannot write /a b/c", "  cause: No space left on device", "  hint: df -h '/a b'"],
        ),
    ],
)
def test_a_path_is_named_with_a_command_that_shows_more(
    number: int, kind: type[Exception], lines: list[str]
) -> None:
    """Whether something is in the way there, or no room is left; as bytes too."""
    for name in ("/a b/c", b"/a b/c"):
        failure = explained(OSError(number, os.strerror(number), name))
        assert isinstance(failure, kind)
        assert failure.lines() == lines


def test_a_full_disk_without_a_name_is_told() -> None:
    """Where only a descriptor was written to, at least the cause is known."""
    failure = explained(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert isinstance(failure, OutputFailed)


@pytest.mark.parametrize(
    "failure", [OSError(errno.EINVAL, "Invalid argument", "x"), OSError("words"), ConnectionResetError()]
)
def test_anything_else_is_a_bug(failure: OSError) -> None:
    """It is shown as one, to be reported."""
    assert explained(failure) is None


def test_a_current_directory_that_is_gone_is_said(commands: Commands, tmp_path: Path) -> None:
    """Relative paths lead nowhere then."""
    script = 'mkdir "$0"; cd "$0"; rmdir "$0"; exec "$@"'
    done = commands.run("sh", "-c", script, tmp_path / "gone", OURS, "run", "demo", "-p", "site.yml")
    assert done.rc == 66
    assert "the current directory does not exist any more" in done.stderr
