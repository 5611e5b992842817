"""What is installed beside us, read from the names of directories: importlib.metadata costs 25 ms, at every start."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None if it is not installed.

    Source: a wheel is installed with a directory `NAME-VERSION.dist-info`, both parts without dashes (PEP 427). What
    another installer left, importlib.metadata finds.
    """
    prefix = name.replace("-", "_").lower() + "-"
    for found in _metadata_directories():
        base = os.path.basename(found)  # noqa: PTH119 - pathlib would cost more than all of this
        if base.lower().startswith(prefix) and base.endswith(".dist-info"):
            return base[len(prefix) : -len(".dist-info")]
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def registers_entry_points(group: str) -> bool:
    """Return whether any installed distribution has entry points of a group; without, nothing has to be imported."""
    header = f"[{group}]".encode()
    for found in _metadata_directories():
        try:
            with open(f"{found}/entry_points.txt", "rb") as file:
                if header in file.read():
                    return True
        except OSError:
            continue
    return False


def _metadata_directories() -> Iterator[str]:
    """Yield the metadata directories of what is installed, in the order in which Python looks for modules."""
    for place in sys.path:
        try:
            names = os.listdir(place or ".")  # noqa: PTH208 - as above
        except OSError:
            continue
        ends = (".dist-info", ".egg-info", "EGG-INFO")
        yield from (f"{place or '.'}/{name}" for name in names if name.endswith(ends))
