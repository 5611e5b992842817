"""200 slices side by side: all results merge right, and each lane takes next to nothing of the client's memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.harness import OURS, ServedNode, wait_until
from tests.slices.conftest import Sliced

REPLAY = Path(__file__).parents[2] / "scripts" / "replay_slice.py"
HOSTS, EVENTS = 1000, 40
NODE = """- node: {{id: primary, datadir: {node.datadir}}}
- local-only:
- work-command:
    worktype: receptor-runner
    command: {python}
    params: -S -E {replay} {slices} {hosts} {events}
- control-service: {{service: control, filename: {node.socket}}}
"""
LARGEST_LANE_KIB = 1024


@pytest.fixture
def replaying(short_dir: Path, environment: dict[str, str]) -> Iterator[Callable[[int], ServedNode]]:
    """Start an embedded node whose worker replays a recorded stream for each of so many slices."""
    nodes: list[ServedNode] = []

    def start(slices: int) -> ServedNode:
        directory = short_dir / f"n{len(nodes)}"
        directory.mkdir()
        node = ServedNode("embedded", directory, environment)
        facts = {"python": sys.executable, "replay": REPLAY, "hosts": HOSTS, "events": EVENTS}
        node.config.write_text(NODE.format(node=node, slices=slices, **facts))
        nodes.append(node)
        node.start()
        return node

    yield start
    for node in nodes:
        node.close()


def run_at_once(sliced: Sliced, node: ServedNode, slices: int) -> tuple[dict[str, object], int]:
    """Run so many slices at once; return what `--json` says, and the client's memory (KiB)."""
    lanes = [word for _number in range(slices) for word in ("--node", "localhost")]
    words = ["-p", "test.yml", "-i", f"n{slices}", "--json", "--socket", str(node.socket), *lanes]
    client = subprocess.Popen(
        [OURS, "run", sliced.project.path, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=sliced.commands.environment,
    )
    assert client.stdout is not None
    with client.stdout as stdout:
        said = stdout.read()
    _pid, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    assert client.returncode == 0
    return json.loads(said), usage.ru_maxrss


@pytest.mark.slow
def test_two_hundred_at_once(sliced: Sliced, replaying: Callable[[int], ServedNode]) -> None:
    """Each host is counted once, each slice has its own whole artifacts, no unit is left, memory is flat."""
    sliced.project.playbook("- debug: msg=never")
    sliced.project.write("inventory/hosts", f"host[0001:{HOSTS:04}]\n")
    _few, small = run_at_once(sliced, replaying(20), 20)
    node = replaying(200)
    found, large = run_at_once(sliced, node, 200)
    assert (found["hosts"], found["hosts_changed"], found["hosts_failed"]) == (HOSTS, 200, [])
    assert (found["status"], found["rc"], found["exit_code"]) == ("successful", None, 0)
    assert sliced.column("status", "n200") == ["successful"] * 200
    for number, hosts in enumerate(sliced.column("hosts", "n200"), start=1):
        text = sliced.stdout(number, "n200")
        assert text.count("ok: [") == EVENTS
        assert {line[5:13] for line in text.splitlines()} == set(hosts)
    wait_until(lambda: not any(node.datadir.glob("*/????????")), "no unit is left")
    assert large - small < 180 * LARGEST_LANE_KIB
