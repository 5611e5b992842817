"""Whether a stream gets color."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from receptor_runner.cli import color
from receptor_runner.cli.color import When


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    yield
    color.choose(When.AUTO)


@pytest.mark.parametrize(
    ("when", "variables", "on_terminal", "elsewhere"),
    [
        (When.AUTO, {}, True, False),
        (When.AUTO, {"TERM": "dumb"}, False, False),
        (When.AUTO, {"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        (When.AUTO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        (When.AUTO, {"FORCE_COLOR": "", "NO_COLOR": ""}, True, False),
        (When.ALWAYS, {"NO_COLOR": "1", "TERM": "dumb"}, True, True),
        (When.NEVER, {"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_the_order_of_what_decides(
    monkeypatch: pytest.MonkeyPatch,
    when: When,
    variables: dict[str, str],
    on_terminal: bool,
    elsewhere: bool,
) -> None:
    """The option decides, then NO_COLOR, then FORCE_COLOR, then TERM=dumb, then each stream for itself."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    color.choose(when)
    assert (color.is_wanted(_Terminal()), color.is_wanted(io.StringIO())) == (on_terminal, elsewhere)


def test_only_color_is_stripped() -> None:
    """Color codes go; text, line ends and other control sequences stay."""
    assert color.without_color("\x1b[0;32mok: [a]\x1b[0m\r\n\x1b[K\x1b[38:5:1mx") == "ok: [a]\r\n\x1b[Kx"
