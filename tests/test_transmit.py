"""Phase 1: what a job becomes on the wire, and that the caller's directory stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.archive.zip_format import SPOOL_MEMORY
from receptor_runner.errors import ConfigError, MissingInput, UsageError
from receptor_runner.job import Job
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.messages import ArchiveData, ArchiveStart, Eof, Kwargs
from receptor_runner.transmit import prepare

from tests.harness import Commands, Project

SECRETS: dict[str, Any] = {
    "passwords": {"^word": "s3cret-password"},
    "envvars": {"TOKEN": "s3cret-token"},
    "extravars": {"key": "s3cret-extra"},
    "settings": {"job_timeout": 40},
    "ssh_key": "s3cret-key\n",
    "cmdline": "--diff",
}


@dataclass
class Sent:
    """A stream from transmit, taken apart."""

    kwargs: dict[str, Any]
    files: dict[str, bytes]
    modes: dict[str, int]
    line: bytes

    def read(self, name: str) -> Any:
        """Return a JSON file of the archive."""
        return json.loads(self.files[name])


def take_apart(stream: bytes) -> Sent:
    """Check the order of a stream and return its parts."""
    messages = list(Decoder().feed(stream))
    kinds = [type(message) for message in messages]
    assert kinds[0] is Kwargs
    assert kinds[-1] is Eof
    assert kinds.count(ArchiveStart) <= 1
    data = b"".join(message.data for message in messages if isinstance(message, ArchiveData))
    assert isinstance(messages[0], Kwargs)
    files, modes = {}, {}
    if data:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist()}
            modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}
    return Sent(messages[0].options, files, modes, stream.partition(b"\n")[0])


def snapshot(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return names, modes, times and contents of a directory."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [directory, *directory.rglob("*")]
    }


Send = Callable[..., Sent]


@pytest.fixture
def send(project: Project) -> Send:
    """Prepare and send a job of the project; whatever it is, the project's directory is unchanged afterwards."""

    def send(*, only_kwargs: bool = False, include_artifacts: bool = False, **options: Any) -> Sent:
        before = snapshot(project.path)
        shipment = prepare(
            Job.from_kwargs(options),
            project.path,
            only_kwargs=only_kwargs,
            include_artifacts=include_artifacts,
        )
        stream = b"".join(shipment.chunks())
        shipment.close()
        assert snapshot(project.path) == before
        return take_apart(stream)

    return send


def test_a_plain_job(send: Send) -> None:
    """A stream holds the options that were given and the whole directory."""
    sent = send(ident="42", playbook="test.yml", limit=None)
    assert sent.line == b'{"kwargs": {"ident": "42", "playbook": "test.yml"}}'
    assert set(sent.files) == {"inventory/", "inventory/hosts", "project/", "project/test.yml"}


def test_secrets_travel_in_the_archive_alone(send: Send) -> None:
    """Options with files of their own are in the archive, 0600, and not in the options, which are often logged."""
    sent = send(playbook="test.yml", **SECRETS)
    assert b"s3cret" not in sent.line
    assert sent.kwargs == {"playbook": "test.yml"}
    for key, value in SECRETS.items():
        text = sent.files[f"env/{key}"]
        assert (text.decode() if isinstance(value, str) else json.loads(text)) == value
        assert sent.modes[f"env/{key}"] == 0o600


def test_suppressed_env_files_stay_options(send: Send) -> None:
    """With suppress_env_files everything travels in the options and no file of env/ is made up."""
    sent = send(playbook="test.yml", suppress_env_files=True, **SECRETS)
    assert sent.kwargs == {"playbook": "test.yml", "suppress_env_files": True, **SECRETS}
    assert not any(name.startswith("env") for name in sent.files)


@pytest.mark.parametrize("key", SECRETS)
def test_an_option_whose_file_is_there_stays_an_option(send: Send, project: Project, key: str) -> None:
    """Where env/ has a file already, the file travels as it is and the option beside it."""
    project.write(f"env/{key}", "{}")
    sent = send(playbook="test.yml", **SECRETS)
    assert sent.kwargs[key] == SECRETS[key]
    assert sent.files[f"env/{key}"] == b"{}"
    assert len([name for name in sent.files if name.startswith("env/")]) == len(SECRETS) + 1


