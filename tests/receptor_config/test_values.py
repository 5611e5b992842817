"""How single values are read; test_linter_and_daemon.py shows that the daemon agrees."""

from __future__ import annotations

import pytest
from receptor_runner.receptor_config.values import (
    read_boolean,
    read_duration_s,
    read_setting_boolean,
    read_text,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "unquoted", "quoted", "v2"),
    [
        ("true", True, True, True),
        ("yes", True, True, None),
        ("On", True, None, None),
        ("y", True, None, None),
        ("Y", True, True, None),
        ("t", True, True, True),
        ("1", None, True, True),
        ("n", False, None, None),
        ("0", None, False, False),
        ("yEs", None, None, None),
        ("maybe", None, None, None),
        ("", None, None, None),
    ],
)
def test_booleans(text: str, unquoted: bool | None, quoted: bool | None, v2: bool | None) -> None:
    """Whether a word is a boolean depends on its case, on quotes in v1, and on the form of the file."""
    assert read_boolean(text, quoted=False, version=1) is unquoted
    assert read_boolean(text, quoted=True, version=1) is quoted
    assert read_boolean(text, quoted=False, version=2) is v2
    assert read_boolean(text, quoted=True, version=2) is v2


def test_a_person_may_write_a_boolean_in_any_case() -> None:
    """What is given to --set is forgiving, for the template writes true or false."""
    assert [read_setting_boolean(word) for word in ("YES", "off", "T", "2")] == [True, False, True, None]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0660", 0o660),
        ("0o660", 0o660),
        ("0x1b0", 432),
        ("4_3_2", 432),
        ("-7", -7),
        ("08", None),
        ("x", None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    """A leading zero makes a number octal, as in Go."""
    assert whole_number(text) == number


def test_text_that_yaml_does_not_read_as_text() -> None:
    """A key that holds text gets what YAML made of the value, written out again."""
    assert [read_text(text, version=1) for text in ("n1", "007", "on", "1.5")] == [
        "n1",
        "7",
        "true",
        "1.500000",
    ]
    assert [read_text(text, version=2) for text in ("n1", "007", "on", "1.5")] == ["n1", "7", "on", "1.5"]


def test_durations() -> None:
    """A duration is a sum of numbers with units, as Go writes it."""
    assert [read_duration_s(text) for text in ("1h30m", "1.5s", "-10ms", "60", "")] == [
        5400,
        1.5,
        -0.01,
        None,
        None,
    ]
