"""Judges when certificates end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from receptor_runner.doctor.verdict import Fault, Verdict, failed, ok, warning
from receptor_runner.errors import pasteable
from receptor_runner.receptor_config.certificate_ends import CertificateEnd
from receptor_runner.receptor_config.certificates import SOON


def judge_ends(ends: Sequence[CertificateEnd], config: str, now: datetime) -> Verdict:
    """Judge the certificate that ends first.

    Args:
        ends: the certificates, at least one.
        config: the receptor.yml that names them.
        now: the moment.
    """
    facts = {"certificates": [_describe(end, now) for end in ends]}
    first = min(ends, key=lambda end: end.not_after)
    left = first.not_after - now
    hint = f"issue a new one and restart the node: {pasteable('receptor-runner', 'config', 'check', config)}"
    if left <= timedelta(0):
        return failed(f"{first.path} expired on {first.not_after:%Y-%m-%d}", Fault.MISCONFIGURED, hint, facts)
    if left < SOON:
        return warning(f"{first.path} ends on {first.not_after:%Y-%m-%d}, in {left.days} days", hint, facts)
    return ok(f"{len(ends)} files, the first ends in {left.days} days", facts)


def _describe(end: CertificateEnd, now: datetime) -> dict[str, object]:
    days = round((end.not_after - now) / timedelta(days=1), 2)
    return {"path": str(end.path), "not_after": end.not_after.isoformat(), "days_left": days}
