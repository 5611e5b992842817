"""Jobs in real podman containers: what runs, what is seen of it, and what is not."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from receptor_runner.execution.isolation.container import Wanted
from receptor_runner.job import Job
from receptor_runner.outcome import Status
from tests.execution.conftest import Ran, Workplace
from tests.execution.isolation.conftest import ContainerWorkplace
from tests.harness import LOCALHOST

SHAPE = ("event", "counter", "stdout", "start_line", "end_line")


def messages(ran: Ran) -> list[object]:
    """Return what `debug` printed."""
    results = [event["event_data"]["res"] for event in ran.told.named("runner_on_ok")]
    return [result["msg"] for result in results if "msg" in result]


def test_events_are_those_of_the_same_job_without_a_container(in_podman: ContainerWorkplace) -> None:
    """Event for event, with their text and lines, a playbook is the same in a container and outside."""
    tasks = "- debug: msg=hello\n- command: echo {{ item }}\n  loop: [1, 2]\n- fail: msg=no\n  ignore_errors: true"
    name = in_podman.place.playbook(tasks)
    plain = {"ANSIBLE_NOCOLOR": "1"}
    inside = in_podman.run(playbook=name, envvars=plain)
    output = inside.output
    outside = in_podman.place.run(playbook=name, envvars=plain)
    assert inside.outcome == outside.outcome
    shapes = [[[event[key] for key in SHAPE] for event in ran.told.events] for ran in (inside, outside)]
    here = str(in_podman.place.path)
    assert json.loads(json.dumps(shapes[1]).replace(here, "/runner")) == shapes[0]
    assert output == outside.output.replace(here, "/runner")


def test_paths_and_environment_are_those_of_the_container(in_podman: ContainerWorkplace) -> None:
    """The job sees /runner and the environment of its image; nothing of the worker's environment reaches it."""
    tasks = (
        "- debug: msg={{ playbook_dir }}\n- debug: msg={{ inventory_dir }}\n"
        "- debug: msg={{ lookup('env', 'HOME') }}\n- debug: msg={{ lookup('env', 'CONTAINERS_CONF') }}"
    )
    assert messages(in_podman.play(tasks)) == ["/runner/project", "/runner/inventory", "/home/runner", ""]


def test_a_variable_of_many_lines_reaches_the_job_and_no_file(in_podman: ContainerWorkplace) -> None:
    """A value with line breaks arrives whole; neither the command line nor any file or record holds it."""
    value = "first\nsecond=x\nPATH*\n# no"
    ran = in_podman.play(
        "- debug: msg={{ lookup('env', 'TOKEN') }}\n"
        "- shell: grep -rlsaF 'second=x' /runner /run/receptor-runner/job/start.py /proc/1/cmdline || true\n"
        "  register: found\n- debug: msg={{ found.stdout }}",
        envvars={"TOKEN": value, "GRÜSSE": "schöne ✓"},
    )
    shown = ran.told.named("runner_on_ok")
    assert shown[0]["event_data"]["res"]["msg"] == value
    assert value not in json.dumps(ran.told.statuses)
    # the artifacts hold it only where the job itself printed it
    assert not (ran.artifacts / "env.list").exists()
    command = (ran.artifacts / "command").read_text()
    assert "second=x" not in command


def test_variables_of_the_job_do_not_reach_the_engine(in_podman: ContainerWorkplace) -> None:
    """A job may set what would break its engine: PATH, or where the engine keeps its configuration."""
    ran = in_podman.play(
        "- debug: msg={{ lookup('env', 'CONTAINERS_CONF') }}",
        envvars={
            "CONTAINERS_CONF": "/nonexistent",
            "LD_PRELOAD": "",
            "CONTAINER_HOST": "unix:///nonexistent",
        },
    )
    assert messages(ran) == ["/nonexistent"]


