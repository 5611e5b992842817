"""Passwords, keys and vault identities: read or asked here, and sent from memory."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from receptor_runner.ansible_cli.places import Places
from receptor_runner.ansible_cli.questions import Question, VaultIdentity
from receptor_runner.ansible_cli.terminal import Terminal
from receptor_runner.errors import ConfigError, MissingInput


@dataclass(slots=True)
class Credentials:
    """What a job needs to log in and to decrypt.

    Args:
        places: takes password files.
        terminal: asks for passwords.

    Attributes:
        passwords: answers by the pattern of their question, as a job takes them.
        ssh_key: the private key for the agent that the worker starts.
    """

    places: Places
    terminal: Terminal
    passwords: dict[str, str] = field(default_factory=dict)
    ssh_key: str | None = None

    def ask(self, question: Question) -> None:
        """Ask a question, unless it was asked before."""
        if question.pattern not in self.passwords:
            self.passwords[question.pattern] = self.terminal.ask(question.prompt)

    def password_file(self, path: Path, what: str) -> str:
        """Send a password that a file holds or a program prints; return the file's name on the node."""
        return self.places.of_secret(read_password(path), what)

    def vault_identity(self, text: str) -> str:
        """Send the password of a vault identity; return the identity as it reads on the node."""
        identity = VaultIdentity.read(text)
        if identity.source == "prompt":
            return text
        path = self.places.existing(identity.source, "vault password file")
        return identity.with_source(self.places.of_secret(read_password(path, label=identity.label), "vault"))

    def use_key(self, path: Path) -> None:
        """Send a private key; its passphrase is asked for here.

        Raises:
            MissingInput: it cannot be read.
        """
        try:
            self.ssh_key = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise MissingInput(f"cannot read the private key {path}", cause=str(error)) from error
        if _is_encrypted(path):
            prompt = f"Enter passphrase for {path}: "
            self.ask(Question(prompt=prompt, pattern=r"Enter passphrase for .*:\s*$"))


def read_password(path: Path, *, label: str | None = None) -> bytes:
    """Return the password that a file holds, or that a program prints.

    Args:
        path: the file or program.
        label: the vault identity, which a program named `...-client` is given.

    Raises:
        MissingInput: the file cannot be read.
        ConfigError: the program fails.

    Source: ansible-core runs a password file that is executable, and gives `--vault-id LABEL` to one whose name, its
    suffix aside, ends in `-client`.
    """
    if path.is_file() and os.access(path, os.X_OK):
        return _run(path, label)
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingInput(f"cannot read the password file {path}", cause=error.strerror) from error


def _run(program: Path, label: str | None) -> bytes:
    words = [str(program)]
    if program.stem.endswith("-client"):
        words += ["--vault-id", label or "default"]
    try:
        # stdin and stderr stay the terminal's: such a program may ask for something itself
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        hint = f"run {program} and see what it prints"
        raise ConfigError(f"the password program {program} failed", cause=str(error), hint=hint) from error
    return done.stdout


def _is_encrypted(key: Path) -> bool:
    """Return whether a private key needs a passphrase: whether ssh-keygen cannot read it with an empty one."""
    words = ["ssh-keygen", "-y", "-P", "", "-f", str(key)]
    done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode != 0
