"""The real daemon agrees with the linter: what cannot be started is refused, what is a trap is taken silently."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.receptor

HERE = Path(__file__).parent
FILES = sorted((HERE / "broken").glob("*.yml"))
LOUD = {"v1": "- log-level: info\n", "v2": "log-level:\n  level: info\n"}
SERVES = "Initialization complete"


def header(path: Path) -> list[str]:
    """Return the form of a file and what the daemon does with it, from its first line."""
    return path.read_text().split(maxsplit=3)[1:3]


def files(fate: str) -> list[Path]:
    """Return the broken files of one fate."""
    return [path for path in FILES if header(path)[1] == fate]


def serves(receptor_bin: str, path: Path, text: str, tmp_path: Path) -> bool:
    """Start the daemon with a text until it serves or ends; return whether it serves."""
    form = header(path)[0]
    config = tmp_path / "receptor.yml"
    config.write_text(text if "log-level" in text else text + LOUD[form])
    options = ["--config-v2"] if form == "v2" else []
    with subprocess.Popen(
        [receptor_bin, *options, "--config", str(config)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            return any(SERVES in line for line in process.stdout)
        finally:
            process.kill()


@pytest.mark.parametrize("path", files("refused"), ids=lambda path: path.stem)
def test_daemon_refuses(path: Path, fill: Callable[[Path], str], receptor_bin: str, tmp_path: Path) -> None:
    """A file that is marked as refused does not get the daemon to serve."""
    assert not serves(receptor_bin, path, fill(path), tmp_path)


@pytest.mark.parametrize("path", files("accepted"), ids=lambda path: path.stem)
def test_daemon_accepts(path: Path, fill: Callable[[Path], str], receptor_bin: str, tmp_path: Path) -> None:
    """A file that is marked as accepted holds a trap that the daemon does not see."""
    assert serves(receptor_bin, path, fill(path), tmp_path)
