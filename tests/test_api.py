"""The Python interface: the three phases by ansible-runner's names, in any thread, over any files."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from receptor_runner import Runner, run, run_async
from receptor_runner.errors import MissingInput, OutputFailed, UsageError
from receptor_runner.stream.encoder import EOF_LINE, encode_line

from tests.harness import BIN, Project, wait_until

JOBS: dict[str, dict[str, Any]] = {
    "playbook": {"playbook": "test.yml"},
    "ad-hoc": {"module": "debug", "module_args": "msg='Hello world!'", "host_pattern": "all"},
}


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tmp_path: Path) -> Path:
    """The isolated environment for this process too, with a temporary directory that shows what is left in it."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return temporary


def pipe_through(
    project: Project, job: dict[str, Any], target: Path, **handlers: Any
) -> tuple[Runner, bytes]:
    """Run the three phases one after the other over memory; return the last runner and the results."""
    sent, results = io.BytesIO(), io.BytesIO()
    transmitter = run(streamer="transmit", _output=sent, private_data_dir=project.path, **job)
    assert (transmitter.status, transmitter.rc) == ("unstarted", None)
    sent.seek(0)
    run(streamer="worker", _input=sent, _output=results)
    results.seek(0)
    processor = run(streamer="process", _input=results, private_data_dir=target, **handlers)
    return processor, results.getvalue()


@pytest.mark.parametrize("kind", JOBS)
def test_three_phases_over_memory(project: Project, tmp_path: Path, places: Path, kind: str) -> None:
    """Files in memory, without a name, do as streams; the runner tells status, code, events and output."""
    runner, _results = pipe_through(project, JOBS[kind], tmp_path / "out", ident=123, quiet=True)
    assert (runner.status, runner.rc) == ("successful", 0)
    assert runner.artifact_dir == tmp_path / "out/artifacts/123"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["artifacts"]
    with runner.stdout as shown:
        assert "Hello world!" in shown.read()
    assert any("Hello world!" in event["stdout"] for event in runner.events)
    assert list(places.iterdir()) == []


@pytest.mark.parametrize("kind", JOBS)
def test_three_phases_over_sockets_in_threads(project: Project, tmp_path: Path, kind: str) -> None:
    """In threads, over files of sockets that stay open, with the job's options given to every phase."""
    sending, receiving = socket.socketpair()
    answering, hearing = socket.socketpair()
    statuses: list[str] = []
    job = JOBS[kind] | {"envvars": {"A": "b"}}

    def note(data: dict[str, Any], runner_config: Any) -> None:
        assert runner_config.private_data_dir == str(tmp_path / "out")
        statuses.append(data["status"])

    with (
        sending.makefile("wb") as to_worker,
        receiving.makefile("rb") as from_transmit,
        answering.makefile("wb") as to_process,
        hearing.makefile("rb") as from_worker,
    ):
        started = [
            run_async(streamer="transmit", _output=to_worker, private_data_dir=project.path, **job),
            run_async(
                streamer="worker",
                _input=from_transmit,
                _output=to_process,
                private_data_dir=tmp_path / "work",
                keepalive_seconds=1,
                **job,
            ),
            run_async(
                streamer="process",
                _input=from_worker,
                private_data_dir=tmp_path / "out",
                status_handler=note,
                ident=5,
                quiet=True,
                **job,
            ),
        ]
        for thread, _runner in started:
            thread.join(60)
            assert not thread.is_alive()
    for end in (sending, receiving, answering, hearing):
        end.close()
    assert statuses == ["starting", "running", "successful"]
    assert [runner.rc for _thread, runner in started] == [None, 0, 0]
    assert {path.name for path in (tmp_path / "work").iterdir()} == {
        "artifacts",
        "inventory",
        "project",
        "env",
    }


