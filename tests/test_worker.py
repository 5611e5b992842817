"""Phase 2: whatever comes in, what goes out is a whole stream, and nothing is left behind."""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import psutil
import pytest
from receptor_runner.errors import ConfigError, OutputFailed, UsageError
from receptor_runner.execution.guardian_client import GuardianClient
from receptor_runner.execution.worker_directory import WorkerDirectory
from receptor_runner.intake import BAD_ARCHIVE, BAD_STREAM
from receptor_runner.result_stream import ResultStream, keepalive_interval
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import EOF_LINE, encode_line
from receptor_runner.stream.messages import (
    ArchiveData,
    ArchiveEnd,
    Eof,
    Event,
    Keepalive,
    Message,
    Noise,
    StatusLine,
    WorkerLine,
)
from receptor_runner.system.cancel import CancelToken
from receptor_runner.worker import work

from tests.harness import BIN, Commands, Finished, Project, wait_until

KWARGS = encode_line({"kwargs": {"ident": "1", "playbook": "test.yml"}})


def messages_of(stream: bytes) -> list[Message]:
    """Decode a whole stream that must end with its end marker and hold no noise."""
    decoder = Decoder()
    found = [*decoder.feed(stream), *decoder.finish()]
    decoder.check_complete()
    assert not [message for message in found if isinstance(message, Noise)]
    assert found[-1] == Eof()
    return found


def statuses(stream: bytes) -> list[dict[str, Any]]:
    """Return the status lines of a stream."""
    return [message.data for message in messages_of(stream) if isinstance(message, StatusLine)]


@dataclass
class Bench:
    """A worker with a temporary directory of its own, so that what it leaves can be seen."""

    commands: Commands
    project: Project
    temporary: Path
    environment: dict[str, str] = field(default_factory=dict)

    def transmit(self, *words: str) -> bytes:
        """Return the stream of a job."""
        done = self.commands.ours("transmit", self.project.path, *(words or ("-p", "test.yml", "-i", "1")))
        assert done.rc == 0, done.stderr
        return done.stdout

    def work(self, stream: bytes, *words: str | Path) -> Finished:
        """Run a worker on a stream; it leaves nothing in the temporary directory."""
        done = self.commands.ours("worker", *words, stdin=stream)
        assert list(self.temporary.iterdir()) == []
        return done

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a worker that reads from a pipe."""
        return self.commands.start("worker", *words, stdin=subprocess.PIPE)


@pytest.fixture
def bench(commands: Commands, project: Project, short_dir: Path) -> Bench:
    """A worker's bench."""
    temporary = short_dir / "tmp"
    temporary.mkdir()
    commands.environment["TMPDIR"] = str(temporary)
    return Bench(commands, project, temporary)


def zip_of(data: bytes, size: int | None = None) -> bytes:
    """Return an archive block that need not be right."""
    return encode_line({"zipfile": len(data) if size is None else size}) + base64.b64encode(data)


