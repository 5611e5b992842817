"""A pytest plugin for tests of Ansible projects: nodes, meshes, and playbooks that run on them.

`plugin` holds the options and fixtures that pytest loads. The names below are for the annotations of tests; each is
imported when it is first used, because pytest loads this package in every run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from receptor_runner.pytest_plugin.meshes import Mesh, ReceptorMesh
    from receptor_runner.pytest_plugin.nodes import Node
    from receptor_runner.pytest_plugin.playbooks import RunPlaybook
    from receptor_runner.pytest_plugin.results import Event, HostRecap, PlaybookResult

_HOMES = {
    "Event": "results",
    "HostRecap": "results",
    "Mesh": "meshes",
    "Node": "nodes",
    "PlaybookResult": "results",
    "ReceptorMesh": "meshes",
    "RunPlaybook": "playbooks",
}

__all__ = ["Event", "HostRecap", "Mesh", "Node", "PlaybookResult", "ReceptorMesh", "RunPlaybook"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
