"""From a command line of ansible-playbook or ansible to a job: what runs on the node, and what has to travel."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from receptor_runner.ansible_cli.command_line import CommandLine
from receptor_runner.ansible_cli.configuration import Configuration
from receptor_runner.ansible_cli.credentials import Credentials
from receptor_runner.ansible_cli.options import Meaning
from receptor_runner.ansible_cli.passed_options import PassedOptions
from receptor_runner.ansible_cli.places import PROJECT, Places
from receptor_runner.ansible_cli.project import Project, find_project
from receptor_runner.ansible_cli.questions import questions
from receptor_runner.ansible_cli.terminal import Terminal
from receptor_runner.ansible_cli.vars_prompt import VarsPrompt, read_vars_prompts, variable_names
from receptor_runner.archive.pack import MemoryFile
from receptor_runner.job import Job
from receptor_runner.outside import Outside

ADHOC = "ansible"
PLAYBOOK = "ansible-playbook"

_LISTINGS = ("list_hosts", "list_tasks", "list_tags", "syntax_check")
_ADHOC_TARGET = ("module_name", "args")
_COLLECTION_PLAYBOOK = re.compile(r"\w+\.\w+(\.\w+)+").fullmatch


@dataclass(slots=True, kw_only=True)
class Plan:
    """What runs on the node, and what has to travel for it.

    Attributes:
        job: the job, without an ident.
        project: the project, which travels as `project`.
        outside: files and directories outside of the project that travel.
        files: files from memory, by their place there.
    """

    job: Job
    project: Project
    outside: Outside = field(default_factory=Outside)
    files: dict[str, MemoryFile] = field(default_factory=dict)


def make_plan(command: CommandLine, cwd: Path, environment: Mapping[str, str], terminal: Terminal) -> Plan:
    """Return what a command line comes to on a node; every question is asked here.

    Args:
        command: the command line.
        cwd: the directory in which it was typed.
        environment: Ansible's variables in it count on the node as they do here.
        terminal: asks the questions.

    Raises:
        UsageError: an option makes no sense on a node.
        MissingInput: a named file does not exist.
        ConfigError: ansible.cfg cannot be read, or a password program fails.
    """
    project = find_project(cwd, environment)
    directory = PROJECT / cwd.relative_to(project.root)
    # a worker runs modules in the private data directory, and playbooks in the project
    is_adhoc = command.program == ADHOC
    places = Places(project, PurePosixPath() if is_adhoc else directory)
    credentials = Credentials(places, terminal)
    configuration = Configuration(project, environment, places)
    playbooks = [] if is_adhoc else list(_playbooks(command, places, environment))
    words = PassedOptions(places, credentials).of(command.without(*_ADHOC_TARGET) if is_adhoc else command)
    if not any(command.of(Meaning.INVENTORY)):
        words += [word for path in configuration.inventories() for word in ("-i", places.of_inventory(path))]
    envvars = configuration.variables(credentials, None if is_adhoc else cwd)
    for line in configuration.missing_on_node():
        terminal.note(line)
    for question in questions(command, project, environment):
        credentials.ask(question)
    if not is_adhoc:
        _ask_vars_prompts(command, places, credentials)
    target = _adhoc(command, words, directory) if is_adhoc else _playbook(words, playbooks, directory)
    job = Job.from_kwargs(
        target
        | {
            "envvars": envvars or None,
            "passwords": credentials.passwords or None,
            "ssh_key": credentials.ssh_key,
            # With a type of its own the worker leaves the fact cache to Ansible's configuration.
            "fact_cache_type": "" if configuration.has_fact_cache else None,
        }
    )
    return Plan(job=job, project=project, outside=places.outside, files=places.files)


def _playbook(words: list[str], playbooks: list[str], directory: PurePosixPath) -> dict[str, object]:
    *others, last = playbooks
    return {
        "playbook": last,
        "cmdline": shlex.join([*words, *others]) or None,
        "project_dir": None if directory == PROJECT else str(directory),
    }


def _adhoc(command: CommandLine, words: list[str], directory: PurePosixPath) -> dict[str, object]:
    if not command.has("playbook_dir"):
        words = [*words, "--playbook-dir", str(directory)]
    return {
        "module": command.value("module_name") or "command",
        "module_args": command.value("args"),
        "host_pattern": command.arguments[0],
        "cmdline": shlex.join(words),
    }


def _playbooks(command: CommandLine, places: Places, environment: Mapping[str, str]) -> Iterator[str]:
    for name in command.arguments:
        path = places.local(name)
        if not path.exists() and _COLLECTION_PLAYBOOK(name):
            yield name
        else:
            path = places.existing(name, "playbook")
            yield places.of_playbook(path, find_project(path.parent, environment).root)


def _ask_vars_prompts(command: CommandLine, places: Places, credentials: Credentials) -> None:
    if any(command.has(key) for key in _LISTINGS):
        return  # Ansible does not ask either
    files = [path for name in command.arguments if (path := places.local(name)).is_file()]
    given = {name for value in command.values("extra_vars") for name in variable_names(value, places.local)}
    for entry in read_vars_prompts(files, given):
        answer = _answer(entry, credentials.terminal)
        credentials.passwords.update(dict.fromkeys(entry.patterns, answer))


def _answer(entry: VarsPrompt, terminal: Terminal) -> str:
    ask = terminal.ask if entry.is_private else terminal.ask_openly
    while True:
        answer = ask(entry.prompt)
        if not entry.is_confirmed or ask(f"confirm {entry.prompt}") == answer:
            return answer
        terminal.note("***** VALUES ENTERED DO NOT MATCH ****")
