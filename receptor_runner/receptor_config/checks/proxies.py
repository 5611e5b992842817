"""Checks of the proxies between the mesh and other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.document import Document


def check_proxies(document: Document) -> Iterator[Finding]:
    """Yield findings about UDP proxies in a v2 file.

    Source: the daemon's v2 reader has both lists typed as its inbound TCP proxy, so it starts that for each of them.
    """
    if document.version == 2:
        for block in document.all("udp-server", "udp-client"):
            message = f"in v2 the daemon starts an inbound TCP proxy for a {block.kind.name}"
            yield error("udp-proxy-in-v2", block.line, message, "use the v1 form for UDP proxies")