BROKEN: dict[str, tuple[bytes, str, int]] = {
    "empty": (b"", BAD_STREAM, 65),
    "blank": (b"\n\n", BAD_STREAM, 65),
    "garbage": (b"\xff\x00 no stream\n" * 9, BAD_STREAM, 65),
    "no end marker": (KWARGS, BAD_STREAM, 65),
    "torn in a line": (KWARGS[:-9], BAD_STREAM, 65),
    "torn in the archive": (KWARGS + zip_of(b"x" * 99, 200), BAD_STREAM, 65),
    "damaged message": (KWARGS + b'{"zipfile": "x"}\n' + EOF_LINE, BAD_STREAM, 65),
    "no options": (EOF_LINE, BAD_STREAM, 65),
    "wrong base64": (
        KWARGS + encode_line({"zipfile": 5}) + b"\x00\x01\x02\x03\x04" + EOF_LINE,
        BAD_ARCHIVE,
        65,
    ),
    "no zip file": (KWARGS + zip_of(b"hello") + EOF_LINE, BAD_ARCHIVE, 65),
    "unknown option": (
        encode_line({"kwargs": {"playbok": "x"}}) + EOF_LINE,
        "unknown job option `playbok`",
        64,
    ),
    "wrong option": (encode_line({"kwargs": {"playbook": 5}}) + EOF_LINE, "job option `playbook`", 64),
    "wrong ident": (
        encode_line({"kwargs": {"ident": "../x", "playbook": "x"}}) + EOF_LINE,
        "invalid ident",
        64,
    ),
    "two targets": (
        encode_line({"kwargs": {"playbook": "x", "module": "y"}}) + EOF_LINE,
        "Only one of playbook and module",
        78,
    ),
    "nothing to run": (encode_line({"kwargs": {}}) + EOF_LINE, "Runner playbook required", 78),
    "isolation": (
        encode_line({"kwargs": {"playbook": "x", "process_isolation": True}}) + EOF_LINE,
        "process_isolation needs a container_image",
        78,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_gives_an_error_status_and_the_end_marker(bench: Bench, name: str) -> None:
    """Whatever comes in, one error status and the end marker go out, nothing runs and nothing is left."""
    stream, text, code = BROKEN[name]
    done = bench.work(stream)
    (status,) = statuses(done.stdout)
    assert status["status"] == "error"
    assert "runner_ident" not in status
    assert text in status["job_explanation"]
    assert ("result_traceback" in status) is (text == BAD_ARCHIVE)
    assert done.rc == code
    assert 1 <= len(done.stderr.splitlines()) <= 3
    assert "Traceback" not in done.stderr


def test_the_peers_sentences_stand_alone_at_the_beginning(bench: Bench) -> None:
    """The explanations that callers match on begin as the peer's do, the detail follows."""
    for stream, sentence, detail in (
        (b"", BAD_STREAM, "0 bytes came"),
        (KWARGS + b'{"zipfile": 90}\nUEsDB', BAD_STREAM, "received 3 of 90 bytes"),
        (KWARGS + zip_of(b"hello") + EOF_LINE, BAD_ARCHIVE, "not a zip file"),
    ):
        explanation = statuses(bench.work(stream).stdout)[0]["job_explanation"]
        assert explanation.startswith(sentence + " ")
        assert detail in explanation


@pytest.mark.parametrize(("level", "is_compressed"), [(["--compression-level", "0"], False), ([], True)])
def test_results_are_compressed_as_hard_as_the_job(
    bench: Bench, level: list[str], is_compressed: bool
) -> None:
    """The level travels with the job, in a line that other workers pass over."""
    done = bench.work(bench.transmit("-p", "test.yml", "-i", "1", *level))
    archive = b"".join(
        message.data for message in messages_of(done.stdout) if isinstance(message, ArchiveData)
    )
    (command,) = (info for info in ZipFile(BytesIO(archive)).infolist() if info.filename == "command")
    assert (command.compress_type != ZIP_STORED) is is_compressed


def test_a_level_that_makes_no_sense_is_passed_over(bench: Bench) -> None:
    """As a line of a newer peer would be."""
    for line in ({"results_compression_level": 10}, {"results_compression_level": "x"}):
        assert bench.work(encode_line(line) + bench.transmit()).rc == 0


def test_a_job_runs_and_its_stream_is_in_order(bench: Bench) -> None:
    """A good job gives starting, running, events 1 to n, its verdict, the archive and the end marker."""
    done = bench.work(bench.transmit())
    assert done.rc == 0, done.stderr
    found = messages_of(done.stdout)
    assert [line["status"] for line in statuses(done.stdout)] == ["starting", "running", "successful"]
    assert all(line["runner_ident"] == "1" for line in statuses(done.stdout))
    counters = [message.data["counter"] for message in found if isinstance(message, Event)]
    assert counters == list(range(1, len(counters) + 1))
    kinds = [type(message) for message in found]
    last_status = max(index for index, kind in enumerate(kinds) if kind is StatusLine)
    assert kinds[:2] == [StatusLine, StatusLine]
    assert Event not in kinds[last_status:]
    assert kinds.count(ArchiveEnd) == 1
    assert done.stdout.endswith(EOF_LINE)
    assert any("Hello world!" in message.data["stdout"] for message in found if isinstance(message, Event))


def test_a_failed_job_gives_its_own_return_code(bench: Bench) -> None:
    """A job whose hosts fail is a verdict, with ansible's code."""
    bench.project.playbook("- fail: msg=no")
    done = bench.work(bench.transmit())
    assert statuses(done.stdout)[-1]["status"] == "failed"
    assert done.rc == 2


def test_noise_and_several_options_and_archives_are_taken(bench: Bench) -> None:
    """Noise, unknown kinds, options that come twice (the last counts) and bytes after the end do no harm."""
    stream = bench.transmit()
    mixed = b"\n warning\n" + encode_line({"kwargs": {"playbook": "nope.yml"}}) + encode_line({"new": "kind"})
    done = bench.work(mixed + stream.replace(EOF_LINE, zip_of(stream_archive(stream)) + EOF_LINE) + b"tail")
    assert done.rc == 0, done.stderr
    assert statuses(done.stdout)[-1]["status"] == "successful"


def stream_archive(stream: bytes) -> bytes:
    """Return the zip file in a stream."""
    from receptor_runner.stream.messages import ArchiveData

    return b"".join(message.data for message in Decoder().feed(stream) if isinstance(message, ArchiveData))


def test_a_kept_directory_is_merged_into_and_stays(bench: Bench, tmp_path: Path) -> None:
    """With --private-data-dir the files stay, beside what was there, in a directory that is private."""
    kept = tmp_path / "deep" / "kept"
    done = bench.work(bench.transmit(), "--private-data-dir", kept)
    assert done.rc == 0, done.stderr
    assert kept.stat().st_mode & 0o777 == 0o700
    (kept / "own").write_text("own")
    assert bench.work(bench.transmit(), "--private-data-dir", kept).rc == 0
    assert {path.name for path in kept.iterdir()} == {"artifacts", "inventory", "project", "own"}


def test_delete_empties_before_and_removes_afterwards(bench: Bench, tmp_path: Path) -> None:
    """With --delete what was there is gone before the job, and all of it afterwards, read-only parts too."""
    removed = tmp_path / "removed"
    (removed / "project" / "old").mkdir(parents=True)
    (removed / "project" / "old").chmod(0o555)
    bench.project.playbook(
        "- stat: path={{ playbook_dir }}/old\n  register: it\n- assert: {that: not it.stat.exists}"
    )
    done = bench.work(bench.transmit(), "--private-data-dir", removed, "--delete")
    assert done.rc == 0, done.text
    assert not removed.exists()


def test_delete_through_a_link_leaves_the_link(bench: Bench, tmp_path: Path) -> None:
    """With --delete a link to a directory has that directory emptied before and removed afterwards."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/old").write_text("old")
    (tmp_path / "link").symlink_to("real")
    bench.project.playbook(
        "- stat: path={{ playbook_dir }}/../old\n  register: it\n- assert: {that: not it.stat.exists}"
    )
    assert bench.work(bench.transmit(), "--private-data-dir", tmp_path / "link", "--delete").rc == 0
    assert not (tmp_path / "real").exists()


def test_directories_that_must_not_be_deleted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """--delete refuses the root, system directories, a home and where we are, before anything is read."""
    home = bench.commands.environment["HOME"]
    for place in ("/", "/etc", home, bench.commands.cwd):
        done = bench.work(b"", "--private-data-dir", place, "--delete")
        assert (done.rc, done.stdout) == (64, b""), place
    monkeypatch.chdir(bench.temporary)
    with pytest.raises(UsageError, match="--delete"):
        WorkerDirectory(private_data_dir=bench.temporary.parent, delete=True).check()


def test_a_directory_that_cannot_be_made(bench: Bench, tmp_path: Path) -> None:
    """A private data directory below a file is an error on the stream, without a traceback for people."""
    (tmp_path / "file").write_text("x")
    done = bench.work(bench.transmit(), "--private-data-dir", tmp_path / "file" / "d")
    assert done.rc == 74
    assert "cannot create the private data directory" in statuses(done.stdout)[0]["job_explanation"]
    assert "Traceback" not in done.stderr


@pytest.fixture
def running(bench: Bench) -> Callable[..., subprocess.Popen[bytes]]:
    """Start a worker whose job waits for ever, and return once the task runs."""

    def start(*words: str) -> subprocess.Popen[bytes]:
        started = bench.project.path.parent / "started"
        bench.project.playbook(f"- shell: touch {started}; sleep 987")
        stream = bench.transmit()
        worker = bench.start(*words)
        assert worker.stdin is not None
        worker.stdin.write(stream)
        worker.stdin.close()
        worker.stdin = None
        wait_until(started.exists, "the task runs")
        return worker

    return start


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return what a worker has started."""
    return psutil.Process(process.pid).children(recursive=True)


def check_gone(processes: list[psutil.Process]) -> None:
    """Check that processes end."""
    wait_until(lambda: not any(process.is_running() for process in processes), "no process is left")


def test_an_output_that_is_closed(bench: Bench, running: Callable[..., subprocess.Popen[bytes]]) -> None:
    """When nobody reads any more the job is stopped, the exit code is 74 and nothing is left."""
    worker = running("--keepalive-seconds", "0.2")
    started = descendants(worker)
    assert worker.stdout is not None
    worker.stdout.close()
    worker.stdout = None
    assert worker.wait(30) == 74
    check_gone(started)
    assert list(bench.temporary.iterdir()) == []


def test_stray_prints_do_not_reach_the_stream(bench: Bench, tmp_path: Path) -> None:
    """What anything in the worker prints becomes a line of its own kind; the peer's process passes over it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'worker' in sys.argv:\n"
        "    import receptor_runner.job as job\n"
        "    real = job.Job.from_kwargs\n"
        "    def noisy(given):\n"
        "        print('stray on stdout', flush=True); os.write(2, b'stray on stderr\\n')\n"
        "        return real(given)\n"
        "    job.Job.from_kwargs = noisy\n"
    )
    stream = bench.transmit()
    bench.commands.environment["PYTHONPATH"] = str(tmp_path / "site")
    done = bench.work(stream)
    strays = {message.text for message in messages_of(done.stdout) if isinstance(message, WorkerLine)}
    assert strays == {"stray on stdout", "stray on stderr"}
    assert done.rc == 0
    peer = bench.commands.peer("process", tmp_path / "peer", "-i", "1", stdin=done.stdout)
    assert b"Hello world!" in peer.stdout


class TestKeepalives:
    """Signs of life."""

    def count(self, bench: Bench, *words: str, interval: str | None = None) -> int:
        """Return how many keepalives a job of two seconds sends."""
        bench.project.playbook("- command: sleep 2")
        stream = bench.transmit()
        if interval is not None:
            bench.commands.environment["ANSIBLE_RUNNER_KEEPALIVE_SECONDS"] = interval
        done = bench.work(stream, *words)
        assert done.rc == 0, done.stderr
        return sum(isinstance(message, Keepalive) for message in messages_of(done.stdout))

    def test_none_unless_wanted(self, bench: Bench) -> None:
        """Without the option, with 0, or with 0 against the environment, none is sent."""
        assert self.count(bench, "--keepalive-seconds", "0", interval="1") == 0

    @pytest.mark.parametrize(
        ("words", "interval"),
        [(["--keepalive-seconds", "1"], None), pytest.param([], "1", marks=pytest.mark.slow)],
    )
    def test_one_a_second(self, bench: Bench, words: list[str], interval: str | None) -> None:
        """With an interval of a second, by option or environment, there are some, at most one a second."""
        started = time.monotonic()
        count = self.count(bench, *words, interval=interval)
        assert 1 <= count <= time.monotonic() - started

    def test_a_tiny_interval_never_splits_anything(self, bench: Bench) -> None:
        """With an interval next to nothing every line and the archive are whole."""
        assert self.count(bench, "--keepalive-seconds", "0.000000001") > 5

    def test_intervals(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The caller's word counts, else the variable; what is no number is a configuration error."""
        monkeypatch.setenv("ANSIBLE_RUNNER_KEEPALIVE_SECONDS", "2.5")
        assert [keepalive_interval(given) for given in (None, 0, 3, -1)] == [2.5, 0, 3, 0]
        monkeypatch.setenv("ANSIBLE_RUNNER_KEEPALIVE_SECONDS", "soon")
        with pytest.raises(ConfigError, match="`soon`"):
            keepalive_interval(None)
        monkeypatch.delenv("ANSIBLE_RUNNER_KEEPALIVE_SECONDS")
        assert keepalive_interval(None) == 0


def test_a_place_is_made_private_and_goes(tmp_path: Path) -> None:
    """A temporary directory is 0700 and gone at the end with read-only directories in it; a named one stays."""
    temporary = WorkerDirectory()
    directory = temporary.open()
    assert directory.stat().st_mode & 0o777 == 0o700
    (directory / "a/b").mkdir(parents=True)
    (directory / "a").chmod(0o500)
    temporary.close(directory)
    assert not directory.exists()
    named = WorkerDirectory(private_data_dir=tmp_path / "x" / "y")
    named.close(named.open())
    assert (tmp_path / "x" / "y").is_dir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputFailed):
        WorkerDirectory(private_data_dir=tmp_path / "file").open()


def test_the_worker_starts_without_what_it_does_not_need(commands: Commands) -> None:
    """The worker imports neither receptorctl nor yaml nor ansible before a job needs them."""
    heavy = "{'yaml', 'receptorctl', 'ansible', 'tenacity', 'click'}"
    code = f"import sys, receptor_runner.worker; print(sorted({heavy} & set(sys.modules)))"
    assert commands.run(BIN / "python", "-c", code).text.strip() == "[]"


def test_no_output_file_comes_back_where_none_is_wanted(bench: Bench, tmp_path: Path) -> None:
    """In a directory that worker and process share, the output that `process` keeps meanwhile is not the worker's."""
    bench.project.write("env/settings", "suppress_output_file: true")
    kept = bench.project.artifacts("1")
    kept.mkdir(parents=True)
    (kept / "stdout").write_text("of process")
    stream = bench.transmit("--only-kwargs", "-p", "test.yml", "-i", "1")
    done = bench.work(stream, "--private-data-dir", bench.project.path)
    assert done.rc == 0, done.stderr
    bench.commands.ours("process", tmp_path / "home-coming", "-i", "1", stdin=done.stdout)
    came = {path.name for path in (tmp_path / "home-coming/artifacts/1").iterdir()}
    assert "rc" in came
    assert not {"stdout", "stderr"} & came


class EndWatcher:
    """An output that notes what is in a directory when the end marker comes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.left_at_end: list[Path] = []

    def write(self, data: bytes, /) -> None:
        """Take bytes of the stream."""
        if data.endswith(EOF_LINE):
            self.left_at_end = list(self._directory.iterdir())

    def flush(self) -> None:
        """Do nothing."""


def test_the_end_is_said_before_the_directory_is_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the stream need not wait for the removal of the private data dir."""
    monkeypatch.setattr(tempfile, "tempdir", str(bench.temporary))
    output = EndWatcher(bench.temporary)
    with GuardianClient() as guardian:
        work(
            iter([bench.transmit()]),
            ResultStream(output),
            directory=WorkerDirectory(),
            stop=CancelToken(),
            guardian=guardian,
        )
    assert len(output.left_at_end) == 1
    assert list(bench.temporary.iterdir()) == []


class DeathAtTheEnd:
    """An output with whose last bytes the worker dies, as far as its guardian can see."""

    def __init__(self, guardian: GuardianClient) -> None:
        self._guardian = guardian

    def write(self, data: bytes, /) -> None:
        """Take bytes of the stream."""
        if data.endswith(EOF_LINE):
            self._guardian._socket.shutdown(socket.SHUT_RDWR)

    def flush(self) -> None:
        """Do nothing."""


def test_what_a_job_left_running_survives_a_worker_that_is_killed_right_after_the_end(bench: Bench) -> None:
    """A unit is released, and its worker interrupted, as soon as the stream is whole."""
    started = bench.temporary / "started"
    name = bench.project.playbook(
        f"- shell: echo $$ > {started}; exec sleep 600\n  async: 300\n  poll: 0\n- wait_for: path={started}"
    )
    with GuardianClient() as guardian:
        work(
            iter([bench.transmit("-p", name, "-i", "1")]),
            ResultStream(DeathAtTheEnd(guardian)),
            directory=WorkerDirectory(private_data_dir=bench.temporary / "pdd"),
            stop=CancelToken(),
            guardian=guardian,
        )
    left = psutil.Process(int(started.read_text()))
    assert left.status() != psutil.STATUS_ZOMBIE
    left.kill()


def test_a_signal_after_the_end_leaves_the_removal_to_the_guardian(bench: Bench) -> None:
    """A worker whose unit is released while it removes its files ends at once, and they are removed nevertheless."""
    for number in range(2000):
        (bench.project.path / "project" / str(number)).touch()
    worker = bench.start()
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(bench.transmit())
    worker.stdin.close()
    worker.stdin = None
    while (line := worker.stdout.readline()) and not line.endswith(EOF_LINE):
        pass
    worker.send_signal(signal.SIGINT)
    assert worker.wait(30) in {0, 130}
    wait_until(lambda: list(bench.temporary.iterdir()) == [], "the directory is removed")


@pytest.mark.parametrize("name", ["passwords", "envvars", "settings", "extravars"])
def test_a_broken_file_of_a_peer_is_named_and_not_quoted(bench: Bench, name: str) -> None:
    """Whoever sent it unchecked: neither the stream nor stderr holds what is written in it."""
    bench.project.write(f"env/{name}", "ok: 1\nx: @SECRET\n")
    sent = bench.commands.peer("transmit", bench.project.path, "-p", "test.yml", "-i", "1")
    done = bench.work(sent.stdout)
    (last,) = statuses(done.stdout)
    assert (done.rc, last["status"]) == (78, "error")
    assert last["job_explanation"].startswith(f"env/{name} is neither JSON nor YAML: line 2, column 4")
    assert "SECRET" not in done.stdout.decode() + done.stderr
