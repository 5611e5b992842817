"""Bad input: each a clear error of at most three lines, its own exit code, and nothing half-written."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from receptor_runner import errors
from receptor_runner.outcome import Outcome, Status

from tests.harness import CommandLine, Commands, Finished, Project, ServedNode

DOCUMENT = Path(__file__).parents[1] / "docs" / "exit-codes.md"

KWARGS = b'{"kwargs": {"ident": "1", "playbook": "test.yml"}}\n'


def snapshot(directory: Path) -> list[str]:
    """Return the names of all that is in a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def check(done: Finished, code: int, *texts: str) -> None:
    """Check the exit code and the shape of the message."""
    assert done.rc == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert 1 <= len(lines) <= 3, done.stderr
    assert lines[0].startswith("error: ")
    assert all(line.startswith(("  cause: ", "  hint: ")) for line in lines[1:])
    for text in texts:
        assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["transmit", "NOPE", "-p", "test.yml"], 66, "does not exist"),
        (["run", "NOPE", "-p", "test.yml"], 66, "does not exist"),
        (["submit", "NOPE", "-p", "test.yml"], 66, "does not exist"),
        (["jobs", "NOPE"], 66, "does not exist"),
        (["attach", "NOPE", "-i", "1"], 66, "does not exist"),
        (["transmit", "DIR"], 64, "nothing to run"),
        (["run", "DIR"], 64, "nothing to run"),
        (["transmit", "DIR", "-p", "x", "--hosts", "all"], 64, "--hosts needs"),
        (["transmit", "DIR", "-p", "test.yml", "--inventory", "nope/"], 66, "no inventory `nope/`"),
        (["transmit", "DIR", "--bogus"], 64, "--bogus"),
        (["transmit", "DIR", "-p", "tset.yml"], 66, "did you mean `-p test.yml`?"),
        (["run", "DIR", "-p", "tset.yml"], 66, "did you mean `-p test.yml`?"),
        (["submit", "DIR", "-p", "project/test.yml"], 66, "did you mean `-p test.yml`?"),
        (["run", "DIR", "-m", "ping"], 64, "--module needs --hosts"),
        (["transmit", "DIR", "-p", "x", "--forks", "many"], 64, "many"),
        (["transmit", "DIR", "-p", "x", "-i", "../x"], 64, "invalid ident"),
        (["bogus"], 64, "bogus"),
        (["attach", "DIR"], 64, "--ident"),
        (["attach", "DIR", "-i", "1"], 66, "no job `1`"),
        (["cancel", "DIR", "-i", "1"], 66, "no job `1`"),
        (["release", "DIR", "-i", "1"], 66, "no job `1`"),
        (
            ["run", "DIR", "-p", "test.yml", "--socket", "nope.sock", "--retry-deadline", "0"],
            69,
            "does not exist",
        ),
        (["run", "DIR", "-p", "test.yml", "--node", "elsewhere"], 69, "no node leads to the mesh"),
        (["node", "--config", "nope.yml"], 78, "nope.yml"),
    ],
)
def test_a_wrong_call_is_told(
    command_line: CommandLine, project: Project, words: list[str], code: int, text: str
) -> None:
    """A call that cannot work ends with its code, says why, and writes nothing."""
    before = snapshot(project.path)
    places = {"DIR": str(project.path), "NOPE": str(project.path / "nope")}
    done = command_line.ours(*(places.get(word, word) for word in words))
    check(done, code, text)
    assert done.stdout == b""
    assert snapshot(project.path) == before


@pytest.mark.parametrize(
    ("stream", "code", "text"),
    [
        (b"", 65, "0 bytes came"),
        (b"garbage\n", 65, "ends before its end marker"),
        (b'{"status": "starting"}\n', 65, "last status: starting"),
        (b'{"status": "successful"}\n', 65, "last status: successful"),
        (b'{"status": "running"}\n{"eof": true}\n', 65, "without a verdict"),
        (b'{"eof": true}\n', 65, "no status"),
        (b'{"status": "successful"}\n{"zipfile": 30}\nYWJj', 65, "received 3 of 30 bytes"),
        (b'{"status": "successful"}\n{"zipfile": 3}\nYWJj{"eof": true}\n', 65, "not a zip file"),
        (b'{"status": "error", "job_explanation": "the reason"}\n{"eof": true}\n', 76, "the reason"),
        (b'{"status": "failed"}\n{"eof": true}\n', 1, ""),
        (b'{"status": "timeout"}\n{"eof": true}\n', 254, ""),
        (b'{"status": "canceled"}\n{"eof": true}\n', 254, ""),
        (b'{"status": "successful"}\n{"eof": true}\n', 0, ""),
    ],
)
def test_a_stream_into_process(
    commands: Commands, tmp_path: Path, stream: bytes, code: int, text: str
) -> None:
    """What `process` makes of a stream is its exit code; only a whole stream with a verdict is a verdict."""
    done = commands.ours("process", tmp_path / "p", "-i", "1", stdin=stream)
    if text:
        check(done, code, text)
    assert done.rc == code


