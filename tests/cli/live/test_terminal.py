"""A job as a person sees it, in a real pseudo-terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from tests.harness import OURS, Gate, NodeFactory, Project, PseudoTerminal, kill_processes_of, wait_until

CSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Open = Callable[..., PseudoTerminal]


@pytest.fixture
def gate(project: Project, tmp_path: Path) -> Iterator[Gate]:
    """A project whose second task waits at a gate, and whose third fails."""
    made = Gate(tmp_path / "gate")
    made.directory.mkdir()
    project.write(
        "project/test.yml",
        f"""
- name: Configure the web servers
  hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      debug: msg=hello
    - name: Wait at the gate
      shell: {json.dumps(made.script)}
    - name: Fail
      fail: msg=broken
""",
    )
    yield made
    made.open()
    kill_processes_of(made.directory)


@pytest.fixture
def open_terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Open]:
    """Return how to run one of our commands in a terminal."""
    opened: list[PseudoTerminal] = []

    def start(
        *words: str | Path, columns: int = 80, stdout: Path | None = None, **more: str
    ) -> PseudoTerminal:
        made = PseudoTerminal(
            OURS, *words, environment=environment | more, cwd=tmp_path, columns=columns, stdout=stdout
        )
        opened.append(made)
        return made

    yield start
    for terminal in opened:
        with terminal:
            pass


@pytest.mark.parametrize("columns", [80, pytest.param(200, marks=pytest.mark.slow)])
def test_a_status_line_stays_below_the_output(
    open_terminal: Open, project: Project, gate: Gate, columns: int
) -> None:
    """Node, play, task, hosts and time stand in the last line, which fits; at the end it gives way to a summary."""
    terminal = open_terminal("run", project.path, "-p", "test.yml", "-i", "job", columns=columns)
    gate.await_job()
    line = terminal.await_last_line("Wait at the gate")
    assert re.search(r"Configure the web servers . Wait at the gate +1 ok  0:\d\d$", line)
    assert len(line) == columns - 1
    assert "TASK [Say hello]" in terminal.text
    gate.open()
    assert terminal.finish() == 2
    summary = r"\nfailed on \S+ in \d+ s; 1 host, 1 failed\nfailed: localhost: Fail\nartifacts: /"
    assert re.search(summary, terminal.text)
    assert not any(re.search(r"0:\d\d$", line) for line in terminal.lines)


@pytest.mark.slow
def test_every_line_of_the_output_is_shown_once(open_terminal: Open, project: Project, gate: Gate) -> None:
    """The status line hides and repeats nothing: what is on the terminal is what the artifact holds, in its order."""
    gate.open()
    terminal = open_terminal("run", project.path, "-p", "test.yml", "-i", "job")
    terminal.finish()
    stdout = CSI.sub("", (project.artifacts("job") / "stdout").read_text())
    wanted = [line for line in re.split(r"[\r\n]+", stdout) if line.strip() and len(line) < 80]
    shown = iter(terminal.lines)
    assert all(any(line.rstrip() == there for there in shown) for line in wanted)


def test_colors_are_kept_on_the_terminal_and_in_the_artifact(
    open_terminal: Open, project: Project, gate: Gate
) -> None:
    """On a terminal Ansible's colors are shown; `--color never` removes them there, not from the artifact."""
    gate.open()
    plain = open_terminal("run", project.path, "-p", "test.yml", "-i", "plain", "--color", "never")
    colored = open_terminal("run", project.path, "-p", "test.yml", "-i", "colored")
    assert (plain.finish(), colored.finish()) == (2, 2)
    assert b"\x1b[0;31m" in colored.raw
    assert not re.search(rb"\x1b\[[0-9;]+m", plain.raw)
    for ident in ("plain", "colored"):
        assert b"\x1b[0;31m" in (project.artifacts(ident) / "stdout").read_bytes()


def test_output_that_is_redirected_leaves_the_line_on_the_terminal(
    open_terminal: Open, project: Project, gate: Gate, tmp_path: Path
) -> None:
    """`> file` holds the output alone, without colors; the status line stays on the terminal."""
    terminal = open_terminal("run", project.path, "-p", "test.yml", "-i", "job", stdout=tmp_path / "stdout")
    terminal.await_last_line("Wait at the gate")
    gate.open()
    assert terminal.finish() == 2
    written = (tmp_path / "stdout").read_text()
    assert "TASK [Say hello]" in written
    assert "\x1b" not in written
    assert "TASK" not in terminal.text


def test_ctrl_c_cancels_below_the_line(open_terminal: Open, project: Project, gate: Gate) -> None:
    """Ctrl-C writes its note above the line, the job is canceled, and the terminal is left clean."""
    terminal = open_terminal("run", project.path, "-p", "test.yml", "-i", "job")
    gate.await_job()
    terminal.await_last_line("Wait at the gate")
    terminal.press(b"\x03")
    terminal.await_shown("canceling the job; waiting for its remaining output")
    assert terminal.finish() == 130
    assert "error: interrupted; the job is canceled" in terminal.text
    assert not any(re.search(r"0:\d\d$", line) for line in terminal.lines)


