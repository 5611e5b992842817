"""Look at a host before anything is changed there; print what was found as one JSON object.

It runs on the host, with the Python that Ansible uses there, which may be as old as 3.8.

Arguments: the Pythons to try, in order of preference.
Printed: `python` and `version`, the first Python that can make the virtual environment ("" if there is none);
`rejected`, a line for each other one that was tried; `receptor`, the path of the daemon ("" if there is none).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

# sudo's PATH has no /usr/local/bin on Red Hat's distributions.
PATH = os.environ.get("PATH", "") + ":/usr/local/bin:/usr/bin:/bin"

# Debian ships `venv` without `ensurepip`, and then making a virtual environment fails halfway.
PROBE = """
import sys
if sys.version_info < (3, 11):
    sys.exit("Python %d.%d is too old" % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit("it cannot make virtual environments (%s); on Debian: apt install python%d.%d-venv"
             % ((error,) + sys.version_info[:2]))
print("%d.%d" % sys.version_info[:2], sys.executable)
"""


def find_python(names: list[str]) -> dict[str, object]:
    """Return the first Python that can make the virtual environment, and why the ones before it cannot."""
    rejected: list[str] = []
    for name in names:
        version, python, reason = probe(name)
        if python:
            return {"python": python, "version": version, "rejected": rejected}
        rejected.append(f"{name}: {reason}")
    return {"python": "", "version": "", "rejected": rejected}


def probe(name: str) -> tuple[str, str, str]:
    """Return the version and the path of a Python, or as the third value why it cannot be used."""
    path = shutil.which(name, path=PATH)
    if path is None:
        return "", "", "not found"
    done = subprocess.run([path, "-c", PROBE], capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return "", "", lines[-1] if lines else f"exit code {done.returncode}"
    version, _space, python = done.stdout.decode().strip().partition(" ")
    return version, python, ""


if __name__ == "__main__":
    found = find_python(sys.argv[1:])
    found["receptor"] = shutil.which("receptor", path=PATH) or ""
    sys.stdout.write(json.dumps(found))
