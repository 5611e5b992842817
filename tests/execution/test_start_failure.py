"""A program that cannot be started says why."""

from __future__ import annotations

from typing import Any

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.outcome import Status
from tests.execution.conftest import Workplace


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"envvars": {"E=Q": "x"}}, "invalid environment variable name 'E=Q'"),
        ({"envvars": {"": "x"}}, "invalid environment variable name ''"),
        ({"envvars": {"A\0B": "x"}}, "invalid environment variable name"),
        ({"envvars": {"TOKEN": "s3cret\0"}}, "the environment variable TOKEN contains a NUL"),
        ({"envvars": {"TOKEN": "s3cret\ud800"}}, "TOKEN contains a character that cannot be encoded"),
        ({"cmdline": "--tags 's3cret\0'"}, "argument 2 of 'ansible-playbook' contains a NUL"),
    ],
)
def test_what_execve_refuses_is_named_before(
    workplace: Workplace, options: dict[str, Any], message: str
) -> None:
    """An invalid variable or argument is an error that names it, without its value, before anything starts."""
    ran = workplace.begin(playbook="site.yml", **options)
    with pytest.raises(ConfigError, match=message) as caught:
        _ = ran.outcome
    assert "s3cret" not in str(caught.value)
    assert not ran.told.statuses


@pytest.mark.parametrize("target", ["playbook", "binary"])
def test_an_argument_list_that_is_too_long_is_named(workplace: Workplace, target: str) -> None:
    """A variable or argument over the kernel's limit fails the job and is named with its size."""
    long = "x" * 200_000
    if target == "playbook":
        ran = workplace.run(playbook=workplace.playbook("- debug: msg=x"), envvars={"BIG": long})
        name = "BIG"
    else:
        ran = workplace.run(binary="echo", cmdline=long)
        name = "argument 1"
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 126)
    assert ran.outcome.explanation is not None
    assert (
        f"Argument list too long; the longest of its arguments and variables is {name} with 200000 bytes"
        in (ran.outcome.explanation)
    )
    assert "Argument list too long" in ran.output
    assert ran.told.statuses[-1]["job_explanation"] == ran.outcome.explanation


def test_a_missing_interpreter_is_not_a_missing_command(workplace: Workplace) -> None:
    """A script that exists but whose interpreter does not says so."""
    script = workplace.write("project/run.sh", "#!/no/such/shell\n")
    script.chmod(0o755)
    outcome = workplace.run(binary=str(script)).outcome
    assert outcome.rc == 126
    assert "the interpreter in its first line does not exist" in str(outcome.explanation)


def test_a_missing_command_has_the_return_code_of_a_shell(workplace: Workplace) -> None:
    """A command that does not exist is 127, with ansible-runner's sentence."""
    ran = workplace.run(binary="no-such-command")
    assert ran.outcome.rc == 127
    assert "The command was not found or was not executable: no-such-command." in ran.output
