"""Ansible's configuration of this machine, as far as it counts on a node: ansible.cfg and ANSIBLE_ variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from receptor_runner.ansible_cli.credentials import Credentials
from receptor_runner.ansible_cli.places import Places
from receptor_runner.ansible_cli.project import Project
from receptor_runner.ansible_cli.questions import listed_identities

_LOCAL_VARIABLES = frozenset(
    {
        "ANSIBLE_BECOME_PASSWORD_FILE",
        "ANSIBLE_CONFIG",
        "ANSIBLE_CONNECTION_PASSWORD_FILE",
        "ANSIBLE_HOME",
        "ANSIBLE_INVENTORY",
        "ANSIBLE_LOCAL_TEMP",
        "ANSIBLE_LOG_PATH",
        "ANSIBLE_PRIVATE_KEY_FILE",
        "ANSIBLE_VAULT_IDENTITY_LIST",
        "ANSIBLE_VAULT_PASSWORD_FILE",
    }
)
"""Variables that name files of this machine: what they name travels in another way, or means nothing on a node."""

_PASSWORD_FILES = (
    ("ANSIBLE_VAULT_PASSWORD_FILE", "defaults", "vault_password_file"),
    ("ANSIBLE_CONNECTION_PASSWORD_FILE", "defaults", "connection_password_file"),
    ("ANSIBLE_BECOME_PASSWORD_FILE", "privilege_escalation", "become_password_file"),
)
_SET_BY_WORKERS = (
    ("ANSIBLE_HOST_KEY_CHECKING", "host_key_checking"),
    ("ANSIBLE_STDOUT_CALLBACK", "stdout_callback"),
)
"""Settings of ansible.cfg that a worker overrides by a variable unless the job sets that variable itself."""

_SEARCH_PATHS = ("roles_path", "collections_path", "collections_paths", "library")


class Configuration:
    """Ansible's configuration here.

    Args:
        project: the project with its ansible.cfg.
        environment: where ANSIBLE_ variables are looked up; they win over ansible.cfg.
        places: translates paths.
    """

    def __init__(self, project: Project, environment: Mapping[str, str], places: Places) -> None:
        self._project = project
        self._environment = environment
        self._places = places

    def variables(self, credentials: Credentials, node_cwd: Path | None) -> dict[str, str]:
        """Return the ANSIBLE_ variables with which Ansible is configured on the node as it is here.

        Args:
            credentials: takes the password files and the key that the configuration names.
            node_cwd: the local directory that is Ansible's working directory on the node, if there is one: an
                ansible.cfg in it is found without help.
        """
        config = self._project.config
        passed = {
            name: value
            for name, value in self._environment.items()
            if name.startswith("ANSIBLE_") and name not in _LOCAL_VARIABLES
        }
        if config and config.parent != node_cwd:
            passed["ANSIBLE_CONFIG"] = self._places.of_file(config)
        return self._overrides() | passed | self._secrets(credentials)

    @property
    def has_fact_cache(self) -> bool:
        """Whether facts are cached in a way of its own, which the worker's must not replace."""
        in_config = self._project.setting("defaults", "fact_caching")
        return bool(self._environment.get("ANSIBLE_CACHE_PLUGIN") or in_config)

    def _overrides(self) -> dict[str, str]:
        """Return variables for settings of ansible.cfg that would lose against variables of the worker."""
        named = {
            variable: value
            for variable, key in _SET_BY_WORKERS
            if (value := self._project.setting("defaults", key))
        }
        plugins = self._project.setting("defaults", "callback_plugins") or ""
        found = [
            path for name in plugins.split(os.pathsep) if name and (path := self._of_config(name)).is_dir()
        ]
        if found:
            named["ANSIBLE_CALLBACK_PLUGINS"] = ":".join(self._places.of_file(path) for path in found)
        return named

    def _secrets(self, credentials: Credentials) -> dict[str, str]:
        variables = {}
        for variable, section, key in _PASSWORD_FILES:
            if path := self._path(variable, section, key):
                variables[variable] = credentials.password_file(path, key)
        if identities := list(listed_identities(self._project, self._environment)):
            variables["ANSIBLE_VAULT_IDENTITY_LIST"] = ",".join(map(credentials.vault_identity, identities))
        key_file = self._key_file()
        if key_file and credentials.ssh_key is None:
            credentials.use_key(key_file)
        return variables

    def _key_file(self) -> Path | None:
        """Return the private key of the configuration; one that is not here may be on the node."""
        named = self._environment.get("ANSIBLE_PRIVATE_KEY_FILE")
        in_config = self._project.setting("defaults", "private_key_file")
        path = self._places.local(named) if named else self._of_config(in_config) if in_config else None
        return path if path and path.is_file() else None

    def _path(self, variable: str, section: str, key: str) -> Path | None:
        if named := self._environment.get(variable):
            return self._places.existing(named, variable)
        named = self._project.setting(section, key)
        return self._places.existing(str(self._of_config(named)), key) if named else None

    def inventories(self) -> list[Path]:
        """Return the inventories that count where the command line names none, as far as they exist.

        Source: ansible-core takes ANSIBLE_INVENTORY, then ansible.cfg, then /etc/ansible/hosts.
        """
        if named := self._environment.get("ANSIBLE_INVENTORY"):
            paths = [self._places.local(name) for name in named.split(",") if name]
        elif named := self._project.setting("defaults", "inventory"):
            paths = [self._of_config(name.strip()) for name in named.split(",") if name.strip()]
        else:
            paths = [Path("/etc/ansible/hosts")]
        return [path for path in paths if path.exists()]

    def missing_on_node(self) -> list[str]:
        """Return a line for each search path of ansible.cfg outside of the project: it is not there on the node."""
        return [
            f"ansible.cfg: {key} {path} is outside of the project and does not travel"
            for key in _SEARCH_PATHS
            for name in (self._project.setting("defaults", key) or "").split(os.pathsep)
            if name
            and (path := self._of_config(name)).is_dir()
            and not path.is_relative_to(self._project.root)
        ]

    def _of_config(self, name: str) -> Path:
        """Return a path of ansible.cfg, which is relative to that file."""
        assert self._project.config is not None
        text = os.path.expandvars(name.replace("{{CWD}}", str(self._project.cwd)))
        return Path(os.path.normpath(self._project.config.parent / Path(text).expanduser()))
