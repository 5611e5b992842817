"""Work units as values: what is submitted to a node, and what it reports."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

_WORKER = re.compile(r"Running: PID (\d+)")

_NO_EXPIRATION = datetime(1, 1, 2, tzinfo=UTC)


class UnitState(StrEnum):
    """The states of a work unit, as the daemon names them."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"
    UNKNOWN = "Unknown"

    @property
    def is_complete(self) -> bool:
        """Whether the unit ended by itself: its size is final, and its results end."""
        return self in {UnitState.SUCCEEDED, UnitState.FAILED}

    @property
    def is_final(self) -> bool:
        """Whether the state will not change any more."""
        return self.is_complete or self is UnitState.CANCELED


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStatus:
    """The status of a unit, as its node reports it.

    Attributes:
        state: its state.
        detail: the node's explanation.
        stdout_size: bytes of its results so far.
        work_type: its work type; `remote` on the local node if it runs on another one.
        extra: the facts of its kind of unit; None once a local unit's command runner is gone.
    """

    state: UnitState
    detail: str
    stdout_size: int
    work_type: str
    extra: dict[str, Any] | None

    @property
    def worker_pid(self) -> int | None:
        """The process of a running local unit's worker, which the node names in the detail."""
        named = _WORKER.fullmatch(self.detail) if self.state is UnitState.RUNNING else None
        return int(named[1]) if named else None

    @property
    def runner_pid(self) -> int | None:
        """The process of a local unit's command runner, as far as the node knows it."""
        pid = (self.extra or {}).get("Pid")
        return pid if isinstance(pid, int) and pid > 0 else None

    @property
    def remote_node(self) -> str:
        """The target node, "" for a unit that runs on the local node."""
        return str((self.extra or {}).get("RemoteNode") or "")

    @property
    def remote_unit_id(self) -> str:
        """Its unit on the target node, "" as long as there is none."""
        return str((self.extra or {}).get("RemoteUnitID") or "")

    @property
    def remote_started(self) -> bool:
        """Whether the target node has confirmed the start."""
        return bool((self.extra or {}).get("RemoteStarted"))

    @property
    def is_expired(self) -> bool:
        """Whether its ttl has ended, until which it had to be started on the target node."""
        try:
            expiration = datetime.fromisoformat(str((self.extra or {}).get("Expiration")))
            return _NO_EXPIRATION < expiration < datetime.now(UTC)
        except (ValueError, TypeError):
            return False

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> UnitStatus:
        """Read the reply of `work status`.

        Source: if the work type is no longer configured, the extra data are only a text.
        """
        extra = reply.get("ExtraData")
        name = str(reply.get("StateName", ""))
        return cls(
            state=UnitState(name) if name in set(UnitState) else UnitState.UNKNOWN,
            detail=str(reply.get("Detail", "")),
            stdout_size=int(reply.get("StdoutSize", 0)),
            work_type=str(reply.get("WorkType", "")),
            extra=extra if isinstance(extra, dict) or extra is None else {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """What the local node is to run.

    Attributes:
        node: the target node; None for the local node.
        work_type: the work type there.
        params: additional parameters for the worker.
        tls_client: the local node's TLS client for the target node.
        ttl: how long a remote unit may wait for its start, as a Go duration.
        sign: whether the local node signs the request.
    """

    node: str | None = None
    work_type: str
    params: str | None = None
    tls_client: str | None = None
    ttl: str | None = None
    sign: bool = False

    def command(self) -> str:
        """Return the JSON form of `work submit`; all values are strings, as the daemon requires."""
        command = {
            "command": "work",
            "subcommand": "submit",
            "node": self.node or "localhost",
            "worktype": self.work_type,
        }
        optional = {
            "params": self.params,
            "tlsclient": self.tls_client,
            "ttl": self.ttl,
            "signwork": "true" if self.sign else None,
        }
        return json.dumps(command | {key: value for key, value in optional.items() if value})
