"""Where a config is checked: on the machine it is for, whose files can be looked at, or somewhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What may be looked at.

    Args:
        on_this_machine: whether the config is for this machine, so that its paths can be looked at.
        now: the time certificates are judged by, with a zone.
    """

    on_this_machine: bool
    now: datetime
