"""The operators' page: its commands, run in their order, lead to a mesh with TLS and signed work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import free_port

from mesh_lab import kill_below

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.usefixtures("receptor_bin")]

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


@pytest.fixture
def place(short_dir: Path) -> Iterator[Path]:
    """A directory to work in, whose daemons are gone at the end."""
    yield short_dir
    kill_below(short_dir)


@pytest.mark.timeout(180)
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page makes the signing pair with openssl")
def test_page_works_word_for_word(place: Path, receptor_bin: str) -> None:
    """Every command of the page succeeds, and the job's artifacts are there."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    script = "\n".join(["set -eo pipefail", *blocks, "wait"])
    for port in ("27199", "27200"):
        script = script.replace(port, str(free_port()))
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), str(Path(receptor_bin).parent), os.environ["PATH"]]
    )

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=place,
        env={**os.environ, "PATH": path},
        check=False,
        capture_output=True,
        text=True,
        timeout=170,
    )

    assert done.returncode in {0, 143}, done.stdout + done.stderr
    # The three warnings are about units below /tmp, where this test works.
    assert "0 errors, 3 warnings, 0 notes" in done.stderr
    for ident in ("first", "second"):
        assert (place / "demo" / "artifacts" / ident / "rc").read_text().strip() == "0"
    assert done.stdout.rstrip().endswith("{}")
