"""`receptor-runner --version`."""

from __future__ import annotations

from receptor_runner._version import __version__
from receptor_runner.cli import output
from receptor_runner.system.packages import installed_version


def print_versions() -> int:
    """Print the versions of receptor-runner, ansible-core and receptorctl; return the exit code."""
    output.line(f"receptor-runner {__version__}")
    for name in ("ansible-core", "receptorctl"):
        output.line(f"{name} {installed_version(name)}")
    return 0
