"""Renders a mesh into a directory: each node's files, the certificate authority, systemd units, an inventory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError, OutputFailed
from receptor_runner.mesh.authority import Authority, KeyPair, make_signing_pair, verifying_key
from receptor_runner.mesh.certificates import Certificates, Validity, renew
from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.inventory import INVENTORY, inventory_text
from receptor_runner.mesh.node_config import node_config, places_on_host
from receptor_runner.mesh.output_tree import PRIVATE, File, exclusive, write_tree
from receptor_runner.mesh.settings import (
    AUTHORITY_CERTIFICATE,
    CERTIFICATE,
    CONFIG,
    KEY,
    SIGNING_KEY,
    VERIFYING_KEY,
    Places,
)
from receptor_runner.mesh.systemd import SERVICE, SYSCTL, SYSCTL_TEXT, service_text
from receptor_runner.receptor_config.findings import Severity
from receptor_runner.receptor_config.linter import check_documents
from receptor_runner.receptor_config.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from receptor_runner.receptor_config.findings import Finding

_CA, _CA_KEY, _FILES, _SYSTEMD = "ca", "ca.key", "files", "systemd"
_NODE_FILES = (
    CONFIG,
    AUTHORITY_CERTIFICATE,
    CERTIFICATE,
    KEY,
    SIGNING_KEY,
    VERIFYING_KEY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a run changed.

    Args:
        directory: the rendered directory.
        written: paths below it that were written.
        removed: paths below it that were removed: files that a node no longer needs.
        reasons: why a certificate was made, by the name of the node; the authority's under "".
        leftovers: directories of nodes that are no longer in mesh.yml.
    """

    directory: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]
    reasons: Mapping[str, str]
    leftovers: tuple[str, ...]


def default_directory(mesh_file: Path) -> Path:
    """Return the directory that a mesh.yml is rendered to unless another one is named."""
    return mesh_file.parent / "out"


def node_files(directory: Path, name: str) -> Path:
    """Return where the files of a node are in a rendered directory."""
    return directory / name / _FILES


def authority_certificate(directory: Path) -> Path:
    """Return where the certificate of the authority is in a rendered directory."""
    return directory / _CA / AUTHORITY_CERTIFICATE


def render_bundle(
    description: MeshDescription,
    directory: Path,
    *,
    validity: Validity | None = None,
    places: Callable[[MeshNode], Places] | None = None,
) -> Rendered:
    """Render a mesh. What is there and still good is not touched; if anything fails, nothing is changed.

    Args:
        description: the mesh, without errors.
        directory: where everything goes.
        validity: lifetimes of certificates.
        places: where the files of a node will be on this machine; None for its own host, then with systemd units and
            an inventory.

    Raises:
        ConfigError: the daemon would refuse a config, or a key cannot be used.
        OutputFailed: the directory cannot be written, or another run uses it.
    """
    configs = _configs(description, places)
    _check(configs)
    with exclusive(directory):
        keys = _Keys(description, directory)
        certificates = keys.certificates(validity or Validity()) if description.tls else None
        files = {**_authority_files(certificates), **keys.signing_files()}
        for node in description.nodes:
            files |= _below(
                node.name, _FILES, _files_of(node, configs[node.name], certificates, keys.signing)
            )
            if places is None:
                files |= _below(node.name, _SYSTEMD, _host_files(description, node))
        if places is None:
            files[INVENTORY] = File(content=inventory_text(description).encode())
        written = write_tree(directory, files)
        return Rendered(
            directory=directory,
            written=written,
            removed=_remove_stale(directory, description, files),
            reasons=certificates.reasons if certificates else {},
            leftovers=_leftovers(directory, description),
        )


def _configs(description: MeshDescription, places: Callable[[MeshNode], Places] | None) -> dict[str, str]:
    return {
        node.name: node_config(
            description,
            node,
            places(node) if places else places_on_host(description, node),
            on_this_machine=places is not None,
        )
        for node in description.nodes
    }


def check_configs(configs: Mapping[str, str]) -> list[Finding]:
    """Lint the receptor.yml of every node, all of them as one mesh; a finding's file is the name of the node."""
    documents = [parse(text, file=name) for name, text in configs.items()]
    return check_documents(documents, on_this_machine=False)


def _check(configs: Mapping[str, str]) -> None:
    for finding in check_configs(configs):
        if finding.severity is Severity.ERROR:
            raise ConfigError(
                f"the receptor.yml of node `{finding.file}` would not work",
                cause=finding.message,
                hint=finding.hint,
            )


