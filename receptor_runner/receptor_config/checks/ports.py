"""Checks of port numbers."""

from __future__ import annotations

from receptor_runner.receptor_config.findings import Finding, error

_HIGHEST_PORT = 65535


def check_port(address: str, line: int) -> list[Finding]:
    """Return a finding if the port number is too high.

    Args:
        address: a port, or host and port.
        line: where it is written.
    """
    port = address.rpartition(":")[2]
    if port.isdecimal() and int(port) > _HIGHEST_PORT:
        return [error("bad-port", line, f"port {port} is out of range (at most {_HIGHEST_PORT})")]
    return []
