"""Running a command line of Ansible's on a node: planned, packed, submitted, followed."""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.cli import messages, output, units
from receptor_runner.cli.node_options import (
    ConnectionOptions,
    NodesOptions,
    SocketOptions,
    TlsOptions,
    destination,
    open_local_node,
)
from receptor_runner.cli.output_options import OutputFormat
from receptor_runner.cli.terminal import NoQuestions, PersonAtTerminal
from receptor_runner.errors import OutputFailed
from receptor_runner.job import check_ident, new_ident

if TYPE_CHECKING:
    from receptor_runner.ansible_cli.command_line import CommandLine
    from receptor_runner.ansible_cli.plan import Plan
    from receptor_runner.cli.follow_options import FollowOptions
    from receptor_runner.cli.project_options import ProjectOptions

_LARGEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChoice:
    """The options that choose a node."""

    local: SocketOptions
    nodes: NodesOptions
    tls: TlsOptions
    connection: ConnectionOptions


def run_in_project(
    command: CommandLine,
    options: ProjectOptions,
    node: NodeChoice,
    follow: FollowOptions,
    output_format: OutputFormat,
) -> int:
    """Run a command line on a node; return the exit code.

    Args:
        command: the command line.
        options: the job's name, and where its artifacts go.
        node: where it runs.
        follow: how it is followed.
        output_format: what is printed of it.
    """
    from receptor_runner.ansible_cli.plan import make_plan
    from receptor_runner.ansible_cli.shipment import pack_plan
    from receptor_runner.cli.following import JobFollowing
    from receptor_runner.cli.live.display import JobDisplay
    from receptor_runner.cli.sliced_run import SlicedRun
    from receptor_runner.cli.submitting import interruptible, submit_shipment
    from receptor_runner.slices.project_work import work_of_plan

    terminal = NoQuestions() if options.list_files else PersonAtTerminal()
    plan = make_plan(command, _current_directory(), os.environ, terminal)
    if options.list_files:
        return _list_files(plan, json_output=output_format is OutputFormat.JSON)
    ident = check_ident(options.ident or new_ident())
    directory = options.artifacts or _user_directory()
    target = node.nodes.target()
    if node.nodes.in_slices:
        sliced = SlicedRun(
            directory=directory,
            ident=ident,
            nodes=node.nodes,
            destination=destination(node.connection, node.local, node.tls, target),
            follow=follow,
            rerun=options.rerun,
        )
        with interruptible(directory, ident):
            work = work_of_plan(plan, command, _current_directory(), os.environ, messages.note)
            return sliced.run(work, output_format)
    with JobDisplay(output_format) as display, interruptible(directory, ident):
        with open_local_node(node.local, node.tls, target) as opened:
            where = destination(node.connection, node.local, node.tls, target)
            following = JobFollowing(follow, where, display)
            shipment = pack_plan(plan, ident, messages.note, where.level(opened))
            record = submit_shipment(directory, shipment, where, opened, display, rerun=options.rerun)
        following.interrupts.catch()
        return following.follow(directory, record.ident)


def _user_directory() -> Path:
    from receptor_runner.system.directories import state_directories

    directory = next(state_directories(), None)
    if directory is None:
        raise OutputFailed(
            "no directory for the artifacts",
            cause="there is no home directory that can be written",
            hint="name one with --artifacts DIR",
        )
    return directory


def _current_directory() -> Path:
    """Return the directory in which the command was typed, by the name that the person uses for it."""
    named = os.environ.get("PWD", "")
    return Path(named) if named and os.path.realpath(named) == str(Path.cwd()) else Path.cwd()


def _list_files(plan: Plan, *, json_output: bool) -> int:
    from receptor_runner.ansible_cli.shipment import trees_of
    from receptor_runner.archive.pack import list_files

    files = sorted(list_files(trees_of(plan, messages.note)))
    if json_output:
        output.data({"schema": 1, "files": [{"name": name, "size": size} for name, size in files]})
        return 0
    for name, size in files:
        output.line(f"{units.size(size):>10}  {name}")
    total = f"{units.size(sum(size for _name, size in files)):>10}  in {len(files)} files"
    if len(files) <= _LARGEST:
        output.line(total)
        return 0
    output.line(f"{total}; the largest:")
    for name, size in heapq.nlargest(_LARGEST, files, key=lambda file: file[1]):
        output.line(f"{units.size(size):>10}  {name}")
    return 0
