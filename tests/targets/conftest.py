"""What the tests of real targets share: an sshd on loopback, users of its own, ansible-core of other versions."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.harness import (
    OURS,
    Pipe,
    Project,
    Ran,
    free_port,
    kill_processes_of,
    processes_of,
    short_directory,
    wait_until,
)

OLDEST_ANSIBLE = "2.17"


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
    """

    directory: Path
    program: str
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
            words = [self.program, "-D", "-e", "-f", str(config)]
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


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """A running sshd, whose directory every user can look into, since sshd reads authorized keys as the user."""
    program = find_sshd()
    with short_directory() as directory:
        directory.chmod(0o755)
        made = Sshd(directory, program)
        made.start()
        yield made
        made.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of this machine, made for the tests."""

    name: str
    password: str


@pytest.fixture(scope="session")
def users() -> Iterator[tuple[User, User]]:
    """Two users that exist for these tests only."""
    if os.geteuid() != 0:
        pytest.skip("only root can make users to become")
    if not all(shutil.which(name) for name in ("useradd", "userdel", "chpasswd")):
        pytest.skip("no useradd, userdel or chpasswd is installed")
    made = tuple(make_user() for _ in range(2))
    try:
        yield made[0], made[1]
    finally:
        for user in made:
            remove_user(user)


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


@dataclass
class Site:
    """A project with hosts that are reached over SSH."""

    project: Project
    sshd: Sshd
    pipe: Pipe
    directory: Path
    temporary: Path
    remote_tmp: Path = field(default_factory=lambda: Path(f"/tmp/.rr-{uuid.uuid4().hex[:8]}"))

    def hosts(self, *, user: str | None = None, python: str = sys.executable, more: str = "") -> None:
        """Write an inventory of one host."""
        self.project.write(
            "inventory/hosts",
            f"target ansible_host=127.0.0.1 ansible_port={self.sshd.port} "
            f"ansible_user={user or getpass.getuser()} ansible_python_interpreter={python} "
            f"ansible_remote_tmp={self.remote_tmp} "
            "ansible_ssh_common_args='-F none -o UserKnownHostsFile=/dev/null -o IdentityFile=none' "
            f"{more}\n",
        )

    def run(self, *words: str) -> Ran:
        """Run the playbook through the three phases."""
        return self.pipe.run(self.project, "-p", "test.yml", *words)

    @property
    def masters(self) -> list[psutil.Process]:
        """The ssh processes that hold connections open for later jobs."""
        return processes_of(self.directory / "cp")


@pytest.fixture
def site(project: Project, sshd: Sshd, environment: dict[str, str], short_dir: Path) -> Iterator[Site]:
    """A project whose one host is this machine, over SSH."""
    temporary = short_dir / "tmp"
    temporary.mkdir()
    environment |= {"TMPDIR": str(temporary), "ANSIBLE_SSH_CONTROL_PATH_DIR": str(short_dir / "cp")}
    pipe = Pipe(environment, {"receptor-runner": [OURS, "worker"]})
    made = Site(project, sshd, pipe, short_dir, temporary)
    made.hosts()
    yield made
    kill_processes_of(short_dir / "cp")
    shutil.rmtree(made.remote_tmp, ignore_errors=True)


@pytest.fixture(scope="session")
def oldest_ansible(pytestconfig: pytest.Config) -> Path:
    """The programs of the oldest ansible-core that is supported, in a virtual environment that is kept."""
    assert pytestconfig.cache is not None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    directory = pytestconfig.cache.mkdir(f"ansible-core-{OLDEST_ANSIBLE}-python-{version}")
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "complete").exists():
            install_ansible(directory / "venv")
            (directory / "complete").touch()
    return directory / "venv" / "bin"


def install_ansible(venv: Path) -> None:
    """Make a virtual environment with the oldest ansible-core, or fail with the reason."""
    shutil.rmtree(venv, ignore_errors=True)
    wanted = f"ansible-core=={OLDEST_ANSIBLE}.*"
    for words in (
        [sys.executable, "-m", "venv", str(venv)],
        [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", wanted],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            pytest.fail(f"{wanted} cannot be installed: {(done.stderr or done.stdout)[-500:]}", pytrace=False)
