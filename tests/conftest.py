"""What all tests share: an isolated environment, private data directories, commands, and nodes of both kinds."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

BIN = Path(sys.executable).parent
LOCALHOST = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'


# whoever starts the tests in the background hands down ignored signals, which every process would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in (signal.SIGQUIT, signal.SIGHUP):
    signal.signal(ignored, signal.SIG_DFL)


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    """Poll until a condition holds; fail with its name when the deadline has passed."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:g} s: {what}")
        time.sleep(0.02)


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets; ansible has some in its temporary directory."""
    path = Path(tempfile.mkdtemp(prefix="rr-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def environment(tmp_path: Path, short_dir: Path) -> Iterator[dict[str, str]]:
    """An environment of its own: no home, no node, no settings of the person who runs the tests.

    An embedded node that was started in it is gone afterwards.
    """
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    home = tmp_path / "home"
    home.mkdir()
    runtime = short_dir / "run"
    runtime.mkdir(mode=0o700)
    variables = kept | {
        "HOME": str(home),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(runtime),
    }
    yield variables
    kill_processes_of(home)


def kill_processes_of(directory: Path) -> None:
    """Kill every process that has the directory in its command line."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(directory) in word for word in process.info["cmdline"] or ()):
            with_suppressed_kill(process)


def with_suppressed_kill(process: psutil.Process) -> None:
    """Kill a process that may be gone already."""
    try:
        process.kill()
        process.wait(10)
    except psutil.NoSuchProcess:
        pass


@dataclass
class Project:
    """A private data directory that a test fills."""

    path: Path

    def write(self, name: str, content: str, mode: int = 0o644) -> Path:
        """Write a file below the directory."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    def playbook(self, tasks: str, name: str = "test.yml", header: str = "  gather_facts: false\n") -> str:
        """Write a playbook with one play of the given tasks (YAML, not indented); return its name."""
        indented = "".join(f"    {line}\n" for line in tasks.strip().splitlines())
        self.write(f"project/{name}", f"- hosts: all\n{header}  tasks:\n{indented}")
        return name

    def artifacts(self, ident: str) -> Path:
        """Return the artifacts directory of a job."""
        return self.path / "artifacts" / ident


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A private data directory with one local host and a playbook `test.yml` that says hello."""
    made = Project(tmp_path / "pdd")
    made.write("inventory/hosts", LOCALHOST)
    made.playbook("- debug: msg='Hello world!'")
    return made


@dataclass
class Finished:
    """A command that has ended."""

    rc: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """What it printed, as text."""
        return self.stdout.decode(errors="replace")


@dataclass
class Commands:
    """Runs commands in an isolated environment."""

    environment: dict[str, str]
    cwd: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *words: str | Path, stdin: bytes = b"", timeout_s: float = 90.0) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            [str(word) for word in words],
            input=stdin,
            capture_output=True,
            env=self.environment,
            cwd=self.cwd,
            timeout=timeout_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def ours(self, *words: str | Path, stdin: bytes = b"", timeout_s: float = 90.0) -> Finished:
        """Run `receptor-runner`."""
        return self.run(BIN / "receptor-runner", *words, stdin=stdin, timeout_s=timeout_s)

    def peer(self, *words: str | Path, stdin: bytes = b"", timeout_s: float = 90.0) -> Finished:
        """Run `ansible-runner`."""
        return self.run(BIN / "ansible-runner", *words, stdin=stdin, timeout_s=timeout_s)

    def start(self, *words: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start `receptor-runner` in a session of its own; it is killed when the test ends."""
        process = subprocess.Popen(
            [str(BIN / "receptor-runner"), *(str(word) for word in words)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=self.cwd,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()


@pytest.fixture
def commands(environment: dict[str, str], tmp_path: Path) -> Iterator[Commands]:
    """Commands in the isolated environment."""
    runner = Commands(environment, tmp_path)
    yield runner
    runner.close()


INTRODUCTION = Path(__file__).with_name("introduction.yml").read_text()
HEADLESS = """
import ctypes, subprocess, threading, time
child = subprocess.Popen(["sleep", "600"])
threading.Thread(target=time.sleep, args=(600,)).start()
print(child.pid, flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


class Headless:
    """A process with a child, whose first thread has ended while another one lives: the kernel calls it a zombie."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE)
        assert self._process.stdout
        self.pid = self._process.pid
        self.child = int(self._process.stdout.readline())
        wait_until(lambda: psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE, "it shows as a zombie")

    def kill(self) -> None:
        """Kill it and its child; it is not collected."""
        for pid in (self.child, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        wait_until(lambda: not is_running(self.child), "its child is gone")

    def close(self) -> None:
        """Collect it."""
        self.kill()
        self._process.communicate()


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


@pytest.fixture
def headless() -> Iterator[Headless]:
    """A process whose first thread has ended."""
    made = Headless()
    yield made
    made.close()


def find_receptor() -> str:
    """Return the real daemon's path, or skip the test."""
    found = os.environ.get("RECEPTOR_BIN") or shutil.which("receptor")
    if not found:
        pytest.skip("no `receptor` on PATH and no RECEPTOR_BIN: the real daemon is not installed")
    return found


@dataclass
class ServedNode:
    """A node that serves a socket.

    Attributes:
        kind: "embedded" or "receptor".
        socket: its control socket.
        config: its receptor.yml.
        datadir: where its units are.
    """

    kind: str
    socket: Path
    config: Path
    datadir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon and wait until its socket answers."""
        self._launch()
        wait_until(self._answers, f"the {self.kind} node answers")

    def _launch(self) -> None:
        receptor = [find_receptor()] if self.kind == "receptor" else [str(BIN / "receptor-runner"), "node"]
        with open(self.config.with_suffix(".log"), "ab") as log:
            self.process = subprocess.Popen(
                [*receptor, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.config.parent,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        from receptor_runner.errors import NodeUnavailable
        from receptor_runner.receptor.control.protocol import Control

        assert self.process is not None
        assert self.process.poll() is None, self.config.with_suffix(".log").read_text()
        try:
            adverts = Control(str(self.socket)).status("Advertisements")["Advertisements"]
            return any(advert["WorkCommands"] for advert in adverts)
        except NodeUnavailable:
            return False

    def kill(self) -> None:
        """Kill the daemon alone; its command runners go on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def close(self) -> None:
        """Kill the daemon and everything that it started."""
        self.kill()
        kill_processes_of(self.datadir)


NodeFactory = Callable[[str], ServedNode]


@pytest.fixture
def node_factory(environment: dict[str, str], short_dir: Path) -> Iterator[NodeFactory]:
    """Make nodes of either kind from the same receptor.yml, rendered from our template."""
    from receptor_runner.receptor_config.render import render

    made: list[ServedNode] = []

    def make(kind: str) -> ServedNode:
        directory = short_dir / f"{kind}{len(made)}"
        directory.mkdir()
        config = directory / "receptor.yml"
        settings = {"datadir": str(directory / "data"), "socket": str(directory / "control.sock")}
        config.write_text(render("local", settings | {"command": str(BIN / "receptor-runner")}))
        node = ServedNode(kind, directory / "control.sock", config, directory / "data", environment)
        made.append(node)
        node.start()
        return node

    yield make
    for node in made:
        node.close()


@pytest.fixture(params=["embedded", pytest.param("receptor", marks=pytest.mark.receptor)])
def node(request: pytest.FixtureRequest, node_factory: NodeFactory) -> ServedNode:
    """A running node, of each kind in turn."""
    return node_factory(str(request.param))
