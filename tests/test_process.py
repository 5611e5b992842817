"""Phase 3: what is written, who hears of it, and how it goes on after a break."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.archive.pack import pack
from receptor_runner.artifacts import FILE_MODE
from receptor_runner.errors import OutputFailed, StreamError, UsageError
from receptor_runner.handlers import Handlers, runner_config
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import Processor, process
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from receptor_runner.results.checkpoint import Checkpoint
from receptor_runner.results.damage import BAD_LINE, NO_LINE
from receptor_runner.stream.encoder import EOF_LINE, KEEPALIVE_LINE, encode_archive, encode_line

from tests.harness import Commands, Finished, Project, wait_until

STARTING = encode_line(
    {"status": "starting", "runner_ident": "1", "command": ["a"], "env": {"B": "c"}, "cwd": "/w"}
)
RUNNING = encode_line({"status": "running", "runner_ident": "1"})
STDOUT = b"\r\nfirst\r\nsecond \xe2\x86\x92\r\n"


def event(counter: Any, stdout: str = "", **more: Any) -> bytes:
    """Return an event as a line."""
    fixed = {"uuid": f"uuid-{counter}", "counter": counter, "stdout": stdout, "event": "verbose"}
    return encode_line(fixed | more)


def verdict(status: str = "successful", **more: Any) -> bytes:
    """Return the last status line."""
    return encode_line({"status": status, "runner_ident": "1", **more})


@pytest.fixture
def archived(tmp_path: Path) -> Callable[..., bytes]:
    """Return an archive block with artifacts as a worker sends them."""

    def make(**files: str) -> bytes:
        source = tmp_path / "worker's"
        (source / "job_events").mkdir(parents=True, exist_ok=True)
        (source / "fact_cache").mkdir(exist_ok=True)
        (source / "fact_cache/host").write_text("{}")
        (source / "stdout").write_bytes(STDOUT)
        for name, text in ({"rc": "0", "status": "successful", "command": "{}"} | files).items():
            (source / name).write_text(text)
            (source / name).chmod(FILE_MODE)
        packed = pack(source)
        block = b"".join(encode_archive(packed.size, packed.chunks()))
        packed.close()
        return block

    return make


@pytest.fixture
def stream(archived: Callable[..., bytes]) -> bytes:
    """A whole stream of a good job."""
    events = event(1, "\r\nfirst") + KEEPALIVE_LINE + event(2) + event(3, "second →")
    return STARTING + RUNNING + events + verdict() + archived() + EOF_LINE


def worked_off(stream: bytes, directory: Path, handlers: Handlers | None = None) -> Outcome:
    """Work off a stream in one piece."""
    config = runner_config(directory, "1")
    return process(iter([stream]), Processor(Path(config.artifact_dir), config=config, handlers=handlers))


def files_of(directory: Path) -> dict[str, bytes]:
    """Return the files below a directory."""
    found = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())


def test_files_and_modes(stream: bytes, tmp_path: Path) -> None:
    """The artifacts are those of the peer, with its names, contents and modes, and nothing else."""
    assert worked_off(stream, tmp_path / "pdd") == Outcome(status=Status.SUCCESSFUL, rc=0)
    artifacts = tmp_path / "pdd/artifacts/1"
    found = files_of(artifacts)
    assert set(found) == {
        "command",
        "rc",
        "status",
        "stdout",
        "fact_cache/host",
        "job_events/1-uuid-1.json",
        "job_events/2-uuid-2.json",
        "job_events/3-uuid-3.json",
    }
    assert found["stdout"] == STDOUT
    assert found["job_events/1-uuid-1.json"] == event(1, "\r\nfirst").strip(b"\n")
    for directory in (tmp_path / "pdd", artifacts, artifacts / "job_events"):
        assert directory.stat().st_mode & 0o777 == 0o700
    for name in ("rc", "job_events/1-uuid-1.json"):
        assert (artifacts / name).stat().st_mode & 0o777 == 0o600
    assert names_in(tmp_path / "pdd") == ["artifacts"]


def test_places(tmp_path: Path) -> None:
    """Artifacts go below the ident, to artifacts/ without one, or to a place of the caller's choice."""
    assert runner_config(tmp_path, "7").artifact_dir == str(tmp_path / "artifacts/7")
    assert runner_config(tmp_path, None).artifact_dir == str(tmp_path / "artifacts")
    assert runner_config(tmp_path, "7", tmp_path / "x").artifact_dir == str(tmp_path / "x")
    with pytest.raises(UsageError):
        runner_config(tmp_path, "../7")


