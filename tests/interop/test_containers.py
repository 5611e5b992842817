"""Our worker gives for a job in a container what it gives without one, event by event."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness.containers import IMAGE, PodmanStore, podman_store, session_store
from tests.interop.cases import Case
from tests.interop.compare import Difference, differences
from tests.interop.test_events import CASES, IDENT, check_numbers, check_parents, make_stream
from tests.interop.workers import Ran, run_both

__all__ = ["podman_store", "session_store"]

FACTS = "the facts of a container are those of another machine"
ELSEWHERE = {
    **dict.fromkeys(("facts", "all-facts", "fact-cache", "fact-cache-memory"), FACTS),
    "role-from-the-peer": "ansible-runner's transmit sends the path of the roles on the sender's machine",
}
"""Jobs that a container must change, with the reason."""

MEANT = (
    ("status|artifact command", "/(command|env|cwd|keys)(/.*)?"),
    (".*", ".*/unsafe_writes"),
)
"""What differs: what is started and where; and what ansible-runner sets for podman too, where no mounted file can be
replaced."""


def stream_in_container(case: Case, directory: Path) -> bytes:
    """Return the stream of a case whose job runs in a container."""
    # as on the worker itself, which passes these on
    isolation = {
        "process_isolation": True,
        "container_image": IMAGE,
        "container_options": ["-e", "TERM=xterm-256color", "-e", "PYTHONHASHSEED=0", "--pull=never"],
    }
    return make_stream(case, {"ident": IDENT, **case.options, **isolation}, directory)


def as_outside(ran: Ran) -> Ran:
    """Return what came from a container with the paths that the job would have had without one."""

    def moved(text: str) -> str:
        text = text.replace("/home/runner", f"{ran.root}/home")
        return re.sub(r"/runner(?=[/\"':,\\ \r\n\]]|$)", f"{ran.root}/pdd", text)

    return dataclasses.replace(
        ran,
        lines=json.loads(moved(json.dumps(ran.lines))),
        artifacts={
            name: moved(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            for name, content in ran.artifacts.items()
        },
    )


def unexplained(found: list[Difference]) -> Iterator[Difference]:
    """Yield the differences that are not meant."""
    for item in found:
        if not any(
            re.fullmatch(event, item.event) and re.fullmatch(field, item.field) for event, field in MEANT
        ):
            yield item


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in ELSEWHERE])
def test_a_container_changes_nothing(name: str, short_dir: Path, podman_store: PodmanStore) -> None:
    """Statuses, events, output, files and exit code are those of the same job without a container."""
    case = CASES[name]
    streams = {
        "here": make_stream(case, {"ident": IDENT, **case.options}, short_dir / "sent"),
        "box0": stream_in_container(case, short_dir / "sent to container"),
    }
    ran = run_both(short_dir, streams, podman_store.environment)
    boxed = as_outside(ran["box0"])
    check_numbers(boxed.events)
    check_parents(boxed.events)
    found = list(unexplained(differences(ran["here"], boxed, case.order)))
    assert not found, "\n".join(map(str, found))
