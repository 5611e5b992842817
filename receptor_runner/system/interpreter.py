"""How our own modules are started as programs, wherever the package is installed.

Only light modules are imported: an embedded node starts once this module is there.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

PACKAGE_ROOT = Path(__file__).absolute().parents[2]
"""The directory that holds the package: site-packages, the target of `pip install --target`, a checkout."""


def program_words() -> list[str]:
    """Return the words that start `receptor-runner` with this interpreter, for a command line without a shell.

    `-m receptor_runner` needs the package where Python looks by itself; elsewhere the path of the package does.
    With `-P`, no module is imported from the directory that the program happens to start in.
    """
    if PACKAGE_ROOT in _site_directories():
        return [sys.executable, "-P", "-m", "receptor_runner"]
    return [sys.executable, str(PACKAGE_ROOT / "receptor_runner")]


def script_directories() -> list[Path]:
    """Return where the scripts of installed packages are, whether or not that is on PATH.

    Beside the interpreter (a virtual environment), in the interpreter's and the user's script directories (distribution
    packages, `pip install --user`), and in the target of `pip install --target`.
    """
    import sysconfig

    schemes = [sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")]
    scripts = [Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes]
    return list(dict.fromkeys([Path(sys.executable).parent, *scripts, PACKAGE_ROOT / "bin"]))


def installed_script(name: str) -> str | None:
    """Return the path of a program among the scripts of installed packages, or None."""
    import shutil

    return shutil.which(name, path=os.pathsep.join(map(str, script_directories())))


def _site_directories() -> list[Path]:
    found = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        found.append(site.getusersitepackages())
    return [Path(path).absolute() for path in found]
