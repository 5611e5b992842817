"""Finds prompts in the output of a job, and their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from receptor_runner.job_inputs import compile_prompts

_WINDOW = 1000
_TIMED_PAUSE = "(ctrl+C then 'C' = continue early"
_ESCAPE_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Answers:
    """The passwords of a job, matched against its latest output.

    Patterns are tried in order on the text since the last answer, first as it was printed, then without color codes, so
    that `^` matches a prompt that starts with one.

    Args:
        passwords: the answer for each regular expression.

    Raises:
        ConfigError: a pattern is not a regular expression.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._answers = compile_prompts(passwords, "the passwords")
        self._shown = ""

    def show(self, text: str) -> None:
        """Add text that was printed."""
        self._shown = (self._shown + text)[-_WINDOW:]

    def find(self) -> str | None:
        """Return the answer if the latest text matches a pattern; that text is not matched again."""
        for text in (self._shown, _ESCAPE_CODE.sub("", self._shown)):
            for pattern, answer in self._answers:
                if pattern.search(text):
                    self._shown = ""
                    return answer
        return None

    @property
    def is_timed_pause(self) -> bool:
        """Whether the prompt is that of a `pause` with a time limit, which needs no answer."""
        return _TIMED_PAUSE in self._shown

    @property
    def last_line(self) -> str:
        """The last line that was printed, without color codes: probably the prompt."""
        lines = _ESCAPE_CODE.sub("", self._shown).strip().splitlines()
        return lines[-1].strip() if lines else ""


def password_entry(prompt: str) -> str:
    """Return the entry of `passwords` that answers a prompt, as JSON and YAML write it: `{"^Who goes:": "..."}`."""
    pattern = "^" + re.escape(prompt).replace("\\ ", " ")
    return json.dumps({pattern: "..."}, ensure_ascii=False)
