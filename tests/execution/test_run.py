"""A job runs from its inputs to its outcome, with real ansible."""

from __future__ import annotations

import itertools
import json
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.execution.run import prepare
from receptor_runner.job import Job
from receptor_runner.outcome import Status
from tests.execution.conftest import IDENT, Workplace

HELLO = "- debug: msg='Hello world!'"


def test_a_playbook_tells_its_life_in_order(workplace: Workplace) -> None:
    """Starting, running, events numbered from 1, the final status: in this order, with the ident on each."""
    name = workplace.playbook(HELLO)
    ran = workplace.run(playbook=name)
    assert (ran.outcome.status, ran.outcome.rc) == (Status.SUCCESSFUL, 0)
    assert [line["status"] for line in ran.told.statuses] == ["starting", "running", "successful"]
    assert [event["counter"] for event in ran.told.events] == list(range(1, len(ran.told.events) + 1))
    assert {event["runner_ident"] for event in ran.told.events} == {IDENT}
    assert [event["event"] for event in ran.told.events] == [
        "playbook_on_start",
        "playbook_on_play_start",
        "playbook_on_task_start",
        "runner_on_start",
        "runner_on_ok",
        "playbook_on_stats",
    ]


def test_an_event_has_the_fields_of_ansible_runner_in_its_order(workplace: Workplace) -> None:
    """Consumers find the keys of an event where ansible-runner puts them, and ids that fit together."""
    ran = workplace.run(playbook=workplace.playbook(HELLO))
    ok = ran.told.named("runner_on_ok")[0]
    assert list(ok) == [
        "uuid", "counter", "stdout", "start_line", "end_line", "runner_ident", "event", "pid", "created",
        "parent_uuid", "event_data",
    ]  # fmt: skip
    assert ok["event_data"]["res"]["msg"] == "Hello world!"
    assert ok["event_data"]["host"] == "localhost"
    assert ok["parent_uuid"] == ran.told.named("playbook_on_task_start")[0]["uuid"]
    assert ok["end_line"] - ok["start_line"] == ok["stdout"].count("\r\n") + 1


def test_the_lines_of_events_join_without_gaps(workplace: Workplace) -> None:
    """Each event begins on the line where the one before it ended."""
    events = workplace.run(playbook=workplace.playbook(HELLO)).told.events
    assert events[0]["start_line"] == 0
    for before, after in itertools.pairwise(events):
        assert after["start_line"] == before["end_line"]


def test_artifacts_are_complete_and_private(workplace: Workplace) -> None:
    """All files are there with what they should hold, and only the owner can read them."""
    ran = workplace.run(playbook=workplace.playbook(HELLO))
    names = {path.name for path in ran.artifacts.iterdir()}
    assert names == {"command", "fact_cache", "job_events", "rc", "status", "stderr", "stdout"}
    assert (ran.artifacts / "rc").read_text() == "0"
    assert (ran.artifacts / "status").read_text() == "successful"
    assert "Hello world!" in ran.output
    for path in (ran.artifacts, *ran.artifacts.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_cached_facts_are_private(workplace: Workplace) -> None:
    """The files of the fact cache can be read by the owner only."""
    name = workplace.playbook("- set_fact: {answer: 42, cacheable: true}")
    ran = workplace.run(playbook=name)
    (facts,) = (ran.artifacts / "fact_cache").iterdir()
    assert "answer" in facts.read_text()
    assert stat.S_IMODE(facts.stat().st_mode) == 0o600


def test_the_environment_is_shown_redacted(workplace: Workplace) -> None:
    """Neither the starting status nor the file `command` holds the value of a variable that may be a secret."""
    ran = workplace.run(playbook=workplace.playbook(HELLO), envvars={"MY_TOKEN": "tell-nobody"})
    start = ran.told.statuses[0]
    kept = json.loads((ran.artifacts / "command").read_text())
    assert start["env"]["MY_TOKEN"] == kept["env"]["MY_TOKEN"] == "**redacted**"
    assert start["env"]["ANSIBLE_STDOUT_CALLBACK"] == "receptor_runner_events"
    assert (kept["command"], kept["cwd"]) == (start["command"], start["cwd"])


def test_a_failed_job_has_ansibles_return_code(workplace: Workplace) -> None:
    """A failed host makes the job failed, with ansible's 2."""
    outcome = workplace.run(playbook=workplace.playbook("- fail: msg=no")).outcome
    assert (outcome.status, outcome.rc) == (Status.FAILED, 2)


def test_a_missing_playbook_is_ansibles_verdict(workplace: Workplace) -> None:
    """Ansible itself says that there is no such playbook, in verbose events, with its return code 1."""
    ran = workplace.run(playbook="nowhere.yml")
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 1)
    assert {event["event"] for event in ran.told.events} == {"verbose"}
    assert "nowhere.yml could not be found" in ran.told.text


