"""A job can be watched while it runs: its output, its events, its status; and told to end from anywhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from receptor_runner import Runner, run, run_async
from receptor_runner.errors import UsageError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.messages import ArchiveData

from tests.harness import BIN, Commands, Gate, Project, ServedNode, wait_until


@pytest.fixture
def gate(project: Project, tmp_path: Path) -> Iterator[Gate]:
    """A gate in a playbook that says something before and after it, and fails; open at the latest afterwards."""
    made = Gate(tmp_path / "gate")
    made.directory.mkdir()
    project.playbook(
        "- debug: msg=before\n"
        f"- shell: {json.dumps(made.script)}\n"
        "- debug: msg=after\n"
        "- set_fact: {colour: blue, cacheable: true}\n"
        "- fail: msg=last\n"
    )
    yield made
    made.open()


class Tail:
    """A real `tail -f` of a file."""

    def __init__(self, path: Path) -> None:
        wait_until(path.exists, f"{path.name} exists")
        self.seen = bytearray()
        self._process = subprocess.Popen(["tail", "-f", "-n", "+1", str(path)], stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), 4096):
            self.seen += piece

    def await_text(self, text: bytes) -> None:
        """Wait until a text was shown."""
        wait_until(lambda: text in self.seen, f"{text!r} is shown")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)
        self._thread.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_stdout_grows_through_a_pipe(
    commands: Commands, project: Project, gate: Gate, tmp_path: Path
) -> None:
    """`tail -f` on the artifact shows each task while the job runs; in the end it is the worker's, byte for byte."""
    script = (
        f"receptor-runner transmit {project.path} -p test.yml -i job"
        f" | receptor-runner worker --private-data-dir {tmp_path}/kept"
        f" | receptor-runner process {project.path} -i job"
    )
    with subprocess.Popen(
        ["bash", "-c", script], env=commands.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as pipeline:
        tail = Tail(project.artifacts("job") / "stdout")
        tail.await_text(b"before")
        assert b"after" not in tail.seen
        gate.open()
        tail.await_text(b"PLAY RECAP")
        assert pipeline.wait(60) == 2
        tail.close()
    sent = (tmp_path / "kept/artifacts/job/stdout").read_bytes()
    assert (project.artifacts("job") / "stdout").read_bytes() == sent
    assert b"after" in sent


@pytest.mark.slow
def test_stdout_grows_through_a_node(
    commands: Commands, project: Project, gate: Gate, node: ServedNode
) -> None:
    """So it is through Receptor."""
    words = ["-p", "test.yml", "-i", "job", "--socket", str(node.socket), "--keep"]
    running = commands.start("run", project.path, *words)
    tail = Tail(project.artifacts("job") / "stdout")
    tail.await_text(b"before")
    assert b"after" not in tail.seen
    gate.open()
    tail.await_text(b"PLAY RECAP")
    assert running.wait(60) == 2
    tail.close()
    (unit,) = Control(str(node.socket)).units()
    (results,) = node.datadir.glob(f"*/{unit}/stdout")
    assert (project.artifacts("job") / "stdout").read_bytes() == stdout_in(results.read_bytes())


def stdout_in(results: bytes) -> bytes:
    """Return the output in the archive of a worker's stream."""
    pieces = [message.data for message in Decoder().feed(results) if isinstance(message, ArchiveData)]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        return archive.read("stdout")


def check_ended(runner: Runner) -> None:
    """Check what a runner says of the job of the gate."""
    assert (runner.status, runner.rc) == ("failed", 2)
    assert (runner.errored, runner.canceled, runner.timed_out) == (False, False, False)
    stats = runner.stats
    assert stats is not None
    assert (stats["ok"], stats["failures"]) == ({"localhost": 4}, {"localhost": 1})
    events = list(runner.events)
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    hosts = [event["event"] for event in runner.host_events("localhost")]
    assert hosts.count("runner_on_ok") == 4
    assert list(runner.host_events("elsewhere")) == []
    with runner.stdout as shown, runner.stderr as errors:
        assert "before" in shown.read()
        assert errors.read() == ""
    assert runner.get_fact_cache("localhost") == {"colour": "blue"}
    assert runner.get_fact_cache("elsewhere") == {}


def watch(thread: threading.Thread, runner: Runner, gate: Gate) -> None:
    """Follow a job's events while it runs; it is let go once its first words have come."""
    seen = []
    for event in runner.events:
        seen.append(event)
        if "before" in event["stdout"]:
            assert runner.status == "running"
            assert "after" not in str(seen)
            gate.open()
    thread.join(30)
    assert seen == list(runner.events)
    assert seen[-1]["event"] == "playbook_on_stats"
    check_ended(runner)


def test_a_whole_job_is_watched(
    project: Project, gate: Gate, node: ServedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    """While `run_async` takes a job through a node, events come as they happen; then the runner tells all."""
    statuses: list[str] = []
    thread, runner = run_async(
        private_data_dir=project.path,
        playbook="test.yml",
        ident="job",
        socket=str(node.socket),
        status_handler=lambda data, runner_config: statuses.append(data["status"]),
    )
    watch(thread, runner, gate)
    assert statuses == ["starting", "running", "failed"]
    assert runner.config.command[0].endswith("ansible-playbook")
    assert "after" in capsys.readouterr().out


def test_a_stream_is_watched(commands: Commands, project: Project, gate: Gate) -> None:
    """While `run_async` processes a worker's stream, events come as they happen."""
    sent = commands.ours("transmit", project.path, "-p", "test.yml", "-i", "job")
    worker = commands.start("worker", stdin=subprocess.PIPE)
    assert worker.stdin is not None
    worker.stdin.write(sent.stdout)
    worker.stdin.close()
    worker.stdin = None
    thread, runner = run_async(
        streamer="process", private_data_dir=project.path, ident="job", quiet=True, _input=worker.stdout
    )
    watch(thread, runner, gate)


def transmitted(project: Project, **options: Any) -> io.BytesIO:
    """Return the stream of a project's job."""
    sent = io.BytesIO()
    where = {"private_data_dir": project.path, "playbook": "test.yml", "ident": "1"}
    run(streamer="transmit", _output=sent, **where, **options)
    sent.seek(0)
    return sent


def test_facts_in_a_cache_of_another_name(project: Project, tmp_path: Path) -> None:
    """Facts are found in the cache that the job names, and kept there; a host that is no file name is refused."""
    project.playbook("- set_fact: {colour: blue, cacheable: true}")
    results = io.BytesIO()
    run(streamer="worker", _input=transmitted(project, fact_cache="facts"), _output=results)
    results.seek(0)
    runner = run(
        streamer="process", _input=results, private_data_dir=tmp_path / "out", quiet=True, fact_cache="facts"
    )
    assert runner.get_fact_cache("localhost") == {"colour": "blue"}
    runner.set_fact_cache("other", {"colour": "red"})
    assert runner.get_fact_cache("other") == {"colour": "red"}
    assert {path.name for path in (runner.artifact_dir / "facts").iterdir()} >= {"other", "s1_other"}
    with pytest.raises(UsageError, match="cannot be a host"):
        runner.set_fact_cache("../other", {})


def test_events_of_a_job_that_has_not_begun(project: Project, gate: Gate) -> None:
    """Following from the very first moment misses nothing: it waits for a job that is still to be sent."""
    gate.open()
    reader, writer = os.pipe()
    with open(reader, "rb") as source:
        thread, runner = run_async(
            streamer="process", private_data_dir=project.path, ident="job", quiet=True, _input=source
        )
        followed: list[dict[str, Any]] = []
        follower = threading.Thread(target=lambda: followed.extend(runner.events))
        follower.start()
        with open(writer, "wb") as output:
            run(streamer="worker", _input=transmitted(project), _output=output)
        thread.join(30)
        follower.join(30)
    assert len(followed) > 5
    assert followed == list(runner.events)


def test_a_cancel_callback_ends_the_sending(project: Project) -> None:
    """A job whose sending is canceled is cut off before its end marker, so that no worker runs it."""
    sent = io.BytesIO()
    runner = run(
        streamer="transmit",
        _output=sent,
        private_data_dir=project.path,
        playbook="test.yml",
        cancel_callback=lambda: True,
    )
    assert runner.status == "canceled"
    assert b"eof" not in sent.getvalue()


def test_a_cancel_callback_ends_the_whole_job(project: Project, gate: Gate, node: ServedNode) -> None:
    """A job that runs through a node is canceled there, and its artifacts come home."""
    runner = run(
        private_data_dir=project.path,
        playbook="test.yml",
        socket=str(node.socket),
        quiet=True,
        cancel_callback=lambda: any(project.path.glob("artifacts/*/job_events/*")),
    )
    assert gate
    assert (runner.status, runner.rc, runner.canceled) == ("canceled", 254, True)
    assert Control(str(node.socket)).units() == {}


class Odd(Exception):
    """What a test's handler raises."""


def fail(*_arguments: object, **_options: object) -> Any:
    """Fail."""
    raise Odd


def test_the_worker_phase_tells_its_caller(project: Project) -> None:
    """Handlers hear, on the worker's side too, of each status and event that is sent."""
    project.playbook("- debug: msg=hello")
    statuses: list[str] = []
    events: list[str] = []
    runner = run(
        streamer="worker",
        _input=transmitted(project),
        _output=io.BytesIO(),
        status_handler=lambda data, runner_config: statuses.append(data["status"]),
        event_handler=lambda event: events.append(event["event"]),
    )
    assert (runner.status, statuses) == ("successful", ["starting", "running", "successful"])
    assert events[-1] == "playbook_on_stats"


@pytest.mark.parametrize("handler", ["event_handler", "status_handler", "cancel_callback"])
def test_a_handler_that_fails_ends_the_job(project: Project, gate: Gate, handler: str) -> None:
    """What a handler raises on the worker's side is raised to the caller; nothing of the job lives on."""
    assert gate
    before = descendants()
    results = io.BytesIO()
    handlers: dict[str, Callable[..., Any]] = {handler: fail}
    with pytest.raises(Odd):
        run(streamer="worker", _input=transmitted(project), _output=results, **handlers)
    assert results.getvalue().endswith(b'{"eof": true}\n')
    wait_until(lambda: descendants() <= before, "no process is left")


@pytest.mark.parametrize(
    "handler", ["event_handler", "status_handler", "artifacts_handler", "cancel_callback"]
)
def test_a_handler_that_fails_ends_the_processing(project: Project, tmp_path: Path, handler: str) -> None:
    """What a handler raises while results are processed is raised to the caller; there is no finished_callback."""
    results = io.BytesIO()
    run(streamer="worker", _input=transmitted(project), _output=results)
    results.seek(0)
    finished: list[Runner] = []
    handlers: dict[str, Callable[..., Any]] = {handler: fail, "finished_callback": finished.append}
    with pytest.raises(Odd):
        run(streamer="process", _input=results, private_data_dir=tmp_path / "out", quiet=True, **handlers)
    assert finished == []


def descendants() -> set[psutil.Process]:
    """Return what this process has started, and what that has."""
    return set(psutil.Process().children(recursive=True))


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """The isolated environment for this process too."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
