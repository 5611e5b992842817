"""Hosts to install a mesh on: each has this machine's files, changes them for itself alone, and is reached over SSH.

A machine is an overlay over the root directory in namespaces of its own, with systemd as its first process; only the
network is shared, so that all of them are on loopback. What happens in a machine is gone when it is closed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.harness import Finished, Sshd, find_sshd, wait_until

SYSTEMD = Path("/lib/systemd/systemd")
_PROGRAMS = ("unshare", "nsenter", "setpriv", "pivot_root", "mount")
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What is shared may lie on mounts of its own, which an overlay does not include.
_BOOT = """
set -e
directory=$1 name=$2 init=$3; shift 3
mount -t tmpfs tmpfs "$directory"
mkdir "$directory/upper" "$directory/work" "$directory/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" "$directory/root"
cd "$directory/root"
rm -rf etc/systemd/system/*.wants etc/receptor opt/receptor-runner* var/lib/receptor usr/local/bin/receptor
rm -f root/.bashrc root/.bash_profile root/.profile  # sshd's bash runs what the person who runs the tests has there
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,ro,bind proc/sys  # the kernel is everybody's
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"
done
mkdir -p dev/pts dev/shm old
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for shared in "$@"; do mkdir -p ".$shared"; mount --rbind "$shared" ".$shared"; done
echo "$name" > etc/hostname; hostname "$name"
pivot_root . old
umount -l old
if [ "$init" = none ]; then exec sleep infinity; fi
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin "$init" --log-target=console --show-status=no
"""


def need_machines() -> None:
    """Skip the test where no machines can be made."""
    if os.geteuid() != 0:
        pytest.skip("only root can make machines with namespaces of their own")
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no `{missing[0]}` is installed")
    _cgroups()


def _cgroups() -> Path:
    """Return where the unified hierarchy of control groups is, or skip the test."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _device, place, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(place)
    pytest.skip("no cgroup2 is mounted: systemd cannot run here")


@dataclass
class Machine:
    """A host.

    Attributes:
        name: its host name.
        directory: for its own use.
        shared: directories that it sees as they are here.
        init: its first process, `none` for one that does nothing.
    """

    name: str
    directory: Path
    shared: tuple[Path, ...]
    init: str = str(SYSTEMD)
    pid: int = 0
    process: subprocess.Popen[bytes] | None = None
    sshd: Sshd | None = None

    @property
    def _group(self) -> Path:
        return _cgroups() / f"receptor-runner-{self.directory.parent.name}-{self.name}"

    @property
    def log(self) -> Path:
        """What its first process prints."""
        return self.directory / "log"

    def start(self) -> None:
        """Boot it, and wait until it is reached over SSH."""
        root = self.directory / "machine"
        root.mkdir(parents=True)
        self._group.mkdir()
        # A process that joins a control group before the namespace is made has it as the root of all groups.
        join = f'echo $$ > "{self._group}/cgroup.procs"; exec "$@"'
        # It goes when the tests go, however they end, and with it, by --kill-child, everything in it.
        words = ["setpriv", "--pdeathsig", "KILL", "bash", "-c", join, "join"]
        words += ["unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
        words += ["bash", "-c", _BOOT, "boot", str(root), self.name, self.init, *map(str, self.shared)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = wait_until(self._find_init, f"{self.name} boots: {self.log}")
        self._await_systemd()
        self._start_sshd()

    def _find_init(self) -> int | None:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.skip(f"no machines can be made here: {self.log.read_text()[-300:]}")
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children():
                if child.name() in {"systemd", "sleep"}:
                    return int(child.pid)
        return None

    def _await_systemd(self) -> None:
        if self.init != "none":
            states = {"running\n", "degraded\n"}
            try:
                wait_until(lambda: self.run("systemctl", "is-system-running").text in states, "it is up", 60)
            except pytest.fail.Exception:
                pytest.skip(f"systemd does not come up in a machine here: {self.log.read_text()[-300:]}")

    def _start_sshd(self) -> None:
        self.run("mkdir", "-p", "/run/sshd")
        home = self.directory / "sshd"
        home.mkdir()
        self.sshd = Sshd(home, find_sshd(), prefix=self.enter)
        self.sshd.start()

    @property
    def enter(self) -> tuple[str, ...]:
        """The words before a command that runs in it."""
        return ("nsenter", "--target", str(self.pid), "--all", "--wd=/", "env", "-i", _PATH)

    def run(self, *words: str, timeout_s: float = 60) -> Finished:
        """Run a command in it, as root."""
        done = subprocess.run([*self.enter, *words], capture_output=True, check=False, timeout=timeout_s)
        return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def path(self, inside: str) -> Path:
        """Return where one of its files is seen from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def close(self) -> None:
        """Kill everything in it; its files go with its last process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
        if self.sshd is not None:
            self.sshd.close()
        wait_until(self._remove_group, "no process is left in the control group")

    def _remove_group(self) -> bool:
        found = [self._group, *self._group.rglob("*/")]
        for directory in sorted(found, reverse=True):
            with contextlib.suppress(OSError):  # a process is still about to end
                directory.rmdir()
        return not self._group.exists()
