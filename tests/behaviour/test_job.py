"""What a job gives is the same over every transport: verdict, output and artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.behaviour.conftest import TRANSPORTS
from tests.harness import NODE_KINDS

if TYPE_CHECKING:
    from tests.harness import Project, Transport

RECAP = ("ok", "failures", "dark", "skipped", "rescued", "changed", "ignored", "processed")


@pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
def test_success_leaves_complete_artifacts(transport: Transport, project: Project) -> None:
    """A job that succeeds exits 0, shows its output, and leaves every artifact, private and whole."""
    ran = transport.run(project, "-p", "test.yml")
    assert ran.rc == 0, ran.stderr
    assert "Hello world!" in ran.text
    assert ran.text.endswith("\n")
    assert (ran.read("rc"), ran.read("status"), ran.read("stderr")) == ("0", "successful", "")
    assert "Hello world!" in ran.read("stdout")
    command = json.loads(ran.read("command"))
    assert command["command"][0].endswith("ansible-playbook")
    assert command["command"][-1] == "test.yml"
    assert set(command) == {"command", "cwd", "env"}
    assert (ran.artifacts / "fact_cache").is_dir()
    left = {path.name for path in ran.artifacts.iterdir()} - {"unit.json", "unit.lock"}
    assert left == {"command", "stdout", "stderr", "rc", "status", "job_events", "fact_cache"}
    for name in ("command", "stdout", "rc", "status"):
        assert (ran.artifacts / name).stat().st_mode & 0o777 == 0o600, name
    assert (ran.artifacts / "job_events").stat().st_mode & 0o777 == 0o700


def test_events_are_numbered_without_gap(transport: Transport, project: Project) -> None:
    """Events are files `<counter>-<uuid>.json` with counters 1 to n, of this job, their texts making up stdout."""
    ran = transport.run(project, "-p", "test.yml")
    events = ran.events()
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    names = {path.name for path in (ran.artifacts / "job_events").iterdir()}
    assert names == {f"{event['counter']}-{event['uuid']}.json" for event in events}
    assert {event["runner_ident"] for event in events} == {"job"}
    assert [event["event"] for event in events] == [
        "playbook_on_start",
        "playbook_on_play_start",
        "playbook_on_task_start",
        "runner_on_start",
        "runner_on_ok",
        "playbook_on_stats",
    ]
    shown = "".join(f"{event['stdout']}\n" for event in events if event["stdout"])
    assert shown == ran.text == ran.read("stdout")


@pytest.mark.parametrize("transport", NODE_KINDS, indirect=True)
def test_failed_play_is_two(transport: Transport, project: Project) -> None:
    """A play with a failed host exits 2, with status failed and the failure among the events."""
    project.playbook("- fail: msg='no such luck'")
    ran = transport.run(project, "-p", "test.yml")
    assert (ran.rc, ran.read("rc"), ran.read("status")) == (2, "2", "failed")
    (failure,) = ran.named("runner_on_failed")
    assert failure["event_data"]["res"]["msg"] == "no such luck"
    assert "no such luck" in ran.text


@pytest.mark.parametrize("transport", NODE_KINDS, indirect=True)
def test_missing_playbook_is_one(transport: Transport, project: Project) -> None:
    """A playbook that does not exist on the worker is ansible's verdict, exit code 1, in ansible's words."""
    ran = transport.run(project, "-p", "/absent.yml")
    assert (ran.rc, ran.read("rc"), ran.read("status")) == (1, "1", "failed")
    assert "absent.yml could not be found" in ran.text.replace("\n", " ")


def test_unreachable_host_is_four(transport: Transport, project: Project) -> None:
    """A host that cannot be reached gives exit code 4 and an unreachable event."""
    closed = "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1"
    project.write("inventory/hosts", f"gone {closed}\n")
    project.playbook("- ping:")
    ran = transport.run(project, "-p", "test.yml")
    assert (ran.rc, ran.read("rc"), ran.read("status")) == (4, "4", "failed")
    (event,) = ran.named("runner_on_unreachable")
    assert event["event_data"]["host"] == "gone"


@pytest.mark.parametrize("transport", NODE_KINDS, indirect=True)
def test_ad_hoc_module(transport: Transport, project: Project) -> None:
    """A module runs without a playbook, on the hosts that are named."""
    ran = transport.run(project, "-m", "debug", "-a", "msg=ad-hoc", "--hosts", "all")
    assert (ran.rc, ran.read("status")) == (0, "successful"), ran.stderr
    assert '"msg": "ad-hoc"' in ran.text
    (event,) = ran.named("runner_on_ok")
    assert event["event_data"]["res"]["msg"] == "ad-hoc"
    assert json.loads(ran.read("command"))["command"][0].endswith("ansible")


@pytest.mark.parametrize("transport", NODE_KINDS, indirect=True)
def test_role_with_variables(transport: Transport, project: Project) -> None:
    """A role from the shipped `roles/` runs with the variables that are given."""
    project.write("roles/greet/tasks/main.yml", "- debug: msg='{{ whom }} {{ times + 1 }}'\n")
    words = ("-r", "greet", "--role-vars", "whom='the world' times=2", "--role-skip-facts")
    ran = transport.run(project, *words, "--hosts", "localhost")
    assert ran.rc == 0, ran.text + ran.stderr
    assert "the world 3" in ran.text
    (event,) = ran.named("runner_on_ok")
    assert event["event_data"]["role"] == "greet"


@pytest.mark.slow
def test_job_timeout_is_254(transport: Transport, project: Project) -> None:
    """A job that takes longer than allowed is stopped: exit code 254, status timeout, artifacts complete."""
    project.playbook("- command: sleep 600")
    ran = transport.run(project, "-p", "test.yml", "--job-timeout", "2")
    assert (ran.rc, ran.read("rc"), ran.read("status")) == (254, "254", "timeout")
    assert "timeout" in ran.stderr


def test_unicode_everywhere(transport: Transport, project: Project) -> None:
    """Variables, output, task and file names beyond ASCII arrive as they were."""
    project.write("project/größe/日本.txt", "contents: ☃\n")
    tasks = """
