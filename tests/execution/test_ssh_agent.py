"""A private key reaches ssh through an agent, and is gone with the job."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.outcome import Status
from tests.execution.conftest import IDENT, Workplace

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


@pytest.mark.slow
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_signed_certificate_is_in_the_agent(workplace: Workplace, tmp_path: Path, passphrase: str) -> None:
    """With a certificate among the artifacts the agent offers key and certificate, and the key is in no file."""
    key = make_key(tmp_path, passphrase)
    (tmp_path / "authority").mkdir()
    make_key(tmp_path / "authority")
    authority = str(tmp_path / "authority" / "key")
    words = ["ssh-keygen", "-q", "-s", authority, "-I", "id", "-n", "root", str(tmp_path / "key.pub")]
    subprocess.run(words, check=True)
    certificate = (tmp_path / "key-cert.pub").read_text()
    workplace.write(f"artifacts/{IDENT}/ssh_key_data-cert.pub", certificate)
    keys = listed(workplace, ssh_key=key, passwords={"^Enter passphrase for .*:": passphrase or "none"})
    assert "(ED25519-CERT)" in keys
    assert "(ED25519)" in keys


def test_the_socket_goes_where_it_fits(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's directory is in TMPDIR; where that path is too long for a socket, in the runtime directory."""
    key, name = make_key(tmp_path), workplace.playbook("- command: printenv SSH_AUTH_SOCK")
    with tempfile.TemporaryDirectory() as short:
        long = Path(short, "x" * 100)
        long.mkdir()
        for temporary, wanted in ((Path(short), Path(short)), (long, Path(short, "run"))):
            (Path(short) / "run").mkdir(exist_ok=True)
            monkeypatch.setattr(tempfile, "tempdir", str(temporary))
            monkeypatch.setenv("XDG_RUNTIME_DIR", f"{short}/run")
            ran = workplace.run(playbook=name, ssh_key=key)
            assert ran.outcome.rc == 0, ran.told.text
            address = ran.told.named("runner_on_ok")[0]["event_data"]["res"]["stdout"]
            assert Path(address).parent.parent == wanted
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        with pytest.raises(MissingInput, match="no directory for the socket"):
            _ = workplace.begin(playbook=name, ssh_key=key).outcome


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
