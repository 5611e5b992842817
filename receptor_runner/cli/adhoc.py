"""`receptor-runner adhoc`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from receptor_runner.ansible_cli.options import ADHOC_OPTIONS
from receptor_runner.cli import parameters
from receptor_runner.cli.ansible_options import takes_command_line
from receptor_runner.cli.commands import Command
from receptor_runner.cli.follow_options import FollowOptions
from receptor_runner.cli.node_options import (
    ConnectionOptions,
    NodesOptions,
    SocketOptions,
    TlsOptions,
)
from receptor_runner.cli.output_options import OutputOptions
from receptor_runner.cli.project_options import ProjectOptions
from receptor_runner.cli.project_run import NodeChoice, run_in_project

if TYPE_CHECKING:
    from receptor_runner.ansible_cli.command_line import CommandLine

EPILOG = """\b
Examples:
  receptor-runner adhoc all -m ping
  receptor-runner adhoc web -i hosts.ini -b -a 'systemctl restart nginx'
"""


@click.command(cls=Command, epilog=EPILOG)
@takes_command_line("ansible", ADHOC_OPTIONS, "PATTERN", many=False)
@parameters.takes("project", ProjectOptions)
@parameters.takes("local", SocketOptions)
@parameters.takes("nodes", NodesOptions)
@parameters.takes("tls", TlsOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.takes("follow", FollowOptions)
@parameters.takes("output", OutputOptions)
def adhoc(
    command_line: CommandLine,
    project: ProjectOptions,
    local: SocketOptions,
    nodes: NodesOptions,
    tls: TlsOptions,
    connection: ConnectionOptions,
    follow: FollowOptions,
    output: OutputOptions,
) -> int:
    """Run one module on hosts as ansible does, but on a node.

    Takes ansible's options. What travels is the same as with `playbook`.
    """
    node = NodeChoice(local=local, nodes=nodes, tls=tls, connection=connection)
    return run_in_project(command_line, project, node, follow, output.format())
