"""`playbook` and `adhoc` beside ansible-playbook and ansible: the same command lines, the same recap and exit code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from receptor_runner.cli import project_run
from receptor_runner.errors import OutputFailed
from receptor_runner.system import directories
from tests.harness import CommandLine, Commands, Finished
from tests.harness.environment import BIN

LOCAL = 'ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"'
FILES = {
    "inventory.ini": f"[web]\nweb1 {LOCAL}\nweb2 {LOCAL}\n[db]\ndb1 {LOCAL}\n",
    "staging/hosts": f"[web]\nstage1 {LOCAL}\n",
    "staging/group_vars/web.yml": "from_group: staging\n",
    "group_vars/web.yml": "from_group: production\n",
    "ansible.cfg": "[defaults]\ninventory = inventory.ini\nlocalhost_warning = False\n",
    "site.yml": """
- hosts: web
  gather_facts: false
  roles: [greet]
  tasks:
    - debug: msg="{{ from_group }} {{ extra | default('none') }} {{ extra2 | default('') }}"
      tags: [say]
    - name: Second
      command: "true"
      notify: ring
      tags: [do]
  handlers:
    - name: ring
      debug: msg=ring
""",
    "db.yml": "- hosts: db\n  gather_facts: false\n  tasks:\n    - {name: Fails, command: 'false'}\n",
    "broken.yml": "- hosts: all\n  tasks: [{nomodule: 1}]\n",
    "secret.yml": "- hosts: web\n  gather_facts: false\n  vars_files: [vault.yml]\n  tasks:\n    - debug: var=secret\n",
    "ask.yml": """
- hosts: web
  gather_facts: false
  vars_prompt: [{name: colour, prompt: Which colour, private: false}]
  tasks: [{debug: {var: colour}}]
""",
    "roles/greet/tasks/main.yml": "- {name: Greet, debug: {msg: hello}, tags: [greet]}\n",
    "plays/nested.yml": "- hosts: web\n  gather_facts: false\n  tasks: [{debug: {msg: nested}}]\n",
    "vars.yml": "extra: from a file\n",
}


@dataclass
class Typist:
    """Types the same command line twice: for Ansible's program here, and for ours."""

    commands: Commands
    root: Path

    def both(self, program: str, *words: str, cwd: str = ".") -> tuple[Finished, Finished]:
        """Return what Ansible's program did, and what ours did."""
        self.commands.cwd = self.root / cwd
        command = {"ansible-playbook": "playbook", "ansible": "adhoc"}[program]
        theirs = self.commands.run(BIN / program, *words)
        return theirs, self.commands.ours(command, *words)

    def ours(self, *words: str | Path) -> Finished:
        """Run our program."""
        self.commands.cwd = self.root
        return self.commands.ours(*words)


@pytest.fixture
def typist(commands: Commands, tmp_path: Path) -> Typist:
    """Somebody in an ordinary repository."""
    root = tmp_path / "repository"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    commands.run("git", "-C", root, "init", "-q")
    commands.environment["ANSIBLE_NOCOLOR"] = "1"
    commands.cwd = root
    (root / "password.txt").write_text("sesame\n")
    words = ("encrypt_string", "--vault-password-file", "password.txt", "--name", "secret", "x")
    (root / "vault.yml").write_text(commands.run(BIN / "ansible-vault", *words).text)
    return Typist(commands, root)


def recap(done: Finished) -> list[str]:
    """Return the lines of the recap, without the spaces that line them up."""
    _before, _found, after = done.text.partition("PLAY RECAP")
    return sorted(re.sub(r"\s+", " ", line).strip() for line in after.splitlines()[1:] if line.strip())


def same(theirs: Finished, ours: Finished) -> None:
    """Compare recap and exit code."""
    assert (ours.rc, recap(ours)) == (theirs.rc, recap(theirs)), ours.stderr + ours.text + theirs.text


