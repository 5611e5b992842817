"""The embedded node of one job: whose it is, where it lives, when it ends, and that it comes back."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from receptor_runner.errors import ConfigError, NodeUnavailable, OutputFailed, UnknownUnit
from receptor_runner.node.job_node import IDLE_TIMEOUT_VARIABLE, read_job_settings
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.nodes.embedded import EmbeddedNode
from receptor_runner.receptor.nodes.locate import USUAL_SOCKETS
from receptor_runner.system.directories import NODE_PREFIX
from receptor_runner.system.interpreter import PACKAGE_ROOT
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES
from tests.harness import Commands, Project, kill_processes_of, wait_until

pytestmark = pytest.mark.skipif(
    any(path.exists() for path in USUAL_SOCKETS), reason="a Receptor node serves one of the usual sockets"
)

MakeNode = Callable[[], EmbeddedNode]


@pytest.fixture
def make_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeNode]:
    """Make nodes of this process; none is left afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made: list[EmbeddedNode] = []

    def make() -> EmbeddedNode:
        made.append(EmbeddedNode.create())
        return made[-1]

    yield make
    for node in made:
        node.close()
        kill_processes_of(node.directory)


def control(node: EmbeddedNode) -> Control:
    """Return the control service of a node."""
    return Control(node.socket, revive=node.ensure_running)


def submit(node: EmbeddedNode) -> str:
    """Give a node a unit that soon ends."""
    with control(node).submit(WorkOrder(work_type="receptor-runner", params="--worker-info")) as submission:
        submission.start([])
    return submission.unit_id


def await_end(node: EmbeddedNode, unit_id: str) -> None:
    """Wait until a unit has ended."""
    wait_until(lambda: control(node).unit_status(unit_id).state.is_complete, f"unit {unit_id} has ended")


def processes(directory: Path) -> list[psutil.Process]:
    """Return the node processes of a node directory, command runners left out."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[-2:] == ["node", str(directory)] and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def kill(directory: Path) -> None:
    """Kill the process of a node, and nothing else."""
    for process in processes(directory):
        process.kill()
    wait_until(lambda: not processes(directory), "the node is dead")


def gone(directory: Path) -> Callable[[], bool]:
    """Return whether a node has ended and left nothing."""
    return lambda: not directory.exists() and not processes(directory)


def test_each_node_is_its_own(make_node: MakeNode) -> None:
    """Two jobs of one user have two nodes that share neither directory, nor socket, nor process."""
    first, second = make_node(), make_node()
    unit_id = submit(first)
    submit(second)
    assert first.directory != second.directory
    assert processes(first.directory) != processes(second.directory)
    with pytest.raises(UnknownUnit):
        control(second).unit_status(unit_id)


def test_the_starter_sees_only_a_node_that_serves(make_node: MakeNode) -> None:
    """After `ensure_running` the socket is there, private, and the node leads a session without a parent of ours."""
    node = make_node()
    node.ensure_running()
    assert Path(node.socket).is_socket()
    (process,) = processes(node.directory)
    assert os.getsid(process.pid) != os.getsid(0)
    assert process.ppid() != os.getpid()
    assert node.directory.stat().st_mode & 0o777 == 0o700


def test_a_node_without_a_unit_ends_with_its_starter(make_node: MakeNode) -> None:
    """A job that never came to be submitted leaves neither process nor directory."""
    node = make_node()
    node.ensure_running()
    node.close()
    wait_until(gone(node.directory), "the node has ended")


def test_a_starter_that_leaves_at_once_leaves_nothing(make_node: MakeNode) -> None:
    """The node ends also if its starter was gone before it served."""
    node = make_node()
    node.close()
    wait_until(gone(node.directory), "the node has ended")


def test_a_node_ends_once_its_unit_is_released(make_node: MakeNode) -> None:
    """Nothing is left of a node after the release of its unit."""
    node = make_node()
    unit_id = submit(node)
    node.close()
    await_end(node, unit_id)
    assert control(node).release(unit_id)
    wait_until(gone(node.directory), "the node has ended")


def test_an_ended_unit_waits_on_disk(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that nobody asks ends after the set time; its unit stays and is served again by the next one."""
    monkeypatch.setenv(IDLE_TIMEOUT_VARIABLE, "0")
    node = make_node()
    unit_id = submit(node)
    node.close()
    wait_until(lambda: not processes(node.directory), "the idle node has ended")
    assert (node.directory / "units" / "primary" / unit_id / "status").is_file()
    again = EmbeddedNode(node.directory)
    assert control(again).unit_status(unit_id).state.is_complete
    again.close()


