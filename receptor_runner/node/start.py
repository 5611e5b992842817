"""The program behind an embedded node's processes: a job's node, and the command runners of its units.

It is run by its path with `python -S -P`: both processes need the standard library and this package only, and leaving
out `site` halves the start of an interpreter.

    start.py node DIRECTORY
    start.py command-runner UNITDIR COMMAND
"""

from __future__ import annotations

import sys


def main(argv: list[str]) -> int:
    """Run one of the two programs and return its exit status."""
    sys.path.append(__file__.removesuffix("/receptor_runner/node/start.py"))
    program, *arguments = argv
    if program == "node":
        from receptor_runner.node.job_node import main as run
    else:
        from receptor_runner.node.command_runner import main as run
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
