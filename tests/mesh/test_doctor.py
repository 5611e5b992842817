"""`receptor-runner doctor` against real daemons: each planted fault is named, and nothing is left on any node."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import receptor_runner
from receptor_runner._version import __version__
from receptor_runner.mesh.authority import Authority, make_signing_pair
from receptor_runner.mesh.settings import CERTIFICATE, KEY, SIGNING_KEY
from tests.harness import OURS, UNPRIVILEGED, Commands, short_directory, wait_until
from tests.mesh.conftest import (
    ROW,
    Mesh,
    Meshes,
    add_foreign_tls_client,
    assert_no_units,
    await_cut,
    let_nobody_in,
    mesh_of,
    set_worker,
    start_meshes,
)

pytestmark = [pytest.mark.receptor, pytest.mark.slow]

PACKAGE = Path(receptor_runner.__file__).parent


@dataclass(frozen=True)
class Report:
    """What `doctor --json` reports."""

    rc: int
    steps: dict[str, dict[str, Any]]

    def step(self, name: str) -> dict[str, Any]:
        """Return a step by `subject: step`."""
        return self.steps[name]

    def states(self, subject: str) -> dict[str, str]:
        """Return the states of the steps of one subject."""
        return {step["step"]: step["state"] for step in self.steps.values() if step["subject"] == subject}

    @property
    def failures(self) -> list[str]:
        """The steps that failed."""
        return [name for name, step in self.steps.items() if step["state"] == "failed"]


def examine(commands: Commands, socket: Path, *words: str | Path, prefix: tuple[str, ...] = ()) -> Report:
    """Run the doctor."""
    done = commands.run(*prefix, OURS, "doctor", "--json", "--socket", socket, *words)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    steps = {f"{step['subject']}: {step['step']}": step for step in found["steps"]}
    assert (found["exit_code"], found["ok"]) == (done.rc, done.rc == 0)
    for name, step in steps.items():
        assert (step["hint"] is not None) or step["state"] in {"ok", "skipped"}, name
    return Report(rc=done.rc, steps=steps)


def assert_fault(report: Report, rc: int, name: str, *words: str) -> dict[str, Any]:
    """The exit code is that, and the only failure is that step, in these words."""
    assert (report.rc, report.failures) == (rc, [name]), report.steps
    step = report.step(name)
    shown = f"{step['summary']} | {step['hint']}"
    assert [word for word in words if word not in shown] == [], shown
    return step


def assert_warned(report: Report, name: str, *words: str) -> None:
    """Nothing failed, and that step warns in these words."""
    assert (report.rc, report.failures) == (0, [])
    step = report.step(name)
    assert step["state"] == "warning"
    shown = f"{step['summary']} | {step['hint']}"
    assert [word for word in words if word not in shown] == [], shown


@pytest.mark.parametrize("kind", ["plain", "tls-signed"])
def test_a_healthy_mesh(meshes: Meshes, commands: Commands, kind: str) -> None:
    """Every step of the way is taken, a job runs on the worker, and no unit is left on any node."""
    mesh = meshes.get(kind)

    report = examine(commands, mesh.control.socket)

    assert (report.rc, report.failures) == (0, [])
    assert list(report.states("node worker")) == [
        "route", "ping", "tls", "work type", "control", "signature", "worker", "clock", "versions", "ansible",
        "engines", "space", "inotify", "job",
    ]  # fmt: skip
    assert report.step("local node: routes")["facts"] == {"routes": {"hop": "hop", "worker": "hop"}}
    assert report.step("local node: workers")["facts"] == {"targets": ["worker"]}
    assert report.step("node worker: route")["summary"] == "via hop"
    assert 0 < report.step("node worker: ping")["facts"]["round_trip_s"] < 5
    assert report.step("node worker: job")["facts"]["rc"] == 0
    assert report.step("node worker: space")["facts"]["free_bytes"]["the datadir"] > 0
    if kind == "tls-signed":
        assert report.step("node worker: tls")["facts"] == {"tls_client": "mesh-client"}
        assert len(report.step("local node: certificates")["facts"]["certificates"]) == 2
        assert report.step("node worker: signature")["facts"]["key"].endswith(SIGNING_KEY)
    assert_no_units(mesh)
    assert list(Path(commands.environment["XDG_STATE_HOME"]).glob("*/jobs/*")) == []


def test_the_local_node_as_a_target(meshes: Meshes, commands: Commands) -> None:
    """A worker that is the local node has no way over the mesh to be checked; its job runs."""
    mesh = meshes.get("plain")
    report = examine(commands, mesh.worker.socket, "--node", "localhost", "--node", "worker")
    assert (report.rc, report.failures) == (0, [])
    assert "ping" not in report.states("node worker")
    assert report.states("node worker")["job"] == "ok"
    assert_no_units(mesh)


def test_no_socket(meshes: Meshes, commands: Commands) -> None:
    """Fault 1: no socket file."""
    socket = meshes.get("plain").control.directory / "other.sock"
    assert_fault(
        examine(commands, socket), 69, "local node: socket", "No such file", "systemctl start receptor"
    )


def test_no_permission(meshes: Meshes, commands: Commands) -> None:
    """Fault 2: a socket that this user may not use."""
    socket = meshes.get("plain").control.socket
    mode = socket.stat().st_mode
    socket.chmod(0)
    try:
        prefix = UNPRIVILEGED
        report = examine(commands, socket, prefix=prefix)
    finally:
        socket.chmod(mode)
    assert_fault(report, 78, "local node: permission", f"has no access to {socket}", "permissions")


def test_a_dead_daemon_and_a_dead_worker(own_mesh: Mesh, commands: Commands) -> None:
    """Faults 5 and 3: a worker that has stopped is known but out of reach; a socket may outlive its daemon."""
    own_mesh.worker.stop(signal.SIGKILL)
    await_cut(own_mesh)
    for words in ((), ("--node", "worker")):
        report = examine(commands, own_mesh.control.socket, *words)
        assert_fault(
            report, 69, "node worker: route", "no route to node `worker`", "systemctl status receptor"
        )
        assert set(report.states("node worker").values()) == {"failed", "skipped"}

    own_mesh.control.stop(signal.SIGKILL)
    report = examine(commands, own_mesh.control.socket)
    assert_fault(report, 69, "local node: answer", "connection refused: no process listens", "start the node")


def test_an_unknown_node(meshes: Meshes, commands: Commands) -> None:
    """Fault 4: a node that nobody knows, with the nearest name."""
    report = examine(commands, meshes.get("plain").control.socket, "--node", "wroker")
    assert_fault(report, 69, "node wroker: route", "unknown node `wroker`", "did you mean `worker`?")


def test_a_missing_work_type(meshes: Meshes, commands: Commands) -> None:
    """Fault 6: a node that does not offer the work type."""
    mesh = meshes.get("plain")
    report = examine(commands, mesh.control.socket, "--node", "hop")
    assert_fault(report, 78, "node hop: work type", "does not offer the work type", "add a work-command")
    report = examine(commands, mesh.control.socket, "--work-type", "receptor-runer", "--node", "worker")
    assert_fault(report, 78, "node worker: work type", "`receptor-runer`", "did you mean `receptor-runner`?")
    report = examine(commands, mesh.control.socket, "--work-type", "nosuch")
    assert_fault(report, 78, "local node: workers", "no node offers a work type")


@pytest.fixture
def foreign_key(meshes: Meshes) -> Iterator[Mesh]:
    """A mesh whose control node signs with a key that the worker does not know."""
    mesh = meshes.get("tls-signed")
    key = mesh.control.config.with_name(SIGNING_KEY)
    true_key = key.read_bytes()
    key.write_bytes(make_signing_pair().private)
    yield mesh
    key.write_bytes(true_key)


def test_a_wrong_signing_key(foreign_key: Mesh, commands: Commands) -> None:
    """Fault 7: a signature that the worker does not accept."""
    report = examine(commands, foreign_key.control.socket)
    assert_fault(
        report, 78, "node worker: worker", "refused the signature", "verification error", "public key"
    )
    assert_no_units(foreign_key)


@pytest.fixture(scope="module")
def stripped(receptor_bin: str) -> Iterator[Mesh]:
    """A mesh with TLS and signed work whose control node cannot sign, and has a TLS client of another authority too."""
    with short_directory() as directory:
        mesh = mesh_of(ROW.replace("false", "true"), directory / "m")
        mesh.write()
        text = re.sub(r"- work-signing:\n(    .*\n)+", "", mesh.control.config.read_text())
        mesh.control.config.write_text(text)
        add_foreign_tls_client(mesh.control, directory)
        start_meshes(mesh)
        yield mesh
        mesh.stop()


def test_no_signing_key(stripped: Mesh, commands: Commands) -> None:
    """Fault 7: signed work is wanted, and the local node has no key."""
    report = examine(commands, stripped.control.socket, "--tls-client", "mesh-client")
    assert_fault(report, 78, "node worker: signature", "no signing key", "add work-signing")
    assert report.states("node worker")["worker"] == "skipped"


def test_tls_clients(stripped: Mesh, commands: Commands) -> None:
    """Fault 9: of several TLS clients none is guessed; one that does not exist or is not trusted is named."""
    socket = stripped.control.socket
    words = ("--node", "worker")

    report = examine(commands, socket, *words)
    step = report.step("node worker: tls")
    assert (report.rc, step["state"]) == (78, "failed")
    assert "has several: mesh-client, foreign" in step["summary"]
    assert "--tls-client mesh-client" in step["hint"]

    report = examine(commands, socket, *words, "--tls-client", "nope")
    assert report.rc == 78
    assert "unknown TLS config nope" in report.step("node worker: control")["summary"]

    report = examine(commands, socket, *words, "--tls-client", "foreign")
    step = report.step("node worker: control")
    assert (step["state"], step["fault"]) == ("failed", "misconfigured")
    assert "TLS failed" in step["summary"]
    assert "`foreign`" in step["hint"]


@pytest.mark.parametrize(
    ("days", "rc", "words"),
    [(-2, 78, ("node.crt expired on",)), (5, 0, ("node.crt ends on", "in 4 days"))],
)
def test_certificates(meshes: Meshes, commands: Commands, days: int, rc: int, words: tuple[str, ...]) -> None:
    """Fault 8: a certificate of the local node that has expired, or will soon."""
    mesh = meshes.get("tls")
    other = Authority.create("another", lifetime=timedelta(days=30))
    pair = other.issue(["control"], ["127.0.0.1"], lifetime=timedelta(days=days))
    files = [mesh.control.config.with_name(name) for name in (CERTIFICATE, KEY)]
    kept = [file.read_bytes() for file in files]
    for file, content in zip(files, (pair.public, pair.private), strict=True):
        file.write_bytes(content)
    try:
        report = examine(commands, mesh.control.socket, "--no-job")
    finally:
        for file, content in zip(files, kept, strict=True):
            file.write_bytes(content)
    if rc:
        assert_fault(report, rc, "local node: certificates", *words, "config check")
    else:
        assert_warned(report, "local node: certificates", *words)


@dataclass(frozen=True)
class Workshop:
    """A mesh whose worker runs a script that each test writes."""

    mesh: Mesh
    directory: Path

    @property
    def script(self) -> Path:
        """The command of the worker's work-command."""
        return self.directory / "worker"

    def install(self, *lines: str) -> None:
        """Write the script."""
        self.script.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        self.script.chmod(0o755)

    def examine(self, commands: Commands, *words: str) -> Report:
        """Run the doctor; no unit is left."""
        report = examine(commands, self.mesh.control.socket, *words)
        assert_no_units(self.mesh)
        return report