FAST = [
    ("site.yml",),
    ("-i", "staging", "-e", "extra=1", "-l", "stage1", "site.yml"),
    ("db.yml",),
]
"""Three that stand for all in the fast tests."""

MORE = [
    ("-i", "staging/hosts", "site.yml"),
    ("-i", "inventory.ini", "-i", "staging/hosts", "site.yml"),
    ("-e", "@vars.yml", "-e", "other=2", "site.yml"),
    ("-t", "say", "site.yml"),
    ("--tags=greet,do", "site.yml"),
    ("--skip-tags", "do", "site.yml"),
    ("--start-at-task", "Second", "site.yml"),
    ("-C", "-D", "site.yml"),
    ("--limit", "web1:!web2", "-f", "1", "-vv", "site.yml"),
    ("site.yml", "plays/nested.yml"),
    ("broken.yml",),
    ("--syntax-check", "site.yml"),
    ("--list-tasks", "site.yml"),
    ("--list-hosts", "--limit", "db", "site.yml"),
    ("--force-handlers", "--flush-cache", "site.yml"),
    ("-e", "ansible_become=false", "-b", "--become-user", "nobody", "site.yml"),
    ("--vault-password-file", "password.txt", "secret.yml"),
    ("--vault-id", "dev@password.txt", "secret.yml"),
    ("-e", "colour=red", "ask.yml"),
    ("-l", "nobody", "site.yml"),
]


@pytest.mark.parametrize("words", [*FAST, *(pytest.param(words, marks=pytest.mark.slow) for words in MORE)])
def test_a_command_line_does_what_ansible_playbook_does(typist: Typist, words: tuple[str, ...]) -> None:
    """Recap and exit code are equal, and the repository is left as it was."""
    before = sorted(typist.root.rglob("*"))
    same(*typist.both("ansible-playbook", *words))
    assert sorted(typist.root.rglob("*")) == before


@pytest.mark.slow
def test_ansible_cfg_counts_on_the_node(typist: Typist) -> None:
    """Even settings that a worker sets otherwise: the output has the form that ansible.cfg asks for."""
    (typist.root / "ansible.cfg").write_text(f"{FILES['ansible.cfg']}stdout_callback = oneline\n")
    theirs, ours = typist.both("ansible-playbook", "site.yml")
    same(theirs, ours)
    assert "web1 | SUCCESS =>" in ours.text


@pytest.mark.slow
def test_from_a_subdirectory_paths_mean_the_same(typist: Typist) -> None:
    """The same file names, typed in the same directory, work on the node."""
    same(*typist.both("ansible-playbook", "-i", "../inventory.ini", "nested.yml", cwd="plays"))


@pytest.mark.slow
def test_files_outside_of_the_project_are_found(typist: Typist, tmp_path: Path) -> None:
    """Inventory with its variables, extra variables and playbook may lie anywhere."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "group_vars").mkdir(parents=True)
    (elsewhere / "hosts").write_text(f"[web]\nfar1 {LOCAL}\n")
    (elsewhere / "group_vars" / "web.yml").write_text("extra2: far\n")
    (elsewhere / "more.yml").write_text("extra: far away\n")
    words = ("-i", str(elsewhere / "hosts"), "-e", f"@{elsewhere / 'more.yml'}", "site.yml")
    theirs, ours = typist.both("ansible-playbook", *words)
    same(theirs, ours)
    assert "production far away far" in ours.text


@pytest.mark.parametrize(
    "words",
    [
        ("web", "-m", "ping"),
        pytest.param(("all", "-i", "inventory.ini", "-a", "true", "-o"), marks=pytest.mark.slow),
        pytest.param(("db", "-m", "command", "-a", "false"), marks=pytest.mark.slow),
        pytest.param(("web", "-m", "debug", "-a", "var=from_group"), marks=pytest.mark.slow),
    ],
)
def test_an_ad_hoc_command_does_what_ansible_does(typist: Typist, words: tuple[str, ...]) -> None:
    """The exit code is equal, and each host answers."""
    theirs, ours = typist.both("ansible", *words)
    assert ours.rc == theirs.rc
    hosts = re.compile(r"^(\w+) \| (\w+)", re.MULTILINE)
    assert sorted(hosts.findall(ours.text)) == sorted(hosts.findall(theirs.text))


def test_artifacts_are_with_the_user(typist: Typist) -> None:
    """Without --artifacts they go to the user's state, and the error of a failed job says nothing else."""
    done = typist.ours("playbook", "site.yml", "--ident", "one", "-q")
    assert done.rc == 0
    state = Path(typist.commands.environment["XDG_STATE_HOME"]) / "receptor-runner"
    assert (state / "artifacts" / "one" / "rc").read_text() == "0"
    assert typist.ours("playbook", "site.yml", "--ident", "two", "--artifacts", "out").rc == 0
    assert (typist.root / "out" / "artifacts" / "two" / "stdout").exists()


