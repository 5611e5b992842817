"""Asking Ansible for hosts: in a child process, on this machine, once for the sliced job."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from receptor_runner.env_files import EnvFiles, split_words
from receptor_runner.errors import ConfigError, MissingInput, UsageError, pasteable
from receptor_runner.handlers import ignore
from receptor_runner.job import Job
from receptor_runner.job_files import InventorySource, inventory_sources, project_directory
from receptor_runner.slices.inventory import dynamic_sources, fifos
from receptor_runner.system.directories import PREFIX
from receptor_runner.system.files import reading
from receptor_runner.system.interpreter import installed_script
from receptor_runner.system.processes import descendants

_NOTE_AFTER_S = 1.5
"""After so long the person is told what is waited for."""

_END_WITHIN_S = 2.0
"""How long an interrupted Ansible may take to remove its temporary files."""

_ASKING = "--vault-"
"""How the options begin with which a password may be asked for."""

_PASSED_ON = ("--vault-id", "--vault-password-file", "--vault-pass-file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which hosts are asked for, and how Ansible finds them.

    Attributes:
        pattern: the hosts.
        limit: what limits them further, as `--limit` takes it.
        options: the inventories and vault passwords, as words of a command line.
        cwd: where Ansible runs.
        environment: with which environment.
        inventories: the inventories among the options that are files or directories.
        note: takes a line for the person who waits.
    """

    pattern: str = "all"
    limit: str | None = None
    options: tuple[str, ...] = ()
    cwd: Path
    environment: Mapping[str, str]
    inventories: tuple[Path, ...] = ()
    note: Callable[[str], None] = ignore


def list_hosts(question: Question) -> list[str]:
    """Return the hosts by name.

    Raises:
        MissingInput: Ansible cannot tell, or there are none.
    """
    words = ["ansible", question.pattern, "--list-hosts", *question.options]
    words += ["--limit", question.limit] if question.limit else []
    _title, *lines = _ask(question, words).splitlines() or [""]
    hosts = sorted({line.strip() for line in lines if line.strip()})
    if not hosts:
        raise MissingInput("there are no hosts to cut into slices", hint=_shown(question, words))
    return hosts


def read_inventory(question: Question) -> dict[str, Any]:
    """Return all of the inventory, as `ansible-inventory --list` prints it.

    Raises:
        MissingInput: Ansible cannot tell.
    """
    words = ["ansible-inventory", "--list", *question.options]
    try:
        return dict(json.loads(_ask(question, words)))
    except ValueError as error:
        hint = _shown(question, words)
        raise MissingInput("the inventory cannot be read", cause=str(error), hint=hint) from error


