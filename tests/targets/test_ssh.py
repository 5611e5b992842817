"""Jobs whose hosts are reached over real SSH, with the key of `env/ssh_key`."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from receptor_runner.handlers import runner_config
from receptor_runner.runner import Runner
from tests.harness import make_key, python_for, wait_until

if TYPE_CHECKING:
    from tests.harness import Commands, Ran, Sshd, User
    from tests.targets.conftest import Site

pytestmark = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="no `ssh-agent` is installed")

WHERE = """- command: printenv SSH_CONNECTION
- command: printenv SSH_AUTH_SOCK
  delegate_to: localhost
  vars: {ansible_connection: local}
"""


def results(ran: Ran) -> list[str]:
    """Return what the commands of a job printed."""
    return [event["event_data"]["res"]["stdout"] for event in ran.named("runner_on_ok")]


def check_nothing_left(site: Site, agent: Path, key: str) -> None:
    """Check that neither agent, key, FIFO nor temporary file of the worker is left."""
    assert not agent.parent.exists()
    agents = [
        found for found in psutil.process_iter(["cmdline"]) if str(agent) in (found.info["cmdline"] or [])
    ]
    assert agents == []
    assert list(site.temporary.iterdir()) == []
    for path in site.project.path.joinpath("artifacts").rglob("*"):
        assert not path.is_fifo()
        assert path.is_dir() or key not in path.read_text()


def test_a_key_opens_the_door(site: Site, sshd: Sshd) -> None:
    """A job reaches its host with the key; afterwards only ssh's own master connection is left."""
    key = sshd.admit(uuid.uuid4().hex)
    site.project.write("env/ssh_key", key, mode=0o600)
    site.project.playbook(WHERE)
    ran = site.run()
    assert ran.rc == 0, ran.text
    connection, agent = results(ran)
    assert connection.split()[3] == str(sshd.port)
    check_nothing_left(site, Path(agent), key.splitlines()[1])
    assert site.masters, "a master connection outlives the job, and has not held the worker"


@pytest.mark.slow
def test_a_key_with_a_passphrase(site: Site, sshd: Sshd) -> None:
    """The passphrase is among the passwords of `env/passwords`; it is in no artifact."""
    key = sshd.admit(uuid.uuid4().hex, "open sesame")
    site.project.write("env/ssh_key", key, mode=0o600)
    site.project.write("env/passwords", json.dumps({"^Enter passphrase for .*:": "open sesame"}))
    site.project.playbook("- ping:\n" + WHERE)
    ran = site.run()
    assert ran.rc == 0, ran.text
    assert "Identity added" in ran.text
    assert "open sesame" not in ran.everything()
    check_nothing_left(
        site, Path(ran.named("runner_on_ok")[-1]["event_data"]["res"]["stdout"]), "open sesame"
    )


@pytest.mark.slow
def test_a_wrong_key(site: Site, tmp_path: Path) -> None:
    """A key that the host does not know makes it unreachable: ansible's 4, and an event that says so."""
    key = make_key(tmp_path / "stranger")
    site.project.write("env/ssh_key", key, mode=0o600)
    site.project.playbook("- ping:")
    ran = site.run()
    assert (ran.rc, ran.read("status"), ran.read("rc")) == (4, "failed", "4")
    (event,) = ran.named("runner_on_unreachable")
    assert "Permission denied" in event["event_data"]["res"]["msg"]
    assert ran.named("playbook_on_stats")[0]["event_data"]["dark"] == {"target": 1}


@pytest.mark.slow
def test_gathered_facts(site: Site, sshd: Sshd) -> None:
    """Facts of the host are in the event, without its environment, and in the cache that comes home."""
    site.project.write("env/ssh_key", sshd.admit(uuid.uuid4().hex), mode=0o600)
    site.project.playbook("- debug: var=ansible_facts.system", header="  gather_facts: true\n")
    ran = site.run()
    assert ran.rc == 0, ran.text
    gathered = ran.named("runner_on_ok")[0]["event_data"]["res"]["ansible_facts"]
    assert "ansible_env" not in gathered
    facts = Runner(runner_config(site.project.path, "job")).get_fact_cache("target")
    assert facts["ansible_system"] == gathered["ansible_system"] == "Linux"
    assert facts["ansible_env"]["SSH_CONNECTION"].split()[3] == str(sshd.port)


