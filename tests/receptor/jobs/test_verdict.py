"""What is said of the end of a unit."""

from __future__ import annotations

import pytest
from receptor_runner.receptor.jobs.verdict import foreign_output


@pytest.mark.parametrize(
    ("tail", "is_torn", "words"),
    [
        (b"command not found\n", False, "command not found"),
        (b'{"status": "running"}\nTraceback:\n  KeyError\n', False, "Traceback:\n  KeyError"),
        (b'tdout": "x"}\n{"event": 1}\n{"ev', True, ""),
        (b"QUJDREVG", True, ""),
        (b"\xff\n", False, "\\xff"),
    ],
)
def test_foreign_output_is_no_message(tail: bytes, is_torn: bool, words: str) -> None:
    """Of a unit's last output only what is no message of a stream is shown, and no torn line."""
    assert foreign_output(tail, is_torn=is_torn) == words
