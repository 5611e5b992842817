"""Finds prompts in what a job shows, and the answers to them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from receptor_runner.errors import ConfigError

_WINDOW = 1000
_TIMED_PAUSE = "(ctrl+C then 'C' = continue early"
_ESCAPE_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Answers:
    """The passwords of a job, and the latest text in which their prompts are looked for.

    Patterns are tried in their order, on the text since the last answer, first as it was shown and then without
    colour codes, so that `^` finds a prompt that begins with one.

    Args:
        passwords: answer by regular expression.

    Raises:
        ConfigError: a pattern is no regular expression.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._answers = [(_compiled(pattern), answer) for pattern, answer in passwords.items()]
        self._shown = ""

    def show(self, text: str) -> None:
        """Take text that was shown."""
        self._shown = (self._shown + text)[-_WINDOW:]

    def find(self) -> str | None:
        """Return the answer to the prompt that was shown, if one matches; it then counts as answered."""
        for text in (self._shown, _ESCAPE_CODE.sub("", self._shown)):
            for pattern, answer in self._answers:
                if pattern.search(text):
                    self._shown = ""
                    return answer
        return None

    @property
    def is_timed_pause(self) -> bool:
        """Whether the prompt is that of a `pause` which goes on by itself."""
        return _TIMED_PAUSE in self._shown

    @property
    def last_line(self) -> str:
        """The last line that was shown, in plain text: what a person would take for the prompt."""
        lines = _ESCAPE_CODE.sub("", self._shown).strip().splitlines()
        return lines[-1].strip() if lines else ""


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ConfigError(
            f"the password prompt {pattern!r} is no regular expression", cause=str(error)
        ) from error