def test_handlers_and_callbacks(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Event, status, artifacts and finished handlers are called, the last one last; the output is shown."""
    told: list[str] = []
    runner, _results = pipe_through(
        project,
        JOBS["playbook"],
        tmp_path / "out",
        event_handler=lambda event: told.append(event["event"]),
        status_handler=lambda data, runner_config: told.append(data["status"]),
        artifacts_handler=told.append,
        finished_callback=lambda done: told.append(done.status),
    )
    assert told[:3] == ["starting", "running", "playbook_on_start"]
    assert told[-3:] == ["successful", str(tmp_path / "out/artifacts"), "successful"]
    assert list(runner.events) == []
    assert "Hello world!" in capsys.readouterr().out


def test_text_that_stdout_cannot_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output with characters that stdout does not have is shown escaped, and does not end the phase."""
    raw = io.BytesIO()
    shown = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    event = encode_line({"counter": 1, "uuid": "u", "stdout": "→ \udcff"})
    stream = io.BytesIO(event + encode_line({"status": "successful"}) + EOF_LINE)
    assert run(streamer="process", _input=stream, private_data_dir=tmp_path).status == "successful"
    assert raw.getvalue() == b"\\u2192 \\udcff\n"


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (b"", "Unexpected empty line encountered during worker stream."),
        (b"not JSON\n", "Failed to JSON parse a line from worker stream."),
        (b"x" * 10_000 + b"\n", "Failed to JSON parse a line from worker stream."),
    ],
)
def test_a_broken_result_stream_is_an_error_status(tmp_path: Path, stream: bytes, text: str) -> None:
    """As with ansible-runner a broken stream is no exception but the status `error`, told to the handler."""
    told: list[dict[str, Any]] = []
    finished: list[Any] = []
    runner = run(
        streamer="process",
        _input=io.BytesIO(stream),
        private_data_dir=tmp_path,
        status_handler=lambda data, runner_config: told.append(data),
        finished_callback=finished.append,
    )
    assert runner.status == "error"
    assert runner.errored
    assert told[-1]["job_explanation"].startswith(text)
    assert len(json.dumps(told)) < 2000
    assert finished == [runner]


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b'{"kwargs": {"playbook": "debug.yml"}}\n{"zipfile": 5}\n\x7f\x80\x81\x82\x83{"eof": true}\n',
        b'{"kwargs": {"bogus": 1}}\n{"eof": true}\n',
        b'{"kwargs": {"playbook": "x", "process_isolation": true}}\n{"eof": true}\n',
    ],
)
def test_a_broken_job_stream_is_an_error_status(places: Path, stream: bytes) -> None:
    """A worker that cannot begin says so on its stream and in its status, and leaves nothing behind."""
    out = io.BytesIO()
    runner = run(streamer="worker", _input=io.BytesIO(stream), _output=out)
    assert (runner.status, runner.rc) == ("error", None)
    first, last = out.getvalue().splitlines()
    assert json.loads(first)["status"] == "error"
    assert last + b"\n" == EOF_LINE
    assert list(places.iterdir()) == []


def test_transmit_without_a_directory(places: Path) -> None:
    """Without a private data directory an empty one is sent, and no temporary one stays."""
    out = io.BytesIO()
    run(
        streamer="transmit",
        _output=out,
        playbook="x",
        process_isolation=True,
        process_isolation_executable="nope",
    )
    assert json.loads(out.getvalue().splitlines()[0])["kwargs"] == {
        "playbook": "x",
        "process_isolation": True,
        "process_isolation_executable": "nope",
    }
    assert list(places.iterdir()) == []


def test_options_alone(project: Project) -> None:
    """only_transmit_kwargs sends no archive."""
    out = io.BytesIO()
    run(
        streamer="transmit",
        _output=out,
        private_data_dir=project.path,
        only_transmit_kwargs=True,
        playbook="x",
        ident=3,
    )
    assert out.getvalue() == b'{"kwargs": {"ident": "3", "playbook": "x"}}\n{"eof": true}\n'


def test_calls_that_make_no_sense(tmp_path: Path) -> None:
    """Unknown streamers, unknown options, missing directories and nothing to run are errors at once."""
    with pytest.raises(UsageError, match="unknown streamer"):
        run(streamer="receive")
    with pytest.raises(UsageError, match="unknown job option"):
        run(streamer="transmit", _output=io.BytesIO(), private_data_dir=tmp_path, playbok="x")
    with pytest.raises(MissingInput):
        run(streamer="transmit", _output=io.BytesIO(), private_data_dir=tmp_path / "nope", playbook="x")
    with pytest.raises(UsageError, match="nothing to run"):
        run(private_data_dir=tmp_path)


def test_an_output_that_is_closed(project: Project) -> None:
    """Writing to a closed file is an output error."""
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(OutputFailed):
        run(streamer="transmit", _output=closed, private_data_dir=project.path, playbook="x")


def test_a_cancel_callback_ends_the_processing(tmp_path: Path) -> None:
    """Once the callback says so, process ends as canceled although its input stays open."""
    reader, writer = os.pipe()
    os.write(writer, encode_line({"status": "running"}))
    with open(reader, "rb") as source:
        runner = run(
            streamer="process",
            _input=source,
            private_data_dir=tmp_path,
            cancel_callback=(tmp_path / "artifacts/stdout").exists,
        )
    os.close(writer)
    assert runner.status == "canceled"
    assert runner.canceled


