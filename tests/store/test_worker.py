"""A worker and its store: questions, archives that refer to it, and what it keeps; and the workers that refuse."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.archive.references import candidates, digests_of, refer
from receptor_runner.job import Job
from receptor_runner.store.blobs import Store
from receptor_runner.stream.encoder import EOF_LINE, encode_question
from receptor_runner.transmit import Shipment, prepare
from tests.harness import BIN, Commands, Finished, Project


@pytest.fixture
def state(tmp_path: Path, commands: Commands) -> Path:
    """The store of the user who runs the commands."""
    commands.environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    return tmp_path / "state" / "receptor-runner" / "store"


@pytest.fixture
def shipment(project: Project) -> Iterator[Shipment]:
    """A job whose project may be kept."""
    project.write("project/big", "x" * 10_000)
    project.write("env/settings", "{}")
    made = prepare(Job(playbook="test.yml", ident="1"), project.path)
    yield made
    made.close()


def digests(shipment: Shipment) -> dict[str, bytes]:
    """Return the digests of what may be kept."""
    assert shipment.archive
    return digests_of(shipment.archive, list(candidates(shipment.archive, shipment.may_be_kept)))


def stream(shipment: Shipment, *kept: str) -> bytes:
    """Return the stream of a job that refers to some files, and lets the others be kept."""
    assert shipment.archive
    found = digests(shipment)
    archive = refer(shipment.archive, found, {found[name] for name in kept})
    reduced = Shipment(shipment.job, archive)
    try:
        return b"".join(reduced.chunks())
    finally:
        reduced.close()


def lines(done: Finished | subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    """Return the messages of a stream, up to its archive."""
    found = []
    for line in done.stdout.splitlines():
        if line.startswith(b"{"):
            found.append(json.loads(line[: line.rindex(b"}") + 1]) if line.endswith(b"}") else {})
    return found


def contents(state: Path) -> set[bytes]:
    """Return the digests in a store."""
    return {bytes.fromhex(path.name) for path in state.glob("??/*")}


def question(*wanted: bytes) -> bytes:
    """Return a question as a stream."""
    return encode_question(wanted) + EOF_LINE


def test_what_a_job_brought_is_kept(commands: Commands, state: Path, shipment: Shipment) -> None:
    """After a job the store has its project, and only that; the next question says so."""
    done = commands.ours("worker", stdin=stream(shipment))
    assert done.rc == 0, done.stdout

    wanted = digests(shipment)
    assert set(wanted) == {"project/big", "project/test.yml"}
    assert contents(state) == set(wanted.values())
    answer = commands.ours("worker", stdin=question(wanted["project/big"], b"?" * 32))
    assert (answer.rc, lines(answer)) == (0, [{"lacking": [1]}, {"eof": True}])


def test_without_marks_nothing_is_kept(commands: Commands, state: Path, shipment: Shipment) -> None:
    """Whoever does not ask leaves nothing behind."""
    assert commands.ours("worker", stdin=b"".join(shipment.chunks())).rc == 0
    assert contents(state) == set()


def test_a_job_refers_to_what_is_kept(commands: Commands, state: Path, shipment: Shipment) -> None:
    """The playbook itself need not travel again."""
    commands.ours("worker", stdin=stream(shipment))
    done = commands.ours("worker", stdin=stream(shipment, "project/test.yml", "project/big"))
    assert done.rc == 0
    assert b"Hello world!" in done.stdout


@pytest.mark.parametrize("harm", ["emptied", "changed", "linked"])
def test_a_store_that_was_harmed_refuses_the_job(
    commands: Commands, state: Path, shipment: Shipment, harm: str
) -> None:
    """One error status before any other, and nothing has run; the whole payload runs afterwards."""
    commands.ours("worker", stdin=stream(shipment))
    for path in state.glob("??/*"):
        if harm == "changed":
            path.write_bytes(b"y" * path.stat().st_size)
        else:
            path.unlink()
        if harm == "linked":
            path.symlink_to("/etc/passwd")

    done = commands.ours("worker", stdin=stream(shipment, "project/test.yml", "project/big"))
    assert done.rc != 0
    first, *_rest = lines(done)
    assert first["status"] == "error"
    assert first["job_explanation"].startswith("Failed to extract private data directory on worker.")
    assert commands.ours("worker", stdin=stream(shipment)).rc == 0


def test_no_store(commands: Commands, state: Path, shipment: Shipment) -> None:
    """With --no-store a worker refuses questions and references, and keeps nothing."""
    refused = commands.ours("worker", "--no-store", stdin=question(b"?" * 32))
    assert [line.get("status") for line in lines(refused)] == ["error", None]
    refused = commands.ours("worker", "--no-store", stdin=stream(shipment, "project/big"))
    assert lines(refused)[0]["status"] == "error"
    assert commands.ours("worker", "--no-store", stdin=stream(shipment)).rc == 0
    assert not state.exists()


@pytest.mark.parametrize("kind", ["question", "references"])
def test_ansible_runners_worker_refuses(
    commands: Commands, shipment: Shipment, tmp_path: Path, kind: str
) -> None:
    """It says error and nothing else, even with a job of its own in its directory."""
    place = tmp_path / "there"
    (place / "project").mkdir(parents=True)
    (place / "args").write_text("-m ping localhost")
    sent = question(b"?" * 32) if kind == "question" else stream(shipment, "project/big")
    words = [str(BIN / "ansible-runner"), "worker", "--private-data-dir", str(place)]
    done = subprocess.run(words, input=sent, capture_output=True, env=commands.environment, check=False)
    assert [line.get("status") for line in lines(done)] == ["error", None]
    assert not (place / "artifacts").exists()


def test_cleanup_empties_it(commands: Commands, state: Path, shipment: Shipment) -> None:
    """`worker cleanup --store` removes what is kept, a dry run only counts it."""
    commands.ours("worker", stdin=stream(shipment))
    dry = commands.ours("worker", "cleanup", "--store", "--dry-run")
    assert (dry.text.splitlines()[-1], len(contents(state))) == ("(changed: False)", 2)
    done = commands.ours("worker", "cleanup", "--store")
    assert (done.rc, done.text.splitlines()[-1], contents(state)) == (0, "(changed: True)", set())


def test_two_jobs_at_once_fill_it(commands: Commands, state: Path, shipment: Shipment) -> None:
    """Both end well, and the store holds whole files."""
    both = [commands.start("worker", stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    sent = stream(shipment)
    for worker in both:
        assert worker.stdin
        worker.stdin.write(sent)
        worker.stdin.close()
    for worker in both:
        assert worker.stdout
        worker.stdout.read()
        assert worker.wait() == 0
        worker.stdout.close()
    store = Store(directory=state)
    for digest in digests(shipment).values():
        assert hashlib.sha256(b"".join(store.pieces(digest))).digest() == digest
    assert not [name for _place, _dirs, names in os.walk(state) for name in names if name.startswith("new-")]


def test_what_the_job_changes_is_not_kept_wrong(commands: Commands, state: Path, project: Project) -> None:
    """A job that writes to its own project cannot put anything wrong into the store."""
    project.write("project/data", "before" * 1000)
    project.playbook("- copy: content=after dest={{ playbook_dir }}/data")
    made = prepare(Job(playbook="test.yml", ident="1"), project.path)
    assert commands.ours("worker", stdin=stream(made)).rc == 0
    made.close()
    for path in state.glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
