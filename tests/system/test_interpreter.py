"""Starting our own programs wherever the package is installed."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import receptor_runner
from receptor_runner.system import interpreter
from receptor_runner.system.interpreter import PACKAGE_ROOT, program_words, script_directories


def test_an_installed_package_is_run_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory of site packages `-m` finds it."""
    monkeypatch.setattr(interpreter, "PACKAGE_ROOT", Path(site.getsitepackages()[0]))
    assert program_words() == [sys.executable, "-P", "-m", "receptor_runner"]


def test_a_package_elsewhere_is_run_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install --target`, a checkout: the words work from everywhere and without PYTHONPATH."""
    shutil.copytree(Path(receptor_runner.__file__).parent, tmp_path / "receptor_runner")
    monkeypatch.setattr(interpreter, "PACKAGE_ROOT", tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    done = subprocess.run(
        [*program_words(), "--version"], capture_output=True, text=True, cwd="/", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_shadows_others_when_run_by_path(tmp_path: Path) -> None:
    """The inside of the package is not where Python looks for modules."""
    probe = "import sys, runpy; sys.argv[1:] = ['--version']; sys.path.insert(0, sys.argv[0])"
    package = PACKAGE_ROOT / "receptor_runner"
    script = f"{probe}; runpy.run_path({str(package)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_scripts_are_looked_for_where_packages_put_them() -> None:
    """Beside the interpreter, in the user's scripts, and in the target's."""
    found = script_directories()
    assert found[0] == Path(sys.executable).parent
    assert Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))) in found
    assert PACKAGE_ROOT / "bin" in found
