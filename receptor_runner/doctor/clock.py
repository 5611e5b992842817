"""Judges the difference between two clocks."""

from __future__ import annotations

from datetime import datetime

from receptor_runner.doctor.verdict import Fault, Verdict, failed, ok, skipped, warning
from receptor_runner.receptor_config.values import read_duration_s

TOLERATED_S = 5.0
_HINT = "set both clocks by NTP: timedatectl status, on both machines"


def judge_clock(moment: float, before: float, after: float, token_expiration: str | None) -> Verdict:
    """Judge a clock that was read while we waited.

    Args:
        moment: what it showed (seconds since the epoch).
        before: what ours showed when we began to wait.
        after: what ours showed when the answer was there.
        token_expiration: how long a signature of ours is valid, as a Go duration; None without signed work.
    """
    # It was read at some moment of the wait, so only what lies outside of the wait is certain to be a difference.
    difference = min(moment - before, 0.0) or max(moment - after, 0.0)
    facts = {"difference_s": round(difference, 3), "uncertainty_s": round(after - before, 3)}
    if abs(difference) <= TOLERATED_S:
        return ok(f"the same as ours, within {after - before:.1f} s", facts)
    side = "ahead" if difference > 0 else "behind"
    summary = f"its clock is {abs(difference):.0f} s {side}"
    valid_s = read_duration_s(token_expiration) if token_expiration else None
    if valid_s is not None and difference >= valid_s:
        return failed(
            f"{summary}; signatures are valid for {token_expiration}", Fault.MISCONFIGURED, _HINT, facts
        )
    return warning(summary, _HINT, facts)


def judge_advertisement(last_seen: str | None, now: float) -> Verdict:
    """Judge a clock by the time in the node's last advertisement, which may be a minute old.

    Args:
        last_seen: that time (RFC 3339).
        now: what our clock shows.
    """
    try:
        ahead = datetime.fromisoformat(last_seen or "").timestamp() - now
    except ValueError:
        return skipped("its clock is not known")
    facts = {"difference_s": round(ahead, 3)}
    if ahead > TOLERATED_S:
        return warning(f"its clock is at least {ahead:.0f} s ahead", _HINT, facts)
    return skipped("its worker does not report the time")
