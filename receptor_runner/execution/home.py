"""A home directory for jobs whose user has none that can be used."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Mapping
from pathlib import Path

from receptor_runner.system.directories import PREFIX

_OWN_CHOICE = ("ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP")


def temporary_home(env: Mapping[str, str]) -> Path | None:
    """Create a home directory if the job has none that Ansible can use; the caller removes it.

    Services and containers run with `HOME=/`, without HOME, or with a user id that has no account.

    Args:
        env: the environment of the job.

    Source: Ansible keeps its temporary files, and those of local tasks, in `~/.ansible/tmp`; where it cannot create
        that directory it ends with a traceback. Without HOME and account it takes `~` for the name of a directory.
    """
    if any(name in env for name in _OWN_CHOICE):
        return None
    home = env.get("HOME") or _home_of_account()
    if home and any(os.access(path, os.W_OK | os.X_OK) for path in (Path(home, ".ansible"), Path(home))):
        return None
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}home-"))


def _home_of_account() -> str | None:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return None
