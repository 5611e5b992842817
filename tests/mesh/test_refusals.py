"""Submits that a mesh refuses: a clear error, exit 69, in bounded time, and no unit left on any node."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receptor_runner.mesh.authority import make_signing_pair
from receptor_runner.mesh.local import Daemon
from receptor_runner.mesh.settings import SIGNING_KEY
from tests.harness import Client, Finished, ask_node, wait_until
from tests.mesh.conftest import (
    ROW,
    Mesh,
    Meshes,
    add_foreign_tls_client,
    assert_no_units,
    await_cut,
    let_nobody_in,
    start_meshes,
    units_of,
)

pytestmark = [pytest.mark.receptor, pytest.mark.slow]

JOB = ("-p", "test.yml", "-i", "job", "--node", "worker")
UNCHECKED = (*JOB, "--no-preflight")
WITH_TLS = (*UNCHECKED, "--tls-client", "mesh-client")


def assert_refused(done: Finished, client: Client, mesh: Mesh, *words: str) -> None:
    """The command ended with 69 and these words in at most three lines; no unit, no record of an active job."""
    assert done.rc == 69, done.stderr
    lines = done.stderr.splitlines()
    error = lines[next(number for number, line in enumerate(lines) if line.startswith("error:")) :]
    assert len(error) <= 3, error
    assert [word for word in words if word not in " ".join(error)] == [], error
    assert_no_units(mesh)
    assert '"active": true' not in client.ask("jobs", "--json").text


@pytest.fixture
def signed(meshes: Meshes) -> Mesh:
    """The shared mesh whose worker takes signed work only."""
    return meshes.get("tls-signed")


@pytest.fixture
def client(signed: Mesh, client_of: Callable[[Daemon], Client]) -> Client:
    """Our commands, asked of its control node."""
    return client_of(signed.control)


def test_unsigned_is_told_before_the_upload(signed: Mesh, client: Client) -> None:
    """`--no-signwork` towards a node that advertises that it verifies signatures is refused without a unit."""
    done = client.ask("run", *JOB, "--no-signwork")

    assert_refused(done, client, signed, "takes signed work only", "--no-signwork was given")


def test_unsigned(signed: Mesh, client: Client) -> None:
    """The worker itself refuses unsigned work."""
    done = client.ask("run", *WITH_TLS, "--no-signwork")

    assert_refused(done, client, signed, "takes signed work only", "signature is empty", "--signwork")


@pytest.fixture
def foreign_key(signed: Mesh) -> Iterator[None]:
    """The control node signs with a key that the worker does not know."""
    key = signed.control.config.with_name(SIGNING_KEY)
    true_key = key.read_bytes()
    key.write_bytes(make_signing_pair().private)
    yield
    key.write_bytes(true_key)


@pytest.mark.usefixtures("foreign_key")
@pytest.mark.parametrize("command", ["run", "submit"])
def test_wrongly_signed(signed: Mesh, client: Client, command: str) -> None:
    """The worker refuses a signature of another key."""
    done = client.ask(command, *JOB)

    assert_refused(done, client, signed, "refused the signature", "verification error", "public key")


@pytest.fixture
def late(signed: Mesh) -> Iterator[Daemon]:
    """A further control node whose signatures have expired when they arrive."""
    text = signed.hop.config.read_text()
    signed.hop.config.write_text(re.sub(r"tokenexpiration: .*", "tokenexpiration: 1ns", text))
    restart(signed, signed.hop)
    yield signed.hop
    signed.hop.config.write_text(text)
    restart(signed, signed.hop)


def restart(mesh: Mesh, daemon: Daemon) -> None:
    """Restart a node and wait until the mesh is whole again."""
    daemon.stop()
    daemon.start()
    wait_until(
        lambda: all(
            "worker" in ask_node(node.socket, "status")["RoutingTable"] for node in (mesh.control, mesh.hop)
        ),
        "the mesh is whole again",
        60,
    )


def test_expired(signed: Mesh, late: Daemon, client_of: Callable[[Daemon], Client]) -> None:
    """The worker refuses a signature that is no longer good, which clocks that differ bring about."""
    client = client_of(late)

    done = client.ask("run", *WITH_TLS, "--signwork")

    assert_refused(done, client, signed, "signature has expired", "token is expired by", "clocks")


def test_a_node_that_cannot_sign(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """Asked for a signature, a node without work-signing says so."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)

    assert_refused(client.ask("run", *JOB, "--signwork"), client, mesh, "takes unsigned work only")
    done = client.ask("run", *UNCHECKED, "--signwork")
    assert_refused(done, client, mesh, "cannot sign work", "signing key is empty", "work-signing")


