"""The wheel: what is in it, and that a job runs with nothing but it."""

from __future__ import annotations

import tomllib
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.harness import Commands, Project
from tests.harness.wheels import run_packaging, shared_directory

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` directory of a virtual environment that holds the wheel and what it depends on, nothing else."""
    with shared_directory(tmp_path_factory) as directory:
        home = directory / "venv"
        if not (home / "complete").exists():
            venv.create(home, with_pip=True, clear=True)
            run_packaging([str(home / "bin/pip"), "install", "--quiet", str(wheel)], "installing the wheel")
            (home / "complete").touch()
    return home / "bin"


def metadata(archive: zipfile.ZipFile, name: str) -> Message:
    """Return a file of the wheel's metadata directory."""
    (path,) = [path for path in archive.namelist() if path.endswith(f".dist-info/{name}")]
    return message_from_bytes(archive.read(path))


def test_wheel_holds_the_whole_package(wheel: Path) -> None:
    """The wheel holds every module, the callback plugin, type marker, templates and man page; nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "receptor_runner").rglob("*.py")}
    templates = {f"receptor_runner/configs/{path.name}" for path in (ROOT / "configs").glob("*.j2")}
    assert {"receptor_runner/py.typed", "receptor_runner/configs/local.yml.j2"} <= names
    assert "receptor_runner/execution/callback/receptor_runner_events.py" in names
    assert modules | templates | playbook_files() <= names
    beside = {name for name in names if not name.startswith("receptor_runner/")}
    assert {name.partition(".data/")[2] for name in beside} == {"data/share/man/man1/receptor-runner.1"}


def playbook_files() -> set[str]:
    """Return the files of the playbook and role that install a mesh."""
    found = (ROOT / "receptor_runner" / "mesh" / "install").rglob("*.*")
    return {str(path.relative_to(ROOT)) for path in found if path.suffix in {".yml", ".j2"}}


def test_wheel_says_what_it_is(wheel: Path) -> None:
    """Name, licence, Python version, every dependency and the command are in the metadata."""
    with zipfile.ZipFile(wheel) as archive:
        about = metadata(archive, "METADATA")
        (commands,) = [archive.read(name) for name in archive.namelist() if name.endswith("entry_points.txt")]
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert (about["Name"], about["License-Expression"]) == ("receptor-runner", "Apache-2.0")
    assert about["Requires-Python"] == ">=3.11"
    required = {line for line in about.get_all("Requires-Dist") or [] if "extra ==" not in line}
    assert required == set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    assert b"receptor-runner = receptor_runner.__main__:main" in commands
    assert len(licences) == 1


def test_installed_wheel_runs_a_job(installed: Path, environment: dict[str, str], project: Project) -> None:
    """In an empty virtual environment the wheel alone runs a job through its own embedded node."""
    alone = environment | {"PATH": f"{installed}:/usr/bin:/bin"}
    commands = Commands(alone, project.path.parent)
    done = commands.run(installed / "receptor-runner", "run", project.path, "-p", "test.yml", "-i", "1")
    assert done.rc == 0, done.text + done.stderr
    assert "embedded node" in done.stderr
    assert "Hello world!" in done.text
    assert (project.artifacts("1") / "status").read_text() == "successful"
    assert len(list((project.artifacts("1") / "job_events").iterdir())) == 6


def test_installed_wheel_is_a_module_too(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """`python -m receptor_runner` is the same command, and `config render` finds its templates."""
    commands = Commands(environment, tmp_path)
    version = commands.run(installed / "python", "-m", "receptor_runner", "--version")
    assert version.rc == 0, version.stderr
    assert version.text.startswith("receptor-runner ")
    rendered = commands.run(installed / "python", "-m", "receptor_runner", "config", "render", "local")
    assert rendered.rc == 0, rendered.stderr
    assert "control-service" in rendered.text


UNSIGNED_MESH = """
name: tests
tls: false
signed: false
nodes:
  control: {role: control, address: 127.0.0.1, port: 27199}
  worker: {role: worker, address: 127.0.0.1, peers: [control]}
"""


def test_installed_wheel_installs_a_mesh(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """`mesh install` finds the playbook and the role of its own installation, and ansible-playbook beside it."""
    (tmp_path / "mesh.yml").write_text(UNSIGNED_MESH)
    commands = Commands(environment | {"PATH": "/usr/bin:/bin"}, tmp_path)
    listed = commands.run(installed / "receptor-runner", "mesh", "install", "--", "--list-tasks")
    assert listed.rc == 0, listed.stderr
    assert str(installed.parent / "lib") in listed.text
    assert "receptor : Use the virtual environment" in listed.text