def test_a_module_runs_with_an_inventory_given_as_text(in_podman: ContainerWorkplace) -> None:
    """A module runs on the hosts of an inventory that only the job's options hold."""
    ran = in_podman.run(
        module="debug",
        module_args="msg=hi",
        host_pattern="all",
        inventory={"all": {"hosts": {"a": {"ansible_connection": "local"}}}},
    )
    assert ran.outcome.status is Status.SUCCESSFUL
    assert [event["event_data"]["host"] for event in ran.told.named("runner_on_ok")] == ["a"]


def test_a_role_is_found_with_its_variables(in_podman: ContainerWorkplace) -> None:
    """A role below the private data dir's roles/ runs, its path being the one inside."""
    in_podman.place.write(
        "roles/greet/tasks/main.yml", "- debug: msg='hello {{ whom }} from {{ role_path }}'\n"
    )
    ran = in_podman.run(role="greet", role_vars={"whom": "you"}, role_skip_facts=True)
    assert messages(ran) == ["hello you from /runner/roles/greet"]


def test_a_binary_runs_with_its_arguments(in_podman: ContainerWorkplace) -> None:
    """A command of the caller's runs instead of ansible; its output comes as text, its code is the job's."""
    ran = in_podman.run(binary="sh", cmdline="-c 'pwd; exit 3'")
    assert (ran.outcome.status, ran.outcome.rc, ran.told.text) == (Status.FAILED, 3, "/runner")


@pytest.mark.parametrize(("binary", "rc"), [("/no/such", 127), ("/runner/inventory", 126)])
def test_a_command_that_cannot_be_started_has_the_code_of_a_shell(
    in_podman: ContainerWorkplace, binary: str, rc: int
) -> None:
    """What is not in the image is 127, what is no program is 126, as without a container."""
    ran = in_podman.run(binary=binary)
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, rc)
    assert binary in ran.told.text


def test_extra_variables_and_facts_have_their_places(in_podman: ContainerWorkplace) -> None:
    """Extra variables come from files and options; cached facts are found among the artifacts, under any name."""
    in_podman.place.write("env/extravars", "one: 1\n")
    in_podman.place.write("more.yml", "two: 2\n")
    ran = in_podman.play(
        "- debug: msg={{ one + two }}\n- set_fact: {colour: blue, cacheable: true}",
        extravars="more.yml",
        fact_cache="facts",
    )
    assert messages(ran)[0] == 3
    assert "blue" in next((ran.artifacts / "facts").iterdir()).read_text()


def test_artifacts_may_be_elsewhere(in_podman: ContainerWorkplace, tmp_path: Path) -> None:
    """With an artifact_dir outside of the private data dir the job still finds its facts and its place there."""
    ran = in_podman.play(
        "- set_fact: {colour: blue, cacheable: true}", artifact_dir=str(tmp_path / "elsewhere")
    )
    assert ran.outcome.status is Status.SUCCESSFUL
    assert list((tmp_path / "elsewhere" / "7" / "fact_cache").iterdir())


def test_mounts_options_and_working_directory_are_the_callers(
    in_podman: ContainerWorkplace, tmp_path: Path
) -> None:
    """container_volume_mounts, container_options and container_workdir do what they say, from env/settings too."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "file").write_text("seen")
    settings = {"container_volume_mounts": [f"{tmp_path}/shared:/shared:ro"], "container_workdir": "/shared"}
    in_podman.place.write("env/settings", json.dumps(settings))
    ran = in_podman.run(
        binary="sh",
        cmdline="-c 'pwd; cat file; echo $MINE $OTHER; hostname'",
        container_options=["-e", "MINE=wins", "--hostname=box", "--pull=never"],
        envvars={"MINE": "loses", "OTHER": "stays"},
    )
    assert ran.told.text.splitlines() == ["/shared", "seenwins stays", "box"]


def test_a_copy_of_the_project_is_what_the_container_works_in(
    in_podman: ContainerWorkplace, tmp_path: Path
) -> None:
    """With directory_isolation_base_path the project inside is a copy; the base path keeps what is in it."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "mine").touch()
    name = in_podman.place.playbook("- file: {path: '{{ playbook_dir }}/made', state: touch}")
    ran = in_podman.run(playbook=name, directory_isolation_base_path=str(base))
    assert ran.outcome.status is Status.SUCCESSFUL
    assert [path.name for path in base.iterdir()] == ["mine"]
    assert not (in_podman.place.path / "project" / "made").exists()


