"""docs/ci.md: its project is tested by the steps of its CI examples, with nothing but our wheel installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.harness import Census
from tests.harness.wheels import shared_directory

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
BLOCK = re.compile(r"^```\w+\n# ([\w./-]+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FILES = dict(BLOCK.findall(PAGE.read_text()))
GITHUB, GITLAB = ".github/workflows/playbooks.yml", ".gitlab-ci.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a CI example.

    Attributes:
        name: what the example calls it, else the command itself.
        script: what the shell runs; None for an action.
        variables: the environment of the step.
    """

    name: str
    script: str | None
    variables: dict[str, str]

    @property
    def needs_network(self) -> bool:
        """Whether it fetches the daemon; here the one on PATH is used."""
        return self.script is None or "receptor_${VERSION}" in self.script


def github_steps() -> list[Step]:
    """Return the steps of the GitHub example."""
    steps: list[dict[str, Any]] = yaml.safe_load(FILES[GITHUB])["jobs"]["test"]["steps"]
    return [
        Step(name=step.get("name") or step["uses"], script=step.get("run"), variables=step.get("env", {}))
        for step in steps
    ]


def gitlab_steps() -> list[Step]:
    """Return the steps of the GitLab example."""
    job = yaml.safe_load(FILES[GITLAB])["playbooks"]
    lines = [*job["before_script"], *job["script"]]
    return [Step(name=line.split()[0], script=line, variables=job["variables"]) for line in lines]


EXAMPLES = {"github": github_steps(), "gitlab": gitlab_steps()}
NOT_RUN = [
    pytest.param(step, id=f"{name}-{step.name}")
    for name, steps in EXAMPLES.items()
    for step in steps
    if step.needs_network
]


@pytest.fixture
def interpreter(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `bin` directory of a fresh virtual environment, which is the test's alone meanwhile."""
    with shared_directory(tmp_path_factory) as directory:
        venv.create(directory / "ci", with_pip=True)
        yield directory / "ci" / "bin"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The page's project, in git."""
    directory = tmp_path / "checkout"
    for name, content in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    subprocess.run(["git", "init", "--quiet", directory], check=True)
    return directory


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_steps_of_an_example_work(
    example: str, interpreter: Path, checkout: Path, wheel: Path, short_dir: Path, receptor_bin: str
) -> None:
    """The commands of an example, in their order, install receptor-runner from its wheel and test the project."""
    census = Census()
    environment = {
        "PATH": os.pathsep.join([str(interpreter), str(Path(receptor_bin).parent), "/usr/bin:/bin"]),
        "HOME": str(short_dir),
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {wheel.parent}".strip(),
        **census.variables,
    }
    for step in EXAMPLES[example]:
        if step.script and not step.needs_network:
            done = subprocess.run(
                ["bash", "-e", "-c", step.script],
                cwd=checkout,
                env={**environment, **step.variables},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step.name}:\n{done.stdout}{done.stderr}"
    assert "passed" in done.stdout
    assert list(checkout.glob("artifacts/*test_deploy/artifacts/site-2/rc"))
    assert (checkout / "report.xml").is_file()
    census.check_empty()


@pytest.mark.parametrize("step", NOT_RUN)
def test_what_cannot_run_here(step: Step) -> None:
    """Actions and downloads are named; at least the shell understands the latter."""
    if step.script:
        shell = shutil.which("bash") or "/bin/bash"
        subprocess.run([shell, "-n", "-c", step.script], check=True)
    pytest.skip(f"`{step.name}` needs the network")
