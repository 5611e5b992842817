"""Both daemons behind one face: their control protocol as bytes, their units on disk, their processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.harness import NODE_KINDS, ControlClient, ServedNode, free_port, processes_of, wait_until

WORK_COMMANDS = """
- work-command: {worktype: cat, command: cat}
- work-command: {worktype: sh, command: bash, params: -c, allowruntimeparams: true}
- work-command: {worktype: stdin-sh, command: bash}
- work-command: {worktype: words, command: printf, params: "%s|", allowruntimeparams: true}
- work-command: {worktype: missing, command: /nonexistent/cmd}
- work-command: {worktype: nowhere, command: no-such-command-anywhere}
"""


@dataclass
class Daemon(ServedNode):
    """One of the two daemons, asked in the bytes of the control protocol."""

    tcp_port: int = 0

    def configure(self) -> None:
        """Write its receptor.yml, whose node id is `n1`."""
        self.config.write_text(
            f"{WORK_COMMANDS.lstrip()}- node: {{id: n1, datadir: {self.datadir}}}\n- log-level: error\n"
            f"- local-only:\n- control-service: {{service: control, filename: {self.socket}}}\n"
        )

    @property
    def units_dir(self) -> Path:
        """Where its units are."""
        return self.datadir / "n1"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def await_reload(self) -> None:
        """Wait until `reload` works: the real daemon remembers its configuration only after its socket answers."""
        wait_until(lambda: self.ask_json("reload")["Success"], "the configuration can be loaded again")

    def count_open_files(self) -> int:
        return psutil.Process(self.pid).num_fds()

    def measure_memory_mib(self) -> float:
        return psutil.Process(self.pid).memory_info().rss / 2**20

    def measure_cpu_share(self, seconds: float) -> float:
        """Return how much of one processor the daemon uses over a while."""
        return psutil.Process(self.pid).cpu_percent(interval=seconds) / 100

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the daemon's process for a while, so that several things happen at once for it."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def limit_open_files(self, count: int) -> None:
        """Let the daemon have so many descriptors and no more."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (count, count))

    def limit_file_size(self, size: int) -> None:
        """Let the daemon write no file beyond a size."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, size))

    def try_connect(self) -> socket.socket:
        """Connect without waiting for a greeting."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(os.fspath(self.socket))
        return client

    def list_processes(self) -> list[psutil.Process]:
        """Return the running processes that this daemon started."""
        own = self.process.pid if self.process is not None else 0
        return [process for process in processes_of(self.directory) if process.pid != own]

    def read_status_file(self, unit: str) -> dict[str, object]:
        """Return a unit's status as it stands on the disk; the daemon empties the file before it writes it again."""
        path = self.units_dir / unit / "status"
        status = json.loads(wait_until(path.read_text, f"the status of {unit}"))
        assert isinstance(status, dict)
        return status

    def wait_for_runner_end(self, unit: str) -> None:
        wait_until(lambda: self.read_status_file(unit)["ExtraData"] is None, f"the runner of {unit} is gone")

    def connect(self) -> ControlClient:
        return ControlClient(self.socket)

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

    def open_upload(self, client: ControlClient, work_type: str, params: str = "") -> str:
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

    def open_results(self, client: ControlClient, unit: str, start: int | None = None) -> None:
        header = client.ask(f"work results {unit}{'' if start is None else f' {start}'}".encode())
        assert header == f"Streaming results for work unit {unit}\n".encode()


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


DaemonFactory = Callable[[str], Daemon]


@pytest.fixture
def make_daemon(environment: dict[str, str], short_dir: Path) -> Iterator[DaemonFactory]:
    """Make daemons that are not started yet and leave no process behind."""
    made: list[Daemon] = []

    def make(kind: str) -> Daemon:
        directory = short_dir / str(len(made))
        directory.mkdir()
        made.append(Daemon(kind, directory, dict(environment)))
        made[-1].configure()
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture(params=NODE_KINDS)
def daemon(request: pytest.FixtureRequest, make_daemon: DaemonFactory) -> Daemon:
    """Each of the two daemons in turn, running."""
    made = make_daemon(request.param)
    made.start()
    return made


@pytest.fixture
def embedded(make_daemon: DaemonFactory) -> Daemon:
    """The embedded node, running."""
    daemon = make_daemon("embedded")
    daemon.start()
    return daemon


@pytest.fixture
def embedded_tcp(make_daemon: DaemonFactory) -> Daemon:
    """The embedded node, running, with a TCP port of the loopback beside its socket."""
    daemon = make_daemon("embedded")
    daemon.tcp_port = free_port()
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("service: control,", f"tcplisten: {daemon.tcp_port},"))
    daemon.start()
    return daemon


@pytest.fixture
def connect_tcp(embedded_tcp: Daemon) -> Callable[[], ControlClient]:
    """Connect to the TCP port of the embedded node."""
    return lambda: ControlClient(("127.0.0.1", embedded_tcp.tcp_port))


@pytest.fixture(scope="session")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen mebibytes that do not compress."""
    path = tmp_path_factory.mktemp("random") / "chunk"
    path.write_bytes(os.urandom(16 * 2**20))
    return path
