"""The figures as text in the OpenMetrics format.

Only gauges and one histogram are used: the same text is then also valid in the older format of Prometheus, which the
textfile collector of node_exporter reads. Counters would be wrong anyway: when records are pruned, the figures fall.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from receptor_runner.metrics.snapshot import Snapshot
from receptor_runner.outcome import Status

PREFIX = "receptor_runner"
BUCKETS_S = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_DAY = timedelta(days=1)


def expose(snapshot: Snapshot) -> str:
    """Return the figures as text."""
    registry = CollectorRegistry()
    registry.register(_Figures(snapshot))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # this module of theirs has no types
    return text.decode()


class _Figures(Collector):
    """Hands the figures to prometheus_client."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield _jobs(self._snapshot)
        yield _durations(self._snapshot.durations_s)
        yield _gauge("sent_bytes", "Payload sent for recorded jobs.", self._snapshot.sent_bytes)
        yield _gauge("received_bytes", "Results received of recorded jobs.", self._snapshot.received_bytes)
        yield _gauge("units_left", "Units of ended jobs that were not released.", self._snapshot.units_left)
        yield _certificates(self._snapshot)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _jobs(snapshot: Snapshot) -> Metric:
    """Return the jobs by node and state. States without jobs are there with 0, so that an alert can rely on them."""
    family = GaugeMetricFamily(f"{PREFIX}_jobs", "Recorded jobs by node and state.", labels=("node", "state"))
    nodes = {node for node, _state in snapshot.jobs}
    known = {(node, status.value) for node in nodes for status in Status}
    for node, state in sorted(known | set(snapshot.jobs)):
        family.add_metric((node, state), snapshot.jobs.get((node, state), 0))
    return family


def _durations(durations_s: Sequence[float]) -> Metric:
    ordered = sorted(durations_s)
    # A bucket counts what is at most its bound: bisect_right counts equal durations too.
    buckets = [(str(float(bound)), bisect_right(ordered, bound)) for bound in BUCKETS_S]
    buckets.append(("+Inf", len(ordered)))
    return HistogramMetricFamily(
        f"{PREFIX}_job_duration_seconds",
        "How long ended jobs ran on their node.",
        buckets=buckets,
        sum_value=sum(ordered),
    )


def _certificates(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}_certificate_remaining_days",
        "Days until a certificate ends; negative once it has expired.",
        labels=("path",),
    )
    for end in snapshot.certificates:
        family.add_metric((str(end.path),), (end.not_after - snapshot.taken) / _DAY)
    return family
