"""The jobs that both workers run: what each is about, what it is given, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.interop.compare import Order

SECRET = "SENSITIVE-7f3a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One job.

    Attributes:
        options: the job, in the names of ansible-runner.
        rc: its return code; the status follows from it, unless it is named.
        status: its final status.
        files: what lies in its private data directory besides the common files.
        order: how far the two runs must agree.
        transmit: who makes the stream: "ours", "peer", or "raw" for the options just as they stand.
        peer_options: options that differ for the peer, where it cannot do what is asked for otherwise; `{pdd}` in
            them stands for the private data directory on the worker.
        secrets: what must appear nowhere in what our worker gives.
        shows: a text that must be in the output, so that the two do not agree about nothing.
    """

    options: Mapping[str, Any]
    rc: int = 0
    status: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    order: Order = Order.IN_ORDER
    transmit: Literal["ours", "peer", "raw"] = "ours"
    peer_options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    shows: str = ""

    @property
    def final_status(self) -> str:
        """The status at the end."""
        return self.status or ("failed" if self.rc else "successful")


def play(name: str, rc: int = 0, *, shows: str = "", **options: Any) -> Case:
    """Return the case of a playbook that needs nothing but options; one host comes after the other."""
    return Case(options={"playbook": f"{name}.yml", "forks": 1, **options}, rc=rc, shows=shows)