def test_extravars_as_text_stay_an_option(send: Send) -> None:
    """Extra variables that name a file or are words stay as they are."""
    assert send(playbook="x", extravars="a=b").kwargs["extravars"] == "a=b"


@pytest.mark.parametrize("playbook", [{"hosts": "all"}, [{"hosts": "all"}]])
def test_a_playbook_as_data(send: Send, playbook: Any) -> None:
    """A play or a list of plays becomes project/main.json, with the same content."""
    sent = send(playbook=playbook)
    assert sent.kwargs["playbook"] == "main.json"
    assert sent.read("project/main.json") == [{"hosts": "all"}]


def test_absolute_paths_inside_become_relative(send: Send, project: Project) -> None:
    """What names a place below the private data directory names it on the worker too; elsewhere it stays."""
    sent = send(
        playbook=str(project.path / "project/sub/../test.yml"),
        inventory=str(project.path / "inventory/hosts"),
        project_dir=str(project.path / "project"),
        artifact_dir=str(project.path / "results"),
    )
    assert sent.kwargs == {
        "playbook": "test.yml",
        "inventory": "inventory/hosts",
        "project_dir": "project",
        "artifact_dir": "results",
    }
    assert send(playbook="/usr/share/x.yml").kwargs["playbook"] == "/usr/share/x.yml"


def test_a_role_becomes_a_play(send: Send) -> None:
    """A role becomes a play that finds it in the shipped roles/, with its variables, on its hosts."""
    sent = send(role="r", role_vars={"a": 1}, role_skip_facts=True, hosts="web", roles_path=["/opt/roles"])
    play = sent.read("project/main.json")
    assert play == [{"hosts": "web", "roles": [{"name": "r", "vars": {"a": 1}}], "gather_facts": False}]
    assert list(play[0]) == ["hosts", "roles", "gather_facts"]
    assert sent.kwargs == {"playbook": "main.json", "envvars": {"ANSIBLE_ROLES_PATH": ".:/opt/roles"}}


def test_a_role_keeps_the_callers_own_roles_path(send: Send, project: Project) -> None:
    """ANSIBLE_ROLES_PATH of the caller counts behind the shipped roles, as it reads on the worker."""
    paths = f"{project.path}/roles:{project.path}/project/roles:/opt"
    sent = send(role="r", envvars={"ANSIBLE_ROLES_PATH": paths, "OTHER": "x"})
    assert sent.kwargs["envvars"] == {"ANSIBLE_ROLES_PATH": ".:.:../project/roles:/opt"}
    assert sent.read("env/envvars") == {"OTHER": "x"}


def test_inventories_that_are_there(send: Send, project: Project) -> None:
    """A name in inventory/, a path below the directory and a list of both become paths below it."""
    project.write("inventory/more", "x")
    assert send(playbook="p", inventory="hosts").kwargs["inventory"] == "inventory/hosts"
    assert send(playbook="p", inventory="inventory/more").kwargs["inventory"] == "inventory/more"
    assert send(playbook="p", inventory=["hosts", "more"]).kwargs["inventory"] == [
        "inventory/hosts",
        "inventory/more",
    ]
    assert send(playbook="p", inventory=["more"]).kwargs["inventory"] == "inventory/more"
    nothings: list[Any] = ["", []]
    for nothing in nothings:
        assert not send(playbook="p", inventory=nothing).kwargs.get("inventory")


def test_inventories_from_memory(send: Send) -> None:
    """A mapping, a text and a list of hosts become files of the archive; several texts become several files."""
    sent = send(playbook="p", inventory={"all": {"hosts": {"a": None}}})
    assert sent.kwargs["inventory"] == "inventory/hosts.json"
    assert sent.read("inventory/hosts.json") == {"all": {"hosts": {"a": None}}}
    sent = send(playbook="p", inventory="a x=1\nb")
    assert (sent.kwargs["inventory"], sent.files["inventory/hosts"]) == ("inventory/hosts", b"a x=1\nb\n")
    here = send(playbook="p", inventory="localhost,b,").files["inventory/hosts"].splitlines()
    assert here[0].startswith(b"localhost ansible_connection=local ")
    assert here[1:] == [b"b"]
    sent = send(playbook="p", inventory=["a,b,", "c x=1"])
    first, second = sent.kwargs["inventory"]
    assert [sent.files[first], sent.files[second]] == [b"a\nb\n", b"c x=1\n"]
    long = ",".join(f"host{number}" for number in range(1000))
    assert send(playbook="p", inventory=long).files["inventory/hosts"].count(b"\n") == 1000


