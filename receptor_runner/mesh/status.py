"""How a mesh stands: when each certificate ends, and how each node is reached from a control node."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import MissingInput, pasteable
from receptor_runner.mesh.bundle import authority_certificate, default_directory, node_files
from receptor_runner.mesh.inventory import read_roles
from receptor_runner.mesh.reading import load_mesh
from receptor_runner.mesh.settings import CERTIFICATE, CONFIG
from receptor_runner.receptor_config.certificates import SOON, read_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from receptor_runner.mesh.description import Role
    from receptor_runner.receptor.nodes.mesh import MeshNode


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateState:
    """One certificate of a rendered directory.

    Args:
        path: its file.
        not_after: when it ends, UTC; None if it cannot be read.
        fault: why it cannot be read.
    """

    path: Path
    not_after: datetime | None = None
    fault: str | None = None

    def has_ended(self, now: datetime) -> bool:
        """Return whether it is of no use any more."""
        return self.not_after is not None and self.not_after <= now

    def ends_soon(self, now: datetime) -> bool:
        """Return whether it ends within 30 days, but not yet."""
        return self.not_after is not None and now < self.not_after <= now + SOON

    def days_left(self, now: datetime) -> int | None:
        """Return how many whole days are left, negative after its end; None if it cannot be read."""
        return (self.not_after - now).days if self.not_after else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The nodes that belong to a mesh, and where it is rendered.

    Args:
        roles: the role of each node; None where it is not known.
        directory: the rendered directory; None if there is none.
        socket: the control socket on the nodes' own hosts; None if it is not known.
    """

    roles: Mapping[str, Role | None]
    directory: Path | None
    socket: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One node.

    Args:
        name: its node id.
        role: its role, if that is known.
        certificate: its certificate, if the mesh has any.
        seen: what the control node knows of it; None if it knows nothing.
    """

    name: str
    role: Role | None
    certificate: CertificateState | None
    seen: MeshNode | None

    @property
    def is_reachable(self) -> bool:
        """Whether the control node has a route to it."""
        return self.seen is not None and self.seen.is_reachable


def read_members(path: Path, directory: Path | None = None) -> Members:
    """Return the nodes of a mesh.

    Args:
        path: a mesh.yml, or a directory that it was rendered to.
        directory: where a mesh.yml was rendered to, if not in the usual place.

    Raises:
        MissingInput: there is nothing, or no mesh.
        ConfigError: mesh.yml has errors, or the inventory in the directory cannot be read.
    """
    if path.is_dir():
        return Members(roles=_roles_of(path), directory=path)
    description = load_mesh(path)
    rendered = directory or default_directory(path)
    return Members(
        roles={node.name: node.role for node in description.nodes},
        directory=rendered if rendered.is_dir() else None,
        socket=description.socket,
    )


def _roles_of(directory: Path) -> dict[str, Role | None]:
    roles: dict[str, Role | None] = dict(read_roles(directory))
    # A mesh on this machine has no inventory.
    for config in sorted(directory.glob(f"*/*/{CONFIG}")):
        roles.setdefault(config.parent.parent.name, None)
    if not roles:
        hint = pasteable("receptor-runner", "mesh", "render", "-o", directory)
        raise MissingInput(f"no mesh was rendered to {directory}", cause="there is no node in it", hint=hint)
    return roles


def read_states(members: Members, seen: Mapping[str, MeshNode]) -> tuple[NodeState, ...]:
    """Return the state of each node.

    Args:
        members: the nodes of the mesh.
        seen: the nodes that a control node knows.
    """
    rendered = members.directory if read_authority(members) else None
    return tuple(
        NodeState(
            name=name,
            role=role,
            certificate=_state(node_files(rendered, name) / CERTIFICATE) if rendered else None,
            seen=seen.get(name),
        )
        for name, role in members.roles.items()
    )


def read_authority(members: Members) -> CertificateState | None:
    """Return the certificate of the authority; None if the mesh has none."""
    if members.directory is None:
        return None
    path = authority_certificate(members.directory)
    return _state(path) if path.exists() else None


def _state(path: Path) -> CertificateState:
    try:
        return CertificateState(path=path, not_after=read_certificate(path).not_after)
    except FileNotFoundError:
        return CertificateState(path=path, fault="missing")
    except OSError as fault:
        return CertificateState(path=path, fault=fault.strerror or str(fault))
    except ValueError:
        return CertificateState(path=path, fault="damaged")
