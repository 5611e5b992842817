"""Jobs to a node one and two hops away: plain, behind TLS, behind TLS and signed, with nothing named but the node."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable

import pytest
from receptor_runner.mesh.local import Daemon
from tests.harness import Client, ask_node, processes_of, wait_until
from tests.mesh.conftest import Mesh, Meshes, assert_no_units

pytestmark = pytest.mark.receptor

KINDS = [
    "plain",
    pytest.param("tls", marks=pytest.mark.slow),
    pytest.param("tls-signed", marks=pytest.mark.slow),
]


@pytest.fixture(params=KINDS)
def mesh(request: pytest.FixtureRequest, meshes: Meshes) -> Mesh:
    """A shared mesh, of each kind in turn."""
    return meshes.get(str(request.param))


@pytest.fixture
def client(mesh: Mesh, client_of: Callable[[Daemon], Client]) -> Client:
    """Our commands, asked of the control node."""
    return client_of(mesh.control)


@pytest.mark.parametrize("hops", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_run(mesh: Mesh, client_of: Callable[[Daemon], Client], hops: int) -> None:
    """A job runs on the worker; TLS client and signature are found; its unit is gone from every node."""
    client = client_of(mesh.hop if hops == 1 else mesh.control)

    done = client.ask("run", "-p", "test.yml", "-i", "job", "--node", "worker")

    assert (done.rc, client.read("rc"), client.read("status")) == (0, "0", "successful"), done.stderr
    assert "Hello world!" in done.text
    assert "Hello world!" in client.read("stdout")
    assert f"on node `worker` via {client.socket}" in done.stderr
    assert_no_units(mesh)


@pytest.mark.slow
def test_a_failed_job_has_its_own_code(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """The verdict of a job comes through the mesh as it is."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)
    client.project.playbook("- fail: msg='broken on purpose'")

    done = client.ask("run", "-p", "test.yml", "-i", "job", "--node", "worker")

    assert (done.rc, client.read("rc"), client.read("status")) == (2, "2", "failed"), done.stderr
    assert_no_units(mesh)


def test_submit_then_attach(mesh: Mesh, client: Client) -> None:
    """`submit` returns with the unit of the local node, `attach` brings the job home."""
    submitted = client.ask("submit", "-p", "test.yml", "-i", "job", "--node", "worker")
    assert submitted.text.split() == ["job", "worker", client.record()["unit_id"]], submitted.stderr
    assert ask_node(mesh.control.socket, f"work status {client.record()['unit_id']}")["WorkType"] == "remote"

    attached = client.ask("attach", "-i", "job")

    assert (attached.rc, client.read("status")) == (0, "successful"), attached.stderr
    assert_no_units(mesh)


@pytest.mark.slow
def test_cancel(mesh: Mesh, client: Client) -> None:
    """`cancel` reaches the worker: the follower sees it end, and no process of the job lives."""
    mark = long_job(client)
    client.ask("submit", "-p", "test.yml", "-i", "job", "--node", "worker")
    follower = client.start("attach", "-i", "job")
    wait_until(lambda: processes_of(mark) != [], "the job runs")

    canceled = client.ask("cancel", "-i", "job")

    assert (canceled.rc, canceled.text) == (0, "job: canceled\n"), canceled.stderr
    assert follower.wait(60) == 254
    assert client.read("status") == "canceled"
    wait_until(lambda: processes_of(mark) == [], "no process of the job is left")
    assert_no_units(mesh)


@pytest.mark.slow
def test_ctrl_c(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """Ctrl-C on `run` cancels the job two hops away, and its final status still arrives."""
    client = client_of(meshes.get("plain").control)
    mark = long_job(client)
    running = client.start("run", "-p", "test.yml", "-i", "job", "--node", "worker")
    wait_until(lambda: processes_of(mark) != [], "the job runs")

    running.send_signal(signal.SIGINT)

    assert running.wait(60) == 130
    assert client.read("status") == "canceled"
    wait_until(lambda: processes_of(mark) == [], "no process of the job is left")
    assert_no_units(meshes.get("plain"))


@pytest.mark.slow
def test_ctrl_c_before_the_start(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """Ctrl-C on a job whose node never came takes it back: it is canceled, and nothing waits to start it."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)
    client.ask("submit", "-p", "test.yml", "-i", "job", "--node", "absent", "--no-preflight")
    following = client.start("attach", "-i", "job", "--cancel-on-interrupt")
    lock = client.project.artifacts("job") / "unit.lock"
    wait_until(lambda: lock.read_text() == str(following.pid), "the job is followed")

    following.send_signal(signal.SIGINT)

    assert following.wait(60) == 130
    assert client.record()["outcome"]["status"] == "canceled"
    assert_no_units(mesh)


@pytest.mark.slow
def test_the_receptor_yml_may_be_named(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """`--config` and RECEPTORCTL_CONFIG name the file that has the TLS client; another node's file is refused."""
    mesh = meshes.get("tls")
    client = client_of(mesh.control)
    where = ("-p", "test.yml", "--node", "worker")

    wrong = client.ask("run", *where, "-i", "wrong", "--config", str(mesh.worker.config))
    assert (wrong.rc, client.project.artifacts("wrong").exists()) == (78, False)
    assert "it belongs to node `worker`; the local node is `control`" in wrong.stderr

    client.commands.environment["RECEPTORCTL_CONFIG"] = str(mesh.control.config)
    assert client.ask("run", *where, "-i", "job").rc == 0


def long_job(client: Client) -> str:
    """Make the job one that sleeps; return a word that is in its processes' command lines on the worker only."""
    mark = f"mark-{uuid.uuid4().hex}"
    half = len(mark) // 2
    client.project.playbook(
        f"- command: sh -c 'sleep 300; true' {{{{ a }}}}{{{{ b }}}}\n"
        f"  vars:\n    a: {mark[:half]}\n    b: {mark[half:]}"
    )
    return mark