def _ask(question: Question, words: Sequence[str]) -> str:
    # a session of its own, so that it can be ended together with what it has started; but vault passwords are asked
    # for on our terminal, by Ansible or by a program that it calls
    is_alone = not any(word.startswith(_ASKING) for word in question.options)
    with subprocess.Popen(
        [_program(words[0], question.environment), *words[1:]],
        cwd=question.cwd,
        env=dict(question.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=is_alone,
    ) as process:
        try:
            stdout, stderr = _answer(process, lambda: question.note(_waiting_for(words[0], question)))
        except BaseException:
            _end(process, is_alone=is_alone)
            raise
    if process.returncode:
        cause = " ".join(line for line in stderr.splitlines() if line.strip())
        hint = _shown(question, words)
        raise MissingInput("the hosts cannot be listed", cause=cause or None, hint=hint)
    return stdout


def _answer(process: subprocess.Popen[str], on_wait: Callable[[], None]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=_NOTE_AFTER_S)
    except subprocess.TimeoutExpired:
        on_wait()
        return process.communicate()


def _waiting_for(program: str, question: Question) -> str:
    names = ", ".join(path.name for path in question.inventories)
    return f"waiting for {program} to list the hosts" + (f" of {names}" if names else "")


def _end(process: subprocess.Popen[str], *, is_alone: bool) -> None:
    """End Ansible and all that it started: first as Ctrl-C does, so that it removes its temporary files."""
    # a negative number is that of a group
    pids = [-process.pid] if is_alone else [process.pid, *descendants(process.pid)]
    try:
        _signal(pids, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_WITHIN_S)
    finally:
        _signal(pids, signal.SIGKILL)


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _program(name: str, environment: Mapping[str, str]) -> str:
    """Return the path of one of Ansible's programs: on PATH, as on a worker, else beside this program."""
    found = shutil.which(name, path=environment.get("PATH")) or installed_script(name)
    if found is None:
        raise MissingInput(f"{name} is not installed here", cause="it is needed to list the hosts")
    return found


def _shown(question: Question, words: Sequence[str]) -> str:
    return f"{pasteable('cd', question.cwd)} && {pasteable(*words)}"


@contextmanager
def question_of(job: Job, private_data_dir: Path, note: Callable[[str], None] = ignore) -> Iterator[Question]:
    """Provide the question for the hosts of a job, as its worker would find them.

    Inventories that the job holds as text are files of a temporary directory meanwhile.

    Args:
        job: the job.
        private_data_dir: its private data directory.
        note: takes a line for the person who waits.

    Raises:
        UsageError: the job is a raw command, whose hosts nobody knows.
        ConfigError: a file in `env/` cannot be used.
        MissingInput: something in the directory cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX) as texts:
        with reading(private_data_dir):
            question = _question_of(job, private_data_dir, Path(texts))
        yield replace(question, note=note)


def _question_of(job: Job, private_data_dir: Path, texts: Path) -> Question:
    root = Path(os.path.abspath(private_data_dir))
    if job.binary or (root / "args").is_file():
        raise UsageError("a raw command cannot run in slices", hint="name a playbook, a module or a role")
    files = EnvFiles(root=root, shown=private_data_dir)
    given = _given_options(job, files)
    inventories = [*_of_job(job, root, texts), *given.inventory]
    envvars = files.mapping("env/envvars", job.envvars)
    cwd = root if job.module else root / project_directory(job, root)
    paths = tuple(path for name in inventories if (path := cwd / name).exists())
    _refuse_fifos(paths)
    refuse_dynamic([cwd / name for name in given.inventory])
    return Question(
        pattern=job.host_pattern or job.hosts or "all",
        limit=job.limit or given.limit,
        options=(*(word for name in inventories for word in ("-i", name)), *given.passed_on),
        cwd=cwd,
        environment={**os.environ, **{name: str(value) for name, value in envvars.items()}},
        inventories=paths,
    )


def _refuse_fifos(sources: Iterable[Path]) -> None:
    """Refuse what Ansible would open here and wait for; no node gets it either, for a FIFO does not travel."""
    for path in fifos(sources):
        raise MissingInput(
            f"the hosts cannot be listed: {path} is a FIFO",
            cause="Ansible would wait until somebody writes to it",
            hint=pasteable("rm", path),
        )


def refuse_dynamic(sources: Iterable[Path]) -> None:
    """Refuse inventories that each node would read for itself: their hosts might differ from those of the slices.

    Raises:
        UsageError: there is one.
    """
    for path in dynamic_sources(sources):
        static = pasteable("ansible-inventory", "-i", path, "--list", "--yaml", "--output", "hosts.yml")
        raise UsageError(
            f"the dynamic inventory {path.name} cannot be used in slices",
            cause="each node would read it again, and may find other hosts",
            hint=f"make it static: {static}",
        )


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit, as it does for an ambiguous option."""

    def error(self, message: str) -> NoReturn:
        raise argparse.ArgumentError(None, message)


class _Options(argparse.Namespace):
    """The options of a command line that choose hosts."""

    inventory: list[str]
    limit: str | None = None
    passed_on: list[str]


def _given_options(job: Job, files: EnvFiles) -> _Options:
    """Return what additional words for Ansible's command line say about inventories and hosts."""
    words = split_words(job.cmdline, "the option cmdline") if job.cmdline else files.words("env/cmdline")
    parser = _Parser(add_help=False, exit_on_error=False)
    parser.add_argument(
        "-i", "--inventory", "--inventory-file", action="append", default=[], dest="inventory"
    )
    parser.add_argument("-l", "--limit")
    for name in _PASSED_ON:
        parser.add_argument(name, action="append", default=[])
    try:
        found, _others = parser.parse_known_args(words or (), namespace=_Options())
    except argparse.ArgumentError as error:  # its text may quote a word, and so a secret
        source = "the option cmdline" if job.cmdline else files.name_of("env/cmdline")
        cause = f"{error.argument_name} has no value" if error.argument_name else "an option is ambiguous"
        raise ConfigError(f"cannot read the command line in {source}", cause=cause) from None
    named = {name: getattr(found, name[2:].replace("-", "_")) for name in _PASSED_ON}
    found.passed_on = [word for name, values in named.items() for value in values for word in (name, value)]
    return found


def _of_job(job: Job, root: Path, texts: Path) -> Iterator[str]:
    """Yield the inventories of a job as `-i` takes them here."""
    if job.inventory is None:
        if (root / "inventory").exists():
            yield str(root / "inventory")
        return
    for number, source in enumerate(inventory_sources(job.inventory, root)):
        yield _as_option(source, root, texts / (f"{number}" if source.given else f"{number}.json"))


def _as_option(source: InventorySource, root: Path, text: Path) -> str:
    if source.path:
        return str(root / source.path)
    if source.content is None or source.is_host_list:
        return source.given if source.is_host_list else os.path.abspath(source.given)
    text.write_text(source.content + "\n", errors="surrogateescape")
    return str(text)
