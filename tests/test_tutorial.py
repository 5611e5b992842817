"""The tutorial: its commands, run in their order, lead from a repository to a job on another node."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness import BIN, kill_processes_of

pytestmark = [pytest.mark.receptor, pytest.mark.slow]

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"


@pytest.mark.timeout(300)
def test_the_tutorial_works_word_for_word(
    short_dir: Path, environment: dict[str, str], receptor_bin: str
) -> None:
    """Every command succeeds, what is ignored stays, and the job runs on the second node."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    script = "\n".join(["set -eo pipefail", *blocks])
    path = os.pathsep.join([str(BIN), str(Path(receptor_bin).parent), os.environ["PATH"]])
    log = short_dir / "log"
    try:
        with log.open("w") as output:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=short_dir,
                env={**environment, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
    finally:
        kill_processes_of(short_dir)
    text = log.read_text()
    assert done.returncode == 0, text
    assert text.count("project/docs/handbook.md") == 0
    assert text.count("A secret hello from") == 3
    assert "on worker" in text.partition("A secret hello from")[2]
    assert (short_dir / "demo" / "artifacts" / "second" / "rc").read_text() == "0"
    assert not (short_dir / "mesh").exists()
