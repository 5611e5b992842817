"""What may differ when a phase is ours, each with its reason; all else must be equal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.interop.phases import OURS, Difference, Mix

SECRETLESS = "**redacted**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A difference that is meant.

    Attributes:
        name: what it is.
        reason: why it is meant.
        phase: which phase must be ours for it to appear.
        path: a pattern of the paths it is about.
        fits: whether the two values differ just as meant; `...` stands for one that is not there.
        example: a job in which it appears.
    """

    name: str
    reason: str
    phase: str
    path: str
    fits: Callable[[Any, Any], bool]
    example: str

    def covers(self, mix: Mix, difference: Difference) -> bool:
        """Whether this difference is the meant one."""
        return (
            getattr(mix, self.phase) == OURS
            and re.fullmatch(self.path, difference.path) is not None
            and self.fits(difference.wanted, difference.found)
        )


RULES = (
    Rule(
        name="process-tells-the-truth",
        reason="ansible-runner's process exits 0 whatever happened; ours exits with the job's return code",
        phase="process",
        path="/codes/process",
        fits=lambda wanted, found: wanted == 0 and found in {1, 2},
        example="failed",
    ),
    Rule(
        name="values-that-may-be-secret",
        reason="the environment in `command` goes to logs; only variables that cannot hold a secret are shown",
        phase="worker",
        path="/command/env/.*",
        fits=lambda _wanted, found: found == SECRETLESS,
        example="playbook",
    ),
    Rule(
        name="own-callback",
        reason="events are sent by a callback plugin of our own",
        phase="worker",
        path="/command/env/ANSIBLE_(CALLBACK_PLUGINS|STDOUT_CALLBACK)",
        fits=lambda _wanted, found: "receptor_runner" in found,
        example="playbook",
    ),
    Rule(
        name="private-artifacts",
        reason="every artifact is for its owner alone; ansible-runner leaves stderr and facts to the umask",
        phase="worker",
        path="/modes/(stderr|fact_cache)",
        fits=lambda _wanted, found: found in {"0o100600", "0o40700"},
        example="playbook",
    ),
)
