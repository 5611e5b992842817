"""Where our programs are, and environments that have nothing of the person who runs the tests."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import string
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
OURS = str(BIN / "receptor-runner")
UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""Put before a command: root is not asked for permission; without these capabilities it is, like everybody else."""

KEPT = ("LANG", "LC_ALL", "TMPDIR")


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory with a path short enough for a unix socket (107 bytes), and remove it afterwards.

    Pytest's own temporary directories have longer paths, and ansible makes sockets below its temporary directory.
    The name has no digits: ansible reads host variables of an INI inventory as Python literals, and Python warns of a
    digit followed by a keyword (`/tmp/rr-5issk78o`), which then is a line of output that no other run has.
    """
    path = Path("/tmp", "rr-" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(10)))
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def isolated_environment(home: Path, runtime: Path) -> dict[str, str]:
    """Return an environment without a node, settings or state of the person who runs the tests.

    Args:
        home: becomes the home directory; it is made.
        runtime: becomes the runtime directory, for sockets; it is made.
    """
    home.mkdir(exist_ok=True)
    runtime.mkdir(mode=0o700, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {
        "HOME": str(home),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(runtime),
    }
