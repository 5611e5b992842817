"""Hints of errors about a node: pasted, their commands ask the node that the failed command asked."""

from __future__ import annotations

import re

import click

from receptor_runner.cli import parameters
from receptor_runner.errors import NodeUnavailable, pasteable

_ABOUT_A_NODE = re.compile(r"receptor-runner (?:nodes|doctor)\b")
_WITHOUT_A_HINT = "find out why, step by step: receptor-runner doctor"


def completed(error: NodeUnavailable) -> NodeUnavailable:
    """Return an error of the current command with a hint that names the socket which the command line named."""
    return error.with_hint(with_socket(error.hint or _WITHOUT_A_HINT))


def with_socket(hint: str) -> str:
    """Return a hint whose commands about a node name the socket which the command line named, if it did.

    A socket that the environment or a configuration file names is found by the next command too.
    """
    given = click.get_current_context().params.get("socket")
    if not given or not parameters.is_on_command_line("socket"):
        return hint
    return _ABOUT_A_NODE.sub(lambda command: f"{command[0]} {pasteable('--socket', given)}", hint)