def test_an_unknown_work_type_and_node(commands: Commands, project: Project, node: ServedNode) -> None:
    """A typo is told before anything is uploaded, and leaves neither unit nor artifacts."""
    before = snapshot(project.path)
    words = ("run", project.path, "-p", "test.yml", "--socket", node.socket)
    check(commands.ours(*words, "--work-type", "receptor-runer"), 69, "did you mean `receptor-runner`?")
    check(commands.ours(*words, "--node", "primry"), 69, "did you mean `primary`?")
    assert snapshot(project.path) == before
    assert not list(node.datadir.glob("primary/*/status"))


def test_a_dead_socket_is_never_replaced(commands: Commands, project: Project, short_dir: Path) -> None:
    """A socket that was named and does not answer is exit 69; no embedded node steps in."""
    dead = short_dir / "dead.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(dead))
    left.close()
    commands.environment["RECEPTORCTL_SOCKET"] = str(dead)
    done = commands.ours("run", project.path, "-p", "test.yml", "--retry-deadline", "0")
    check(done, 69, "no process listens on the socket")
    assert not Path(commands.environment["XDG_STATE_HOME"]).exists()


def test_a_closed_stdout_is_an_io_error(commands: Commands, project: Project) -> None:
    """A reader that goes away is exit 74."""
    command = f"receptor-runner transmit {project.path} -p test.yml 1>&-; exit $?"
    assert commands.run("sh", "-c", command).rc == 74
    reader, writer = os.pipe()
    os.close(reader)
    project.write("project/big", "x" * 200_000)
    process = commands.start("transmit", project.path, "-p", "test.yml")
    assert process.stdout
    process.stdout.close()
    os.close(writer)
    assert process.wait(30) == 74


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome(status=Status.SUCCESSFUL, rc=0), 0),
        (Outcome(status=Status.SUCCESSFUL), 0),
        (Outcome(status=Status.FAILED, rc=2), 2),
        (Outcome(status=Status.FAILED, rc=137), 137),
        (Outcome(status=Status.FAILED), 1),
        (Outcome(status=Status.TIMEOUT, rc=254), 254),
        (Outcome(status=Status.CANCELED), 254),
        (Outcome(status=Status.ERROR), 76),
        (Outcome(status=Status.LOST), 75),
    ],
)
def test_the_exit_code_of_an_outcome(outcome: Outcome, code: int) -> None:
    """Each way to end has its code."""
    assert outcome.exit_code == code


def documented_codes() -> set[int]:
    """Return the codes of the second table of the document."""
    table = DOCUMENT.read_text().split("## Without a verdict")[1]
    return {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")
    }


def all_errors(root: type[errors.RunnerError]) -> list[type[errors.RunnerError]]:
    """Return a class and all below it."""
    return [root, *(found for child in root.__subclasses__() for found in all_errors(child))]


def test_the_document_has_every_code() -> None:
    """The table for users and the classes agree."""
    codes = {kind.exit_code for kind in all_errors(errors.RunnerError)} | {0, 143}
    assert documented_codes() == codes


def test_a_bug_shows_no_traceback_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Something nobody foresaw is exit 70, one message, and with --debug the traceback."""
    from receptor_runner import cli
    from receptor_runner.cli import cancel

    def explode(*_words: object, **_options: object) -> None:
        raise ZeroDivisionError("never divide")

    monkeypatch.setattr(cancel.cancel, "callback", explode)
    assert cli.main(["cancel", "x", "-i", "1"]) == 70
    shown = capsys.readouterr().err
    assert "never divide" in shown
    assert "Traceback" not in shown
    assert cli.main(["cancel", "x", "-i", "1", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err