def test_passwords_answer_prompts_inside(in_podman: ContainerWorkplace) -> None:
    """vars_prompt and pause are answered in the container's terminal, and no answer shows up in the output."""
    name = in_podman.place.playbook(
        "- pause: {prompt: Really}\n  register: answer\n- debug: msg={{ word }}-{{ answer.user_input }}",
        header="  gather_facts: false\n  vars_prompt: [{name: word, prompt: The word, private: false}]\n",
    )
    in_podman.place.write("env/passwords", json.dumps({"The word.*: $": "swordfish", "Really.*:": "yes"}))
    ran = in_podman.run(playbook=name)
    assert messages(ran)[-1] == "swordfish-yes"
    before = [event["stdout"] for event in ran.told.events if event["event"] == "verbose"]
    assert not any("swordfish" in text for text in before)


def test_a_prompt_without_an_answer_ends_the_job(in_podman: ContainerWorkplace) -> None:
    """A job that waits for what nobody types is stopped after prompt_timeout, and the prompt is named."""
    in_podman.place.write("env/settings", "prompt_timeout: 2\n")
    asking = "  gather_facts: false\n  vars_prompt: [{name: word, prompt: Anybody, private: false}]\n"
    for name in (
        in_podman.place.playbook("- pause: {prompt: Anybody}", "pause.yml"),
        in_podman.place.playbook("- debug:", "asking.yml", asking),
    ):
        ran = in_podman.run(playbook=name)
        assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 254)
        assert "Anybody" in str(ran.told.statuses[-1]["job_explanation"])


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A private key with a passphrase."""
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "opensesame", "-f", path], check=True)
    return path.read_text()


def test_the_agent_with_the_key_reaches_the_container(in_podman: ContainerWorkplace, key: str) -> None:
    """The job's key is in an agent that the job can use; the key itself is nowhere in the container."""
    in_podman.place.write("env/passwords", json.dumps({"Enter passphrase": "opensesame"}))
    ran = in_podman.run(
        binary="sh", cmdline="-c 'ssh-add -l; grep -rls PRIVATE /runner /run/receptor-runner'", ssh_key=key
    )
    assert any(line.startswith("256 SHA256:") for line in ran.told.text.splitlines())
    found = [line for line in ran.told.text.splitlines() if line.startswith("/")]
    assert found == ["/runner/artifacts/7/command"]  # which shows this very search


def test_an_images_entrypoint_and_user_do_not_matter(in_podman: ContainerWorkplace) -> None:
    """An image with an entrypoint and another user, as ansible-builder makes them, runs jobs unchanged."""
    entrypoint = '#!/bin/sh\nexport ENTERED=yes\n"$@"\n'
    in_podman.store.make_image(
        "localhost/ee:entry", 'ENTRYPOINT ["/entry"]', "USER 1000", files={"entry": entrypoint}
    )
    ran = in_podman.play("- debug: msg={{ lookup('env', 'ENTERED') }}", container_image="localhost/ee:entry")
    assert messages(ran) == ["yes"]


def test_an_ident_may_hold_what_a_container_name_may_not(
    in_podman: ContainerWorkplace, tmp_path: Path
) -> None:
    """Two jobs of one ident at the same time do not meet, nor do idents that differ in letters no name takes."""
    other = ContainerWorkplace(Workplace(tmp_path / "other"), in_podman.store, in_podman.temporary)
    other.place.write("inventory/hosts", LOCALHOST)
    runs = [place.begin(playbook=place.place.playbook("- debug: msg=hi")) for place in (in_podman, other)]
    assert [ran.outcome.status for ran in runs] == [Status.SUCCESSFUL] * 2
    names = {Wanted.read(Job(container_image="x"), ident).name for ident in ("a.b", "a_b", "ü:/ ")}
    assert len(names) == 3
    assert all(re.fullmatch(r"ansible_runner_[a-zA-Z0-9_-]+", name) for name in names)
