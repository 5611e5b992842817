"""The `reload` command of the control service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError

if TYPE_CHECKING:
    from receptor_runner.node.requests import Request
    from receptor_runner.node.settings import NodeSettings
    from receptor_runner.node.state import NodeState
    from receptor_runner.receptor_config.document import Block

# The daemon can also reload listeners and peers, which a local node does not have.
_RELOADABLE = ("local-only",)


def find_change(old: tuple[Block, ...], new: tuple[Block, ...]) -> str | None:
    """Return why a changed file requires a restart, None if a reload is enough.

    Args:
        old: the blocks that the node runs with.
        new: the blocks that the file has now.

    Source: the texts are the daemon's own; clients match on them.
    """
    before = {block.content(): block.kind.name for block in old if block.kind.name not in _RELOADABLE}
    after = {block.content(): block.kind.name for block in new if block.kind.name not in _RELOADABLE}
    for name in (name for content, name in after.items() if content not in before):
        return (
            f"a non-reloadable config action '{name}' was modified or added. "
            "Must restart receptor for these changes to take effect"
        )
    for name in (name for content, name in before.items() if content not in after):
        return (
            f"a non-reloadable config action '{name}' was removed. "
            "Must restart receptor for changes to take effect"
        )
    return None


def reload(node: NodeState, _request: Request) -> dict[str, object]:
    """Compare the configuration file with what runs; a local node has nothing else to reload."""
    problem, code = _check_reload(node.settings)
    if problem is None:
        return {"Success": True}
    return {"Success": False, "Error": f"{problem} ERRORCODE {code}"}


def _check_reload(settings: NodeSettings) -> tuple[str | None, int]:
    if settings.source is None:
        return "no configuration file was provided, reload function not set", 4
    from receptor_runner.node.configuration import read_document  # a job's node does without a YAML parser

    try:
        return find_change(settings.blocks, read_document(settings.source).blocks), 3
    except ConfigError as error:
        return f"error loading config file: {error}", 4
