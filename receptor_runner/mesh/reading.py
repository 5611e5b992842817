"""Reads mesh.yml: YAML with line numbers becomes a description; whatever cannot be read becomes a finding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError, MissingInput, pasteable
from receptor_runner.mesh.checks import check_description
from receptor_runner.mesh.description import MeshDescription
from receptor_runner.mesh.entries import Entries
from receptor_runner.mesh.node_reading import BAD_ROLE, read_nodes
from receptor_runner.receptor_config.document import Table
from receptor_runner.receptor_config.findings import Finding, Severity, error
from receptor_runner.receptor_config.yaml_tree import read_tree

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_FILE = "mesh.yml"
KEYS = (
    "name",
    "tls",
    "signed",
    "prefix",
    "venv",
    "datadir",
    "socket",
    "work_type",
    "execution_environment",
    "nodes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A mesh.yml after reading.

    Args:
        description: the mesh, as far as it could be read; None if the file is no map.
        findings: what is wrong with it, ordered by line.
    """

    description: MeshDescription | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the description unusable."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def load_mesh(path: Path) -> MeshDescription:
    """Return the mesh that a file describes.

    Raises:
        MissingInput: the file cannot be read.
        ConfigError: there are errors in it; the first one is the cause.
    """
    reading = read_mesh(read_text(path), file=str(path))
    if reading.errors or reading.description is None:
        raise _unusable(path, reading)
    return reading.description


def _unusable(path: Path, reading: Reading) -> ConfigError:
    first, *others = reading.errors
    more = f" (and {len(others)} more)" if others else ""
    return ConfigError(
        f"{path} has errors",
        cause=f"line {first.line}: {first.message}{more}",
        hint=pasteable("receptor-runner", "mesh", "check", path),
    )


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        MissingInput: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        hint = pasteable("receptor-runner", "mesh", "init", path)
        raise MissingInput(f"{path} does not exist", hint=hint) from fault
    except OSError as fault:
        raise MissingInput(f"cannot read {path}", cause=fault.strerror or str(fault)) from fault
    except UnicodeDecodeError as fault:
        raise MissingInput(f"cannot read {path}", cause=str(fault)) from fault


def read_mesh(text: str, *, file: str = "") -> Reading:
    """Read and check the text of a mesh.yml; nothing is raised, whatever the text.

    Args:
        text: the YAML.
        file: its name, for findings.
    """
    tree = read_tree(text, reader="receptor-runner")
    findings = list(tree.findings)
    description = None
    if isinstance(tree.root, Table):
        description = _read(Entries(tree.root, "a mesh.yml", findings))
    elif not findings:
        line = tree.root.line if tree.root else 1
        findings.append(
            error(
                "layout",
                line,
                "a mesh.yml is a map with the key nodes",
                "`receptor-runner mesh init new.yml` writes an example",
            )
        )
    if description:
        roles_known = not any(finding.code == BAD_ROLE for finding in findings)
        findings += check_description(description, roles_known=roles_known)
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.line)
    return Reading(
        description=description, findings=tuple(replace(finding, file=file) for finding in ordered)
    )


def _read(entries: Entries) -> MeshDescription:
    entries.refuse_unknown(KEYS)
    base = MeshDescription(name="mesh", nodes=())
    return MeshDescription(
        name=entries.text("name") or base.name,
        tls=entries.flag("tls", default=base.tls),
        signed=entries.flag("signed", default=base.signed),
        prefix=entries.text("prefix") or base.prefix,
        venv=entries.text("venv") or base.venv,
        datadir=entries.text("datadir") or base.datadir,
        socket=entries.text("socket") or base.socket,
        work_type=entries.text("work_type") or base.work_type,
        nodes=read_nodes(entries),
        lines=entries.lines(),
    )
