"""The receptor.yml of the local node: the one that was named, else the one that its process was started with."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError, NodeUnavailable
from receptor_runner.receptor.control.protocol import Control

if TYPE_CHECKING:
    from receptor_runner.receptor_config.document import Document


def find_config(control: Control) -> Path | None:
    """Return the file that the local node was started with, from its command line; None if that cannot be seen."""
    try:
        process = Path(f"/proc/{control.process_id()}")
        words = (process / "cmdline").read_text().split("\0")
        named = next(value for key, value in itertools.pairwise(words) if key in {"--config", "-c"})
        return Path(named) if Path(named).is_absolute() else (process / "cwd").readlink() / named
    except (OSError, UnicodeDecodeError, StopIteration, NodeUnavailable):
        return None


def read_config(path: Path, node_id: str) -> Document:
    """Read the local node's receptor.yml.

    Args:
        path: the file.
        node_id: the id of the local node.

    Raises:
        ConfigError: it cannot be read, or is another node's.
    """
    from receptor_runner.receptor_config.parse import parse

    try:
        document = parse(path.read_text(), file=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", cause=str(error)) from error
    if document.node_id not in {"", node_id}:
        raise ConfigError(
            f"{path} is not the receptor.yml of the local node",
            cause=f"it belongs to node `{document.node_id}`; the local node is `{node_id}`",
        )
    return document
