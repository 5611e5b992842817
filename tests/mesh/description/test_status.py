"""The state of a mesh: certificates from the rendered directory, reach from what a control node knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receptor_runner.errors import ConfigError, MissingInput
from receptor_runner.mesh.bundle import render_bundle
from receptor_runner.mesh.certificates import Validity
from receptor_runner.mesh.description import Role
from receptor_runner.mesh.reading import load_mesh
from receptor_runner.mesh.status import CertificateState, read_authority, read_members, read_states
from receptor_runner.receptor.nodes.mesh import MeshNode

MESH = """\
signed: false
nodes:
  control: {role: control, address: control.example.com}
  worker: {role: worker, address: worker.example.com, peers: [control]}
"""
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def mesh_file(tmp_path: Path) -> Path:
    """A mesh.yml that has been rendered in the usual place."""
    path = tmp_path / "mesh.yml"
    path.write_text(MESH)
    render_bundle(load_mesh(path), tmp_path / "out", validity=Validity(days=20))
    return path


@pytest.mark.parametrize("from_directory", [True, False])
def test_members_come_from_either(mesh_file: Path, from_directory: bool) -> None:
    """A mesh.yml and the directory it was rendered to name the same nodes, with their roles."""
    members = read_members(mesh_file.parent / "out" if from_directory else mesh_file)

    assert dict(members.roles) == {"control": Role.CONTROL, "worker": Role.WORKER}
    assert members.directory == mesh_file.parent / "out"


def test_state_joins_both_sides(mesh_file: Path) -> None:
    """A node has its certificate's end, and the route that the control node knows; one it does not know has none."""
    seen = {"control": MeshNode(node="control", is_local=True)}

    control, worker = read_states(read_members(mesh_file), seen)
    assert (control.is_reachable, worker.is_reachable) == (True, False)
    assert control.certificate
    assert control.certificate.days_left(datetime.now(UTC)) == 19
    assert control.certificate.ends_soon(datetime.now(UTC))


def test_lost_and_damaged_certificates_are_faults(mesh_file: Path) -> None:
    """What cannot be read says why."""
    (mesh_file.parent / "out/control/files/node.crt").unlink()
    (mesh_file.parent / "out/worker/files/node.crt").write_text("x")

    states = read_states(read_members(mesh_file), {})
    assert [state.certificate and state.certificate.fault for state in states] == ["missing", "damaged"]


def test_mesh_without_tls_has_no_certificates(tmp_path: Path) -> None:
    """There is nothing to end."""
    path = tmp_path / "mesh.yml"
    path.write_text("tls: false\n" + MESH)
    render_bundle(load_mesh(path), tmp_path / "out")

    members = read_members(path)
    assert read_authority(members) is None
    assert [state.certificate for state in read_states(members, {})] == [None, None]


def test_mesh_that_was_never_rendered(tmp_path: Path) -> None:
    """Its reach can be asked all the same."""
    path = tmp_path / "mesh.yml"
    path.write_text(MESH)

    assert read_members(path).directory is None


def test_directory_without_a_mesh(tmp_path: Path) -> None:
    """An empty directory is an error, and so is an inventory of somebody else's."""
    with pytest.raises(MissingInput, match="no mesh was rendered") as caught:
        read_members(tmp_path)
    assert caught.value.hint == f"receptor-runner mesh render -o {tmp_path}"

    (tmp_path / "inventory.yml").write_text("all: [a]\n")
    with pytest.raises(ConfigError, match="not the inventory of a mesh"):
        read_members(tmp_path)


@pytest.mark.parametrize(
    ("days", "soon", "ended"),
    [(-1, False, True), (0, False, True), (1, True, False), (30, True, False), (31, False, False)],
)
def test_ends(days: int, soon: bool, ended: bool) -> None:
    """A certificate ends soon within 30 days, and is over from its end on."""
    state = CertificateState(path=Path("x"), not_after=NOW + timedelta(days=days))

    assert (state.ends_soon(NOW), state.has_ended(NOW)) == (soon, ended)
