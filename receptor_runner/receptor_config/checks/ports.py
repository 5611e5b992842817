"""Looks at the port numbers that a config names."""

from __future__ import annotations

from receptor_runner.receptor_config.findings import Finding, error

_HIGHEST_PORT = 65535


def check_port(address: str, line: int) -> list[Finding]:
    """Return a finding when there is no such port.

    Args:
        address: a port, or host and port.
        line: where it is written.
    """
    port = address.rpartition(":")[2]
    if port.isdecimal() and int(port) > _HIGHEST_PORT:
        return [error("bad-port", line, f"there is no port {port}")]
    return []