@pytest.mark.slow
def test_a_narrower_terminal_keeps_one_line(open_terminal: Open, project: Project, gate: Gate) -> None:
    """The line follows the width of the terminal."""
    terminal = open_terminal("run", project.path, "-p", "test.yml", "-i", "job", columns=120)
    terminal.await_last_line("Wait at the gate")
    terminal.resize(60)
    wait_until(lambda: len(terminal.lines[-1]) == 59, "a line of the new width")
    gate.open()
    terminal.finish()


@pytest.mark.slow
def test_json_log_lines_gets_plain_lines(open_terminal: Open, project: Project, gate: Gate) -> None:
    """Where log lines are JSON objects for a program, no status line comes between them."""
    gate.open()
    terminal = open_terminal(
        "run", project.path, "-p", "test.yml", "-i", "job", RECEPTOR_RUNNER_LOG_FORMAT="json"
    )
    assert terminal.finish() == 2
    assert b"\x1b[J" not in terminal.raw


@pytest.mark.slow
def test_a_node_that_is_away_is_one_line(
    open_terminal: Open, project: Project, gate: Gate, node_factory: NodeFactory
) -> None:
    """While the local node is waited for, the line says so and for how long; there are no warnings."""
    node = node_factory("embedded")
    terminal = open_terminal(
        "run", project.path, "-p", "test.yml", "-i", "job", "--socket", node.socket, "--retry-max-wait", "0.2"
    )
    gate.await_job()
    terminal.await_last_line("Wait at the gate")
    node.kill()
    line = terminal.await_last_line("local node out of reach for 1 s")
    assert len(line) == 79
    assert not any("warning" in line or "trying again" in line for line in terminal.lines)
    node.start()
    terminal.await_last_line("Wait at the gate")
    gate.open()
    assert terminal.finish() == 2


def test_an_upload_shows_bytes_rate_and_time_left(
    open_terminal: Open, project: Project, gate: Gate, tmp_path: Path
) -> None:
    """While a stream is written: how much of how much, the share, the rate, and how long it still takes."""
    import os

    (project.path / "big").write_bytes(os.urandom(4 << 20))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    terminal = open_terminal("transmit", project.path, "-p", "test.yml", stdout=fifo)
    os.set_blocking(reader, True)

    def take_some() -> bool:
        os.read(reader, 4096)
        return bool(re.search(r"uploading .* MiB of 5\.\d MiB .* \d+ %  .*/s  .* left", terminal.text))

    wait_until(take_some, "the progress of the upload")
    while os.read(reader, 1 << 20):
        pass
    os.close(reader)
    assert terminal.finish() == 0
    assert terminal.text == ""


_COLUMNS = ("job", "playbook", "node", "state", "age", "took", "failed")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_list_of_jobs_fits(
    open_terminal: Open, environment: dict[str, str], tmp_path: Path, columns: int
) -> None:
    """Long names give way, states and numbers never; idents that we made are shown by their beginning."""
    ended = Outcome(status=Status.SUCCESSFUL, rc=0)
    for number, playbook in enumerate(("site.yml", f"playbooks/{'long-' * 20}name.yml")):
        file = RecordFile(tmp_path / "pdd", f"{number}" * 32)
        file.write(
            Record(
                ident=file.ident,
                digest="",
                socket="s",
                node_directory=None,
                node="a-node-with-a-rather-long-name.example.com",
                work_type="w",
                playbook=playbook,
                stage=Stage.ENDED,
                outcome=ended,
            )
        )
    terminal = open_terminal("jobs", tmp_path / "pdd", columns=columns)
    assert terminal.finish() == 0, terminal.text
    header, *rows = terminal.lines
    names = ("job", "node", "state", "failed") if columns == 40 else _COLUMNS
    assert header.split() == [*names]
    assert [row.split()[0] for row in rows] == ["0" * 8, "1" * 8]
    assert all(re.search(r"successful( +\d+s +-)? +-$", row) for row in rows)
    assert max(map(len, terminal.lines)) <= columns


@pytest.mark.slow
def test_ctrl_c_detaches_from_an_attached_job(open_terminal: Open, project: Project, gate: Gate) -> None:
    """In `attach`, Ctrl-C leaves the job running and says how to stop it; a second attach knows what came before."""
    assert open_terminal("submit", project.path, "-p", "test.yml", "-i", "job").finish() == 0
    gate.await_job()
    terminal = open_terminal("attach", "-i", "job", columns=200)
    assert "Wait at the gate" in terminal.await_last_line("1 ok")
    terminal.press(b"\x03")
    assert terminal.finish() == 130
    assert "error: detached; the job goes on" in terminal.text
    assert "receptor-runner cancel" in terminal.lines[-1]
    again = open_terminal("attach", "-i", "job")
    assert "Wait at the gate" in again.await_last_line("1 ok")
    gate.open()
    assert again.finish() == 2
    assert gate.runs == 1