class _Keys:
    """The keys that a rendered directory holds already.

    Raises:
        ConfigError: some cannot be used.
    """

    def __init__(self, description: MeshDescription, directory: Path) -> None:
        self._description = description
        self._directory = directory
        self.signing = self._signing() if description.signed else None

    def certificates(self, validity: Validity) -> Certificates:
        """Return the certificates that the mesh is to have."""
        held = {
            node.name: pair
            for node in self._description.nodes
            if (pair := self._pair_of(node_files(self._directory, node.name)))
        }
        return renew(self._description, self._authority(), held, validity)

    def signing_files(self) -> dict[str, File]:
        """Return the files of the signing pair in the authority's directory."""
        if self.signing is None:
            return {}
        return _below(
            _CA,
            "",
            {
                SIGNING_KEY: File(content=self.signing.private, mode=PRIVATE),
                VERIFYING_KEY: File(content=self.signing.public),
            },
        )

    def _authority(self) -> Authority | None:
        certificate, key = (self._directory / _CA / name for name in (AUTHORITY_CERTIFICATE, _CA_KEY))
        if not certificate.exists() and not key.exists():
            return None
        try:
            return Authority.load(KeyPair(public=certificate.read_bytes(), private=key.read_bytes()))
        except (OSError, ValueError) as fault:
            raise _unusable("certificate authority", certificate.parent, fault) from fault

    def _signing(self) -> KeyPair:
        path = self._directory / _CA / SIGNING_KEY
        try:
            private = path.read_bytes()
            return KeyPair(private=private, public=verifying_key(private))
        except FileNotFoundError:
            return make_signing_pair()
        except (OSError, ValueError) as fault:
            raise _unusable("signing key", path, fault) from fault

    @staticmethod
    def _pair_of(files: Path) -> KeyPair | None:
        try:
            return KeyPair(
                public=(files / CERTIFICATE).read_bytes(),
                private=(files / KEY).read_bytes(),
            )
        except FileNotFoundError:
            return None
        except OSError as failure:
            raise OutputFailed(f"cannot read {failure.filename}", cause=failure.strerror) from failure


def _unusable(what: str, path: Path, fault: Exception) -> ConfigError:
    cause = (fault.strerror if isinstance(fault, OSError) else None) or str(fault).splitlines()[0]
    return ConfigError(
        f"cannot use the {what} in {path}",
        cause=cause,
        hint=f"restore {path} from a backup; without it, every node needs new keys",
    )


def _authority_files(certificates: Certificates | None) -> dict[str, File]:
    if certificates is None:
        return {}
    pair = certificates.authority.pair()
    held = {
        AUTHORITY_CERTIFICATE: File(content=pair.public),
        _CA_KEY: File(content=pair.private, mode=PRIVATE),
    }
    return _below(_CA, "", held)


def _files_of(
    node: MeshNode, config: str, certificates: Certificates | None, signing: KeyPair | None
) -> dict[str, File]:
    files = {CONFIG: File(content=config.encode())}
    if certificates:
        pair = certificates.nodes[node.name]
        files[AUTHORITY_CERTIFICATE] = File(content=certificates.authority.pair().public)
        files[CERTIFICATE] = File(content=pair.public)
        files[KEY] = File(content=pair.private, mode=PRIVATE)
    if signing and node.role is Role.CONTROL:
        files[SIGNING_KEY] = File(content=signing.private, mode=PRIVATE)
    if signing and node.role is Role.WORKER:
        files[VERIFYING_KEY] = File(content=signing.public)
    return files


def _host_files(description: MeshDescription, node: MeshNode) -> dict[str, File]:
    return {
        SERVICE: File(content=service_text(description, node).encode()),
        SYSCTL: File(content=SYSCTL_TEXT.encode()),
    }


def _below(first: str, second: str, files: Mapping[str, File]) -> dict[str, File]:
    return {str(Path(first, second, name)): file for name, file in files.items()}


def _remove_stale(directory: Path, description: MeshDescription, kept: Iterable[str]) -> tuple[str, ...]:
    """Remove files of ours that a node no longer needs, such as the signing key of a former control node."""
    possible = (str(Path(node.name, _FILES, name)) for node in description.nodes for name in _NODE_FILES)
    stale = [name for name in possible if name not in kept and (directory / name).exists()]
    for name in stale:
        (directory / name).unlink()
    return tuple(stale)


def _leftovers(directory: Path, description: MeshDescription) -> tuple[str, ...]:
    names = {node.name for node in description.nodes}
    found = (path.parent.parent.name for path in directory.glob(f"*/{_FILES}/{CONFIG}"))
    return tuple(sorted(set(found) - names))
