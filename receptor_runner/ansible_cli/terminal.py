"""The person who typed the command."""

from __future__ import annotations

from typing import Protocol


class Terminal(Protocol):
    """Asks and tells."""

    def ask(self, prompt: str, /) -> str:
        """Show a prompt and return what is typed, without echo."""

    def ask_openly(self, prompt: str, /) -> str:
        """Show a prompt and return what is typed, with echo."""

    def note(self, text: str, /) -> None:
        """Show one line."""
