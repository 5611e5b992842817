"""A container as values: what its engine is asked to run, and a registry login."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from receptor_runner.errors import ConfigError

DIRECTORY_LABEL = "receptor-runner.private-data-dir"
"""The label that says which job a container belongs to: what is left of dead jobs is found by it."""

_USER_OPTIONS = ("--user", "-u", "--userns", "--uidmap", "--gidmap")
_PULL_POLICIES = ("always", "missing", "never", "newer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What to run, in the words that all engines share.

    Attributes:
        name: the name of the container.
        directory: the private data directory of its job.
        image: its image.
        options: further options of the caller.
        host_mounts: mounts that come before the working directory.
        workdir: the working directory inside.
        mounts: all other mounts, `source:target[:options]`.
        command: what runs in it.
    """

    name: str
    directory: Path
    image: str
    options: tuple[str, ...]
    host_mounts: tuple[str, ...]
    workdir: Path
    mounts: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, ...]:
        """The options that say which container this is."""
        return ("--label", f"{DIRECTORY_LABEL}={self.directory}", "--name", self.name)

    @property
    def placement(self) -> tuple[str, ...]:
        """The options for mounts and working directory."""
        before = (word for mount in self.host_mounts for word in ("-v", mount))
        after = (word for mount in self.mounts for word in ("-v", mount))
        return (*before, "--workdir", str(self.workdir), *after)

    @property
    def target(self) -> tuple[str, ...]:
        """What stands at the end of every engine's command line."""
        return (*self.options, self.image, *self.command)

    @property
    def names_user(self) -> bool:
        """Whether the caller's options say which user the job has."""
        return any(
            option.startswith(name) and option[len(name) : len(name) + 1] in {"", "=", *"0123456789"}
            for option in self.options
            for name in _USER_OPTIONS
        )


def split_pull_policy(options: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Take the pull policy out of an engine's options.

    Returns:
        the policy, `missing` if none is named, and the other options.

    Raises:
        ConfigError: the policy is unknown.
    """
    policy, rest, words = "missing", [], iter(options)
    for word in words:
        if word == "--pull" or word.startswith("--pull="):
            policy = word.partition("=")[2] or next(words, "")
        else:
            rest.append(word)
    if policy not in _PULL_POLICIES:
        raise ConfigError(f"unknown pull policy `{policy}`", hint=f"use one of {', '.join(_PULL_POLICIES)}")
    return policy, tuple(rest)


def variables_set_by(options: tuple[str, ...]) -> set[str]:
    """Return the names of the environment variables that an engine's options set."""
    words, names = iter(options), set()
    for word in words:
        if word in {"-e", "--env"}:
            names.add(next(words, "").partition("=")[0])
        elif word.startswith("--env="):
            names.add(word.split("=")[1])
        elif word.startswith("-e") and not word.startswith("--"):
            names.add(word[2:].partition("=")[0])
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A registry login, for one pull.

    Attributes:
        host: the registry.
        username: the user.
        password: the password.
        verify_ssl: whether the registry's certificate is checked.
        file: where the engine finds it; the name counts.
    """

    host: str
    username: str
    password: str
    verify_ssl: bool
    file: Path

    @classmethod
    def read(cls, given: Mapping[str, Any], file: Path) -> Self:
        """Read container_auth_data.

        Args:
            given: host, username, password and verify_ssl.
            file: the file in which the engine looks for it.

        Raises:
            ConfigError: one of them is missing; no value is shown.
        """
        if missing := [key for key in ("host", "username", "password") if not given.get(key)]:
            raise ConfigError(
                f"container_auth_data lacks {' and '.join(missing)}",
                hint="give it host, username and password, or leave it out",
            )
        host = str(given["host"]).partition("://")[2] or str(given["host"])
        return cls(
            host=host.rstrip("/"),
            username=str(given["username"]),
            password=str(given["password"]),
            verify_ssl=given.get("verify_ssl") is not False,
            file=file,
        )

    def is_insecure_for(self, image: str) -> bool:
        """Whether an image comes from this registry, and the registry's certificate is not to be checked."""
        return not self.verify_ssl and image.split("/", maxsplit=1)[0] == self.host.split("/")[0]

    def written_below(self, directory: Path) -> Self:
        """Return this login in a file below a directory that is made for it; nobody else can read it."""
        placed = dataclasses.replace(self, file=directory / self.file.name)
        secret = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        content = json.dumps({"auths": {self.host: {"auth": secret}}})
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(placed.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w") as file:
            file.write(content)
        return placed
