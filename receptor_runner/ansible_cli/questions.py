"""The questions that Ansible would ask at the node's terminal, and their answers from here.

An answer travels as an entry of `passwords`: the worker types it when Ansible asks. A password that is in a file, or
that a program prints, travels as a file from memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from receptor_runner.ansible_cli.command_line import CommandLine
from receptor_runner.ansible_cli.project import Project

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_AT_END = r"\s*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of Ansible's.

    Attributes:
        prompt: its text.
        pattern: a regular expression that finds it in the job's output.
    """

    prompt: str
    pattern: str


def connection_question() -> Question:
    """Return the question for the connection password."""
    return Question(prompt="SSH password: ", pattern=r"SSH password:" + _AT_END)


def become_question(*, has_connection_password: bool) -> Question:
    """Return the question for the become password."""
    default = "[defaults to SSH password]" if has_connection_password else ""
    return Question(prompt=f"BECOME password{default}: ", pattern=r"[A-Z]+ password(\[.*\])?:" + _AT_END)


def vault_question(label: str | None = None) -> Question:
    """Return the question for a vault password: that of `--ask-vault-password`, or of `--vault-id LABEL@prompt`."""
    text = f"Vault password ({label})" if label else "Vault password"
    return Question(prompt=f"{text}: ", pattern=re.escape(text) + ":" + _AT_END)


def is_set(project: Project, environment: Mapping[str, str], variable: str, section: str, key: str) -> bool:
    """Return whether a switch is on in the environment, else in ansible.cfg."""
    text = environment.get(variable)
    if text is None:
        text = project.setting(section, key) or ""
    return text.strip().lower() in _TRUE


def questions(command: CommandLine, project: Project, environment: Mapping[str, str]) -> Iterator[Question]:
    """Yield what Ansible will ask before it starts, in its order.

    Source: ansible-core asks for the connection password, then for become's, then for those of the vaults; the texts
    are those of 2.19.
    """
    asks_connection = command.has("ask_pass") or is_set(
        project, environment, "ANSIBLE_ASK_PASS", "defaults", "ask_pass"
    )
    asks_become = command.has("ask_become_pass") or is_set(
        project, environment, "ANSIBLE_BECOME_ASK_PASS", "privilege_escalation", "become_ask_pass"
    )
    if asks_connection:
        yield connection_question()
    if asks_become:
        yield become_question(has_connection_password=asks_connection)
    # ansible-core puts the identities of the configuration before those of the command line
    for text in (*listed_identities(project, environment), *command.values("vault_id")):
        identity = VaultIdentity.read(text)
        if identity.source == "prompt":
            yield vault_question(identity.label or "default")
    if command.has("ask_vault_password") or is_set(
        project, environment, "ANSIBLE_ASK_VAULT_PASS", "defaults", "ask_vault_pass"
    ):
        yield vault_question()


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultIdentity:
    """A vault identity: `label@source`, or a source alone."""

    label: str | None
    source: str

    @classmethod
    def read(cls, text: str) -> VaultIdentity:
        """Read a value of `--vault-id`."""
        label, at, source = text.partition("@")
        return cls(label=label or None, source=source) if at else cls(label=None, source=text)

    def with_source(self, source: str) -> str:
        """Return the identity with another source, as `--vault-id` takes it."""
        return f"{self.label}@{source}" if self.label else source


def listed_identities(project: Project, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the vault identities of the environment, else of ansible.cfg."""
    listed = environment.get("ANSIBLE_VAULT_IDENTITY_LIST")
    if listed is None:
        listed = project.setting("defaults", "vault_identity_list") or ""
    yield from (text.strip() for text in listed.split(",") if text.strip())
