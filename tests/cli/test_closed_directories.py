"""Directories in DIR that this user may not read are named, whatever the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from tests.harness import BIN, Commands, Finished, Project

WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")

Ours = Callable[..., Finished]


@pytest.fixture
def ours(commands: Commands, project: Project) -> Iterator[Ours]:
    """Run our command without root's right to read everything; afterwards all directories are open again."""
    closed = []

    def run(directory: str, *words: str) -> Finished:
        path = project.path / directory
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0)
        closed.append(path)
        prefix = WITHOUT_PRIVILEGE if os.geteuid() == 0 else ()
        return commands.run(*prefix, BIN / "receptor-runner", words[0], project.path, *words[1:])

    yield run
    for path in closed:
        path.chmod(0o700)


JOB = ("-p", "test.yml", "-i", "a")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ("inventory", ("run", *JOB)),
        ("inventory", ("submit", *JOB)),
        ("inventory", ("transmit", *JOB)),
        ("inventory", ("run", *JOB, "--slices", "2")),
        ("project", ("transmit", *JOB)),
        ("env", ("transmit", *JOB)),
        ("roles", ("transmit", *JOB)),
        *(
            (closed, words)
            for closed in ("artifacts", "artifacts/a")
            for words in (
                ("run", *JOB),
                ("transmit", *JOB),
                ("attach", "-i", "a"),
                ("cancel", "-i", "a"),
                ("jobs",),
                ("metrics",),
            )
        ),
    ],
)
def test_a_closed_directory_is_named(
    ours: Ours, project: Project, closed: str, words: tuple[str, ...]
) -> None:
    """It is an input that is missing, never a bug of ours and never the same as an empty one."""
    done = ours(closed, *words)
    assert (done.rc, done.stdout) == (66, b"")
    assert done.stderr.startswith(f"error: cannot read {project.path / closed}\n  cause: Permission denied\n")