def test_an_inventory_outside_travels(send: Send, tmp_path: Path) -> None:
    """It gets a place of its own on the worker, and the variables beside it do too."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "group_vars").mkdir(parents=True)
    (elsewhere / "group_vars" / "all.yml").write_text("a: 1")
    (elsewhere / "hosts").write_text("a")
    sent = send(playbook="p", inventory=str(elsewhere / "hosts"))
    assert sent.kwargs["inventory"] == "outside/0/hosts"
    assert sent.files["outside/0/hosts"] == b"a"
    assert sent.files["outside/0/group_vars/all.yml"] == b"a: 1"


def test_an_inventory_that_does_not_exist_is_refused(send: Send) -> None:
    """A typo is said before anything is sent; `localhost` is a host wherever one is."""
    with pytest.raises(MissingInput, match="no inventory `nope`"):
        send(playbook="p", inventory="nope")
    assert send(playbook="p", inventory="localhost").files["inventory/hosts"].startswith(b"localhost ")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("-e @{0} --diff", "-e @../outside/0/file --diff"),
        ("--extra-vars=@{0}", "--extra-vars=@../outside/0/file"),
        ("--private-key {0} --vault-password-file={0}", None),
        ("-e file={0} --start-at-task {0}", "-e file={0} --start-at-task {0}"),
        ("-e @/nowhere -i hosts,", "-e @/nowhere -i hosts,"),
    ],
)
def test_files_of_the_command_line_travel(send: Send, tmp_path: Path, given: str, sent: str | None) -> None:
    """Files outside that options name are named by their place; every other word stays as it is."""
    file = tmp_path / "file"
    file.write_text("x: 1")
    both = "--private-key ../outside/0/file --vault-password-file=../outside/0/file"
    job = send(playbook="p", cmdline=given.format(file), suppress_env_files=True)
    assert job.kwargs["cmdline"] == (both if sent is None else sent.format(file))
    assert ("outside/0/file" in job.files) is ("outside" in job.kwargs["cmdline"])


def test_files_of_the_command_line_stay_beside_a_project_elsewhere(send: Send, tmp_path: Path) -> None:
    """Ansible runs in that directory, which the worker has: from there no path leads to what is shipped."""
    file = tmp_path / "file"
    file.write_text("x: 1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = {"cmdline": f"-e @{file}", "project_dir": str(elsewhere), "suppress_env_files": True}
    assert send(playbook="p", **options).kwargs["cmdline"] == f"-e @{file}"
    assert send(module="ping", **options).kwargs["cmdline"] == "-e @outside/0/file"


def test_a_vars_file_outside_travels(send: Send, tmp_path: Path) -> None:
    """`extravars` may be the name of a file."""
    (tmp_path / "vars.yml").write_text("x: 1")
    sent = send(playbook="p", extravars=str(tmp_path / "vars.yml"))
    assert sent.kwargs["extravars"] == "outside/0/vars.yml"
    assert sent.files["outside/0/vars.yml"] == b"x: 1"


def test_runnerignore_counts_if_it_is_there(send: Send, project: Project) -> None:
    """Its rules are those of .gitignore; without it everything travels, what git ignores too."""
    project.write("project/.gitignore", "*.log\n")
    project.write("project/run.log", "")
    assert "project/run.log" in send(playbook="test.yml").files
    project.write(".runnerignore", "*.log\n")
    assert "project/run.log" not in send(playbook="test.yml").files


def test_a_file_that_has_no_place_is_refused(send: Send, project: Project, tmp_path: Path) -> None:
    """Where env/ or project/ is a link, a file from memory would land elsewhere: that is said at once."""
    (tmp_path / "elsewhere").mkdir()
    (project.path / "env").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="`env`"):
        send(playbook="p", passwords={"a": "b"})
    assert send(playbook="p").kwargs == {"playbook": "p"}


def test_artifacts_stay_here_but_for_this_jobs_facts(send: Send, project: Project) -> None:
    """Of artifacts/ only artifacts/IDENT/fact_cache travels, or the name the job has for it."""
    for name in ("1/fact_cache/host", "1/facts/host", "1/stdout", "1/unit.json", "2/fact_cache/host"):
        project.write(f"artifacts/{name}", "x")
    kept = {"artifacts/", "artifacts/1/", "artifacts/1/fact_cache/", "artifacts/1/fact_cache/host"}

    def shipped(**options: Any) -> set[str]:
        return {name for name in send(playbook="p", **options).files if name.startswith("artifacts")}

    assert shipped(ident="1") == kept
    assert shipped(ident="1", fact_cache="facts") == {name.replace("fact_cache", "facts") for name in kept}
    assert shipped(ident="3") == shipped() == set()
    everything = shipped(ident="1", include_artifacts=True)
    assert "artifacts/1/unit.json" not in everything
    assert {"artifacts/1/stdout", "artifacts/2/fact_cache/host"} < everything


def test_a_signed_certificate_travels(send: Send, project: Project) -> None:
    """The certificate that a caller places among the artifacts of this ident is shipped, and no other artifact."""
    for ident in ("7", "8"):
        project.write(f"artifacts/{ident}/ssh_key_data-cert.pub", "cert")
        project.write(f"artifacts/{ident}/stdout", "x")
    sent = send(playbook="p", ident="7")
    shipped = {name for name in sent.files if name.startswith("artifacts") and not name.endswith("/")}
    assert shipped == {"artifacts/7/ssh_key_data-cert.pub"}


def test_options_alone(send: Send) -> None:
    """With only_kwargs there is no archive at all."""
    sent = send(only_kwargs=True, playbook="p")
    assert (sent.kwargs, sent.files) == ({"playbook": "p"}, {})


def test_options_alone_carry_what_would_be_files(send: Send, project: Project) -> None:
    """Without an archive, plays, roles, inventories and secrets stay options, and paths become relative."""
    given: dict[str, Any] = {"inventory": {"all": {"hosts": {"a": None}}}, "passwords": {"x": "y"}}
    for target in ({"playbook": [{"hosts": "all"}]}, {"role": "r", "role_vars": {"a": 1}, "hosts": "web"}):
        assert send(only_kwargs=True, **target, **given).kwargs == target | given
    inside = [str(project.path / "inventory/hosts"), "a,b,"]
    sent = send(only_kwargs=True, playbook=str(project.path / "project/test.yml"), inventory=inside)
    assert sent.kwargs == {"playbook": "test.yml", "inventory": ["inventory/hosts", "a,b,"]}


def test_a_playbook_as_data_goes_to_its_project(send: Send, project: Project) -> None:
    """With a project_dir in the private data dir, a role or play lands where the worker starts ansible."""
    project.write("flat/x.yml", "")
    for target in ({"playbook": {"hosts": "all"}}, {"role": "r"}):
        sent = send(project_dir=str(project.path / "flat"), **target)
        assert (sent.kwargs["playbook"], sent.kwargs["project_dir"]) == ("main.json", "flat")
        assert sent.read("flat/main.json")[0]["hosts"] == "all"
    assert "project/main.json" in send(project_dir="/opt/elsewhere", role="r").files
    assert "main.json" in send(project_dir=str(project.path), role="r").files


@pytest.fixture
def flat(project: Project) -> Project:
    """An ordinary repository: playbook, ansible.cfg and inventory side by side."""
    shutil.rmtree(project.path / "project")
    shutil.rmtree(project.path / "inventory")
    project.write("site.yml", "- {hosts: all, gather_facts: false, tasks: [{debug: {msg: shipped}}]}")
    project.write("inventory.ini", "here ansible_connection=local\n")
    project.write("ansible.cfg", "[defaults]\ninventory = inventory.ini\n")
    return project


def test_an_inventory_with_a_typo(send: Send, flat: Project) -> None:
    """A mistyped inventory is an error with the nearest name; it never becomes a host that matches nothing."""
    for typo in ("inventry.ini", "inventory", "other.yml"):
        with pytest.raises(MissingInput, match=f"no inventory `{typo}`"):
            send(playbook="site.yml", inventory=typo)
    with pytest.raises(MissingInput) as caught:
        send(playbook="site.yml", inventory="inventry.ini")
    assert caught.value.hint == "did you mean `inventory.ini`?"
    for host in ("web1", "web1.example.org", "localhost"):
        assert send(playbook="site.yml", inventory=host).kwargs["inventory"] == "inventory/hosts"


def test_an_absolute_playbook_is_the_shipped_one(send: Send, flat: Project, project: Project) -> None:
    """A path inside of what is sent is found from where the worker starts, never read from this machine."""
    assert send(playbook=str(flat.path / "site.yml")).kwargs["playbook"] == "site.yml"
    assert send(playbook=str(flat.path / "plays/a.yml")).kwargs["playbook"] == "plays/a.yml"
    project.write("project/x.yml", "")
    assert send(playbook=str(flat.path / "site.yml")).kwargs["playbook"] == "../site.yml"
    given = {"playbook": str(flat.path / "site.yml"), "project_dir": str(flat.path / "plays")}
    assert send(**given).kwargs["playbook"] == "../site.yml"


def test_a_role_in_a_flat_repository(send: Send, flat: Project, commands: Commands) -> None:
    """A role uses the ansible.cfg and the inventory beside it, on workers of both kinds."""
    assert "main.json" in send(role="r").files
    flat.write("main.json", "[]")
    assert send(role="r").kwargs["playbook"] == "main_1.json"
    flat.write(
        "roles/r/tasks/main.yml", "- debug: {msg: '{{ inventory_hostname }} {{ ansible_config_file }}'}"
    )
    sent = commands.ours("transmit", flat.path, "-r", "r", "--role-skip-facts").stdout
    for worker in (commands.ours, commands.peer):
        done = worker("worker", stdin=sent)
        assert done.rc == 0, done.stderr
        assert b"here " in done.stdout
        assert b"/ansible.cfg" in done.stdout


def test_idents(send: Send) -> None:
    """A uuid travels as its digits, a number as text; what cannot name a directory is refused."""
    one = uuid.uuid4()
    assert send(ident=one, playbook="p").kwargs["ident"] == one.hex
    assert send(ident=7, playbook="p").kwargs["ident"] == "7"
    for bad in ("../x", "a/b", "..", "x" * 256):
        with pytest.raises(UsageError, match="invalid ident"):
            send(ident=bad, playbook="p")


def test_a_missing_directory_is_missing_input(tmp_path: Path) -> None:
    """A private data directory that does not exist is an error, and is not made."""
    (tmp_path / "file").write_text("x")
    for name, said in (("nope", "does not exist"), ("file", "is not a directory")):
        with pytest.raises(MissingInput, match=said):
            prepare(Job(playbook="p"), tmp_path / name)
    assert not (tmp_path / "nope").exists()


def test_what_cannot_travel_is_named_and_the_rest_goes(send: Send, project: Project) -> None:
    """A FIFO in the directory never blocks, and the shipment says that it stays here."""
    os.mkfifo(project.path / "pipe")
    shipment = prepare(Job(playbook="p"), project.path)
    assert shipment.skipped == ["pipe: a FIFO"]
    shipment.close()


def test_the_digest_is_of_job_and_inputs(project: Project) -> None:
    """Equal jobs have equal digests whatever ident and artifacts; another option or file changes it."""

    def digest(**options: Any) -> str:
        shipment = prepare(Job.from_kwargs({"playbook": "test.yml", **options}), project.path)
        try:
            return shipment.digest()
        finally:
            shipment.close()

    first = digest(ident="1")
    project.write("artifacts/1/stdout", "x")
    assert digest(ident="2") == first
    assert digest(tags="x") != first
    assert digest(passwords={"a": "b"}) != digest(passwords={"a": "c"})
    project.write("project/test.yml", "other")
    assert digest(ident="1") != first


def test_a_role_runs_on_workers_of_both_kinds(project: Project, commands: Commands) -> None:
    """A role from the shipped roles/ runs on our worker and on the peer's."""
    project.write("roles/greet/tasks/main.yml", "- debug: msg='role {{ whom }}'\n")
    words = (
        "transmit",
        project.path,
        "-r",
        "greet",
        "--role-vars",
        "whom=world",
        "--role-skip-facts",
        "--hosts",
        "all",
    )
    stream = commands.ours(*words).stdout
    for run in (commands.ours, commands.peer):
        assert b"role world" in run("worker", stdin=stream).stdout, run