@pytest.mark.slow
def test_a_stop_reaches_the_host(site: Site, sshd: Sshd, commands: Commands) -> None:
    """A stopped job leaves nothing running, neither on its host nor ssh's connections to it."""
    site.project.write("env/ssh_key", sshd.admit(uuid.uuid4().hex), mode=0o600)
    seconds = str(10**6 + uuid.uuid4().int % 10**6)
    site.project.playbook(f"- command: sleep {seconds}")
    sent = commands.ours("transmit", site.project.path, "-p", "test.yml", "-i", "job")
    worker = commands.start("worker", stdin=subprocess.PIPE)
    assert worker.stdin is not None
    worker.stdin.write(sent.stdout)
    worker.stdin.close()
    worker.stdin = None
    wait_until(lambda: bool(sleeping(seconds)), "the task runs on the host")
    assert site.masters
    worker.terminate()
    worker.communicate(timeout=30)
    assert worker.returncode == 254
    wait_until(lambda: not sleeping(seconds) and not site.masters, "nothing is left")


def sleeping(seconds: str) -> list[psutil.Process]:
    """Return the processes that sleep for so long."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if process.info["cmdline"] == ["sleep", seconds]]


WHO = "- command: whoami\n  become: true\n"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["su", "sudo"])
def test_becoming_another_user(site: Site, sshd: Sshd, users: tuple[User, User], method: str) -> None:
    """A become password is typed where ansible asks for it, and is in no artifact."""
    if shutil.which(method) is None:
        pytest.skip(f"no `{method}` is installed")
    login, other = users
    asked = other if method == "su" else login
    more = "ansible_shell_allow_world_readable_temp=true"
    site.hosts(user=login.name, python=python_for(other), more=more)
    site.project.write("env/ssh_key", sshd.admit(uuid.uuid4().hex), mode=0o600)
    site.project.write("env/passwords", json.dumps({r"^BECOME password.*:\s*?$": asked.password}))
    site.project.write(
        "env/cmdline", f"--ask-become-pass --become-method {method} --become-user {other.name}"
    )
    site.project.playbook("- command: whoami\n" + WHO)
    with sudo_rights(login):
        ran = site.run()
    assert ran.rc == 0, ran.text
    assert results(ran) == [login.name, other.name]
    assert asked.password not in ran.everything()


@pytest.mark.slow
def test_a_wrong_become_password(site: Site, sshd: Sshd, users: tuple[User, User]) -> None:
    """A password that is refused fails the host in ansible's words."""
    login, other = users
    more = "ansible_shell_allow_world_readable_temp=true"
    site.hosts(user=login.name, python=python_for(other), more=more)
    site.project.write("env/ssh_key", sshd.admit(uuid.uuid4().hex), mode=0o600)
    site.project.write("env/passwords", json.dumps({r"BECOME password": "wrong"}))
    site.project.write("env/cmdline", f"-K --become-method su --become-user {other.name}")
    site.project.playbook(WHO)
    ran = site.run()
    assert ran.rc in {2, 4}, ran.text
    assert ran.read("status") == "failed"
    assert "Incorrect su password" in ran.text or "Authentication failure" in ran.text


class sudo_rights:
    """Lets a user do everything by sudo, after typing the user's own password."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._file = Path(f"/etc/sudoers.d/{user.name}")

    def __enter__(self) -> None:
        if self._file.parent.is_dir():
            self._file.write_text(f"{self._user.name} ALL=(ALL) ALL\n")
            self._file.chmod(0o440)

    def __exit__(self, *_exception: object) -> None:
        self._file.unlink(missing_ok=True)
