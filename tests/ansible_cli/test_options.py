"""The tables of options, compared with the parsers of the installed ansible-core."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest
from receptor_runner.ansible_cli.options import ADHOC_OPTIONS, PLAYBOOK_OPTIONS, Meaning, Option

DUMP = """
import importlib, json, sys
module, name = sys.argv[1:]
cli = getattr(importlib.import_module(module), name)(["x"])
cli.init_parser()
print(json.dumps([[a.option_strings, a.nargs, type(a).__name__] for a in cli.parser._actions if a.option_strings]))
"""

PARSERS = {
    "ansible-playbook": ("ansible.cli.playbook", "PlaybookCLI", PLAYBOOK_OPTIONS),
    "ansible": ("ansible.cli.adhoc", "AdHocCLI", ADHOC_OPTIONS),
}
OF_EVERY_PROGRAM = {"-h", "--help", "--version"}


@cache
def of_ansible(program: str) -> list[tuple[frozenset[str], bool]]:
    """Return the options of the installed program: the spellings of each, and whether it takes a value."""
    module, name, _table = PARSERS[program]
    done = subprocess.run(
        [sys.executable, "-c", DUMP, module, name], capture_output=True, check=True, text=True
    )
    return [
        (frozenset(names), nargs != 0)
        for names, nargs, _kind in json.loads(done.stdout)
        if not OF_EVERY_PROGRAM & set(names)
    ]


@pytest.mark.parametrize("program", list(PARSERS))
def test_every_option_of_ansible_is_in_the_table(program: str) -> None:
    """An option that ansible-core gains, loses or respells is noticed here."""
    table: tuple[Option, ...] = PARSERS[program][2]
    ours = [(frozenset(option.names), option.meaning.takes_value) for option in table]
    assert set(ours) == set(of_ansible(program))


@pytest.mark.parametrize("table", [PLAYBOOK_OPTIONS, ADHOC_OPTIONS])
def test_keys_are_unique(table: tuple[Option, ...]) -> None:
    """Each option is found by one key, and a value has a name on the help page."""
    assert len({option.key for option in table}) == len(table)
    assert all(option.metavar for option in table if option.meaning.takes_value)
    assert not any(option.metavar for option in table if option.meaning is Meaning.FLAG)
