"""The test harness: the one place for everything that several test modules share.

    from tests.harness import Commands, Project, ServedNode, wait_until

The fixtures that hand these out are in `tests/conftest.py`.
"""

from __future__ import annotations

from tests.harness.clients import Client
from tests.harness.commands import Commands, Finished, finish
from tests.harness.control import ControlClient, ask_node
from tests.harness.environment import (
    BIN,
    OURS,
    UNPRIVILEGED,
    free_port,
    isolated_environment,
    short_directory,
)
from tests.harness.gate import Gate
from tests.harness.in_process import CommandLine
from tests.harness.nodes import NODE_KINDS, NodeFactory, ServedNode, find_receptor, render_node
from tests.harness.processes import (
    Census,
    Headless,
    is_running,
    kill_processes_of,
    processes_of,
)
from tests.harness.projects import INTRODUCTION, LOCALHOST, Project, contents, read_events
from tests.harness.ssh import Sshd, User, find_sshd, make_key, make_user, python_for, remove_user
from tests.harness.terminals import PseudoTerminal
from tests.harness.transports import Pipe, Ran, Through, Transport
from tests.harness.waiting import wait_until

__all__ = [
    "BIN",
    "INTRODUCTION",
    "LOCALHOST",
    "NODE_KINDS",
    "OURS",
    "UNPRIVILEGED",
    "Census",
    "Client",
    "CommandLine",
    "Commands",
    "ControlClient",
    "Finished",
    "Gate",
    "Headless",
    "NodeFactory",
    "Pipe",
    "Project",
    "PseudoTerminal",
    "Ran",
    "ServedNode",
    "Sshd",
    "Through",
    "Transport",
    "User",
    "ask_node",
    "contents",
    "find_receptor",
    "find_sshd",
    "finish",
    "free_port",
    "is_running",
    "isolated_environment",
    "kill_processes_of",
    "make_key",
    "make_user",
    "processes_of",
    "python_for",
    "read_events",
    "remove_user",
    "render_node",
    "short_directory",
    "wait_until",
]
