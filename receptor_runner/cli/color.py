"""Whether a stream gets color, and text without it."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from typing import Protocol

_COLOR_CODE = re.compile(r"\x1b\[[0-9;:]*m")


class When(StrEnum):
    """The values of `--color`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Stream(Protocol):
    """A stream that may be a terminal."""

    def isatty(self) -> bool:
        """Return whether it is one."""


_chosen = When.AUTO


def choose(when: When) -> None:
    """Set what `--color` says, for the rest of the process."""
    global _chosen  # noqa: PLW0603 - one command line, one process; the logger is shared in the same way
    _chosen = when


def is_wanted(stream: Stream) -> bool:
    """Decide for one stream: `--color`, then NO_COLOR, FORCE_COLOR, TERM=dumb, then whether it is a terminal."""
    if _chosen is not When.AUTO:
        return _chosen is When.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def without_color(text: str) -> str:
    """Return a text without its color codes; other control sequences stay."""
    return _COLOR_CODE.sub("", text) if "\x1b" in text else text
