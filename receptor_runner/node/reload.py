"""What the `reload` command of the control service compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
