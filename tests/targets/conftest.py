"""What the tests of real targets share: an sshd on loopback, users of its own, ansible-core of other versions."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
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
    Sshd,
    User,
    find_sshd,
    kill_processes_of,
    make_user,
    processes_of,
    remove_user,
    short_directory,
)

OLDEST_ANSIBLE = "2.17"


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