@pytest.mark.parametrize("place", ["job", "elsewhere"])
def test_a_role_runs_with_a_project_of_its_own(
    project: Project, commands: Commands, tmp_path: Path, place: str
) -> None:
    """A role runs whether project_dir is in the private data dir or a directory of the worker's machine."""
    project.write("roles/greet/tasks/main.yml", "- debug: msg='role greet'\n")
    directory = project.path / "flat" if place == "job" else tmp_path / "elsewhere"
    directory.mkdir()
    words = ("transmit", project.path, "-r", "greet", "--role-skip-facts", "--project-dir", directory)
    sent = commands.ours(*words).stdout
    assert b"role greet" in commands.ours("worker", stdin=sent).stdout
    assert not list(directory.iterdir())


def test_a_play_as_data_runs_without_an_archive(project: Project, commands: Commands) -> None:
    """A worker that shares the directory runs plays and inventories that arrive in the options."""
    play = {"hosts": "h1", "gather_facts": False, "tasks": [{"debug": {"msg": "shared {{ word }}"}}]}
    hosts = {"all": {"hosts": {"h1": {"ansible_connection": "local"}}}}
    job = Job(playbook=[play], inventory=hosts, extravars={"word": "alike"})
    stream = b"".join(prepare(job, project.path, only_kwargs=True).chunks())
    done = commands.ours("worker", "--private-data-dir", project.path, stdin=stream)
    assert b"shared alike" in done.stdout


