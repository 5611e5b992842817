"""A work-command that answers for a slice without Ansible: `replay_slice.py SLICES HOSTS EVENTS`.

The hosts are host0001 and so on, cut into so many slices; each slice says so many events and ends with the recap of its
hosts. It needs the standard library only, to start fast: hundreds run side by side.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence


def say(values: Sequence[object]) -> None:
    """Write messages of the stream."""
    data = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    while data:
        data = data[os.write(1, data) :]


def event(counter: int, name: str, data: Mapping[str, object], text: str = "") -> dict[str, object]:
    """Return an event of about the size that Ansible's have."""
    return {
        "uuid": f"00000000-{counter:012}",
        "counter": counter,
        "stdout": text,
        "event": name,
        "created": f"2026-01-01T00:{counter // 60 % 60:02}:{counter % 60:02}.000000+00:00",
        "event_data": data,
    }


def read_ident() -> str:
    """Take in the payload; return the ident of the job."""
    data = b""
    while piece := os.read(0, 1 << 20):
        data = data or piece
    return str(json.loads(data.splitlines()[0])["kwargs"]["ident"])


def main() -> None:
    """Play one slice."""
    slices, hosts, events = map(int, sys.argv[1:4])
    number = int(read_ident().rpartition("-")[2])
    own = [f"host{host:04}" for host in range(number, hosts + 1, slices)]
    say([{"status": "starting", "command": ["replay"], "env": {}, "cwd": "/"}, {"status": "running"}])
    for counter in range(1, events + 1):
        host = own[counter % len(own)]
        data = {"host": host, "task": f"task {counter}", "res": {"changed": False, "msg": "x" * 400}}
        say([event(counter, "runner_on_ok", data, f"ok: [{host}]")])
    stats = {"ok": dict.fromkeys(own, events), "changed": {own[0]: 1}, "processed": dict.fromkeys(own, 1)}
    say([event(events + 1, "playbook_on_stats", stats), {"status": "successful"}, {"eof": True}])


main()