- name: zähle 数 🚀
  debug: msg="{{ gruß }} {{ lookup('file', 'größe/日本.txt') }}"
  vars: {gruß: 'héllo wörld'}
"""
    project.playbook(tasks.replace("gruß", "gruss"), "größe/日本.yml")
    project.write("project/größe/größe/日本.txt", "contents: ☃\n")
    ran = transport.run(project, "-p", "größe/日本.yml", ident="jöb-☃")
    assert ran.rc == 0, ran.text + ran.stderr
    (event,) = ran.named("runner_on_ok")
    assert event["event_data"]["res"]["msg"] == "héllo wörld contents: ☃"
    assert event["event_data"]["task"] == "zähle 数 🚀"
    assert "zähle 数 🚀" in ran.text
    assert "héllo wörld contents: ☃" in ran.read("stdout")


def test_links_modes_and_empty_directories_arrive(transport: Transport, project: Project) -> None:
    """Links stay links, also dangling ones; exec bits and empty directories survive the way."""
    project.write("project/real/vars.yml", "answer: 42\n")
    (project.path / "project" / "linked").symlink_to("real")
    (project.path / "project" / "file.yml").symlink_to("real/vars.yml")
    (project.path / "project" / "dangling").symlink_to("nowhere")
    (project.path / "project" / "empty" / "deeper").mkdir(parents=True)
    project.write("project/tool", "#!/bin/sh\necho from the tool\n", 0o755)
    project.playbook(
        """
- include_vars: linked/vars.yml
- command: readlink linked file.yml dangling
  register: links
- command: ./tool
  register: tool
- stat: path=empty/deeper
  register: empty
- debug: msg="{{ answer }} {{ links.stdout_lines }} {{ tool.stdout }} {{ empty.stat.isdir }}"
""",
        header="  gather_facts: false\n",
    )
    words = ("-p", "test.yml", "--cmdline", "-e ansible_remote_tmp=~/.ansible/tmp")
    ran = transport.run(project, *words)
    assert ran.rc == 0, ran.text + ran.stderr
    message = ran.named("runner_on_ok")[-1]["event_data"]["res"]["msg"]
    assert message == "42 ['real', 'real/vars.yml', 'nowhere'] from the tool True"


def test_executable_inventory(transport: Transport, project: Project) -> None:
    """An inventory that is a script runs on the worker: its exec bit has travelled."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = {"_meta": {"hostvars": {"scripted": host}}, "all": {"hosts": ["scripted"]}}
    (project.path / "inventory" / "hosts").unlink()
    project.write("inventory/hosts.sh", f"#!/bin/sh\ncat <<'END'\n{json.dumps(inventory)}\nEND\n", 0o755)
    ran = transport.run(project, "-p", "test.yml")
    assert ran.rc == 0, ran.text + ran.stderr
    assert ran.named("runner_on_ok")[0]["event_data"]["host"] == "scripted"


