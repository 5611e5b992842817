"""Certificates that are renewed while a job runs: nodes restart one after the other, and the job's results arrive."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from receptor_runner.mesh.bundle import authority_certificate, node_files, render_bundle
from receptor_runner.mesh.certificates import Validity
from receptor_runner.mesh.description import MeshDescription, MeshNode
from receptor_runner.mesh.local import Daemon
from receptor_runner.mesh.local.ports import free_ports
from receptor_runner.mesh.reading import read_mesh
from receptor_runner.mesh.settings import CERTIFICATE, KEY, Places
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, read_nodes
from receptor_runner.receptor_config.template_settings import WORKER
from tests.harness import Client, Commands, Gate, Project, wait_until

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.timeout(300)]

MESH = """\
nodes:
  control: {role: control, address: 127.0.0.1, port: %d}
  worker: {role: worker, address: 127.0.0.1, peers: [control]}
"""
LONGEST_WAIT_S = 200


@dataclass
class Site:
    """Two real daemons whose files are rendered again while they run."""

    directory: Path
    description: MeshDescription
    daemons: dict[str, Daemon] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the daemons; nothing is written or started yet."""
        self.daemons = {
            node.name: Daemon(name=node.name, directory=self.directory / node.name)
            for node in self.description.nodes
        }

    def render(self, **validity: int) -> dict[str, str]:
        """Render everything, as of now or of `ago` days ago; return why certificates were made."""
        now = datetime.now(UTC) - timedelta(days=validity.pop("ago", 0))
        made = render_bundle(
            self.description, self.directory, validity=Validity(now=now, **validity), places=self._places
        )
        return dict(made.reasons)

    def _places(self, node: MeshNode) -> Places:
        daemon = self.daemons[node.name]
        return Places(
            directory=daemon.config.parent,
            datadir=str(daemon.datadir),
            socket=str(daemon.socket),
            program=WORKER,
            listen=node.endpoint if node.port else "",
            peers=tuple(self.description.node(peer).endpoint for peer in node.peers),
        )

    def restart(self, name: str) -> None:
        """Restart one node, and wait until the control node has a route to the worker again."""
        self.daemons[name].stop()
        self.daemons[name].start()
        self.await_worker()

    def await_worker(self) -> None:
        """Wait until the control node knows the worker and what it offers."""

        def knows() -> bool:
            seen = read_nodes(Control(str(self.daemons["control"].socket)).status(*MESH_FIELDS)).get("worker")
            return bool(seen and seen.is_reachable and seen.worker_type)

        wait_until(knows, "the control node knows the worker", deadline_s=LONGEST_WAIT_S)

    def served(self) -> x509.Certificate:
        """Return the certificate that the control node's listener shows to the worker."""
        files = node_files(self.directory, "worker")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(files / CERTIFICATE, files / KEY)
        import socket

        address = ("127.0.0.1", self.description.node("control").port or 0)
        with socket.create_connection(address, timeout=10) as plain, context.wrap_socket(plain) as link:
            der = link.getpeercert(binary_form=True)
            assert der
            return x509.load_der_x509_certificate(der)

    def certificate(self, name: str) -> x509.Certificate:
        """Return the certificate in a node's files."""
        return x509.load_pem_x509_certificate((node_files(self.directory, name) / CERTIFICATE).read_bytes())

    def authorities(self) -> list[x509.Certificate]:
        """Return the authorities that nodes trust."""
        return x509.load_pem_x509_certificates(authority_certificate(self.directory).read_bytes())


@pytest.fixture
def site(receptor_bin: str, short_dir: Path) -> Iterator[Site]:
    """A control node and a worker whose authority ends in fifty days, and whose certificates end in twenty."""
    description = read_mesh(MESH % free_ports(1)[0]).description
    assert description
    made = Site(short_dir, description)
    made.render(ago=3600)
    assert set(made.render(days=20)) == {"control", "worker"}
    try:
        for daemon in made.daemons.values():
            daemon.start()
        made.await_worker()
        yield made
    finally:
        for daemon in made.daemons.values():
            daemon.stop()


def test_job_survives_the_renewal_of_everything(
    site: Site, commands: Commands, project: Project, tmp_path: Path
) -> None:
    """The authority and every certificate are replaced, nodes restart one by one, and the running job ends well.

    The nodes never agree on all files: each trusts the other's certificate at every step.
    """
    gate = Gate(tmp_path)
    project.playbook(f"- shell: {gate.script!r}\n- debug: msg='it went on'")
    client = Client(commands, project, site.daemons["control"].socket)
    running = client.start("run", "-p", "test.yml", "-i", "job", "--node", "worker")
    gate.await_job()
    before = site.certificate("control")

    reasons = site.render(renew_days=30)
    assert set(reasons) == {"", "control", "worker"}
    assert len(site.authorities()) == 2
    assert site.served() == before, "a daemon reads its certificate when it starts"
    site.restart("worker")
    site.restart("control")
    assert site.served() == site.certificate("control")

    assert set(site.render(renew_days=60)) == {"control", "worker"}
    site.certificate("worker").verify_directly_issued_by(site.authorities()[0])
    site.restart("worker")
    gate.open()
    _, stderr = running.communicate(timeout=LONGEST_WAIT_S)
    assert (running.returncode, client.read("status")) == (0, "successful"), stderr
    assert "it went on" in client.read("stdout")
    assert gate.runs == 1