def test_a_missing_program_is_127_and_one_event(workplace: Workplace) -> None:
    """A command that cannot be started fails with 127, and one event says why."""
    ran = workplace.run(binary="no-such-program")
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 127)
    wanted = "The command was not found or was not executable: no-such-program."
    assert [event["stdout"] for event in ran.told.events] == [wanted]


def test_a_module_runs_as_an_ad_hoc_command(workplace: Workplace) -> None:
    """A module has exactly the four events of an ad-hoc run, each with its ad_hoc_command_id."""
    ran = workplace.run(module="debug", module_args="msg=hi", host_pattern="all")
    names = [event["event"] for event in ran.told.events]
    assert names == ["playbook_on_start", "runner_on_start", "runner_on_ok", "playbook_on_stats"]
    assert {event["ad_hoc_command_id"] for event in ran.told.events} == {1}


def test_a_role_runs_from_the_shipped_roles(workplace: Workplace) -> None:
    """A role below the private data dir's roles/ is found and run with its variables."""
    workplace.write("roles/greet/tasks/main.yml", "- debug: msg='hello {{ whom }}'\n")
    ran = workplace.run(role="greet", role_vars={"whom": "roles"}, role_skip_facts=True)
    assert ran.told.named("runner_on_ok")[0]["event_data"]["res"]["msg"] == "hello roles"
    assert ran.told.named("runner_on_ok")[0]["event_data"]["role"] == "greet"


def test_a_killed_program_says_by_which_signal(workplace: Workplace) -> None:
    """A program that is killed by signal n fails with 128+n and an explanation."""
    ran = workplace.run(binary="bash", cmdline="-c 'kill -9 $$'")
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 137)
    assert "SIGKILL" in ran.told.statuses[-1]["job_explanation"]


@pytest.mark.parametrize(
    "options",
    [{"playbook": "x", "module": "ping"}, {"playbook": "x", "process_isolation": True}, {}],
    ids=["two targets", "isolation", "nothing"],
)
def test_a_job_that_cannot_be_run_tells_nothing(workplace: Workplace, options: dict[str, Any]) -> None:
    """What is wrong with a job is known before anything is told or written."""
    ran = workplace.begin(**options)
    with pytest.raises(ConfigError):
        assert ran.outcome
    assert ran.told.statuses == []
    assert not ran.artifacts.exists()


