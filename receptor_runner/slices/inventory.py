"""Dynamic inventories: which ones are, and how what they answer becomes an inventory that is data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from receptor_runner.system.files import read_regular

_PLUGIN = re.compile(r"^plugin\s*:", re.MULTILINE)
_VARIABLES = frozenset({"group_vars", "host_vars"})
_YAML = frozenset({".yml", ".yaml"})
_NOT_GROUPS = frozenset({"_meta", "all", "ungrouped"})


def dynamic_sources(sources: Iterable[Path]) -> list[Path]:
    """Return the inventories that may answer differently wherever and whenever they are read.

    Args:
        sources: inventory files and directories; in a directory each file is one, as Ansible reads it.
    """
    return [file for source in sources for file in _files(source) if _is_dynamic(file)]


def fifos(sources: Iterable[Path]) -> list[Path]:
    """Return the FIFOs among inventories and in the directories of variables beside them.

    Args:
        sources: inventory files and directories.
    """
    return [path for source in sources for path in _read_with(source) if path.is_fifo()]


def _read_with(source: Path) -> Iterator[Path]:
    """Yield what Ansible opens with an inventory."""
    if not source.is_dir():
        yield source
    directories = [source] if source.is_dir() else [source.parent / name for name in sorted(_VARIABLES)]
    for directory in directories:
        for parent, _names, files in os.walk(directory):
            yield from (Path(parent, name) for name in sorted(files))


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for entry in sorted(source.iterdir()):
        if entry.name not in _VARIABLES and not entry.name.startswith("."):
            yield from _files(entry)


def _is_dynamic(path: Path) -> bool:
    """Return whether a file is a script, or configures an inventory plugin."""
    try:
        text = (read_regular(path) or b"").decode(errors="replace")
    except OSError:
        return False  # Ansible reports it
    if path.suffix in _YAML:
        return bool(_PLUGIN.search(text))
    return os.access(path, os.X_OK) and text.startswith("#!")


def static_inventory(listing: Mapping[str, Any]) -> dict[str, Any]:
    """Return an inventory as data, in the form of Ansible's YAML inventories.

    The variables of groups are with each of their hosts already.

    Args:
        listing: what `ansible-inventory --list` prints.
    """
    variables = listing.get("_meta", {}).get("hostvars", {})
    names = [name for name in listing if name not in _NOT_GROUPS]
    hosts = dict.fromkeys(_hosts(listing))
    return {
        "all": {
            "hosts": {host: variables.get(host, {}) for host in hosts},
            "children": {name: _group(listing[name]) for name in names},
        }
    }


def _hosts(listing: Mapping[str, Any]) -> Iterator[str]:
    for name, group in listing.items():
        if name != "_meta":
            yield from group.get("hosts", ())


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hosts": {host: {} for host in group.get("hosts", ())},
        "children": {name: {} for name in group.get("children", ())},
    }
