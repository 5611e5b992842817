"""What stands for hosts that are reached over SSH: an sshd on loopback, and users of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.harness.environment import free_port
from tests.harness.waiting import wait_until


def find_sshd() -> str:
    """Return the path of sshd, or skip the test."""
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if not found:
        pytest.skip("no `sshd` is installed")
    return found


def make_key(path: Path, passphrase: str = "") -> str:
    """Make a key pair; return the private key."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(words, check=True)
    return path.read_text()


@dataclass
class Sshd:
    """An sshd that lets in whoever holds a key it knows.

    Attributes:
        directory: its files.
        port: where it listens, on 127.0.0.1.
        prefix: the words before its command, which make it run somewhere else.
    """

    directory: Path
    program: str
    prefix: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on a free port and wait until it answers."""
        make_key(self.directory / "host_key")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        for _attempt in range(5):
            self.port = free_port()
            self._launch()
            wait_until(lambda: self._has_ended() or answers(self.port), "sshd answers")
            if not self._has_ended():
                return
        pytest.fail(f"sshd does not start: {(self.directory / 'log').read_text()}")

    def _launch(self) -> None:
        config = self.directory / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host_key\n"
            f"AuthorizedKeysFile {self.directory}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
            "Subsystem sftp internal-sftp\n"
        )
        with (self.directory / "log").open("ab") as log:
            words = [*self.prefix, self.program, "-D", "-e", "-f", str(config)]
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=log, close_fds=True)

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def admit(self, name: str, passphrase: str = "") -> str:
        """Make a key that opens the door; return the private part."""
        key = make_key(self.directory / name, passphrase)
        with (self.directory / "authorized_keys").open("a") as keys:
            keys.write((self.directory / f"{name}.pub").read_text())
        (self.directory / "authorized_keys").chmod(0o644)
        return key

    def close(self) -> None:
        """End it, and every session on it."""
        if self.process:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self.process.pid).children(recursive=True):
                    child.kill()
            self.process.kill()
            self.process.wait(10)


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of this machine, made for the tests."""

    name: str
    password: str


def make_user() -> User:
    """Make a user with a home and a password."""
    user = User(name=f"rrtest{uuid.uuid4().hex[:8]}", password=uuid.uuid4().hex)
    subprocess.run(["useradd", "-m", "-s", "/bin/sh", user.name], check=True)
    subprocess.run(["chpasswd"], input=f"{user.name}:{user.password}".encode(), check=True)
    return user


def python_for(user: User) -> str:
    """Return a Python that a user can run, or skip the test."""
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        words = ["su", user.name, "-c", f"{path} -c 'import json, zipfile'"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip("no Python is where a user made for the test can run it")


def remove_user(user: User) -> None:
    """Remove a user with all of its processes and files."""
    for process in psutil.process_iter(["username"]):
        if process.info["username"] == user.name:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    subprocess.run(["userdel", "-r", "-f", user.name], check=True, capture_output=True)
