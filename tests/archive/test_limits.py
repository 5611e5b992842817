"""Limits on archives: a bomb is refused before it goes off, and the error says what raises the limit."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from receptor_runner.archive.checks import ExtractionRules
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.limits import ArchiveLimits
from receptor_runner.archive.zip_writer import Meta, ZipWriter
from receptor_runner.errors import ArchiveError, ConfigError
from tests.archive.test_zip_writer import FILE

GIB = 1 << 30


def archive() -> BytesIO:
    """Return an archive of two files that hold 2000 bytes together."""
    file = BytesIO()
    with ZipWriter(file) as writer:
        for name in ("a", "b"):
            writer.add(Meta(name, FILE, 1), b"x" * 1000)
    return file


@pytest.mark.parametrize(
    ("limits", "name"),
    [(ArchiveLimits(entries=1), "ENTRIES"), (ArchiveLimits(size=1999), "SIZE")],
)
def test_what_exceeds_a_limit_is_not_extracted(tmp_path: Path, limits: ArchiveLimits, name: str) -> None:
    """Nothing is written of an archive with too many or too large files."""
    with pytest.raises(ArchiveError, match=f"raise RECEPTOR_RUNNER_MAX_ARCHIVE_{name}"):
        extract(archive(), tmp_path / "target", ExtractionRules(limits=limits))
    assert not (tmp_path / "target").exists()


def test_what_stays_within_the_limits_is_extracted(tmp_path: Path) -> None:
    """Exactly as much as the limits say is accepted."""
    extract(archive(), tmp_path, ExtractionRules(limits=ArchiveLimits(entries=2, size=2000)))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_bomb_is_known_by_its_ratio() -> None:
    """Two megabytes that hold two gigabytes are refused; a gigabyte of zeros, and a large project, are not."""
    limits = ArchiveLimits()
    with pytest.raises(ArchiveError, match="RATIO"):
        limits.check_size(2 * GIB, 2_000_000)
    limits.check_size(GIB, 1_000_000)
    limits.check_size(500 * GIB, 5 * GIB)


def test_the_environment_sets_limits() -> None:
    """Each limit has a variable; one that is not set keeps its default."""
    given = {"RECEPTOR_RUNNER_MAX_ARCHIVE_SIZE": "7", "RECEPTOR_RUNNER_MAX_ARCHIVE_RATIO": "9"}
    assert ArchiveLimits.from_environment(given) == ArchiveLimits(size=7, ratio=9)
    assert ArchiveLimits.from_environment({}) == ArchiveLimits()


@pytest.mark.parametrize("text", ["many", "-1", "1e9", "\u0663"])
def test_a_limit_that_is_not_a_number_is_an_error(text: str) -> None:
    """The error names the variable and what it holds."""
    with pytest.raises(ConfigError, match=re.escape(f"invalid RECEPTOR_RUNNER_MAX_ARCHIVE_ENTRIES `{text}`")):
        ArchiveLimits.from_environment({"RECEPTOR_RUNNER_MAX_ARCHIVE_ENTRIES": text})