def test_a_cancel_callback_ends_the_job(project: Project, tmp_path: Path) -> None:
    """Once the callback says so, the worker stops its job: canceled, 254."""
    started = tmp_path / "started"
    project.playbook(f"- shell: touch {started}; sleep 987")
    sent, results = io.BytesIO(), io.BytesIO()
    run(streamer="transmit", _output=sent, private_data_dir=project.path, playbook="test.yml")
    sent.seek(0)
    runner = run(streamer="worker", _input=sent, _output=results, cancel_callback=started.exists)
    assert (runner.status, runner.rc) == ("canceled", 254)
    assert results.getvalue().endswith(EOF_LINE)


@pytest.mark.slow
def test_keepalives_by_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the argument the environment variable decides, as with ansible-runner."""
    project.playbook("- command: sleep 2")
    monkeypatch.setenv("ANSIBLE_RUNNER_KEEPALIVE_SECONDS", "1")
    sent = io.BytesIO()
    run(streamer="transmit", _output=sent, private_data_dir=project.path, playbook="test.yml")
    for keepalive_seconds, some in ((None, True), (0, False)):
        sent.seek(0)
        results = io.BytesIO()
        run(streamer="worker", _input=sent, _output=results, keepalive_seconds=keepalive_seconds)
        assert (b'"keepalive"' in results.getvalue()) is some


def state() -> tuple[Any, ...]:
    """Return what a library must leave alone."""
    handlers = [
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    ]
    return handlers, list(logging.root.handlers), logging.root.level, dict(os.environ), Path.cwd()


def test_nothing_of_the_process_is_touched(project: Project, tmp_path: Path) -> None:
    """No signal handler, logger, environment variable, descriptor or thread is different afterwards."""
    pipe_through(project, JOBS["playbook"], tmp_path / "first", quiet=True)
    gc.collect()
    before, descriptors = state(), len(list(Path("/proc/self/fd").iterdir()))
    pipe_through(project, JOBS["playbook"], tmp_path / "second", quiet=True)
    assert state() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert [thread.name for thread in threading.enumerate() if thread.name == "result-stream"] == []


STDIN_LEFT_OPEN = """
import sys
from receptor_runner import run
runner = run(streamer="process", private_data_dir=sys.argv[1], quiet=True)
print(runner.status)
"""


def test_standard_input_may_stay_open(tmp_path: Path) -> None:
    """After the end marker process returns and the program exits cleanly, although its input is still open."""
    process = subprocess.Popen(
        [sys.executable, "-c", STDIN_LEFT_OPEN, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(encode_line({"status": "successful"}) + EOF_LINE)
    process.stdin.flush()
    assert process.wait(30) == 0
    assert process.stdout.read() == b"successful\n"
    process.stdin.close()
    process.stdout.close()


class Slow(io.RawIOBase):
    """A file of no descriptor that gives a byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._data: Iterator[int] = iter(data)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give the next byte."""
        for byte in self._data:
            buffer[0] = byte
            return 1
        return 0


def test_files_of_any_kind(tmp_path: Path) -> None:
    """A raw file that gives a byte at a time, buffered or not, does as a stream."""
    stream = encode_line({"status": "failed"}) + EOF_LINE
    for source in (Slow(stream), io.BufferedReader(Slow(stream))):
        runner = run(streamer="process", _input=cast("BinaryIO", source), private_data_dir=tmp_path)
        assert runner.status == "failed"


SUCCESS = (
    encode_line({"status": "starting", "command": ["ansible-playbook"], "cwd": "/w", "env": {"A": "b"}})
    + encode_line({"counter": 1, "uuid": "u", "stdout": "shown"})
    + encode_line({"status": "successful"})
    + EOF_LINE
)


class Closed(io.StringIO):
    """A stdout that fails."""

    def write(self, _text: str) -> int:
        """Fail."""
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("stdout", [None, Closed(), object()], ids=["none", "failing", "odd"])
def test_a_stdout_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdout: Any
) -> None:
    """A service's stdout that is missing or fails costs the display, never the artifacts or the status."""
    monkeypatch.setattr(sys, "stdout", stdout)
    runner = run(streamer="process", _input=io.BytesIO(SUCCESS), private_data_dir=tmp_path)
    assert runner.status == "successful"
    assert (runner.artifact_dir / "stdout").read_text() == "shown\n"


