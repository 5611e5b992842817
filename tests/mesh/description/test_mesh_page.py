"""The page about mesh.yml says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from receptor_runner.mesh.description import MeshDescription
from receptor_runner.mesh.linter import check_text
from receptor_runner.mesh.node_reading import NODE_KEYS
from receptor_runner.mesh.reading import KEYS
from tests.harness import CommandLine

PAGE = (Path(__file__).parents[3] / "docs/mesh.md").read_text()


def test_example_has_no_findings() -> None:
    """People may copy the description from the page."""
    example = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)[0]

    assert check_text(example) == []


def test_commands_work_as_written(command_line: CommandLine) -> None:
    """The commands of the page, in their order, succeed."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    commands = [
        line.split() for block in blocks for line in block.splitlines() if "receptor-runner mesh" in line
    ]

    assert len(commands) == 4
    for words in commands:
        done = command_line.ours(*words[1:])
        assert done.rc == 0, done.stderr


def test_every_key_is_explained() -> None:
    """Each key of the mesh and of a node has a row, with the default that the code has."""
    for key in {*KEYS, *NODE_KEYS} - {"nodes"}:
        assert re.search(rf"^\| `{key}` \|", PAGE, flags=re.MULTILINE), key
    defaults = MeshDescription(name="mesh", nodes=())
    for key in ("name", "prefix", "venv", "datadir", "socket", "work_type"):
        assert f"| `{key}` | `{getattr(defaults, key)}` |" in PAGE