def test_a_job_that_cannot_be_run_leaves_no_directories(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the copy of its project, nor the directory of its SSH agent, nor its temporary home."""
    base = tmp_path / "base"
    base.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    monkeypatch.setenv("HOME", "/nonexistent")
    job = Job(
        playbook=workplace.playbook(HELLO),
        passwords={"[unclosed": "x"},
        ssh_key="KEY",
        directory_isolation_base_path=str(base),
    )
    with pytest.raises(ConfigError):
        prepare(job, workplace.path, IDENT)
    assert list(base.iterdir()) == []


def test_json_mode_keeps_events_in_the_output_file(workplace: Workplace) -> None:
    """In json mode the file `stdout` holds one event a line."""
    ran = workplace.run(playbook=workplace.playbook(HELLO), json_mode=True)
    assert [json.loads(line) for line in ran.output.splitlines()] == ran.told.events


def test_output_files_can_be_suppressed(workplace: Workplace) -> None:
    """With suppress_output_file there is neither `stdout` nor `stderr`."""
    ran = workplace.run(playbook=workplace.playbook(HELLO), suppress_output_file=True)
    assert not {"stdout", "stderr"} & {path.name for path in ran.artifacts.iterdir()}
    assert ran.told.statuses[0]["suppress_output_file"] is True


def test_nothing_is_written_to_our_own_output(
    workplace: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever the settings say, a job writes nothing to descriptor 1 or 2 of this process."""
    workplace.write("env/settings", "suppress_ansible_output: false\n")
    workplace.run(playbook=workplace.playbook(HELLO))
    assert capfd.readouterr() == ("", "")


def test_old_artifacts_are_rotated(workplace: Workplace) -> None:
    """Only as many artifact directories are kept as were asked for, one's own among them; files stay."""
    for name in ("a", "b"):
        (workplace.path / "artifacts" / name).mkdir(parents=True)
    workplace.write("artifacts/file", "")
    ran = workplace.run(playbook=workplace.playbook(HELLO), rotate_artifacts=1)
    assert {path.name for path in ran.artifacts.parent.iterdir()} == {IDENT, "file"}


def test_facts_are_cached_among_the_artifacts(workplace: Workplace) -> None:
    """Cacheable facts are found below the artifacts, where the caller looks for them."""
    name = workplace.playbook("- set_fact: {colour: blue, cacheable: true}")
    ran = workplace.run(playbook=name, fact_cache="facts")
    cached = list((ran.artifacts / "facts").iterdir())
    assert len(cached) == 1
    assert "blue" in cached[0].read_text()


def test_a_daemon_that_a_task_leaves_does_not_hold_the_job(workplace: Workplace) -> None:
    """The job ends when ansible does, though an asynchronous task still has terminal and channel open."""
    name = workplace.playbook("- command: sleep 20\n  async: 30\n  poll: 0")
    assert workplace.run(playbook=name).outcome.status is Status.SUCCESSFUL


def test_the_users_stdout_callback_shows_the_output(workplace: Workplace) -> None:
    """The callback that the user chose decides how it looks; events come all the same."""
    ran = workplace.run(playbook=workplace.playbook(HELLO), envvars={"ANSIBLE_STDOUT_CALLBACK": "oneline"})
    assert "localhost | SUCCESS" in ran.told.named("runner_on_ok")[0]["stdout"]


def test_a_variable_with_any_letters_reaches_the_job(workplace: Workplace) -> None:
    """Names and values outside of ASCII reach the job unharmed."""
    name = workplace.playbook("- debug: msg={{ lookup('env', 'GRÜSSE') }}")
    ran = workplace.run(playbook=name, envvars={"GRÜSSE": "schöne ✓"})
    assert ran.told.named("runner_on_ok")[0]["event_data"]["res"]["msg"] == "schöne ✓"


def test_another_artifact_directory_is_used(workplace: Workplace, tmp_path: Path) -> None:
    """artifact_dir names where the directory of the ident is made."""
    workplace.run(playbook=workplace.playbook(HELLO), artifact_dir=str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / IDENT / "rc").read_text() == "0"


def test_a_job_can_run_in_a_copy_of_its_project(workplace: Workplace, tmp_path: Path) -> None:
    """With directory_isolation_base_path the job runs in a copy, which is gone afterwards; the base path stays."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "mine").touch()
    name = workplace.playbook(
        "- command: touch made\n  args: {chdir: '{{ playbook_dir }}'}\n- debug: var=playbook_dir"
    )
    ran = workplace.run(playbook=name, directory_isolation_base_path=str(base))
    assert ran.told.statuses[0]["cwd"].startswith(f"{base}/runner_di_")
    assert [path.name for path in base.iterdir()] == ["mine"]
    assert not (workplace.path / "project" / "made").exists()