@pytest.mark.slow
def test_large_incompressible_file(transport: Transport, project: Project) -> None:
    """Twenty megabytes that do not compress arrive unchanged, there and back."""
    import hashlib
    import random

    content = random.Random(7).randbytes(20_000_000)
    (project.path / "project" / "large.bin").write_bytes(content)
    project.playbook(
        """
- stat: {path: "{{ playbook_dir }}/large.bin", checksum_algorithm: sha256}
  register: large
- debug: msg="{{ large.stat.checksum }}"
- command: cp large.bin {{ lookup('env', 'AWX_ISOLATED_DATA_DIR') }}/large.bin
"""
    )
    ran = transport.run(project, "-p", "test.yml")
    assert ran.rc == 0, ran.text + ran.stderr
    assert hashlib.sha256(content).hexdigest() in ran.text
    assert (ran.artifacts / "large.bin").read_bytes() == content


def test_env_files(transport: Transport, project: Project) -> None:
    """Extra variables, environment and command line words from `env/` reach the job."""
    project.write("env/extravars", "who: extra\n")
    project.write("env/envvars", "GREETING: good morning\n")
    project.write("env/cmdline", """-e '{"what": "from the cmdline file"}'""")
    project.playbook("- debug: {msg: \"{{ who }}, {{ lookup('env', 'GREETING') }}, {{ what }}\"}")
    ran = transport.run(project, "-p", "test.yml")
    assert ran.rc == 0, ran.text + ran.stderr
    (event,) = ran.named("runner_on_ok")
    assert event["event_data"]["res"]["msg"] == "extra, good morning, from the cmdline file"


def test_password_prompt_is_answered(transport: Transport, project: Project) -> None:
    """A prompt is answered from `env/passwords`; the answer is in no artifact and no output."""
    project.write("env/passwords", json.dumps({r"^Say the magic word:\s*$": "0pen-sesame"}), 0o600)
    project.write(
        "project/prompt.yml",
        "- hosts: all\n  gather_facts: false\n"
        "  vars_prompt: [{name: magic, prompt: Say the magic word, private: true}]\n"
        "  tasks:\n    - assert: {that: \"magic | hash('sha1') == 'X'\"}\n".replace("X", sha1("0pen-sesame")),
    )
    ran = transport.run(project, "-p", "prompt.yml")
    assert ran.rc == 0, ran.text + ran.stderr
    assert ran.named("playbook_on_vars_prompt")
    assert "0pen-sesame" not in ran.everything()


def sha1(text: str) -> str:
    """Return the SHA-1 of a text, in hexadecimal."""
    import hashlib

    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def test_limit_tags_and_verbosity(transport: Transport, project: Project) -> None:
    """Limit, tags, forks, verbosity and command line words change what runs and what is shown."""
    line = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
    project.write("inventory/hosts", f"one {line}\ntwo {line}\n")
    project.playbook(
        """
- debug: msg="first {{ word }}"
  tags: [first]
- debug: msg=second
  tags: [second]
- debug: msg=both
  tags: [first, second]
"""
    )
    words = ["--limit", "two", "--tags", "first", "--skip-tags", "second", "--forks", "2", "-vv"]
    ran = transport.run(project, "-p", "test.yml", *words, "--cmdline", "-e word=given")
    assert ran.rc == 0, ran.text + ran.stderr
    done = [
        (event["event_data"]["host"], event["event_data"]["res"]["msg"])
        for event in ran.named("runner_on_ok")
    ]
    assert done == [("two", "first given")]
    assert "task path: " in ran.text
    assert ran.named("verbose")


@pytest.mark.parametrize("given", [True, False], ids=["given", "fresh"])
def test_ident(transport: Transport, project: Project, given: bool) -> None:
    """A given ident names the artifacts; without one a fresh one is made, or the pipe uses `artifacts/` itself."""
    ran = transport.run(project, "-p", "test.yml", ident="4 2" if given else None)
    assert ran.rc == 0, ran.stderr
    (ident,) = {event["runner_ident"] for event in ran.events()}
    assert ident == "4 2" if given else len(ident) == 32
    if transport.kind != "pipe" or given:
        assert ran.artifacts.name == ident


