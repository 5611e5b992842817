"""In what our worker may differ from the peer's, each with its reason; all else must be equal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from receptor_runner.execution.redaction import REDACTED
from tests.interop.compare import ABSENT, Difference

EVERY = ("every job",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A difference that is meant.

    Attributes:
        event: a pattern of the kinds of event it is about.
        field: a pattern of their fields.
        reason: why it is meant.
        jobs: in which jobs it is allowed; in each of them it must appear.
        fits: whether the two values, the peer's and ours, differ just as meant.
    """

    event: str
    field: str
    reason: str
    jobs: tuple[str, ...]
    fits: Callable[[Any, Any], bool]

    def is_for(self, job: str) -> bool:
        """Whether it is for a job."""
        return self.jobs == EVERY or job in self.jobs

    def covers(self, difference: Difference) -> bool:
        """Whether a difference is the meant one."""
        return (
            re.fullmatch(self.event, difference.event) is not None
            and re.fullmatch(self.field, difference.field) is not None
            and self.fits(difference.peer, difference.ours)
        )


def anything(_peer: Any, _ours: Any) -> bool:
    """Whatever the values are."""
    return True


def only_ours(peer: Any, _ours: Any) -> bool:
    """What the peer lacks."""
    return bool(peer == ABSENT)


HIDDEN_ERRORS = ("no-log", "no-log-verbose")
START = "status|artifact command"

RULES = (
    Rule(
        event=START,
        field="/env/ANSIBLE_(CALLBACK_PLUGINS|STDOUT_CALLBACK)",
        reason="events are sent by a callback plugin of our own",
        jobs=EVERY,
        fits=lambda _peer, ours: "receptor_runner" in ours,
    ),
    Rule(
        event=START,
        field="/env/.*",
        reason="the environment goes to logs; only variables that cannot hold a secret are shown",
        jobs=EVERY,
        fits=lambda _peer, ours: ours == REDACTED,
    ),
    Rule(
        event="artifact (fact_cache|my_facts)/s1_.*",
        field="/ansible_env/ANSIBLE_(CALLBACK_PLUGINS|STDOUT_CALLBACK)",
        reason="a host's environment, among its facts, shows the callback plugin of the worker",
        jobs=("facts", "all-facts", "fact-cache"),
        fits=lambda _peer, ours: "receptor_runner" in ours,
    ),
    Rule(
        event="artifact fact_cache/",
        field="",
        reason="the directory of facts is made before ansible starts, so that it is private from the first moment",
        jobs=("playbook-missing", "binary", "binary-missing", "job-timeout", "timeout", "idle-timeout"),
        fits=only_ours,
    ),
    Rule(
        event="status",
        field="/suppress_output_file|/keys/.*",
        reason="the worker says that process shall keep no output file either",
        jobs=("no-output-file",),
        fits=anything,
    ),
    Rule(
        event="status",
        field="/job_explanation|/keys/2",
        reason="a job that was stopped says why; ansible-runner says nothing",
        jobs=("job-timeout", "timeout", "idle-timeout"),
        fits=only_ours,
    ),
    Rule(
        event="runner_on_ok",
        field="/event_data/res(/.*)?",
        reason="a result over MAX_EVENT_RES is shortened and marked; ansible-runner empties it silently",
        jobs=("big-result", "big-result-verbose"),
        fits=lambda peer, _ours: peer in ({}, ABSENT),
    ),
    Rule(
        event="runner_(item_)?on_failed",
        field="/stdout|/lines",
        reason="ansible hides a no_log result but shows its error, whose message may hold the secret; we show neither",
        jobs=HIDDEN_ERRORS,
        fits=lambda peer, ours: isinstance(peer, int) or ("[ERROR]" in peer and peer.endswith(ours)),
    ),
    Rule(
        event="artifact stdout",
        field="line",
        reason="nor is that error in the output",
        jobs=HIDDEN_ERRORS,
        fits=lambda _peer, ours: bool(ours == ABSENT),
    ),
    Rule(
        event=".*",
        field="/(start|end)_line",
        reason="nor does it count as lines",
        jobs=HIDDEN_ERRORS,
        fits=lambda peer, ours: bool(peer > ours),
    ),
    Rule(
        event=START,
        field="/command/.*",
        reason="ansible-runner cannot do this over the stream and gets the same by its command line",
        jobs=("inventories", "extravars-as-text"),
        fits=anything,
    ),
)