def test_handlers_hear_everything_in_order(stream: bytes, tmp_path: Path) -> None:
    """Statuses with the config, events, the artifacts and the text to show come once each, in order."""
    told: list[Any] = []

    def on_status(data: dict[str, Any], runner_config: Any) -> None:
        told.append((data["status"], runner_config.command, runner_config.env, runner_config.cwd))

    handlers = Handlers(
        event_handler=lambda data: told.append(data["counter"]) or True,  # type: ignore[func-returns-value]
        status_handler=on_status,
        artifacts_handler=lambda path: told.append((path, (Path(path) / "rc").read_text())),
        display=told.append,
    )
    worked_off(stream, tmp_path, handlers)
    about = (["a"], {"B": "c"}, "/w")
    assert told == [
        ("starting", *about),
        ("running", *about),
        "\r\nfirst\n",
        1,
        2,
        "second →\n",
        3,
        ("successful", *about),
        (str(tmp_path / "artifacts/1"), "0"),
    ]


@pytest.mark.parametrize(("answer", "kept"), [(None, False), (False, False), (True, True), ("yes", True)])
def test_a_handler_decides_on_an_events_file(tmp_path: Path, answer: Any, kept: bool) -> None:
    """An event's file is kept if its handler says something true; without a word it is not."""
    worked_off(event(1) + verdict() + EOF_LINE, tmp_path, Handlers(event_handler=lambda _data: answer))
    assert (tmp_path / "artifacts/1/job_events/1-uuid-1.json").exists() is kept


def test_a_changed_event_is_what_is_written(tmp_path: Path) -> None:
    """What a handler changes in an event is in its file."""

    def change(data: dict[str, Any]) -> bool:
        data["added"] = "é"
        return True

    worked_off(event(1) + verdict() + EOF_LINE, tmp_path, Handlers(event_handler=change))
    written = (tmp_path / "artifacts/1/job_events/1-uuid-1.json").read_bytes()
    assert json.loads(written)["added"] == "é"
    assert written.isascii()


def test_a_handler_that_fails_ends_it(stream: bytes, tmp_path: Path) -> None:
    """An error of a handler reaches the caller as it is."""
    with pytest.raises(ZeroDivisionError):
        worked_off(stream, tmp_path, Handlers(event_handler=lambda _data: 1 / 0))


