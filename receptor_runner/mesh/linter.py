"""Checks a mesh.yml: first what it says, then what would be rendered from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.errors import RunnerError
from receptor_runner.mesh.bundle import check_configs
from receptor_runner.mesh.node_config import node_config, places_on_host
from receptor_runner.mesh.reading import read_mesh, read_text
from receptor_runner.receptor_config.findings import Finding, Severity, error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from receptor_runner.mesh.description import MeshDescription


def check_file(path: Path) -> list[Finding]:
    """Return the findings about a mesh.yml, ordered by line.

    Raises:
        MissingInput: the file cannot be read.
    """
    return check_text(read_text(path), file=str(path))


def check_text(text: str, *, file: str = "") -> list[Finding]:
    """Return the findings about the text of a mesh.yml, ordered by line."""
    reading = read_mesh(text, file=file)
    findings = list(reading.findings)
    if reading.description and not reading.errors:
        # What mesh.yml says for all nodes is reported once, not for each of them again.
        known = {finding.code for finding in findings}
        findings += [found for found in _check_configs(reading.description, file) if found.code not in known]
    return sorted(findings, key=lambda finding: finding.line)


def _check_configs(description: MeshDescription, file: str) -> Iterator[Finding]:
    """Yield what the linter of receptor.yml says about the nodes; their line in mesh.yml stands for its own."""
    configs: dict[str, str] = {}
    for node in description.nodes:
        try:
            configs[node.name] = node_config(description, node, places_on_host(description, node))
        except RunnerError as fault:
            yield _for_node(
                error("receptor-config", node.line, str(fault), fault.hint), node.name, file, node.line
            )
    for finding in check_configs(configs):
        if finding.severity is not Severity.NOTE:
            yield _for_node(finding, finding.file, file, description.node(finding.file).line)


def _for_node(finding: Finding, node: str, file: str, line: int) -> Finding:
    return Finding(
        file=file,
        line=line,
        severity=finding.severity,
        code=finding.code,
        message=f"receptor.yml of node `{node}`: {finding.message}",
        hint=finding.hint,
    )