@pytest.fixture(scope="module")
def shared_workshop(receptor_bin: str) -> Iterator[Workshop]:
    """The mesh of this module's tests."""
    with short_directory() as directory:
        shop = Workshop(mesh_of(ROW, directory / "m"), directory)
        shop.mesh.write()
        set_worker(shop.mesh.worker, str(shop.script))
        start_meshes(shop.mesh)
        yield shop
        shop.mesh.stop()


@pytest.fixture
def workshop(shared_workshop: Workshop) -> Workshop:
    """The mesh, with a worker that works."""
    shared_workshop.install(f'exec {OURS} "$@"')
    return shared_workshop


def test_a_worker_that_is_not_there(workshop: Workshop, commands: Commands) -> None:
    """Fault 10: the command of the work-command does not exist."""
    workshop.script.unlink()
    report = workshop.examine(commands)
    assert_fault(
        report, 78, "node worker: worker", str(workshop.script), "no such file", "command in the work-command"
    )


def test_a_worker_that_is_another_program(workshop: Workshop, commands: Commands) -> None:
    """Fault 10, too: something that runs but is no worker."""
    workshop.install("echo hello")
    report = workshop.examine(commands)
    assert_fault(report, 78, "node worker: worker", "not YAML: hello", "--worker-info")


def link_packages(directory: Path, *left_out: str) -> None:
    """Make a directory with the installed packages, except some."""
    for place in [Path(entry) for entry in sys.path if entry.endswith("site-packages")]:
        for entry in place.iterdir():
            if not entry.name.startswith(left_out):
                (directory / entry.name).symlink_to(entry)
    (directory / "receptor_runner").symlink_to(PACKAGE)