def test_the_spooled_archive_is_closed(project: Project, commands: Commands) -> None:
    """The temporary file of a large archive is closed, not left to the garbage collector."""
    (project.path / "project/big").write_bytes(os.urandom(SPOOL_MEMORY + 1))
    commands.environment["PYTHONWARNINGS"] = "always::ResourceWarning"
    sent = commands.ours("transmit", project.path, "-p", "test.yml")
    assert (sent.rc, sent.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings", "a: @b"),
        ("settings", "idle_timeout: soon"),
        ("settings", "container_volume_mounts: {a: b}"),
        ("passwords", "- a"),
        ("passwords", "'(open': x"),
        ("envvars", "a: 'b"),
        ("extravars", "a: [b"),
        ("cmdline", "--limit 'open"),
    ],
)
def test_what_the_worker_could_not_read_is_not_sent(project: Project, name: str, text: str) -> None:
    """A file in `env/` that makes no sense is an error of the caller's, with its path, before anything is packed."""
    path = project.write(f"env/{name}", text)
    with pytest.raises(ConfigError, match=str(path)):
        prepare(Job(playbook="test.yml"), project.path)


def test_a_command_line_with_an_open_quote_is_not_sent(project: Project) -> None:
    """The option counts like the file, with a directory in the stream or without."""
    for only_kwargs in (False, True):
        with pytest.raises(ConfigError, match="option cmdline: No closing quotation"):
            prepare(Job(playbook="test.yml", cmdline="'open"), project.path, only_kwargs=only_kwargs)


