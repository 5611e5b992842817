"""Why a program cannot be started: what execve(2) would refuse, found before, and what it did refuse."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence

from receptor_runner.errors import ConfigError
from receptor_runner.execution.guardian_client import Program
from receptor_runner.outcome import Outcome, Status

RC_NOT_FOUND = 127
RC_NOT_STARTED = 126
"""The exit codes of a shell for a program that does not exist, and for one that cannot be started."""


def check_arguments(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Check that a program can be started with these arguments and variables.

    Raises:
        ConfigError: a NUL or a character that the filesystem encoding lacks, or an invalid variable name. Values are
            not shown, since they may be secrets.
    """
    for position, argument in enumerate(argv):
        if problem := _problem(argument):
            raise ConfigError(
                f"argument {position} of {argv[0]!r} {problem}",
                hint="check cmdline, extravars and module_args",
            )
    for name, value in env.items():
        if not name or "=" in name or _problem(name):
            cause = "a name must not be empty, and must not contain `=` or a NUL character"
            raise ConfigError(f"invalid environment variable name {name!r}", cause=cause, hint=_CHECK_ENVVARS)
        if problem := _problem(value):
            raise ConfigError(f"the environment variable {name} {problem}", hint=_CHECK_ENVVARS)


_CHECK_ENVVARS = "check env/envvars and the option envvars"


def _problem(text: str) -> str | None:
    if "\0" in text:
        return "contains a NUL character"
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return f"contains a character that cannot be encoded in {sys.getfilesystemencoding()}"
    return None


def not_started(error: OSError, program: Program) -> tuple[str, Outcome]:
    """Return what the job's output says of a program that could not be started, and the outcome of the job.

    Args:
        error: of `GuardianClient.spawn`.
        program: what was to be started.

    Source: ansible-runner's sentence and return code for a command that does not exist.
    """
    name = program.argv[0]
    is_missing = error.errno in {errno.ENOENT, errno.EACCES, errno.ENOTDIR} and error.filename == name
    if is_missing and not _is_executable(program):
        text = f"The command was not found or was not executable: {name}.\n"
        return text, Outcome(status=Status.FAILED, rc=RC_NOT_FOUND)
    why = f"cannot start {name}: {_cause(error, program)}"
    return f"{why}\n", Outcome(status=Status.FAILED, rc=RC_NOT_STARTED, explanation=why)


def _is_executable(program: Program) -> bool:
    return shutil.which(program.argv[0], path=program.env.get("PATH")) is not None


def _cause(error: OSError, program: Program) -> str:
    if error.filename != program.argv[0]:
        return f"{error.strerror}: {error.filename}"
    if error.errno == errno.ENOENT:
        return "the interpreter in its first line does not exist"
    if error.errno == errno.E2BIG:
        size, name = max(_sizes(program))
        return f"{error.strerror}; the longest of its arguments and variables is {name} with {size} bytes"
    return error.strerror or str(error)


def _sizes(program: Program) -> Iterator[tuple[int, str]]:
    for position, argument in enumerate(program.argv):
        yield len(os.fsencode(argument)), f"argument {position}"
    for name, value in program.env.items():
        yield len(os.fsencode(value)), name
