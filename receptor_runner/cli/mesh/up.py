"""`receptor-runner mesh up`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import completions, messages, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh import local_options
from receptor_runner.cli.mesh.signals import ignoring_signals, signals_as_errors
from receptor_runner.cli.parameters import option
from receptor_runner.errors import UsageError, pasteable

if TYPE_CHECKING:
    from receptor_runner.mesh.description import MeshDescription
    from receptor_runner.mesh.local import LocalMesh

EPILOG = """\b
Examples:
  receptor-runner mesh up
  receptor-runner mesh up --workers 3 --hops 1
  receptor-runner mesh up mesh.yml --dir /tmp/trial
\b
It prints the command that runs a job there:
  receptor-runner run DIR -p site.yml --socket PATH --node worker
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeOptions:
    """The mesh that is started without a mesh.yml; None for what is usual."""

    workers: int | None = option(
        "--workers",
        type=click.IntRange(1, 99),
        metavar="N",
        help="Without FILE: how many workers, 1 by default.",
    )
    hops: int | None = option(
        "--hops",
        type=click.IntRange(0, 99),
        metavar="N",
        help="Without FILE: how many hops between the control node and the workers, 0 by default.",
    )
    tls: bool | None = option(
        "--tls/--no-tls", default=None, help="Without FILE: mutual TLS (the default), or none."
    )
    signed: bool | None = option(
        "--signed/--no-signed",
        default=None,
        help="Without FILE: workers accept only signed work (the default), or unsigned work.",
    )

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@click.command(cls=Command, epilog=EPILOG)
@click.argument("file", required=False, type=click.Path(path_type=Path), shell_complete=completions.files)
@local_options.directory
@parameters.timeout(90.0, "How long to wait until the workers can take jobs.")
@parameters.takes("shape", ShapeOptions)
@parameters.as_json
def up(
    file: Path | None, directory: Path | None, timeout: float, shape: ShapeOptions, json_output: bool
) -> None:
    """Start every node of the mesh that FILE describes on this machine, and wait until jobs can be sent.

    Each node is a real receptor daemon on loopback; addresses, ports and paths in FILE are replaced, and everything is
    below one directory. Without FILE, ./mesh.yml is used if it exists, else what `mesh init` would write. The mesh goes
    on after this command, until `mesh down`. If it is running already, nodes that have ended are started again.
    """
    from receptor_runner.mesh.local import LocalMesh, find_receptor
    from receptor_runner.mesh.local.directory import default_directory

    find_receptor()
    description = _describe(file, shape)
    mesh = LocalMesh(description, directory or default_directory(), report=messages.note)
    with signals_as_errors("the mesh is not started"), mesh.alone():
        _start(mesh, timeout)
    if json_output:
        output.data(_as_data(mesh))
    else:
        _print(mesh, is_default=directory is None)


def _describe(file: Path | None, shape: ShapeOptions) -> MeshDescription:
    from receptor_runner.mesh.reading import DEFAULT_FILE, load_mesh
    from receptor_runner.mesh.sample import sample_mesh

    given = shape.given()
    if file is None and not given and Path(DEFAULT_FILE).exists():
        file = Path(DEFAULT_FILE)
        messages.note(f"using ./{file}")
    if file is None:
        return sample_mesh(**given)
    if given:
        names = ", ".join(f"--{name}" for name in given)
        raise UsageError(f"{names} cannot be given with {file}", cause="the file describes the mesh")
    return load_mesh(file)


def _start(mesh: LocalMesh, timeout_s: float) -> None:
    """Start the mesh; if that fails, leave nothing that was not there before."""
    was_running = mesh.is_running()
    try:
        mesh.write()
        if was_running:
            messages.note(f"the mesh is already running in {mesh.directory}")
        mesh.start(timeout_s=timeout_s)
    except BaseException:
        with ignoring_signals():
            mesh.undo()
        raise


def _as_data(mesh: LocalMesh) -> dict[str, Any]:
    nodes = [
        {
            "node": node.name,
            "role": node.role.value,
            "socket": str(daemon.socket),
            "config": str(daemon.config),
            "log": str(daemon.log),
            "pid": daemon.pid,
        }
        for node, daemon in zip(mesh.description.nodes, mesh.daemons, strict=True)
    ]
    return {"schema": 1, "name": mesh.description.name, "directory": str(mesh.directory), "nodes": nodes}


def _print(mesh: LocalMesh, *, is_default: bool) -> None:
    from receptor_runner.mesh.description import Role

    nodes = mesh.description.nodes
    sockets = {node.name: str(mesh.daemon(node.name).socket) for node in nodes}
    output.table(
        [["node", "role", "socket"], *([node.name, node.role.value, sockets[node.name]] for node in nodes)]
    )
    controls, workers = mesh.description.with_role(Role.CONTROL), mesh.description.with_role(Role.WORKER)
    down = pasteable("receptor-runner", "mesh", "down", *(() if is_default else ("--dir", mesh.directory)))
    output.line("")
    if controls and workers:
        where = pasteable("--socket", sockets[controls[0].name], "--node", workers[0].name)
        output.line(f"run a job:  receptor-runner run DIR -p site.yml {where}")
    output.line(f"stop it:    {down}")
