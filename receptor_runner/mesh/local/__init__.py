"""A whole mesh on this machine: a real daemon for each node of a description, on loopback, below one directory."""

from __future__ import annotations

from receptor_runner.mesh.local.daemon import Daemon, find_receptor
from receptor_runner.mesh.local.mesh import LocalMesh

__all__ = ["Daemon", "LocalMesh", "find_receptor"]
