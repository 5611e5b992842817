"""The linter finds what is wrong, at its line, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from receptor_runner.receptor_config.findings import Finding, Severity
from receptor_runner.receptor_config.linter import check_text, count

Fill = Callable[[Path], str]

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.yml"))
SOUND = sorted((HERE / "sound").glob("*.yml"))
DOCUMENTED = sorted((HERE / "documented").glob("*.yml"))


def expected(text: str) -> list[tuple[int, str]]:
    """Return the (line, code) pairs that a file announces as `# <- code, code` on the line itself."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.search(r"# <- (.*)$", line)
        found += [(number, code.strip()) for code in match[1].split(",")] if match else []
    return sorted(found)


def told(findings: list[Finding]) -> list[tuple[int, str]]:
    """Return the findings as (line, code) pairs."""
    return sorted((finding.line, finding.code) for finding in findings)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_file_gets_its_findings(path: Path, fill: Fill) -> None:
    """Each broken file gets the findings it announces, at their lines, and no other."""
    text = fill(path)

    assert told(check_text(text)) == expected(text)


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_documented_config_is_not_flagged_wrongly(path: Path, fill: Fill) -> None:
    """What Receptor's documentation shows gets no finding but the true ones it announces."""
    text = fill(path)

    assert told(check_text(text)) == expected(text)


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_sound_file_gets_no_finding(path: Path, fill: Fill) -> None:
    """What looks odd but serves the daemon well is not flagged."""
    assert check_text(fill(path)) == []


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_refused_file_has_an_error(path: Path, fill: Fill) -> None:
    """What the daemon refuses is an error, not a mere warning."""
    text = fill(path)

    assert "refused" not in text.splitlines()[0] or count(check_text(text))[Severity.ERROR]
