"""Our wheel, built once for all processes of a test session."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def run_packaging(words: list[str], what: str) -> None:
    """Run a step of packaging; fail with what it was for and its last words."""
    done = subprocess.run(words, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        pytest.fail(f"{what} failed (does the package index answer?), exit code {done.returncode}:\n{last}")


@contextlib.contextmanager
def shared_directory(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Hold a directory that all processes of this test session share."""
    base = factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "package"
    directory.mkdir(exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory


def build_wheel(factory: pytest.TempPathFactory) -> Path:
    """Return our wheel; it is built if no process of this test session has done so."""
    with shared_directory(factory) as directory:
        if not list(directory.glob("*.whl")):
            build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(directory)]
            run_packaging(build, "building the wheel")
        (built,) = directory.glob("*.whl")
        return built