WITHOUT_STDOUT = """
import sys
from receptor_runner import run
assert sys.stdout is None
runner = run(private_data_dir=sys.argv[1], playbook="test.yml")
sys.exit(0 if (runner.status, runner.rc) == ("successful", 0) else 1)
"""


def test_a_whole_job_without_a_stdout(project: Project) -> None:
    """A service's job that runs through a node is not canceled because its output cannot be displayed."""
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", WITHOUT_STDOUT, str(project.path)]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("streamer", ["transmit", "worker", "process"])
def test_a_phase_without_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamer: str) -> None:
    """A phase that is given no file, in a process without stdin and stdout, says which argument is missing."""
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(UsageError, match="cannot carry a stream"):
        run(streamer=streamer, private_data_dir=tmp_path, playbook="x")


class Unreadable:
    """An input whose read raises what no file raises."""

    def read(self, _size: int) -> bytes:
        """Fail."""
        raise RuntimeError("out of order")


def closed_file() -> BinaryIO:
    """Return a file that was closed."""
    file = io.BytesIO(SUCCESS)
    file.close()
    return file


@pytest.mark.parametrize(
    ("source", "explanation"),
    [
        (Unreadable, "reading the stream failed: out of order"),
        (closed_file, "reading the stream failed: I/O operation on closed file."),
    ],
)
def test_an_input_that_fails_is_no_statement_about_the_node(
    tmp_path: Path, source: Any, explanation: str
) -> None:
    """A read that fails on this side has a sentence of its own, in process and worker, and neither waits for ever."""
    told: list[dict[str, Any]] = []
    runner = run(
        streamer="process",
        _input=source(),
        private_data_dir=tmp_path,
        status_handler=lambda data, runner_config: told.append(data),
    )
    assert (runner.status, told[-1]["job_explanation"]) == ("error", explanation)
    results = io.BytesIO()
    assert run(streamer="worker", _input=source(), _output=results).status == "error"
    assert explanation in json.loads(results.getvalue().splitlines()[0])["job_explanation"]


def test_a_result_file_closed_while_it_is_read(tmp_path: Path) -> None:
    """A caller that shuts its socket and closes the file, to cancel, is not told that the node is sick."""
    ours, theirs = socket.socketpair()
    explanations: list[str] = []

    def note(data: dict[str, Any], runner_config: Any) -> None:
        explanations.append(data.get("job_explanation", ""))
        if data["status"] == "starting":
            file.close()

    with ours, theirs:
        file = theirs.makefile("rb")
        ours.sendall(encode_line({"status": "starting"}))
        thread, runner = run_async(
            streamer="process", _input=file, private_data_dir=tmp_path, status_handler=note
        )
        thread.join(30)
    assert runner.status == "error"
    assert "the input was closed" in explanations[-1]
    assert "health" not in explanations[-1]