def test_a_killed_node_comes_back_on_the_same_units(make_node: MakeNode) -> None:
    """Whoever asks for a unit whose node was killed gets a new node with that unit."""
    node = make_node()
    unit_id = submit(node)
    await_end(node, unit_id)
    kill(node.directory)
    again = EmbeddedNode(node.directory)
    assert control(again).unit_status(unit_id).state.is_complete
    again.close()


def test_a_node_whose_socket_is_removed_is_replaced(make_node: MakeNode) -> None:
    """A cleaner of temporary files may take the socket of a living node: the next client starts another node."""
    node = make_node()
    unit_id = submit(node)
    (before,) = processes(node.directory)
    Path(node.socket).unlink()
    assert control(node).unit_status(unit_id).state is not None
    wait_until(lambda: before not in processes(node.directory), "the unreachable node has ended")
    assert len(processes(node.directory)) == 1


def test_a_node_whose_directory_is_removed_knows_no_unit(make_node: MakeNode) -> None:
    """Where the units are gone, the node that comes back says so, and goes."""
    node = make_node()
    unit_id = submit(node)
    await_end(node, unit_id)
    kill(node.directory)
    node.directory.rename(node.directory.with_name("away"))
    again = EmbeddedNode(node.directory)
    with pytest.raises(UnknownUnit):
        control(again).unit_status(unit_id)
    again.close()
    wait_until(gone(node.directory), "the node has ended")


def test_clients_that_find_a_node_gone_start_one(make_node: MakeNode) -> None:
    """Several clients at once start a dead node once."""
    node = make_node()
    unit_id = submit(node)
    await_end(node, unit_id)
    kill(node.directory)
    script = f"""
from pathlib import Path
from receptor_runner.receptor.nodes.embedded import EmbeddedNode
node = EmbeddedNode(Path({str(node.directory)!r}))
node.ensure_running()
"""
    clients = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [client.wait(60) for client in clients] == [0] * 4
    assert len(processes(node.directory)) == 1


