"""Projects that a worker two hops away has seen before: only what changed travels, whatever happens to the store."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from tests.harness import BIN, Client
from tests.harness.transports import Ran
from tests.mesh.conftest import assert_no_units, start_meshes

from mesh_lab import Daemon, Mesh

pytestmark = pytest.mark.receptor

MIB = 1 << 20


@pytest.fixture
def client(own_mesh: Mesh, client_of: Callable[[Daemon], Client]) -> Client:
    """Our commands, with a project that is worth a question."""
    return with_data(client_of(own_mesh.control))


def with_data(client: Client) -> Client:
    """Give a project five files of a mebibyte that do not shrink."""
    for number in range(5):
        path = client.project.write(f"project/files/{number}", "")
        path.write_bytes(Random(number).randbytes(MIB))
    client.project.playbook(
        "- stat: path=files/0 checksum_algorithm=sha256\n  register: it\n- debug: var=it.stat.checksum"
    )
    return client


def run(client: Client, *words: str) -> Ran:
    """Run the job to its good end."""
    done = client.ask("run", "-p", "test.yml", "-i", "job", "--rerun", "--node", "worker", "--debug", *words)
    assert (done.rc, client.read("status")) == (0, "successful"), done.stderr
    assert '"it.stat.checksum": "' in done.text
    return done


def kept(done: Ran) -> tuple[int, int] | None:
    """Return how many of how many files the worker had; None if it was not asked or has no store."""
    found = re.search(r"the worker has (\d+) of (\d+) files", done.stderr)
    return (int(found[1]), int(found[2])) if found else None


def store_of(home: Path) -> list[Path]:
    """Return the files that the worker has kept."""
    return sorted((home / ".local" / "state" / "receptor-runner" / "store").glob("??/*"))


def test_only_what_changed_travels(own_mesh: Mesh, client: Client, short_dir: Path) -> None:
    """The second run finds all files there; a changed one travels alone; a changed or emptied store costs the whole."""
    assert kept(run(client)) == (0, 6)
    assert len(store_of(short_dir)) == 6
    assert kept(run(client)) == (6, 6)

    client.project.write("project/files/0", "").write_bytes(Random(9).randbytes(MIB))
    assert kept(run(client)) == (5, 6)

    for path in store_of(short_dir):
        path.write_bytes(b"!" * path.stat().st_size)
    harmed = run(client)
    assert kept(harmed) == (6, 6)
    assert "the whole payload is sent" in harmed.stderr

    for path in store_of(short_dir):
        path.unlink()
    assert kept(run(client)) == (0, 6)
    assert kept(run(client, "--no-store")) is None
    assert_no_units(own_mesh)


@pytest.mark.slow
@pytest.mark.parametrize("worker", ["no-store", "peer"])
def test_a_worker_without_a_store_gets_the_whole(
    make_mesh: Callable[..., Mesh],
    client_of: Callable[[Daemon], Client],
    short_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    worker: str,
) -> None:
    """A worker of ours with --no-store, or ansible-runner's under our name, refuses the question and runs the job."""
    mesh = make_mesh()
    config = mesh.worker.config.read_text()
    changed = (
        re.sub(r'params: "(.*) worker"', r'params: "\1 worker --no-store"', config)
        if worker == "no-store"
        else re.sub(
            r"command: .*\n(\s+)params: .*", rf"command: {BIN}/ansible-runner\n\1params: worker", config
        )
    )
    assert changed != config
    mesh.worker.config.write_text(changed)
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")  # ansible-runner looks for Ansible there
    start_meshes(short_dir, mesh)
    client = with_data(client_of(mesh.control))

    assert "the worker has no store" in run(client).stderr
    assert "the worker has" not in run(client).stderr  # it is not asked again
    assert store_of(short_dir) == []
    assert_no_units(mesh)