class Readline:
    """An input that has readline and nothing else."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readline(self) -> bytes:
        """Return a line."""
        return self._file.readline()


def test_an_input_with_readline_alone(project: Project, tmp_path: Path) -> None:
    """All of a job passes through inputs that have readline alone."""
    sent, results = io.BytesIO(), io.BytesIO()
    run(streamer="transmit", _output=sent, private_data_dir=project.path, playbook="test.yml")
    run(streamer="worker", _input=Readline(sent.getvalue()), _output=results)
    runner = run(streamer="process", _input=Readline(results.getvalue()), private_data_dir=tmp_path)
    assert (runner.status, runner.rc) == ("successful", 0)


def test_what_callbacks_read_of_the_config(tmp_path: Path) -> None:
    """The names of ansible-runner's config that programs read in their callbacks are there, with the call's values."""
    seen: list[Any] = []
    run(
        streamer="process",
        _input=io.BytesIO(SUCCESS),
        private_data_dir=tmp_path,
        ident=1,
        playbook="site.yml",
        inventory="hosts",
        extravars={"a": 1},
        envvars={"B": "c"},
        host_cwd="/h",
        settings={"job_timeout": 9},
        status_handler=lambda data, runner_config: seen.append(runner_config),
    )
    config = seen[0]
    assert (config.playbook, config.inventory, config.extra_vars) == ("site.yml", "hosts", {"a": 1})
    assert (config.envvars, config.host_cwd, config.job_timeout) == ({"B": "c"}, "/h", 9)
    assert config.fact_cache == str(tmp_path / "artifacts/1/fact_cache")
    assert (config.command, config.cwd, config.env) == (["ansible-playbook"], "/w", {"A": "b"})
    assert config.limit is None
    assert not hasattr(config, "nonsense")


def test_setting_canceled_cancels(project: Project, tmp_path: Path) -> None:
    """`runner.canceled = True` cancels the job, in each phase, as it does with ansible-runner."""
    started = tmp_path / "started"
    project.playbook(f"- shell: touch {started}; sleep 987")
    sent, results = io.BytesIO(), io.BytesIO()
    run(streamer="transmit", _output=sent, private_data_dir=project.path, playbook="test.yml")
    sent.seek(0)
    thread, runner = run_async(streamer="worker", _input=sent, _output=results)
    wait_until(started.exists, "the job has started")
    runner.canceled = True
    assert runner.canceled
    thread.join(60)
    assert (runner.status, runner.rc) == ("canceled", 254)
    reader, writer = os.pipe()
    with open(reader, "rb") as source:
        thread, runner = run_async(streamer="process", _input=source, private_data_dir=tmp_path / "p")
        runner.canceled = True
        thread.join(30)
    os.close(writer)
    assert runner.status == "canceled"


@pytest.mark.parametrize("how", ["option", "settings", "file"])
def test_an_output_file_that_is_not_wanted(tmp_path: Path, how: str) -> None:
    """With suppress_output_file process writes no `stdout`, not even while the job runs or after a cancel."""
    given: dict[str, Any] = {
        "option": {"suppress_output_file": True},
        "settings": {"settings": {"suppress_output_file": True}},
        "file": {},
    }
    if how == "file":
        (tmp_path / "env").mkdir()
        (tmp_path / "env/settings").write_text("suppress_output_file: true\n")
    reader, writer = os.pipe()
    os.write(writer, SUCCESS.removesuffix(encode_line({"status": "successful"}) + EOF_LINE))
    with open(reader, "rb") as source:
        runner = run(
            streamer="process",
            _input=source,
            private_data_dir=tmp_path,
            quiet=True,
            cancel_callback=lambda: any((tmp_path / "artifacts/job_events").glob("*.json")),
            **given[how],
        )
    os.close(writer)
    assert runner.status == "canceled"
    assert not (tmp_path / "artifacts/stdout").exists()


def test_a_job_of_an_args_file(tmp_path: Path, places: Path) -> None:
    """A private data directory whose `args` is the whole command line runs without a playbook, module or role."""
    (tmp_path / "args").write_text("echo 'from args'")
    runner = run(private_data_dir=tmp_path, quiet=True)
    assert runner.rc == 0
    assert "from args" in [event["stdout"] for event in runner.events]


def test_the_worker_says_that_no_output_file_is_wanted(tmp_path: Path) -> None:
    """A setting that travelled inside the job's archive counts while process reads: no `stdout` after a cancel."""
    starting = {"status": "starting", "suppress_output_file": True}
    reader, writer = os.pipe()
    os.write(
        writer, encode_line(starting) + SUCCESS.removesuffix(encode_line({"status": "successful"}) + EOF_LINE)
    )
    with open(reader, "rb") as source:
        run(
            streamer="process",
            _input=source,
            private_data_dir=tmp_path,
            quiet=True,
            cancel_callback=lambda: any((tmp_path / "artifacts/job_events").glob("*.json")),
        )
    os.close(writer)
    assert not (tmp_path / "artifacts/stdout").exists()


def test_a_directory_that_nobody_named_goes_with_the_runner(places: Path) -> None:
    """Without a private data directory the artifacts are there as long as the runner is, and nothing stays."""
    runner = run(streamer="process", _input=io.BytesIO(SUCCESS), quiet=True)
    assert (runner.artifact_dir / "stdout").exists()
    del runner
    gc.collect()
    assert list(places.iterdir()) == []
    with pytest.raises(UsageError):
        run()
    assert list(places.iterdir()) == []


def test_the_interface_module() -> None:
    """Programs that call ansible_runner.interface.run need to change one import."""
    import receptor_runner

    assert receptor_runner.interface.run is run
    assert receptor_runner.interface.run_async is run_async
    with pytest.raises(receptor_runner.exceptions.AnsibleRunnerException):
        receptor_runner.interface.run(streamer="receive")
    with pytest.raises(receptor_runner.exceptions.ConfigurationError):
        receptor_runner.interface.run()
