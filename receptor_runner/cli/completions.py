"""What the shell offers as values: names that files and nodes know. Whatever fails, fails silently, with no offer."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from receptor_runner.receptor.nodes.mesh import MeshNode

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

NODE_BUDGET_S = 0.3
"""How long the local node is waited for: a person is waiting for the next letter."""

_PLAYBOOKS = (".yml", ".yaml")


def _completer(names: Callable[[click.Context, str], Iterable[str]]) -> Completer:
    """Make a function that yields names one that click calls. The shell shows no error, so that none is raised."""

    @functools.wraps(names)
    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            found = sorted({name for name in names(context, incomplete) if name.startswith(incomplete)})
        except Exception:  # for whatever reason: a traceback would end up in the middle of a command line
            return []
        return [_item(name) for name in found]

    return complete


def _item(value: str, kind: str = "plain") -> CompletionItem:
    from click.shell_completion import CompletionItem  # only a shell needs it

    return CompletionItem(value, type=kind)


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a path."""
    return [_item(incomplete, "file")]


def directories(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete the path of a directory."""
    return [_item(incomplete, "dir")]


@_completer
def nodes(context: click.Context, _incomplete: str) -> Iterator[str]:
    """Yield the nodes of the mesh."""
    yield from _mesh(context)


@_completer
def work_types(context: click.Context, _incomplete: str) -> Iterator[str]:
    """Yield the work types of the target node, else of the local node."""
    mesh = _mesh(context)
    given = context.params.get("node") or ""
    named = mesh.get(given if isinstance(given, str) else given[0])
    target = named or next((node for node in mesh.values() if node.is_local), None)
    yield from target.work_types if target else ()


def _mesh(context: click.Context) -> Mapping[str, MeshNode]:
    """Return the nodes of the mesh, or none if the local node does not answer in time; none is started for this."""
    from receptor_runner.receptor.control.connection import Tls
    from receptor_runner.receptor.control.protocol import Control, Deadlines
    from receptor_runner.receptor.nodes.locate import locate
    from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, read_nodes

    local = locate(context.params.get("socket"))
    if local is None:
        return {}
    given = context.params
    tls = Tls(rootcas=given.get("rootcas"), key=given.get("key"), cert=given.get("cert"))
    deadlines = Deadlines(connect_s=NODE_BUDGET_S, reply_s=NODE_BUDGET_S)
    control = Control(local.socket, deadlines=deadlines, tls=tls)
    found: dict[str, MeshNode] = {}

    def ask() -> None:
        with contextlib.suppress(Exception):
            found.update(read_nodes(control.status(*MESH_FIELDS)))

    # A thread keeps the budget for everything at once: a name to resolve, the connection, the greeting, the reply.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NODE_BUDGET_S)
    return dict(found)


@_completer
def idents(context: click.Context, _incomplete: str) -> Iterator[str]:
    """Yield the jobs of DIR, else those of the user."""
    directory = context.params.get("private_data_dir")
    if directory:
        for name in ("unit.json", "slices.json"):
            yield from (path.parent.name for path in Path(directory).glob(f"artifacts/*/{name}"))
        return
    from receptor_runner.receptor.jobs.index import places

    yield from (place.ident for place in places())


@_completer
def playbooks(context: click.Context, incomplete: str) -> Iterator[str]:
    """Yield the playbooks of DIR, relative to its project, with directories that may hold more."""
    directory = Path(context.params.get("private_data_dir") or ".")
    project = directory / (context.params.get("project_dir") or "project")
    yield from _paths(project if project.is_dir() else directory, incomplete, _PLAYBOOKS)


@_completer
def inventories(context: click.Context, incomplete: str) -> Iterator[str]:
    """Yield the inventories of DIR."""
    directory = Path(context.params.get("private_data_dir") or ".") / "inventory"
    hidden = (f"{directory}/group_vars", f"{directory}/host_vars")
    for name in _paths(directory, incomplete.removeprefix("inventory/"), ("",)):
        if not f"{directory}/{name}".startswith(hidden):
            yield f"inventory/{name}"


def _paths(base: Path, incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Yield files below a directory, as deep as what is typed so far, and directories with a slash."""
    parent = incomplete.rpartition("/")[0]
    with os.scandir(base / parent) as entries:
        for entry in entries:
            name = f"{parent}/{entry.name}" if parent else entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield f"{name}/"
            elif entry.name.endswith(suffixes):
                yield name


@_completer
def profiles(_context: click.Context, _incomplete: str) -> Iterator[str]:
    """Yield the profiles of the configuration files."""
    from receptor_runner.cli.configuration.files import locations, read
    from receptor_runner.cli.configuration.settings import SETTINGS

    for location in locations(os.environ):
        with contextlib.suppress(Exception):  # the other file counts all the same
            found = read(location, SETTINGS)
            yield from found.profiles if found else ()


@_completer
def templates(_context: click.Context, _incomplete: str) -> Iterator[str]:
    """Yield the templates of receptor.yml."""
    from receptor_runner.receptor_config.templates import list_templates

    yield from (template.name for template in list_templates())


@_completer
def template_settings(context: click.Context, _incomplete: str) -> Iterator[str]:
    """Yield the settings of the template that was named."""
    from receptor_runner.receptor_config.templates import find_template

    template = find_template(context.params["name"])
    yield from (f"{setting.name}=" for setting in template.settings)
