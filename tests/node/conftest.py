"""Both daemons behind one face, and a raw client for their control socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S = 30.0
SERVE = """
import sys
from pathlib import Path
from receptor_runner.errors import RunnerError
from receptor_runner.node.serve import serve
from receptor_runner.node.settings import read_settings
idle = float(sys.argv[2]) if len(sys.argv) > 2 else None
try:
    serve(read_settings(Path(sys.argv[1])), idle_exit_s=idle)
except RunnerError as error:
    sys.stderr.write("\\n".join(error.lines()) + "\\n")
    sys.exit(error.exit_code)
"""
WORK_COMMANDS = """
- work-command: {worktype: cat, command: cat}
- work-command: {worktype: sh, command: bash, params: -c, allowruntimeparams: true}
- work-command: {worktype: stdin-sh, command: bash}
- work-command: {worktype: words, command: printf, params: "%s|", allowruntimeparams: true}
- work-command: {worktype: missing, command: /nonexistent/cmd}
- work-command: {worktype: nowhere, command: no-such-command-anywhere}
"""


class Kind(StrEnum):
    """The two daemons."""

    EMBEDDED = "embedded"
    RECEPTOR = "receptor"


Found = TypeVar("Found")


def wait_until(probe: Callable[[], Found | None], what: str, deadline_s: float = DEADLINE_S) -> Found:
    """Poll until the probe returns something true, and return that."""
    give_up = time.monotonic() + deadline_s
    while not (found := probe()):
        if time.monotonic() > give_up:
            pytest.fail(f"waited {deadline_s} s in vain: {what}")
        time.sleep(0.02)
    return found


def find_receptor() -> str | None:
    """Return the real daemon's binary, if there is one."""
    return os.environ.get("RECEPTOR_BIN") or shutil.which("receptor")


class Client:
    """A control connection, bytes in and bytes out."""

    def __init__(self, address: Path | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE_S)
        try:
            self.socket.connect(os.fspath(address) if isinstance(address, Path) else address)
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")
        self.greeting = self.read_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_line(self) -> bytes:
        return self._file.readline()

    def read_all(self) -> bytes:
        return self._file.read()

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def ask(self, line: bytes) -> bytes:
        self.send(line + b"\n")
        return self.read_line()


