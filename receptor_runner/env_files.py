"""Reads the files of a private data directory's `env/`, on either side of the stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receptor_runner.errors import ConfigError, MissingInput


def read_settings(private_data_dir: Path, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the given settings merged with those of `env/settings`; the file wins.

    Raises:
        ConfigError: the file is not a mapping.
        MissingInput: the file exists and cannot be read.
    """
    return read_mapping(private_data_dir / "env" / "settings", given)


def read_mapping(path: Path, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the given entries merged with those of a YAML or JSON file; the file wins.

    Raises:
        ConfigError: the file is not a mapping.
        MissingInput: the file exists and cannot be read.
    """
    text = read_text(path)
    found = _parsed(text, path) if text and text.strip() else {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is not a mapping", hint="write `name: value` lines, or one JSON object")
    return {**(given or {}), **found}


def read_text(path: Path) -> str | None:
    """Return the text of a file, or None if it does not exist.

    Raises:
        MissingInput: the file exists and cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingInput(f"cannot read {path}", cause=error.strerror) from error


def _parsed(text: str, path: Path) -> Any:
    # JSON first: it is what programs write, and yaml takes 40 ms to import.
    try:
        return json.loads(text)
    except ValueError:
        import yaml

    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is neither JSON nor YAML", cause=str(error)) from error
