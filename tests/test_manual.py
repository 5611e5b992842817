"""The man page: complete, and valid roff."""

from __future__ import annotations

import shutil
import subprocess

import click
import pytest
from receptor_runner.cli.program import COMMANDS, cli

from manual import manual


def test_every_command_and_option_has_an_entry() -> None:
    """The page is made from the commands themselves, so that nothing is left out."""
    page = manual().replace("\\-", "-")
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command
        assert f".SS receptor-runner {name}\n" in page
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert all(flag in page for flag in parameter.opts)
    assert ".SS receptor-runner worker cleanup\n" in page
    assert "\b" not in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff formats man pages")
def test_groff_has_no_complaint() -> None:
    """The page is formatted without a warning, with the examples as they are."""
    command = ["groff", "-man", "-ww", "-Tascii", "-P-c"]
    done = subprocess.run(command, input=manual(), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "  receptor-runner playbook -i inventory.ini site.yml\n" in done.stdout