@pytest.mark.parametrize("command", ["run", "submit"])
def test_an_unknown_work_type(meshes: Meshes, client_of: Callable[[Daemon], Client], command: str) -> None:
    """A work type that the worker does not offer is refused, by the advertisement or by the worker."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)

    done = client.ask(command, *JOB, "--work-type", "nosuch")
    assert_refused(done, client, mesh, "does not offer the work type `nosuch`", "receptor-runner")
    done = client.ask(command, *UNCHECKED, "--work-type", "nosuch")
    assert_refused(done, client, mesh, "unknown work type nosuch")


def test_without_tls(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """A node that requires TLS is not reached without: told by its advertisement, or by the local node."""
    mesh = meshes.get("tls")
    client = client_of(mesh.control)

    assert_refused(client.ask("run", *JOB, "--tls-client", ""), client, mesh, "requires TLS")
    done = client.ask("run", *UNCHECKED)
    assert_refused(done, client, mesh, "never started", "insecure connection to secure service")


def test_a_tls_client_where_none_is_wanted(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """A TLS client towards a node without TLS is refused as well."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)

    done = client.ask("run", *JOB, "--tls-client", "mesh-client")

    assert_refused(done, client, mesh, "does not use TLS", "--tls-client `mesh-client` was given")


def test_an_unknown_tls_client(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """A TLS client that the local node does not have is refused at once."""
    mesh = meshes.get("tls")
    client = client_of(mesh.control)

    done = client.ask("run", *JOB, "--tls-client", "nope")

    assert_refused(done, client, mesh, "has no such TLS client", "unknown TLS config nope")


def test_a_tls_client_of_another_authority(
    make_mesh: Callable[..., Mesh], client_of: Callable[[Daemon], Client], tmp_path: Path
) -> None:
    """Of several TLS clients none is guessed; one that the worker does not trust never gets the job started."""
    mesh = make_mesh(ROW.replace("tls: false", "tls: true"))
    add_foreign_tls_client(mesh.control, tmp_path)
    start_meshes(mesh)
    client = client_of(mesh.control)

    unnamed = client.ask("run", *JOB)
    assert (unnamed.rc, units_of(mesh.control)) == (64, {"control": []})
    assert "has several: mesh-client, foreign" in unnamed.stderr
    assert "--tls-client mesh-client" in unnamed.stderr

    done = client.ask("run", *JOB, "--tls-client", "foreign")
    assert_refused(done, client, mesh, "never started", "TLS error connecting to remote service")
    assert client.ask("run", *JOB, "--rerun", "--tls-client", "mesh-client").rc == 0


@pytest.fixture
def walled(make_mesh: Callable[..., Mesh]) -> Mesh:
    """A mesh whose worker lets nobody use its control service."""
    mesh = make_mesh()
    let_nobody_in(mesh.worker)
    start_meshes(mesh)
    return mesh


def test_a_firewall(walled: Mesh, client_of: Callable[[Daemon], Client]) -> None:
    """A node that is seen but does not let us in is given up after the ttl."""
    client = client_of(walled.control)

    done = client.ask("run", *JOB, "--ttl", "3s")
    assert_refused(done, client, walled, "never started", "Work unit expired", "firewallrules")

    submitted = client.ask("submit", *JOB, "--rerun", "--ttl", "3s")
    assert submitted.rc == 0
    assert_refused(client.ask("attach", "-i", "job"), client, walled, "never started", "Work unit expired")


def test_a_refusal_in_the_background(own_mesh: Mesh, client_of: Callable[[Daemon], Client]) -> None:
    """Where the worker refuses only when it is back, and the local node merely logs that, the ttl ends the wait."""
    client = client_of(own_mesh.control)
    own_mesh.worker.stop(signal.SIGKILL)
    await_cut(own_mesh)
    running = client.start("run", *UNCHECKED, "--work-type", "nosuch", "--ttl", "12s")
    wait_until(lambda: units_of(own_mesh.control) != {"control": []}, "the unit is there")
    own_mesh.worker.start()

    _, stderr = running.communicate(timeout=90)

    assert "unknown work type nosuch" in own_mesh.control.log.read_text()
    done = Finished(running.returncode, b"", stderr.decode())
    assert_refused(done, client, own_mesh, "never started", "before its ttl ended", "log of the local node")


def test_an_unknown_node(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """A typo is told with the nearest name; unchecked, the node is given up after the ttl, or our own timeout."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)

    done = client.ask("run", "-p", "test.yml", "-i", "job", "--node", "wroker")
    assert_refused(done, client, mesh, "unknown node `wroker`", "did you mean `worker`?")
    unchecked = ("-p", "test.yml", "-i", "job", "--node", "wroker", "--no-preflight")
    done = client.ask("run", *unchecked, "--ttl", "2s")
    assert_refused(done, client, mesh, "never started", "Work unit expired")
    done = client.ask("run", *unchecked, "--rerun", "--pending-timeout", "1")
    assert_refused(done, client, mesh, "never started", "Pending")


def test_a_ttl_that_is_no_duration(meshes: Meshes, client_of: Callable[[Daemon], Client]) -> None:
    """The daemon would make a unit before it refuses such a ttl, so it is never asked."""
    mesh = meshes.get("plain")
    client = client_of(mesh.control)

    done = client.ask("run", *JOB, "--ttl", "ten minutes")

    assert (done.rc, client.project.artifacts("job").exists()) == (64, False)
    assert "invalid --ttl" in done.stderr
    assert_no_units(mesh)