def test_a_worker_without_ansible(workshop: Workshop, commands: Commands, tmp_path: Path) -> None:
    """Fault 11: a worker whose Python has no ansible-core."""
    link_packages(tmp_path, "ansible", "__editable__", "receptor_runner")
    python = getattr(sys, "_base_executable", sys.executable)
    workshop.install(f'PATH=/nowhere PYTHONPATH={tmp_path} exec {python} -S -P -m receptor_runner "$@"')

    report = workshop.examine(commands)

    step = assert_fault(
        report, 78, "node worker: ansible", "ansible-core is not installed", "pip install ansible-core"
    )
    assert step["facts"]["ansible_core"] is None
    assert report.states("node worker")["job"] == "skipped"


def test_another_version(workshop: Workshop, commands: Commands, tmp_path: Path) -> None:
    """Version skew: another receptor-runner on the worker is a warning; jobs run all the same."""
    shutil.copytree(PACKAGE, tmp_path / "receptor_runner", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "receptor_runner" / "_version.py").write_text('__version__ = "0.0.1"\n')
    workshop.install(f'PYTHONPATH={tmp_path} exec {sys.executable} -P -m receptor_runner "$@"')

    report = workshop.examine(commands)

    assert_warned(
        report, "node worker: versions", "0.0.1 there", f"{__version__} here", "pip install receptor-runner=="
    )
    assert report.states("node worker")["job"] == "ok"