class Daemon:
    """One of the two daemons, in a directory of its own."""

    def __init__(self, kind: Kind, directory: Path, extra_config: str = WORK_COMMANDS) -> None:
        self.kind = kind
        self.directory = directory
        self.socket_path = directory / "s"
        self.units_dir = directory / "data" / "n1"
        self.config = directory / "receptor.yml"
        # The real daemon answers as soon as it reaches the control service: the work types come before it.
        self.config.write_text(extra_config.lstrip() + self._head())
        self.tcp_port = 0
        self.options: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_embedded(self) -> bool:
        return self.kind is Kind.EMBEDDED

    def _head(self) -> str:
        return (
            f"- node: {{id: n1, datadir: {self.directory}/data}}\n- log-level: error\n- local-only:\n"
            f"- control-service: {{service: control, filename: {self.socket_path}}}\n"
        )

    def command(self) -> list[str]:
        if self.kind is Kind.EMBEDDED:
            return [sys.executable, "-c", SERVE, str(self.config), *self.options]
        found = find_receptor()
        assert found is not None
        return [found, "--config", str(self.config)]

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.directory, stdout=log, stderr=log)
        wait_until(self.is_answering, f"{self.kind} answers; its log: {self.directory / 'log'}")

    def is_answering(self) -> bool:
        with contextlib.suppress(OSError), Client(self.socket_path) as client:
            return client.greeting != b""
        return False

    def await_reload(self) -> None:
        """Wait until `reload` works: the real daemon remembers its configuration only after its socket answers."""
        wait_until(lambda: self.ask_json("reload")["Success"], "the configuration can be loaded again")

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)

    def restart(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.end(number)
        self.start()

    def wait_until(self, probe: Callable[[], Found | None], what: str) -> Found:
        return wait_until(probe, what)

    def count_open_files(self) -> int:
        assert self.process is not None
        return psutil.Process(self.process.pid).num_fds()

    def measure_memory_mib(self) -> float:
        assert self.process is not None
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def measure_cpu_share(self, seconds: float) -> float:
        """Return how much of one processor the daemon uses over a while."""
        assert self.process is not None
        return psutil.Process(self.process.pid).cpu_percent(interval=seconds) / 100

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the daemon's process for a while, so that several things happen at once for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def limit_open_files(self, count: int) -> None:
        """Let the daemon have so many descriptors and no more."""
        assert self.process is not None
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (count, count))

    def try_connect(self) -> socket.socket:
        """Connect without waiting for a greeting."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(os.fspath(self.socket_path))
        return client

    def limit_file_size(self, size: int) -> None:
        """Let the daemon write no file beyond a size."""
        assert self.process is not None
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, size))

    def list_processes(self) -> list[psutil.Process]:
        """Return the living processes that run in this daemon's directory, the daemon itself left out."""
        own = self.process.pid if self.process is not None else 0
        return [process for process in _processes_of(self.directory) if process.pid != own]

    def read_status_file(self, unit: str) -> dict[str, object]:
        status = json.loads((self.units_dir / unit / "status").read_text())
        assert isinstance(status, dict)
        return status

    def is_gone(self, pid: int) -> bool:
        """Whether a process has ended; it may still wait for its parent to take note."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return True

    def wait_for_runner_end(self, unit: str) -> None:
        wait_until(lambda: self.read_status_file(unit)["ExtraData"] is None, f"the runner of {unit} is gone")

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def connect(self) -> Client:
        return Client(self.socket_path)

    def ask(self, line: str) -> bytes:
        with self.connect() as client:
            return client.ask(line.encode())

    def ask_json(self, line: str) -> dict[str, object]:
        answer = json.loads(self.ask(line))
        assert isinstance(answer, dict)
        return answer

    def submit(self, work_type: str, params: str = "", payload: bytes = b"") -> str:
        with self.connect() as client:
            unit = self.open_upload(client, work_type, params)
            client.send(payload)
            client.half_close()
            assert json.loads(client.read_line()) == {"result": "Job Started", "unitid": unit}
        return unit

    def open_upload(self, client: Client, work_type: str, params: str = "") -> str:
        line = f"work submit localhost {work_type} {params}".rstrip()
        match = re.fullmatch(
            rb"Work unit created with ID ([0-9A-Za-z]{8})\. Send stdin data and EOF\.\n",
            client.ask(line.encode()),
        )
        assert match is not None
        return match.group(1).decode()

    def status(self, unit: str) -> dict[str, object]:
        return self.ask_json(f"work status {unit}")

    def wait_for_state(self, unit: str, *names: str) -> dict[str, object]:
        def probe() -> dict[str, object] | None:
            status = self.status(unit)
            return status if status["StateName"] in names else None

        return wait_until(probe, f"unit {unit} is {' or '.join(names)}")

    def results(self, unit: str, start: int | None = None) -> bytes:
        with self.connect() as client:
            self.open_results(client, unit, start)
            return client.read_all()

    def open_results(self, client: Client, unit: str, start: int | None = None) -> None:
        header = client.ask(f"work results {unit}{'' if start is None else f' {start}'}".encode())
        assert header == f"Streaming results for work unit {unit}\n".encode()

    def kill_everything(self) -> None:
        for process in _processes_of(self.directory):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(DEADLINE_S)


def _processes_of(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(directory) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    directory = Path(tempfile.mkdtemp(dir="/tmp", prefix="rr")).resolve()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def documented() -> Callable[[str], None]:
    """Insist that the documentation lists an intended difference by its name."""
    listed = (Path(__file__).parents[2] / "docs" / "node.md").read_text()

    def check(name: str) -> None:
        assert f"| `{name}` |" in listed

    return check


@pytest.fixture
def difference(daemon: Daemon, documented: Callable[[str], None]) -> Callable[[str], bool]:
    """Ask whether an intended difference applies to the daemon at hand."""

    def applies(name: str) -> bool:
        documented(name)
        return daemon.is_embedded

    return applies


@pytest.fixture
def make_daemon(short_dir: Path) -> Iterator[Callable[[Kind], Daemon]]:
    """Make daemons that are not started yet and leave no process behind."""
    made: list[Daemon] = []

    def make(kind: Kind) -> Daemon:
        if kind is Kind.RECEPTOR and find_receptor() is None:
            pytest.skip("the receptor daemon is neither on PATH nor in RECEPTOR_BIN")
        directory = short_dir / str(len(made))
        directory.mkdir()
        made.append(Daemon(kind, directory))
        return made[-1]

    yield make
    for daemon in made:
        daemon.kill_everything()


@pytest.fixture
def kind_embedded() -> Kind:
    """The kind of the embedded node, for tests that start it themselves."""
    return Kind.EMBEDDED


@pytest.fixture(
    params=[(Kind.EMBEDDED, Kind.RECEPTOR), (Kind.RECEPTOR, Kind.EMBEDDED)],
    ids=["to-receptor", "to-embedded"],
)
def kinds(request: pytest.FixtureRequest) -> tuple[Kind, Kind]:
    """Both daemons, in both orders."""
    found: tuple[Kind, Kind] = request.param
    return found


@pytest.fixture
def make_idle_daemon(make_daemon: Callable[[Kind], Daemon]) -> Callable[[float], Daemon]:
    """Make an embedded node that leaves when nobody has needed it for a while."""

    def make(idle_exit_s: float) -> Daemon:
        daemon = make_daemon(Kind.EMBEDDED)
        daemon.options = [str(idle_exit_s)]
        return daemon

    return make


@pytest.fixture
def embedded(make_daemon: Callable[[Kind], Daemon]) -> Daemon:
    """The embedded node, running."""
    daemon = make_daemon(Kind.EMBEDDED)
    daemon.start()
    return daemon


@pytest.fixture
def embedded_tcp(make_daemon: Callable[[Kind], Daemon]) -> Daemon:
    """The embedded node, running, with a TCP port of the loopback beside its socket."""
    daemon = make_daemon(Kind.EMBEDDED)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        daemon.tcp_port = probe.getsockname()[1]
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("service: control,", f"tcplisten: {daemon.tcp_port},"))
    daemon.start()
    return daemon


@pytest.fixture
def connect_tcp(embedded_tcp: Daemon) -> Callable[[], Client]:
    """Connect to the TCP port of the embedded node."""
    return lambda: Client(("127.0.0.1", embedded_tcp.tcp_port))


@pytest.fixture(scope="session")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen mebibytes that do not compress."""
    path = tmp_path_factory.mktemp("random") / "chunk"
    path.write_bytes(os.urandom(16 * 2**20))
    return path


@pytest.fixture(params=[Kind.EMBEDDED, pytest.param(Kind.RECEPTOR, marks=pytest.mark.receptor)])
def daemon(request: pytest.FixtureRequest, make_daemon: Callable[[Kind], Daemon]) -> Daemon:
    """Each of the two daemons in turn, running."""
    made = make_daemon(request.param)
    made.start()
    return made