def test_json_mode(transport: Transport, project: Project) -> None:
    """In json mode the artifact `stdout` holds one event a line; the shown output stays text."""
    ran = transport.run(project, "-p", "test.yml", "--json")
    assert ran.rc == 0, ran.stderr
    lines = [json.loads(line) for line in ran.read("stdout").splitlines()]
    assert [line["uuid"] for line in lines] == [event["uuid"] for event in ran.events()]
    assert "Hello world!" in ran.text
    assert '"counter"' not in ran.text


def test_several_plays_with_everything(transport: Transport, project: Project) -> None:
    """Plays with facts, a template, a loop, a handler and a rescued failure add up to the right recap."""
    project.write("project/templates/note.j2", "hello from {{ inventory_hostname }}\n")
    project.write(
        "project/site.yml",
        """
- hosts: all
  gather_facts: true
  gather_subset: [min]
  tasks:
    - template: {src: note.j2, dest: "{{ playbook_dir }}/note.txt", mode: "0600"}
      notify: tell
    - debug: msg="{{ item }}"
      loop: [a, b]
  handlers:
    - name: tell
      debug: msg="{{ lookup('file', playbook_dir + '/note.txt') }}"
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - fail: msg=on purpose
      rescue:
        - set_stats: {data: {rescued: "yes"}}
    - debug: msg=never
      when: false
    - fail: msg=ignored
      ignore_errors: true
""",
    )
    ran = transport.run(project, "-p", "site.yml")
    assert ran.rc == 0, ran.text + ran.stderr
    assert [event["event_data"]["name"] for event in ran.named("playbook_on_play_start")] == ["all", "all"]
    assert len(ran.named("runner_item_on_ok")) == 2
    assert [event["event_data"]["handler"] for event in ran.named("playbook_on_notify")] == ["tell"]
    (stats,) = ran.named("playbook_on_stats")
    recap = {name: stats["event_data"][name].get("localhost", 0) for name in RECAP}
    wanted = {"ok": 6, "failures": 0, "dark": 0, "skipped": 1, "rescued": 1, "changed": 1, "ignored": 1}
    assert recap == wanted | {"processed": 1}
    assert stats["event_data"]["artifact_data"] == {"rescued": "yes"}
    (facts,) = (ran.artifacts / "fact_cache").iterdir()
    assert facts.name.endswith("localhost")


def test_noise_of_the_node_does_no_harm(transport: Transport, project: Project) -> None:
    """What a worker's surroundings print before and after the stream, merged into it, changes no artifact."""
    ran = transport.run(project, "-p", "test.yml", worker="noisy")
    assert (ran.rc, ran.read("status")) == (0, "successful"), ran.stderr
    assert "clock skew" in ran.stderr
    assert "clock skew" not in ran.text
    assert [event["counter"] for event in ran.events()] == [1, 2, 3, 4, 5, 6]


def test_secrets_stay_out_of_artifacts(transport: Transport, project: Project) -> None:
    """Values that tasks use under no_log, and secrets of the job's environment, are in no artifact and no output."""
    project.write("env/envvars", json.dumps({"API_TOKEN": "t0ken-in-the-environment"}), 0o600)
    project.write(
        "env/extravars", json.dumps({"secret": "s3cret", "secrets": ["s3cret-a", "s3cret-b"]}), 0o600
    )
    project.playbook(
        """
- debug: msg="{{ secret }}"
  no_log: true
- debug: msg="{{ item }}"
  no_log: true
  loop: "{{ secrets }}"
- shell: "echo {{ secret }}; echo {{ secret }} >&2; exit 1"
  no_log: true
  ignore_errors: true
- assert: {that: "lookup('env', 'API_TOKEN') | length == 24"}
"""
    )
    ran = transport.run(project, "-p", "test.yml", "-vvv")
    assert ran.rc == 0, ran.text + ran.stderr
    everything = ran.everything()
    assert "s3cret" not in everything
    assert "t0ken-in-the-environment" not in everything
    assert "censored" in everything


def test_project_is_not_touched(transport: Transport, project: Project) -> None:
    """Running a job writes nothing to the private data directory but `artifacts/`."""
    project.write("env/passwords", json.dumps({"never asked": "x"}), 0o600)
    before = contents(project.path)
    transport.run(project, "-p", "test.yml")
    after = {path: kept for path, kept in contents(project.path).items() if not path.startswith("artifacts")}
    assert after == before


def contents(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, mtime and bytes of all files below a directory."""
    found = {}
    for path in directory.rglob("*"):
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(directory))] = (status.st_mode, status.st_mtime_ns, path.read_bytes())
    return found