@pytest.mark.parametrize(("shift_s", "word"), [(300, "ahead"), (-300, "behind")])
def test_another_clock(
    workshop: Workshop, commands: Commands, tmp_path: Path, shift_s: int, word: str
) -> None:
    """Fault 12: a clock that differs by five minutes."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import time\nreal = time.time\ntime.time = lambda: real() + {shift_s}\n"
    )
    workshop.install(f'PYTHONPATH={tmp_path} exec {OURS} "$@"')
    report = workshop.examine(commands, "--no-job")
    assert_warned(report, "node worker: clock", word, "timedatectl")
    assert abs(report.step("node worker: clock")["facts"]["difference_s"] - shift_s) < 60


@pytest.mark.parametrize(("number", "rc"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_doctor(workshop: Workshop, commands: Commands, number: int, rc: int) -> None:
    """Ctrl-C and SIGTERM end it while a unit runs, and leave no unit on any node."""
    workshop.install(f"touch {workshop.directory}/started", f'sleep 600; exec {OURS} "$@"')
    process = commands.start("doctor", "--socket", workshop.mesh.control.socket)
    wait_until((workshop.directory / "started").exists, "the worker has started")

    process.send_signal(number)
    _output, stderr = process.communicate(timeout=60)

    (workshop.directory / "started").unlink()
    assert process.returncode == rc
    assert b"error: interrupted" in stderr
    assert_no_units(workshop.mesh)


@pytest.fixture
def bwrap() -> str:
    """The path of bubblewrap, which gives a process files and disks of its own."""
    found = shutil.which("bwrap")
    if not found:
        pytest.skip("bubblewrap is not installed")
    return f"{found} --dev-bind / /"


def test_a_full_disk(workshop: Workshop, commands: Commands, bwrap: str) -> None:
    """Fault 12: a temporary directory, or the datadir of the local node, with a mebibyte left."""
    full = workshop.directory / "full"
    full.mkdir(exist_ok=True)
    small = f"{bwrap} --size 1048576 --tmpfs"
    workshop.install(f'TMPDIR={full} exec {small} {full} {OURS} "$@"')
    report = workshop.examine(commands, "--no-job")
    assert_fault(
        report, 78, "node worker: space", "1 MiB free in the temporary directory: it is full", "df -h"
    )

    workshop.install(f'exec {OURS} "$@"')
    datadir = workshop.mesh.control.datadir
    prefix = tuple(f"{small} {datadir}".split())
    report = examine(commands, workshop.mesh.control.socket, "--no-job", prefix=prefix)
    assert_fault(report, 78, "local node: space", f"1 MiB free in {datadir}")


@pytest.mark.parametrize(("limit", "state"), [(64, "warning"), (4096, "ok")])
def test_inotify(
    workshop: Workshop, commands: Commands, tmp_path: Path, bwrap: str, limit: int, state: str
) -> None:
    """Fault 12: limits on inotify that are too low."""
    (tmp_path / "limit").write_text(f"{limit}\n")
    workshop.install(
        f'exec {bwrap} --bind {tmp_path}/limit /proc/sys/fs/inotify/max_user_instances {OURS} "$@"'
    )
    report = workshop.examine(commands, "--no-job")
    step = report.step("node worker: inotify")
    assert (report.rc, step["state"], step["facts"]["max_user_instances"]) == (0, state, limit)
    assert ("fs.inotify.max_user_instances is 64" in step["summary"]) == (state == "warning")


def test_a_firewall(make_mesh: Callable[..., Mesh], commands: Commands) -> None:
    """A worker that refuses us its control service answers a ping, and the hint names its firewall."""
    mesh = make_mesh()
    let_nobody_in(mesh.worker)
    start_meshes(mesh)
    report = examine(commands, mesh.control.socket, "--timeout", "3")
    assert_fault(report, 69, "node worker: control", "does not answer", "firewallrules")
    assert report.states("node worker")["ping"] == "ok"


def test_a_configuration_with_errors(meshes: Meshes, commands: Commands, tmp_path: Path) -> None:
    """What the linter finds in the node's receptor.yml is a failure of that step, with the command that shows all."""
    mesh = meshes.get("plain")
    bad = tmp_path / "receptor.yml"
    bad.write_text(mesh.control.config.read_text() + "- work-command:\n    worktype: x\n    commandd: y\n")
    report = examine(commands, mesh.control.socket, "--no-job", "--config", bad)
    assert_fault(report, 78, "local node: receptor.yml", "requires the key command", f"config check {bad}")


def test_several_nodes(meshes: Meshes, commands: Commands) -> None:
    """Nodes are examined side by side and reported in the order in which they were named."""
    mesh = meshes.get("plain")
    report = examine(commands, mesh.control.socket, "--no-job", "--node", "worker", "--node", "hop")
    subjects = [step["subject"] for step in report.steps.values() if step["subject"].startswith("node ")]
    assert list(dict.fromkeys(subjects)) == ["node worker", "node hop"]
    assert report.failures == ["node hop: work type"]


def test_a_node_of_another_file(meshes: Meshes, commands: Commands) -> None:
    """A --config that belongs to another node is refused by name."""
    mesh = meshes.get("plain")
    report = examine(commands, mesh.control.socket, "--no-job", "--config", mesh.hop.config)
    assert_fault(report, 78, "local node: receptor.yml", "belongs to node `hop`")
