"""What the mesh tests share: the real daemon, and directories short enough for a unix socket."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def receptor_bin() -> str:
    """The path of the real daemon; the test is skipped where there is none."""
    found = os.environ.get("RECEPTOR_BIN") or shutil.which("receptor")
    if not found:
        pytest.skip("the receptor daemon is neither in RECEPTOR_BIN nor on PATH")
    return found


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a short name, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="rr", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
