"""`receptor-runner playbook`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from receptor_runner.ansible_cli.options import PLAYBOOK_OPTIONS
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
  receptor-runner playbook site.yml
  receptor-runner playbook -i inventory.ini -l web -K site.yml --node exec1
  receptor-runner playbook site.yml --list-files
"""


@click.command(cls=Command, epilog=EPILOG)
@takes_command_line("ansible-playbook", PLAYBOOK_OPTIONS, "PLAYBOOK...", many=True)
@parameters.takes("project", ProjectOptions)
@parameters.takes("local", SocketOptions)
@parameters.takes("nodes", NodesOptions)
@parameters.takes("tls", TlsOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.takes("follow", FollowOptions)
@parameters.takes("output", OutputOptions)
def playbook(
    command_line: CommandLine,
    project: ProjectOptions,
    local: SocketOptions,
    nodes: NodesOptions,
    tls: TlsOptions,
    connection: ConnectionOptions,
    follow: FollowOptions,
    output: OutputOptions,
) -> int:
    """Run playbooks as ansible-playbook does, but on a node.

    Takes ansible-playbook's options. The project, which is the git repository or the directory of ansible.cfg, travels
    to the node without what git ignores; files outside of it that the options name travel too. Passwords are asked
    for here. The artifacts go to a directory of the user, not into the project.
    """
    node = NodeChoice(local=local, nodes=nodes, tls=tls, connection=connection)
    return run_in_project(command_line, project, node, follow, output.format())