def test_files_that_the_worker_does_not_read_may_be_anything(
    send: Send, project: Project, tmp_path: Path
) -> None:
    """What does not travel, what an option overrides and what a link takes from elsewhere is not checked."""
    project.write("env/cmdline", "'open")
    project.write("env/passwords", "a: @b")
    (tmp_path / "settings").write_text("a: @b")
    (project.path / "env/settings").symlink_to(tmp_path / "settings")
    project.write(".runnerignore", "env/passwords")
    assert "env/passwords" not in send(playbook="test.yml", cmdline="--diff").files
    assert send(playbook="test.yml", only_kwargs=True).files == {}


def test_a_fifo_is_skipped_and_never_opened(project: Project) -> None:
    """Whatever file of a job's inputs is a FIFO, packing ends and names it."""
    names = [
        f"env/{name}" for name in ("cmdline", "envvars", "extravars", "passwords", "settings", "ssh_key")
    ]
    (project.path / "env").mkdir()
    for name in (".runnerignore", "args", *names):
        os.mkfifo(project.path / name)
    shipment = prepare(Job(playbook="test.yml", container_image="x"), project.path)
    shipment.close()
    assert sorted(shipment.skipped) == sorted(f"{name}: a FIFO" for name in (".runnerignore", "args", *names))
