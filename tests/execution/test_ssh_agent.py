"""A private key reaches ssh through an agent, and is gone with the job."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psutil
import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.outcome import Status
from tests.execution.conftest import Workplace

pytestmark = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="ssh-agent is not on PATH")

LIST = "- command: ssh-add -l"


def make_key(directory: Path, passphrase: str = "") -> str:
    """Return a fresh private key."""
    path = directory / "key"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test-key", "-f", str(path)]
    subprocess.run(words, check=True)
    return path.read_text()


def listed(workplace: Workplace, **options: object) -> str:
    """Return the keys that a task of a job sees."""
    ran = workplace.run(playbook=workplace.playbook(LIST), **options)
    assert ran.outcome.status is Status.SUCCESSFUL, ran.told.text
    return str(ran.told.named("runner_on_ok")[0]["event_data"]["res"]["stdout"])


def test_the_key_is_in_an_agent(workplace: Workplace, tmp_path: Path) -> None:
    """A task sees the key of env/ssh_key in its agent, though the file has no last line end."""
    workplace.write("env/ssh_key", make_key(tmp_path).rstrip("\n"))
    assert "test-key" in listed(workplace)


def test_a_passphrase_is_answered(workplace: Workplace, tmp_path: Path) -> None:
    """A key with a passphrase is opened by the answer among the passwords."""
    key = make_key(tmp_path, "open sesame")
    assert "test-key" in listed(
        workplace, ssh_key=key, passwords={"^Enter passphrase for .*:": "open sesame"}
    )


def test_key_and_agent_are_gone_with_the_job(workplace: Workplace, tmp_path: Path) -> None:
    """Neither the key, nor a FIFO, nor the agent, nor its socket is left behind."""
    key = make_key(tmp_path)
    name = workplace.playbook("- command: printenv SSH_AUTH_SOCK SSH_AUTH_SOCK")
    ran = workplace.run(playbook=name, ssh_key=key)
    socket = Path(ran.told.named("runner_on_ok")[0]["event_data"]["res"]["stdout"])
    assert not socket.parent.exists()
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(socket) in (p.info["cmdline"] or [])]
    for path in workplace.path.rglob("*"):
        assert not path.is_fifo()
        assert path.is_dir() or "PRIVATE KEY" not in path.read_text()


def test_a_bad_key_fails_the_job(workplace: Workplace) -> None:
    """A text that is no key fails the job with ssh-add's own words and return code; ansible never runs."""
    ran = workplace.run(playbook=workplace.playbook(LIST), ssh_key="no key at all")
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 1)
    assert "Error loading key" in ran.told.text
    assert {event["event"] for event in ran.told.events} == {"verbose"}


def test_a_missing_agent_is_an_error(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ssh-agent a job with a key is refused, before anything is told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = workplace.begin(playbook=workplace.playbook(LIST), ssh_key="key")
    with pytest.raises(MissingInput, match="ssh-agent"):
        assert ran.outcome
    assert ran.told.statuses == []
