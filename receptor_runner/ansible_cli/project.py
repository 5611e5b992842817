"""The project of a playbook: the directory that travels, and where in it the command was typed."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from receptor_runner.errors import ConfigError

_CONFIG_NAME = "ansible.cfg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What `playbook` and `adhoc` ship.

    Attributes:
        root: the directory that travels.
        cwd: the directory in which the command was typed; it lies in the root.
        config: the ansible.cfg that Ansible uses here, wherever that is; None if there is none.
        settings: its values by section and key.
    """

    root: Path
    cwd: Path
    config: Path | None = None
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def setting(self, section: str, key: str) -> str | None:
        """Return a value of ansible.cfg."""
        return self.settings.get(section, {}).get(key)


def find_project(cwd: Path, environment: Mapping[str, str]) -> Project:
    """Return the project of a directory.

    The root is the nearest directory upwards that is a git repository; else the one of the ansible.cfg that is used,
    if the directory lies in it; else the directory itself.

    Args:
        cwd: an absolute directory.
        environment: where ANSIBLE_CONFIG and HOME are looked up.

    Raises:
        ConfigError: ansible.cfg cannot be read.

    Source: Ansible takes the first of ANSIBLE_CONFIG, ./ansible.cfg, ~/.ansible.cfg and /etc/ansible/ansible.cfg that
    is there and may be read, and ignores the one in the current directory if everybody may write to that directory.
    """
    config = _find_config(cwd, environment)
    settings = _read(config) if config else {}
    return Project(root=_find_root(cwd, config, environment), cwd=cwd, config=config, settings=settings)


def _find_config(cwd: Path, environment: Mapping[str, str]) -> Path | None:
    candidates = []
    if named := environment.get("ANSIBLE_CONFIG"):
        path = Path(os.path.normpath(cwd / Path(os.path.expandvars(named)).expanduser()))
        candidates.append(path / _CONFIG_NAME if path.is_dir() else path)
    if not _is_writable_by_all(cwd):
        candidates.append(cwd / _CONFIG_NAME)
    if home := environment.get("HOME"):
        candidates.append(Path(home) / ".ansible.cfg")
    candidates.append(Path("/etc/ansible") / _CONFIG_NAME)
    return next((path for path in candidates if path.is_file() and os.access(path, os.R_OK)), None)


def _is_writable_by_all(directory: Path) -> bool:
    return bool(directory.stat().st_mode & 0o002)


def _find_root(cwd: Path, config: Path | None, environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME") or "/")
    for directory in (cwd, *cwd.parents):
        # a home directory under version control holds dot files, not a project
        if directory != home and (directory / ".git").exists():
            return directory
    if config and config.name == _CONFIG_NAME and cwd.is_relative_to(config.parent) and config.parent != home:
        return config.parent
    return cwd


def _read(config: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",), strict=False)
    try:
        parser.read_string(config.read_text(encoding="utf-8"), source=str(config))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot read {config}", cause=cause, hint="ansible-config view") from error
    return {section: dict(parser.items(section)) for section in parser.sections()}
