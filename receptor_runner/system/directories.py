"""Where the program keeps its own directories: below the user's state directory, else below the temporary one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path

PREFIX = "receptor-runner-"
"""How the name of each of our directories in a shared place starts."""

NODE_PREFIX = f"{PREFIX}node-"
"""How the name of an embedded node's directory starts."""

_PROGRAM = "receptor-runner"


def state_directories(environment: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Yield where this user's state may be kept, the preferred place first; nothing is created.

    Places that cannot be written are left out: a service may have no home at all, or `/`. For root so are places that
    belong to another user: `sudo` may keep HOME, and what root creates there would lock out its owner.

    Args:
        environment: where XDG_STATE_HOME and HOME are looked up; by default this process's.
    """
    variables = os.environ if environment is None else environment
    bases = [variables.get("XDG_STATE_HOME", "")]
    bases += [f"{home}/.local/state" for home in (variables.get("HOME"), _home_of_account()) if home]
    for base in dict.fromkeys(base for base in bases if base.startswith("/")):
        if _may_create(Path(base)):
            yield Path(base, _PROGRAM)


def holds_embedded_node(directory: Path) -> bool:
    """Return whether a directory is that of an embedded node, lies in one, or holds one of this user's.

    Args:
        directory: a resolved path.
    """
    if any(path.name.startswith(NODE_PREFIX) for path in (directory, *directory.parents)):
        return True
    states = [state.resolve() for state in state_directories()]
    return any(state.is_relative_to(directory) and any(state.glob(f"{NODE_PREFIX}*")) for state in states)


def _home_of_account() -> str | None:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container may run as a user id without an account
        return None


def _may_create(path: Path) -> bool:
    existing = path
    while not os.path.lexists(existing):
        existing = existing.parent
    try:
        owner = existing.stat().st_uid
    except OSError:
        return False
    is_foreign = os.geteuid() == 0 and owner != 0
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK) and not is_foreign
