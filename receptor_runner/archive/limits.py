"""How much an archive may hold: a few bytes can inflate to what fills a disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from receptor_runner.errors import ArchiveError, ConfigError

_PREFIX = "RECEPTOR_RUNNER_MAX_ARCHIVE_"
_GIB = 1 << 30
RATIO_FROM_SIZE = _GIB
"""Up to this size nobody asks how well an archive is compressed: a file of zeros is no attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What no archive may exceed; the defaults are far beyond what projects and artifacts hold.

    Attributes:
        entries: how many files, directories and links it may hold.
        size: bytes that its files may have in all.
        ratio: how many times the archive's size that may be, for archives that hold more than a gigabyte.
    """

    entries: int = 1_000_000
    size: int = 1024 * _GIB
    ratio: int = 200

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the limits that `RECEPTOR_RUNNER_MAX_ARCHIVE_ENTRIES`, `_SIZE` and `_RATIO` set.

        Raises:
            ConfigError: one of them is not a whole number.
        """
        given = {}
        for name in ("entries", "size", "ratio"):
            text = environment.get(_variable(name))
            if text:
                given[name] = _number(_variable(name), text)
        return cls(**given)

    def check_entries(self, count: int) -> None:
        """Raise ArchiveError if an archive holds too many entries."""
        if count > self.entries:
            raise _exceeded(f"holds {count} entries, more than {self.entries}", "entries")

    def check_size(self, size: int, archive_size: int) -> None:
        """Raise ArchiveError if an archive's files are too large in all, or too large for the archive.

        Args:
            size: bytes of all files.
            archive_size: bytes of the archive.
        """
        if size > self.size:
            raise _exceeded(f"holds {size} bytes, more than {self.size}", "size")
        if size > RATIO_FROM_SIZE and size > self.ratio * archive_size:
            raise _exceeded(
                f"of {archive_size} bytes holds {size}, more than {self.ratio} times that", "ratio"
            )


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"invalid {variable} `{text}`", cause="it must be a whole number")
    return int(text)


def _exceeded(what: str, name: str) -> ArchiveError:
    return ArchiveError(
        f"the archive {what}", cause=f"if it is meant to, raise {_variable(name)} where it is extracted"
    )