def test_a_user_without_a_home_is_told_about_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no state can be kept, the error says what to add to the command."""
    monkeypatch.setattr(directories, "state_directories", lambda: iter(()))
    with pytest.raises(OutputFailed) as failed:
        project_run._user_directory()
    assert "--artifacts" in str(failed.value.hint)


def test_what_would_travel_is_listed(typist: Typist) -> None:
    """With sizes, the largest ten at the end, and nothing is run."""
    (typist.root / ".gitignore").write_text("*.log\n")
    (typist.root / "big.log").write_bytes(b"x" * 5000)
    (typist.root / "big.bin").write_bytes(b"x" * 3000)
    done = typist.ours("playbook", "-K", "ask.yml", "--list-files")
    assert done.rc == 0
    lines = done.text.splitlines()
    assert "big.log" not in done.text
    assert re.fullmatch(r" +2\.9 KiB  project/big\.bin", lines[-10])
    assert re.search(r" in \d+ files; the largest:$", lines[-11])
    listed = json.loads(typist.ours("playbook", "site.yml", "--list-files", "--json").text)
    assert {"name": "project/site.yml", "size": len(FILES["site.yml"])} in listed["files"]


def test_few_files_are_listed_once(command_line: CommandLine) -> None:
    """Where the largest files would be all files, they are not repeated."""
    (command_line.cwd / "ansible.cfg").write_text("[defaults]\n")
    (command_line.cwd / "site.yml").write_text("- hosts: localhost\n")
    done = command_line.ours("playbook", "site.yml", "--list-files")
    assert [line.split()[2:] for line in done.text.splitlines()] == [
        ["project/ansible.cfg"],
        ["project/site.yml"],
        ["in", "2", "files"],
    ]


@pytest.mark.parametrize(
    ("words", "what", "rc"),
    [
        (("playbook", "sitee.yml"), "error: playbook sitee.yml does not exist", 66),
        (("playbook", "-i", "inventry.ini", "site.yml"), "error: inventory inventry.ini does not exist", 66),
        (("playbook", "--step", "site.yml"), "error: --step makes no sense on a node", 64),
        (("playbook",), "error: Missing argument 'PLAYBOOK...'", 64),
        (("adhoc", "all", "-t", "logs"), "error: --tree makes no sense on a node", 64),
        (("playbook", "ask.yml"), "error: cannot ask `Which colour:`", 64),
    ],
)
def test_a_senseless_call_is_refused_before_the_upload(
    typist: Typist, words: tuple[str, ...], what: str, rc: int
) -> None:
    """The first line says what is wrong, and nothing is written anywhere."""
    done = typist.ours(*words)
    assert (done.rc, done.stderr.splitlines()[0]) == (rc, what)
    assert not (Path(typist.commands.environment["XDG_STATE_HOME"]) / "receptor-runner").exists()
