"""Checks of several files as the nodes of one mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, warning
from receptor_runner.receptor_config.schema import LISTENERS, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.document import Block, Document


def check_mesh(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    """Yield findings about node ids and links, each with the file it belongs to."""
    yield from _check_ids(documents)
    yield from _check_links(documents)


def _check_ids(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    seen: dict[str, str] = {}
    for document in documents:
        node, node_id = document.first("node"), document.node_id
        if node and node_id in seen:
            message = f"{seen[node_id]} has the node id {node_id} too; ids must be unique in a mesh"
            yield document, warning("duplicate-node-id", node.line_of("id"), message)
        if node_id:
            seen.setdefault(node_id, document.file)


def _check_links(documents: tuple[Document, ...]) -> Iterator[tuple[Document, Finding]]:
    """The two ends of a link are matched by port, for a host may have several names."""
    with_tls: dict[tuple[str, str], set[bool]] = {}
    for document in documents:
        for block in document.all(*LISTENERS):
            with_tls.setdefault((_protocol(block), block.text("port")), set()).add(bool(block.text("tls")))
    for document in documents:
        for block in document.all(*PEERS):
            port = block.text("address").rpartition(":")[2].partition("/")[0]
            ends = with_tls.get((_protocol(block), port))
            if ends and bool(block.text("tls")) not in ends:
                message = f"only one end of the link to {block.text('address')} uses TLS"
                yield document, warning("tls-one-sided", block.line, message)


def _protocol(block: Block) -> str:
    return block.kind.name.split("-")[0]