@pytest.mark.parametrize(
    ("counter", "name"),
    [
        (1, "../../../escape"),
        (1, "a/b"),
        (1, "\0"),
        (1, "x" * 300),
        (1, ".hidden"),
        (1, ""),
        (1, {"a": 1}),
        (-1, "u"),
        (0, "u"),
        (True, "u"),
        (10**400, "u"),
        ("1", "u"),
    ],
)
def test_events_with_hostile_names_are_not_kept(tmp_path: Path, counter: Any, name: Any) -> None:
    """An event whose counter and uuid make no safe file name is dropped, and the job goes on."""
    lines = event(counter, "text", uuid=name) + event(1, "good") + verdict() + EOF_LINE
    assert worked_off(lines, tmp_path).status is Status.SUCCESSFUL
    assert names_in(tmp_path / "artifacts/1/job_events") == ["1-uuid-1.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]


@pytest.mark.parametrize(
    "odd", [{"command": "text"}, {"command": 5}, {"env": ["x"]}, {"cwd": 5}, {"job_explanation": {"a": 1}}]
)
def test_a_status_with_odd_parts_does_no_harm(tmp_path: Path, odd: dict[str, Any]) -> None:
    """A status line may contain anything."""
    line = encode_line({"status": "starting", **odd})
    assert worked_off(line + verdict() + EOF_LINE, tmp_path).status is Status.SUCCESSFUL


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", NO_LINE),
    "only noise": (b"command not found\n", BAD_LINE),
    "a long line of noise": (b"x" * 10_000 + b"\n", BAD_LINE),
    "torn after the verdict": (STARTING + verdict(), NO_LINE),
    "torn in a line": (STARTING + verdict()[:-9], BAD_LINE),
    "torn in the archive": (STARTING + verdict() + b'{"zipfile": 99}\nQUJD', NO_LINE),
    "no status": (EOF_LINE, "the stream has no status"),
    "no verdict": (STARTING + RUNNING + EOF_LINE, "the stream ends without a verdict"),
    "unknown verdict": (verdict("splendid") + EOF_LINE, "the stream ends with an unknown status `splendid`"),
    "no zip file": (verdict() + b'{"zipfile": 3}\nQUJD' + EOF_LINE, "the archive is damaged"),
    "noise long before": (b"clock skew\n" + STARTING + event(1), NO_LINE),
    "no verdict after events": (STARTING + event(1) + EOF_LINE, "the stream"),
    "damaged event": (event(1)[:9] + b"\n" + verdict() + EOF_LINE, BAD_LINE),
    "damaged header": (verdict() + b'{"zipfile": -3}\nQUJD' + EOF_LINE, BAD_LINE),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_an_error_that_handlers_hear(tmp_path: Path, name: str) -> None:
    """A stream that is damaged or incomplete is an error with the peer's words, and status `error` on disk."""
    stream, text = BROKEN[name]
    told: list[dict[str, Any]] = []
    with pytest.raises(StreamError) as caught:
        worked_off(stream, tmp_path, Handlers(status_handler=lambda data, runner_config: told.append(data)))
    assert told[-1]["status"] == "error"
    assert told[-1]["job_explanation"].startswith(text)
    assert len(told[-1]["job_explanation"]) < 2000
    assert (tmp_path / "artifacts/1/status").read_text() == "error"
    assert not (tmp_path / "artifacts/1/archive.part").exists()
    assert len(caught.value.lines()) <= 3


def test_the_error_says_how_far_the_stream_got(tmp_path: Path) -> None:
    """A torn stream tells bytes, the last status and how many events came."""
    torn = STARTING + event(1) + event(2) + b'{"zipfile": 900}\n' + b"QUJD"
    with pytest.raises(StreamError) as caught:
        worked_off(torn, tmp_path)
    assert caught.value.cause == "received 3 of 900 bytes; last status: starting, events: 2"


def test_a_damaged_message_is_said_although_the_rest_is_written(stream: bytes, tmp_path: Path) -> None:
    """When an event is lost to damage, all artifacts are there, but the job does not count as well followed."""
    with pytest.raises(StreamError, match="1 messages of the stream are damaged"):
        worked_off(stream.replace(b'{"uuid": "uuid-2"', b'{"uuid": "uu', 1), tmp_path)
    assert (tmp_path / "artifacts/1/stdout").read_bytes() == STDOUT


def test_noise_between_messages_is_passed_over(stream: bytes, tmp_path: Path) -> None:
    """Lines of others between messages, and all that follows the end marker, change nothing."""
    mixed = b"\nwarning: clock\n" + stream.replace(RUNNING, RUNNING + b"  \nmore\n") + b"Released\n"
    assert worked_off(mixed, tmp_path).status is Status.SUCCESSFUL
    assert files_of(tmp_path / "artifacts/1")["stdout"] == STDOUT


@pytest.mark.parametrize(
    ("rc", "status", "read"),
    [
        ("2", "failed", 2),
        ("None", "failed", None),
        ("", "failed", None),
        ("254", "timeout", 254),
        ("\xff", "failed", None),
    ],
)
def test_return_codes(
    archived: Callable[..., bytes], tmp_path: Path, rc: str, status: str, read: int | None
) -> None:
    """The return code is what the worker recorded; what is no number is none."""
    outcome = worked_off(verdict(status) + archived(rc=rc, status=status) + EOF_LINE, tmp_path / "pdd")
    assert (outcome.status.value, outcome.rc) == (status, read)


def test_a_workers_error_is_an_outcome(tmp_path: Path) -> None:
    """An error status of the worker ends a whole stream; its words are kept, and `status` exists."""
    outcome = worked_off(verdict("error", job_explanation="no disk") + EOF_LINE, tmp_path)
    assert outcome == Outcome(status=Status.ERROR, explanation="no disk")
    assert (tmp_path / "artifacts/1/status").read_text() == "error"


def test_reserved_and_escaping_entries_are_left_out(tmp_path: Path) -> None:
    """A worker can bring neither our own files nor links that lead out."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("unit.json", "unit.lock", "unit.cancel", "archive.part", "rc"):
        (source / name).write_text("0")
    (source / "out").symlink_to("/etc")
    packed = pack(source)
    block = b"".join(encode_archive(packed.size, packed.chunks()))
    packed.close()
    worked_off(verdict() + block + EOF_LINE, tmp_path / "pdd")
    assert names_in(tmp_path / "pdd/artifacts/1") == ["job_events", "rc", "status"]


def test_what_was_left_out_is_in_the_outcome(tmp_path: Path) -> None:
    """Each entry that could not be extracted is a warning that the outcome holds."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "out").symlink_to("/etc")
    packed = pack(source)
    block = b"".join(encode_archive(packed.size, packed.chunks()))
    packed.close()
    outcome = worked_off(verdict() + block + EOF_LINE, tmp_path / "pdd")
    (warning,) = outcome.warnings
    assert warning.startswith("left out of the artifacts: out: a link")


@pytest.mark.parametrize(
    ("status", "files", "expected"),
    [
        ("successful", {"rc": "0", "status": "successful"}, []),
        ("failed", {"rc": "2", "status": "failed"}, []),
        ("failed", {"rc": "None", "status": "failed"}, []),
        ("successful", {"rc": "2", "status": "successful"}, ["`rc` says 2"]),
        ("failed", {"rc": "0", "status": "failed"}, ["`rc` says 0"]),
        ("successful", {"rc": "0", "status": "failed"}, ["`status` says 'failed'"]),
        ("successful", {"rc": "2", "status": "failed"}, ["`status` says 'failed'", "`rc` says 2"]),
    ],
)
def test_contradictions_are_warnings(
    archived: Callable[..., bytes], tmp_path: Path, status: str, files: dict[str, str], expected: list[str]
) -> None:
    """A stream whose status does not match the artifacts in it is reported, and never exits 0."""
    outcome = worked_off(verdict(status) + archived(**files) + EOF_LINE, tmp_path / "pdd")
    assert [text.partition("artifact ")[2] for text in outcome.warnings] == expected
    assert (outcome.exit_code == 0) is (status == "successful" and files["rc"] == "0")


@pytest.mark.parametrize(("status", "old"), [("error", "0"), ("successful", "2")])
def test_the_return_code_of_an_earlier_job_does_not_count(tmp_path: Path, status: str, old: str) -> None:
    """A stream without an archive brings none, whatever is in the directory; the peer's runner has None as well."""
    artifacts = tmp_path / "pdd" / "artifacts" / "1"
    artifacts.mkdir(parents=True)
    (artifacts / "rc").write_text(old)
    outcome = worked_off(STARTING + verdict(status) + EOF_LINE, tmp_path / "pdd")
    assert (outcome.status, outcome.rc, outcome.warnings) == (status, None, ())
    assert (outcome.exit_code == 0) is (status == "successful")


def test_an_archive_beyond_a_limit_is_an_error(
    stream: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that holds too much is not extracted, and handlers hear what raises the limit."""
    monkeypatch.setenv("RECEPTOR_RUNNER_MAX_ARCHIVE_SIZE", "10")
    told: list[dict[str, Any]] = []
    with pytest.raises(StreamError, match="RECEPTOR_RUNNER_MAX_ARCHIVE_SIZE"):
        worked_off(stream, tmp_path, Handlers(status_handler=lambda data, runner_config: told.append(data)))
    assert "raise RECEPTOR_RUNNER_MAX_ARCHIVE_SIZE" in told[-1]["job_explanation"]
    assert not (tmp_path / "artifacts/1/rc").exists()


def test_a_job_without_output_file_has_none_here(archived: Callable[..., bytes], tmp_path: Path) -> None:
    """Where the worker kept no stdout, the one that grew here is gone in the end."""
    archived()
    (tmp_path / "worker's/stdout").unlink()
    packed = pack(tmp_path / "worker's")
    block = b"".join(encode_archive(packed.size, packed.chunks()))
    packed.close()
    stream = event(1, "text") + verdict() + block + EOF_LINE
    worked_off(stream, tmp_path / "pdd")
    assert not (tmp_path / "pdd/artifacts/1/stdout").exists()
    checkpoint = _broken_off(stream, tmp_path / "again")
    assert _gone_on(stream, tmp_path / "again", checkpoint).rc == 0
    assert not (tmp_path / "again/artifacts/1/stdout").exists()


def test_stdout_grows_while_the_job_runs(stream: bytes, tmp_path: Path) -> None:
    """The text of each event is on disk when it came, and at the end the file is the worker's, byte for byte."""
    config = runner_config(tmp_path, "1")
    processor = Processor(Path(config.artifact_dir), config=config)
    grown = tmp_path / "artifacts/1/stdout"
    head = stream.index(event(3, "second →"))
    processor.feed(stream[:head])
    assert grown.read_bytes() == b"\r\nfirst\n"
    processor.feed(stream[head:])
    assert grown.read_bytes() == STDOUT
    assert processor.finish().rc == 0
    processor.close()


def test_going_on_from_every_place(stream: bytes, tmp_path: Path) -> None:
    """Broken off after any byte and taken up by another processor, the artifacts are byte for byte the same."""
    worked_off(stream, tmp_path / "whole")
    expected = files_of(tmp_path / "whole")
    step = max(len(stream) // 150, 1)
    for place in [*range(0, len(stream), step), len(stream) - 1, len(stream)]:
        directory = tmp_path / f"cut{place}"
        checkpoint = _broken_off(stream[:place], directory)
        assert _gone_on(stream, directory, checkpoint) == Outcome(status=Status.SUCCESSFUL, rc=0), place
        assert files_of(directory) == expected, place


def _processor(directory: Path, checkpoint: Checkpoint | None, handlers: Handlers | None = None) -> Processor:
    config = runner_config(directory, "1")
    return Processor(Path(config.artifact_dir), config=config, checkpoint=checkpoint, handlers=handlers)


def _broken_off(piece: bytes, directory: Path) -> Checkpoint:
    processor = _processor(directory, None)
    processor.feed(piece)
    checkpoint = processor.checkpoint()
    processor.close()
    return checkpoint


def _gone_on(stream: bytes, directory: Path, checkpoint: Checkpoint) -> Outcome:
    processor = _processor(directory, checkpoint)
    processor.feed(stream[processor.received :])
    outcome = processor.finish()
    processor.close()
    return outcome


def test_going_on_from_an_old_checkpoint(stream: bytes, tmp_path: Path) -> None:
    """A checkpoint that is older than the files, as after a crash, leads to the same artifacts too."""
    worked_off(stream, tmp_path / "whole")
    expected = files_of(tmp_path / "whole")
    for place in range(0, len(stream), len(stream) // 25):
        directory = tmp_path / f"cut{place}"
        checkpoint = _broken_off(stream[:place], directory)
        _processor_run(stream, directory)
        assert _gone_on(stream, directory, checkpoint).rc == 0, place
        assert files_of(directory) == expected, place


def _processor_run(stream: bytes, directory: Path) -> None:
    processor = _processor(directory, None)
    processor.feed(stream)
    processor.close()


def test_going_on_where_files_are_gone(stream: bytes, tmp_path: Path) -> None:
    """If the artifacts do not reach as far as the checkpoint, the stream is taken from its beginning."""
    inside = stream.index(b'{"zipfile"') + 100
    checkpoint = _broken_off(stream[:inside], tmp_path)
    (tmp_path / "artifacts/1/archive.part").unlink()
    fresh = _processor(tmp_path, checkpoint)
    assert fresh.offset == 0
    fresh.close()
    assert _gone_on(stream, tmp_path, checkpoint).rc == 0


def test_events_come_once_to_handlers(stream: bytes, tmp_path: Path) -> None:
    """Over a break at a checkpoint each event reaches a handler exactly once."""
    counters: list[int] = []
    handlers = Handlers(event_handler=lambda data: counters.append(data["counter"]))
    checkpoint: Checkpoint | None = None
    for start in range(0, len(stream), 97):
        processor = _processor(tmp_path, checkpoint, handlers)
        processor.feed(stream[processor.received : start + 97])
        checkpoint = processor.checkpoint()
        processor.close()
    assert counters == [1, 2, 3]
    assert checkpoint is not None
    assert checkpoint.position.ended


def _many_events(first: int, last: int) -> bytes:
    return b"".join(event(number, f"line {number}") for number in range(first, last + 1))


def test_many_events_at_once(archived: Callable[..., bytes], tmp_path: Path) -> None:
    """Whether events come together or one by one, the artifacts are byte for byte the same."""
    stream = STARTING + _many_events(1, 700) + verdict() + archived() + EOF_LINE
    worked_off(stream, tmp_path / "together")
    config = runner_config(tmp_path / "apart", "1")
    lines = iter(stream.splitlines(keepends=True))
    process(lines, Processor(Path(config.artifact_dir), config=config))
    assert len(names_in(tmp_path / "together/artifacts/1/job_events")) == 700
    assert files_of(tmp_path / "together") == files_of(tmp_path / "apart")


def test_of_events_with_one_name_the_last_counts(tmp_path: Path) -> None:
    """Events that repeat counter and uuid replace each other's file, in the order of the stream."""
    repeated = b"".join(event(1, "x" * (500 - number)) for number in range(100))
    worked_off(_many_events(1, 100) + repeated + verdict() + EOF_LINE, tmp_path)
    assert (tmp_path / "artifacts/1/job_events/1-uuid-1.json").read_bytes() == event(1, "x" * 401).strip()


def test_files_are_complete_before_anything_is_told(tmp_path: Path) -> None:
    """When text is displayed and when a status is told, the files of all events before it are complete."""
    expected = [event(number, f"line {number}").strip() for number in range(1, 601)]
    seen: list[int] = []

    def look(*_arguments: object, **_options: object) -> None:
        found = {path.name: path.read_bytes() for path in (tmp_path / "artifacts/1/job_events").iterdir()}
        assert found == {
            f"{number}-uuid-{number}.json": expected[number - 1] for number in range(1, len(found) + 1)
        }
        seen.append(len(found))

    stream = _many_events(1, 300) + RUNNING + _many_events(301, 600) + verdict() + EOF_LINE
    worked_off(stream, tmp_path, Handlers(status_handler=look, display=look))
    assert seen == [300, 300, 600, 600]


def test_a_handler_finds_the_files_of_the_events_before(tmp_path: Path) -> None:
    """When a handler is asked for an event, the files of all events before it are complete, and no later one exists."""
    directory = tmp_path / "artifacts/1/job_events"

    def look(data: dict[str, Any]) -> bool:
        counter = data["counter"]
        assert len(names_in(directory)) == counter - 1
        if counter > 1:
            assert json.loads((directory / f"{counter - 1}-uuid-{counter - 1}.json").read_bytes())
        return True

    worked_off(_many_events(1, 100) + verdict() + EOF_LINE, tmp_path, Handlers(event_handler=look))


def test_an_event_that_cannot_be_written_stays_ahead_of_checkpoints(tmp_path: Path) -> None:
    """An error of writing one of many files names it, shows nothing of them, and lets no checkpoint pass."""
    shown: list[str] = []
    obstacle = tmp_path / "artifacts/1/job_events/450-uuid-450.json"
    obstacle.mkdir(parents=True)
    processor = _processor(tmp_path, None, Handlers(display=shown.append))
    processor.feed(_many_events(1, 300))
    checkpoint = processor.checkpoint()
    with pytest.raises(OutputFailed, match="450-uuid-450"):
        processor.feed(_many_events(301, 600))
    with pytest.raises(OutputFailed, match="450-uuid-450"):
        processor.checkpoint()
    processor.close()
    assert shown == ["".join(f"line {number}\n" for number in range(1, 301))]
    obstacle.rmdir()
    stream = _many_events(1, 600) + verdict() + EOF_LINE
    assert _gone_on(stream, tmp_path, checkpoint).status is Status.SUCCESSFUL
    worked_off(stream, tmp_path / "whole")
    assert files_of(tmp_path / "artifacts") == files_of(tmp_path / "whole/artifacts")


KILLED = """
import os, pickle, signal, sys, threading
from pathlib import Path
from receptor_runner.handlers import runner_config
from receptor_runner.process import Processor

directory, count = Path(sys.argv[1]), int(sys.argv[2])
config = runner_config(directory, "1")
processor = Processor(Path(config.artifact_dir), config=config)

def kill():
    while len(os.listdir(directory / "artifacts/1/job_events")) < count:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill, daemon=True).start()
while data := sys.stdin.buffer.read(100_000):
    processor.feed(data)
    (directory / "draft").write_bytes(pickle.dumps(processor.checkpoint()))
    (directory / "draft").rename(directory / "checkpoint")
threading.Event().wait()
"""


@pytest.mark.parametrize("count", [1, 500, 1200, 2000])
def test_going_on_after_a_kill(archived: Callable[..., bytes], tmp_path: Path, count: int) -> None:
    """Killed with so many files written, it leads to the same artifacts once another processor has gone on."""
    events = STARTING + _many_events(1, 2000)
    stream = events + verdict() + archived() + EOF_LINE
    (tmp_path / "pdd").mkdir()
    words = [sys.executable, "-c", KILLED, str(tmp_path / "pdd"), str(count)]
    killed = subprocess.run(words, input=events, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    saved = tmp_path / "pdd/checkpoint"
    checkpoint = pickle.loads(saved.read_bytes()) if saved.exists() else Checkpoint()
    assert _gone_on(stream, tmp_path / "pdd", checkpoint).rc == 0
    worked_off(stream, tmp_path / "whole")
    assert files_of(tmp_path / "pdd/artifacts") == files_of(tmp_path / "whole/artifacts")


SMALL = """
import sys, threading
from pathlib import Path
from receptor_runner.handlers import runner_config
from receptor_runner.process import Processor, process

threading.Thread.start = None
config = runner_config(Path(sys.argv[1]), "1")
process(iter(sys.stdin.buffer.readline, b""), Processor(Path(config.artifact_dir), config=config))
print("concurrent.futures" in sys.modules)
"""


def test_events_that_trickle_in_need_no_thread(tmp_path: Path) -> None:
    """A job whose events come one by one starts no thread, and does not wait for the import of thread pools."""
    words = [sys.executable, "-c", SMALL, str(tmp_path)]
    stream = _many_events(1, 100) + verdict() + EOF_LINE
    assert subprocess.run(words, input=stream, stdout=subprocess.PIPE, check=True).stdout == b"False\n"


def test_the_spooled_archive_is_private(stream: bytes, tmp_path: Path) -> None:
    """The archive on its way is readable by nobody else."""
    _broken_off(stream[: stream.index(b'{"zipfile"') + 100], tmp_path)
    assert (tmp_path / "artifacts/1/archive.part").stat().st_mode & 0o777 == 0o600


def test_artifacts_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the directory should be is an output error with the system's reason."""
    (tmp_path / "artifacts").write_text("x")
    with pytest.raises(OutputFailed, match="cannot write the artifacts") as caught:
        worked_off(EOF_LINE, tmp_path)
    assert caught.value.cause


def test_a_cancel_is_an_outcome(stream: bytes, tmp_path: Path) -> None:
    """When the caller wants no more, the outcome is canceled, on disk and for handlers; after the end it is late."""
    config = runner_config(tmp_path, "1")

    def outcome(pieces: Iterator[bytes]) -> Outcome:
        return process(pieces, Processor(Path(config.artifact_dir), config=config), canceled=lambda: True)

    assert outcome(iter([STARTING])).status is Status.CANCELED
    assert (tmp_path / "artifacts/1/status").read_text() == "canceled"
    assert outcome(iter([stream])).status is Status.SUCCESSFUL


class TestCommand:
    """The command line of process."""

    def run(self, commands: Commands, project: Project, stream: bytes, *words: str) -> Finished:
        """Process a stream."""
        return commands.ours("process", project.path, "-i", "1", *words, stdin=stream)

    @pytest.mark.parametrize("stage", [Stage.STARTED, Stage.RELEASED])
    def test_an_active_job_keeps_its_artifacts(
        self, commands: Commands, project: Project, stream: bytes, stage: Stage
    ) -> None:
        """The results of another job are refused as long as one that was submitted may still run."""
        facts = {"digest": "", "socket": "s", "node_directory": None, "node": "n", "work_type": "w"}
        RecordFile(project.path, "1").write(Record(ident="1", stage=stage, unit_id="abcdefgh", **facts))  # type: ignore[arg-type]
        done = self.run(commands, project, stream)
        assert done.rc == (73 if stage is Stage.STARTED else 0)
        assert ("belongs to an active job" in done.stderr) is (stage is Stage.STARTED)
        assert (project.artifacts("1") / "rc").exists() is (stage is Stage.RELEASED)

    @pytest.mark.parametrize(
        ("status", "rc", "code"),
        [
            ("successful", "0", 0),
            ("failed", "2", 2),
            ("failed", "None", 1),
            ("timeout", "254", 254),
            ("failed", "256", 255),
        ],
    )
    def test_exit_codes(
        self,
        commands: Commands,
        project: Project,
        archived: Callable[..., bytes],
        status: str,
        rc: str,
        code: int,
    ) -> None:
        """A verdict exits with the job's own code."""
        stream = verdict(status) + archived(rc=rc, status=status) + EOF_LINE
        assert self.run(commands, project, stream).rc == code

    def test_a_workers_error_is_76(self, commands: Commands, project: Project) -> None:
        """What the worker reports is shown, safely, and exits 76."""
        done = self.run(commands, project, verdict("error", job_explanation="no\x1b[31m disk") + EOF_LINE)
        assert done.rc == 76
        assert "no?[31m disk" in done.stderr

    def test_a_closed_stdout_is_74_and_the_artifacts_are_complete(
        self, commands: Commands, project: Project, stream: bytes
    ) -> None:
        """When the reader of the output is gone, everything is still written."""
        process = commands.start("process", project.path, "-i", "1", stdin=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        process.communicate(stream, timeout=30)
        assert process.returncode == 74
        assert files_of(project.artifacts("1"))["stdout"] == STDOUT

    def test_output_is_shown(self, commands: Commands, project: Project, stream: bytes) -> None:
        """The output of the job is printed, and nothing of it with --quiet."""
        assert self.run(commands, project, stream).stdout == "\r\nfirst\nsecond →\n".encode()
        assert self.run(commands, project, stream, "-q").stdout == b""

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_signals(self, commands: Commands, project: Project, number: int, code: int) -> None:
        """SIGTERM, and Ctrl-C pressed twice, end it with their code and a canceled job on disk."""
        process = commands.start("process", project.path, "-i", "1", stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(STARTING + event(1, "text"))
        process.stdin.flush()
        shown = project.artifacts("1") / "stdout"
        wait_until(lambda: shown.exists() and shown.read_text() == "text\n", "the event is there")
        process.send_signal(number)
        if number == signal.SIGINT:
            assert process.stderr is not None
            assert b"interrupted" in process.stderr.readline()
            process.send_signal(number)
        assert process.wait(10) == code
        assert (project.artifacts("1") / "status").read_text() == "canceled"

    def test_the_last_word_after_ctrl_c_is_heard(
        self, commands: Commands, project: Project, stream: bytes
    ) -> None:
        """After the first Ctrl-C the worker's final status still arrives."""
        process = commands.start("process", project.path, "-i", "1", stdin=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(STARTING)
        process.stdin.flush()
        wait_until((project.artifacts("1") / "stdout").exists, "process has begun")
        process.send_signal(signal.SIGINT)
        assert b"interrupted" in process.stderr.readline()
        process.communicate(stream.removeprefix(STARTING), timeout=30)
        assert process.returncode == 130
        assert files_of(project.artifacts("1"))["stdout"] == STDOUT
