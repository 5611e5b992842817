"""What a check may look at besides the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where and when a config is checked.

    Args:
        on_this_machine: whether the config is for this machine, so that the paths in it can be checked.
        now: the time by which certificates are judged, with a time zone.
    """

    on_this_machine: bool
    now: datetime
