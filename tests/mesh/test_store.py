"""Projects that a worker two hops away has seen before: only what changed travels, whatever happens to the store."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import receptor_runner
from receptor_runner.mesh.local import Daemon
from receptor_runner.system.directories import state_directories
from tests.harness import BIN, OURS, Client
from tests.harness.transports import Ran
from tests.mesh.conftest import Mesh, assert_no_units, set_worker, start_meshes

pytestmark = pytest.mark.receptor

MIB = 1 << 20
TASKS = """
- find: paths="{{ lookup('env', 'XDG_STATE_HOME') }}/receptor-runner/store" recurse=true excludes="new-*"
  register: kept
  until: kept.matched >= filled
  retries: 100
  delay: 0.3
- stat: path=files/0
  register: it
- debug: var=it.stat.checksum
"""


@pytest.fixture
def state(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of the nodes that are started from now on."""
    monkeypatch.setenv("XDG_STATE_HOME", str(short_dir / "state"))
    return short_dir / "state"


def with_data(client: Client) -> Client:
    """Give a project five files of a mebibyte that do not shrink."""
    for number in range(5):
        path = client.project.write(f"project/files/{number}", "")
        path.write_bytes(Random(number).randbytes(MIB))
    client.project.playbook(TASKS)
    return client


def run(client: Client, *words: str, filled: int = 0) -> Ran:
    """Run the job to its good end; it lasts until so many files are kept."""
    client.project.write("env/extravars", f"filled: {filled}\n")
    done = client.ask("run", "-p", "test.yml", "-i", "job", "--rerun", "--node", "worker", "--debug", *words)
    assert (done.rc, client.read("status")) == (0, "successful"), done.stderr
    assert '"it.stat.checksum": "' in done.text
    return done


def kept(done: Ran) -> tuple[int, int] | None:
    """Return how many of how many files the worker has, by its answer or, without one, by what is remembered."""
    found = re.search(r"the worker (?:should have|has) (\d+) of (\d+) files", done.stderr)
    return (int(found[1]), int(found[2])) if found else None


def store_of(state: Path) -> list[Path]:
    """Return the files that the worker has kept."""
    return sorted((state / "receptor-runner" / "store").glob("??/*"))


@pytest.mark.slow
def test_only_what_changed_travels(
    state: Path,
    own_mesh: Mesh,
    client_of: Callable[[Daemon], Client],
) -> None:
    """The second run finds all files there; a changed one travels alone; a changed or emptied store costs the whole.

    The worker is asked only the first time, and when what is remembered of it turned out to be wrong.
    """
    client = with_data(client_of(own_mesh.control))

    assert kept(run(client, filled=6)) == (0, 6)
    assert len(store_of(state)) == 6
    again = run(client)
    assert kept(again) == (6, 6)
    assert "the worker has" not in again.stderr

    client.project.write("project/files/0", "").write_bytes(Random(9).randbytes(MIB))
    assert kept(run(client, filled=7)) == (5, 6)

    for path in store_of(state):
        path.write_bytes(b"!" * path.stat().st_size)
    harmed = run(client)
    assert kept(harmed) == (6, 6)
    assert "the worker has 5 of 6 files" in harmed.stderr  # it removed the first one that was changed
    assert "the whole payload is sent" in harmed.stderr

    for path in store_of(state):
        path.unlink()
    emptied = run(client)
    assert "the worker has 0 of 6 files" in emptied.stderr
    assert kept(run(client, "--no-store")) is None
    assert_no_units(own_mesh)


@pytest.mark.slow
@pytest.mark.parametrize("worker", ["no-store", "peer"])
def test_a_worker_without_a_store_gets_the_whole(
    state: Path,
    make_mesh: Callable[..., Mesh],
    client_of: Callable[[Daemon], Client],
    monkeypatch: pytest.MonkeyPatch,
    worker: str,
) -> None:
    """A worker of ours with --no-store, or ansible-runner's under our name, refuses the question and runs the job."""
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")  # ansible-runner looks for Ansible there
    mesh = make_mesh()
    if worker == "no-store":
        set_worker(mesh.worker, OURS, "worker --no-store")
    else:
        set_worker(mesh.worker, f"{BIN}/ansible-runner")
    start_meshes(mesh)
    client = with_data(client_of(mesh.control))

    assert "the worker has no store" in run(client).stderr
    assert "the worker has" not in run(client).stderr  # it is not asked again
    assert store_of(state) == []
    assert_no_units(mesh)


@pytest.mark.slow
def test_a_store_that_is_emptied_between_question_and_job(
    state: Path,
    make_mesh: Callable[..., Mesh],
    client_of: Callable[[Daemon], Client],
    short_dir: Path,
) -> None:
    """The worker has just said that it has everything; the job is refused, and sent whole."""
    mesh = make_mesh()
    wrapper = short_dir / "worker"
    wrapper.write_text(
        f"""#!/bin/sh
if [ -e {short_dir}/emptied-next ]; then rm -rf {state}/receptor-runner/store {short_dir}/emptied-next; fi
if [ -e {short_dir}/asked-next ]; then mv {short_dir}/asked-next {short_dir}/emptied-next; fi
exec {OURS} "$@"
"""
    )
    wrapper.chmod(0o755)
    set_worker(mesh.worker, str(wrapper))
    start_meshes(mesh)
    client = with_data(client_of(mesh.control))
    run(client, filled=6)

    ours = next(state_directories(client.commands.environment))
    for path in (ours / "workers" / "with-files").iterdir():
        path.unlink()  # nothing is remembered: the worker is asked
    (short_dir / "asked-next").touch()
    done = run(client)
    assert "the worker has 6 of 6 files" in done.stderr
    assert "the whole payload is sent" in done.stderr
    assert_no_units(mesh)


@pytest.mark.slow
def test_two_jobs_at_once(
    state: Path,
    own_mesh: Mesh,
    client_of: Callable[[Daemon], Client],
) -> None:
    """Both fill one store from one project; each ends well, and the next job finds all files there."""
    client = with_data(client_of(own_mesh.control))
    client.project.write("env/extravars", "filled: 6\n")
    words = ["-p", "test.yml", "--node", "worker"]
    both = [client.start("run", *words, "-i", ident) for ident in ("one", "two")]
    assert [job.wait(timeout=90) for job in both] == [0, 0]
    assert len(store_of(state)) == 6
    assert kept(run(client)) == (6, 6)
    assert_no_units(own_mesh)


@pytest.mark.slow
def test_a_python_caller_may_do_without(
    state: Path,
    own_mesh: Mesh,
    client_of: Callable[[Daemon], Client],
) -> None:
    """With `store=False` everything travels, and the worker keeps nothing."""
    client = with_data(client_of(own_mesh.control))
    client.project.write("env/extravars", "filled: 0\n")
    runner = receptor_runner.run(
        private_data_dir=str(client.project.path),
        playbook="test.yml",
        socket=str(client.socket),
        node="worker",
        store=False,
        quiet=True,
    )
    assert (runner.status, runner.rc) == ("successful", 0)
    assert store_of(state) == []
    assert_no_units(own_mesh)
