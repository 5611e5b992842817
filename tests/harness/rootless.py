"""An unprivileged user with a rootless podman of its own, in a mount namespace; this machine's /etc stays as it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.containers import IMAGE, PodmanStore, skip_without

UID = 42420
SUBORDINATE = 30_000_000

ENTER = """
set -e
mount --make-rslave /
mount --make-shared /
for name in passwd group subuid subgid; do mount --bind {directory}/etc/$name /etc/$name; done
mkdir -p {directory}/python
mount --bind {python} {directory}/python
case {python} in
{home}/*)  # nobody else may enter the home of root
  mount -t tmpfs -o mode=755 tmpfs {home}
  mkdir -p {python}
  mount --bind {directory}/python {python};;
esac
exec setpriv --reuid {uid} --regid {uid} --clear-groups env -i {variables} "$@"
"""


class RootlessUser:
    """A user with a home, a runtime directory, a temporary directory and a container store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.temporary = directory / "tmp"
        self.store = PodmanStore(directory=directory / "store")
        directory.chmod(0o755)
        for name in ("etc", "home", "run", "tmp", "store", "store/tmp"):
            (directory / name).mkdir()
        self.store.write_configuration(limits="512:512")
        self._write_accounts()
        self._write_entrance()
        for path in [directory / name for name in ("home", "run", "tmp")] + list(self._of_store()):
            os.chown(path, UID, UID)
        (directory / "run").chmod(0o700)

    def _of_store(self) -> Iterator[Path]:
        yield self.store.directory
        yield from self.store.directory.rglob("*")

    def _write_accounts(self) -> None:
        etc = self.directory / "etc"
        account = f"rrjobs:x:{UID}:{UID}::{self.directory}/home:/bin/sh\n"
        (etc / "passwd").write_text(Path("/etc/passwd").read_text() + account)
        (etc / "group").write_text(f"{Path('/etc/group').read_text()}rrjobs:x:{UID}:\n")
        for name in ("subuid", "subgid"):
            (etc / name).write_text(f"rrjobs:{SUBORDINATE}:65536\n")

    def _write_entrance(self) -> None:
        variables = {
            "HOME": self.directory / "home",
            "XDG_RUNTIME_DIR": self.directory / "run",
            "TMPDIR": self.temporary,
            "PATH": f"{sys.prefix}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            **self.store.environment,
        }
        words = " ".join(f"{name}={value}" for name, value in variables.items())
        python = Path(sys.base_prefix).resolve()
        script = ENTER.format(
            directory=self.directory, python=python, home=Path.home(), uid=UID, variables=words
        )
        (self.directory / "enter.sh").write_text(script)

    def words(self, *command: str) -> list[str]:
        """Return the command line that runs a command as this user; it becomes the process that is started."""
        return ["unshare", "--mount", "sh", str(self.directory / "enter.sh"), *command]

    def run(self, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command as this user."""
        return subprocess.run(
            self.words(*command), input=stdin, capture_output=True, cwd=self.directory / "home", check=False
        )

    def processes(self) -> list[psutil.Process]:
        """Return the user's processes, but for the one that all its containers share."""
        found = []
        for process in psutil.process_iter(["uids", "name"]):
            is_shared = process.info["name"] in {"catatonit", "podman pause"}
            if is_theirs(process) and not is_shared:
                found.append(process)
        return found

    def containers(self) -> list[str]:
        """Return the names of the user's containers."""
        done = self.run("podman", "ps", "--all", "--external", "--format={{.Names}}")
        return done.stdout.decode().split()

    def close(self) -> None:
        """End the user's processes, and remove its files."""
        self.run("podman", "rm", "--force", "--all", "--time=0")
        for process in psutil.process_iter(["uids"]):
            if is_theirs(process):
                process.send_signal(signal.SIGKILL)
        shutil.rmtree(self.directory)


def is_theirs(process: psutil.Process) -> bool:
    """Return whether a process is the user's, or of a user in one of its containers."""
    uid = process.info["uids"].real if process.info["uids"] else -1
    return uid == UID or SUBORDINATE <= uid < SUBORDINATE + 65536


@pytest.fixture(scope="session")
def rootless_user() -> Iterator[RootlessUser]:
    """A user whose rootless podman has the test image."""
    skip_without("podman", "runc", "conmon", "newuidmap", "unshare", "setpriv")
    if os.geteuid() != 0:
        pytest.skip("only root can make another user")
    user = RootlessUser(Path(tempfile.mkdtemp(prefix="rr-user-", dir="/tmp")))
    try:
        archive = user.directory / "image.tar"
        archive.write_bytes(user.store.image_archive())
        done = user.run("podman", "import", "--quiet", "--change=ENV HOME=/home/runner", str(archive), IMAGE)
        done = done if done.returncode else user.run("podman", "run", "--rm", IMAGE, "true")
        done = done if done.returncode else user.run("receptor-runner", "--version")
        if done.returncode:
            pytest.skip(f"no rootless container here: {done.stderr.decode()}")
        yield user
    finally:
        user.close()
