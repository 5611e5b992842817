"""What `playbook` and `adhoc` take besides Ansible's options and those about the node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from receptor_runner.cli import completions
from receptor_runner.cli.parameters import option


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOptions:
    """The job's name, and where its artifacts go."""

    ident: str | None = option(
        "--ident", shell_complete=completions.idents, help="The job's name. Default: a new one."
    )
    artifacts: Path | None = option(
        "--artifacts",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Put artifacts into DIR/artifacts/IDENT. Default: a directory of the user.",
    )
    rerun: bool = option("--rerun", is_flag=True, help="Replace an ended job of the same ident.")
    list_files: bool = option("--list-files", is_flag=True, help="List what would travel; run nothing.")