def test_paths_of_any_length_work(
    make_node: MakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket is reached although its path does not fit into an address."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.joinpath(*["a-rather-long-name"] * 10)))
    node = make_node()
    assert len(node.socket) > MAX_ADDRESS_BYTES
    unit_id = submit(node)
    await_end(node, unit_id)
    assert control(node).release(unit_id)


def test_without_a_state_directory_the_temporary_one_serves(
    make_node: MakeNode, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service without a home gets a private directory below the temporary one."""
    for place in ("state", "temporary"):
        (short_dir / place).mkdir()
    (short_dir / "state" / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(short_dir / "state" / "file"))
    monkeypatch.setenv("HOME", str(short_dir / "state" / "file"))
    monkeypatch.setattr("receptor_runner.system.directories._home_of_account", lambda: None)
    monkeypatch.setattr(tempfile, "tempdir", str(short_dir / "temporary"))
    node = make_node()
    assert node.directory.parent == short_dir / "temporary"
    assert node.directory.name.startswith(NODE_PREFIX)
    submit(node)


def test_no_place_at_all_is_an_error(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, the error names every place that was tried."""
    monkeypatch.setattr("receptor_runner.receptor.nodes.embedded.state_directories", lambda _environment: [])
    monkeypatch.setattr(tempfile, "tempdir", str(short_dir / "missing"))
    with pytest.raises(OutputFailed) as failure:
        EmbeddedNode.create()
    assert "TMPDIR" in str(failure.value.hint)
    assert "the temporary directory" in str(failure.value.cause)


def test_a_directory_of_somebody_else_is_refused(short_dir: Path) -> None:
    """A recorded directory that others may write is neither asked nor used."""
    public = short_dir / "public"
    public.mkdir()
    public.chmod(0o777)
    with pytest.raises(NodeUnavailable, match="not a private directory"):
        EmbeddedNode(public).check_owner()


def test_a_node_that_does_not_start_says_why(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is the node's own error, not a line of its log; the hint is what the node suggests."""
    monkeypatch.setenv(IDLE_TIMEOUT_VARIABLE, "soon")
    node = make_node()
    with pytest.raises(NodeUnavailable) as failure:
        node.ensure_running()
    assert failure.value.cause == f"invalid {IDLE_TIMEOUT_VARIABLE} `soon`: expected a number of seconds"
    assert not node.directory.exists()


@pytest.mark.parametrize("is_recorded", [False, True], ids=["new", "recorded"])
def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_recorded: bool
) -> None:
    """A start for which the disk has no space leaves no directory, names the place, and says how to look at it."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = tmp_path / "receptor-runner"
    monkeypatch.setattr("receptor_runner.receptor.nodes.embedded.write_atomically", refuse)
    with pytest.raises(OutputFailed) as failure:
        if is_recorded:
            EmbeddedNode(place / f"{NODE_PREFIX}1").ensure_running()
        else:
            EmbeddedNode.create({"XDG_STATE_HOME": str(tmp_path)})
    assert failure.value.what == f"cannot start the embedded node in {place}"
    assert failure.value.cause == "No space left on device"
    assert failure.value.hint == f"df -h {shlex.quote(str(place))}"
    assert list(place.iterdir()) == []


def test_a_start_that_fails_keeps_the_units(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that cannot come back leaves the units of its directory for the next try."""
    node = make_node()
    unit_id = submit(node)
    await_end(node, unit_id)
    kill(node.directory)
    monkeypatch.setenv(IDLE_TIMEOUT_VARIABLE, "soon")
    with pytest.raises(NodeUnavailable):
        EmbeddedNode(node.directory).ensure_running()
    assert (node.directory / "units" / "primary" / unit_id / "status").is_file()


def test_a_crash_at_the_start_is_told(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that dies without an error of its own leaves the last line of its log as the cause, and the log."""
    program = make_node().directory / "crash.py"
    program.write_text("raise ValueError('out of cheese')")
    monkeypatch.setattr("receptor_runner.receptor.nodes.embedded._PROGRAM", str(program))
    node = make_node()
    with pytest.raises(NodeUnavailable) as failure:
        node.ensure_running()
    assert failure.value.cause == "ValueError: out of cheese"
    assert failure.value.hint == f"cat {node.directory}/node.log"


def test_damaged_configuration_is_an_error(tmp_path: Path) -> None:
    """A receptor.yml that is not the one we wrote is named."""
    (tmp_path / "receptor.yml").write_text("- node: {}")
    with pytest.raises(ConfigError, match="is damaged"):
        read_job_settings(tmp_path)


def test_the_configuration_stays_as_it_is(
    make_node: MakeNode, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that comes back uses the receptor.yml of the first start, which others can read too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(short_dir))
    node = make_node()
    unit_id = submit(node)
    await_end(node, unit_id)
    config = node.directory / "receptor.yml"
    before = config.stat()
    kill(node.directory)
    again = EmbeddedNode(node.directory)
    again.ensure_running()
    assert (config.stat().st_ino, config.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    again.close()
    checked = subprocess.run(
        [sys.executable, "-m", "receptor_runner", "config", "check", config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ": error: " not in checked.stdout, checked.stdout


def test_a_node_starts_without_the_packages_that_are_installed() -> None:
    """A job's node and its command runners need the standard library and this package alone."""
    program = (
        f"import sys; sys.path.append({str(PACKAGE_ROOT)!r}); sys.modules['yaml'] = sys.modules['click'] = None\n"
        "import receptor_runner.node.job_node, receptor_runner.node.command_runner"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


class Caller:
    """One who runs jobs, with surroundings of his own."""

    def __init__(self, commands: Commands, project: Project) -> None:
        self._commands = commands
        self.project = project

    def record(self, ident: str) -> dict[str, Any]:
        """Return the record of a job."""
        content: dict[str, Any] = json.loads((self.project.artifacts(ident) / "unit.json").read_text())
        return content

    def directory(self, ident: str) -> Path:
        """Return the directory of a job's node."""
        return Path(self.record(ident)["node_directory"])

    def ask(self, command: str, *words: str, **variables: str) -> tuple[int, str]:
        """Run a command on the project; return its exit code and all it said."""
        surroundings = self._commands.environment | variables
        done = Commands(surroundings, self._commands.cwd).ours(command, self.project.path, *words)
        return done.rc, done.text + done.stderr

    def clean(self, pattern: str) -> tuple[int, str]:
        """Clean up what a pattern matches."""
        done = self._commands.ours("worker", "cleanup", "--file-pattern", pattern, "--grace-period", "0")
        return done.rc, done.text + done.stderr


@pytest.fixture
def caller(commands: Commands, project: Project) -> Caller:
    """One who runs jobs."""
    return Caller(commands, project)


@pytest.fixture
def held(caller: Caller, tmp_path: Path) -> Iterator[Path]:
    """A submitted job `held` that runs until a file appears; its path."""
    go = tmp_path / "go"
    script = f"while [ ! -e {shlex.quote(str(go))} ]; do sleep 0.05; done"
    caller.project.playbook(f"- debug: msg=before\n- shell: {json.dumps(script)}\n")
    rc, said = caller.ask("submit", "-p", "test.yml", "-i", "held")
    assert rc == 0, said
    yield go
    go.touch()


def test_a_job_runs_as_its_caller(commands: Commands, caller: Caller, held: Path, tmp_path: Path) -> None:
    """While one caller's job runs, another's has its own environment, umask, limits, Python and ansible."""
    shim = tmp_path / "bin" / "ansible"
    shim.parent.mkdir()
    shim.write_text('#!/bin/sh\necho "mark=$MARK umask=$(umask) files=$(ulimit -n)"\n')
    shim.chmod(0o755)
    words = f"-m ping --hosts all -i second {caller.project.path}"
    script = f"umask 0037; ulimit -n 777; MARK=two exec receptor-runner run {words}"
    path = f"{shim.parent}:{commands.environment['PATH']}"
    done = Commands(commands.environment | {"PATH": path}, tmp_path).run("bash", "-c", script)
    assert "mark=two umask=0037 files=777" in done.text, done.stderr
    settings = read_job_settings(caller.directory("held"))
    assert Path(settings.work_commands[0].command).samefile(sys.executable)
    assert caller.directory("held") != Path(caller.record("second")["node_directory"])


def nodes_beside(directory: Path) -> list[Path]:
    """Return the directories of nodes in the place of one."""
    return [path for path in directory.parent.iterdir() if path.name.startswith(NODE_PREFIX)]


def test_the_same_job_again_keeps_its_node(caller: Caller, held: Path) -> None:
    """A job that is active already is not started again, and the node that was begun for it leaves nothing."""
    before = caller.record("held")
    rc, said = caller.ask("submit", "-p", "test.yml", "-i", "held")
    assert rc == 0, said
    assert caller.record("held")["unit_id"] == before["unit_id"]
    directory = caller.directory("held")
    wait_until(lambda: nodes_beside(directory) == [directory], "only the first node is left")


@pytest.mark.parametrize("loss", ["killed", "logout"])
def test_attach_brings_the_node_back(caller: Caller, held: Path, loss: str, tmp_path: Path) -> None:
    """A node that was killed, or that a logout took with its runtime directory, is started again by attach."""
    kill(caller.directory("held"))
    held.touch()
    surroundings = (
        {"XDG_RUNTIME_DIR": str(tmp_path / "gone"), "TMPDIR": "/var/tmp"} if loss == "logout" else {}
    )
    rc, said = caller.ask("attach", "-i", "held", **surroundings)
    assert rc == 0, said
    assert "before" in said
    wait_until(gone(caller.directory("held")), "nothing is left of the node")


@pytest.mark.slow
def test_cancel_brings_the_node_back(caller: Caller, held: Path) -> None:
    """A job whose node was killed can be canceled."""
    kill(caller.directory("held"))
    rc, said = caller.ask("cancel", "-i", "held")
    assert rc == 0, said
    rc, said = caller.ask("attach", "-i", "held")
    assert rc == 254, said


@pytest.mark.slow
def test_release_brings_the_node_back(caller: Caller, held: Path) -> None:
    """A job whose node was killed can be released, and nothing of it stays."""
    directory = caller.directory("held")
    kill(directory)
    rc, said = caller.ask("release", "-i", "held")
    assert rc == 0, said
    wait_until(gone(directory), "nothing is left of the node")


@pytest.mark.slow
def test_jobs_brings_the_node_back(caller: Caller, held: Path) -> None:
    """The list of jobs without a use any more asks the node of each."""
    kill(caller.directory("held"))
    rc, said = caller.ask("jobs", "--prune")
    assert (rc, said) == (0, "")
    assert len(processes(caller.directory("held"))) == 1


def test_a_reboot_is_told(caller: Caller, held: Path) -> None:
    """After a reboot neither node nor worker is left: attach says that the job is lost, not that no node is there."""
    directory = caller.directory("held")
    kill_processes_of(directory)
    rc, said = caller.ask("attach", "-i", "held")
    assert rc not in {0, 69, 70}, said
    assert "lost" in said or "canceled" in said, said


def test_clean_up_spares_nodes(caller: Caller, held: Path) -> None:
    """A clean-up with a wide pattern removes neither the node of a running job nor one that waits to be fetched."""
    directory = caller.directory("held")
    for state in ("alive", "dead"):
        if state == "dead":
            kill(directory)
        for pattern in (
            f"{directory.parent}/receptor*",
            f"{directory.parents[2]}/state*",
            f"{directory}/unit*",
        ):
            rc, said = caller.clean(pattern)
            assert rc == 0, said
            assert (directory / "units").is_dir(), said
