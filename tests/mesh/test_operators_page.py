"""The operators' page: its commands, run in their order, lead to a mesh of five nodes with TLS and signed work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.mesh.description import Role
from receptor_runner.mesh.local.directory import MeshDirectory
from receptor_runner.mesh.local.processes import receptor_processes
from receptor_runner.mesh.reading import load_mesh
from tests.harness import Commands

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.usefixtures("receptor_bin")]

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


@pytest.fixture
def place(short_dir: Path, commands: Commands) -> Iterator[Path]:
    """A directory to work in, whose mesh is gone at the end."""
    commands.cwd = short_dir
    yield short_dir
    mesh = MeshDirectory(short_dir / "trial")
    if mesh.holds_mesh():
        mesh.remove()


@pytest.mark.timeout(300)
def test_page_works_word_for_word(place: Path, commands: Commands) -> None:
    """Every command of the page succeeds, the jobs' artifacts are there, and in the end nothing else is."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)

    done = commands.run("bash", "-c", "\n".join(["set -eo pipefail", *blocks]), timeout_s=280)

    assert done.rc == 0, done.text + done.stderr
    assert len(re.findall("^starting node `", done.stderr, flags=re.MULTILINE)) >= 6, (
        "five, and one that was killed"
    )
    for ident in ("first", "second"):
        assert (place / "demo" / "artifacts" / ident / "rc").read_text().strip() == "0"
    assert "\n{}\n" in done.text, "no unit was left after the refusals"
    assert not (place / "trial").exists()
    assert receptor_processes(place) == set()


def test_page_describes_what_init_writes(place: Path, commands: Commands) -> None:
    """The nodes on the page are those of the file: five, of which two are hops, with TLS and signed work."""
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    (place / "shown.yml").write_text(shown)

    assert commands.ours("mesh", "init", "--workers", "2", "--hops", "2").rc == 0

    mesh, on_page = load_mesh(place / "mesh.yml"), load_mesh(place / "shown.yml")
    assert mesh.nodes == on_page.nodes
    assert (len(mesh.nodes), len(mesh.with_role(Role.HOP)), mesh.tls, mesh.signed) == (5, 2, True, True)
