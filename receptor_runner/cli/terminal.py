"""Questions to the person at the terminal."""

from __future__ import annotations

import getpass
import sys

from receptor_runner.cli import messages
from receptor_runner.errors import UsageError


class PersonAtTerminal:
    """Asks at the terminal from which the command was started, whatever stdin and stdout are."""

    def ask(self, prompt: str, /) -> str:
        """Show a prompt and return what is typed, without echo.

        Raises:
            UsageError: there is no terminal.
        """
        try:
            with open("/dev/tty", "rb"):
                return getpass.getpass(prompt)
        except (OSError, EOFError) as error:
            raise _no_terminal(prompt) from error

    def ask_openly(self, prompt: str, /) -> str:
        """Show a prompt and return what is typed, with echo.

        Raises:
            UsageError: there is no terminal.
        """
        try:
            with open("/dev/tty", "r+b", buffering=0) as terminal:
                terminal.write(prompt.encode(errors="surrogateescape"))
                line = terminal.readline()
        except OSError as error:
            raise _no_terminal(prompt) from error
        if not line:
            raise _no_terminal(prompt)
        return line.decode(sys.stdin.encoding or "utf-8", "surrogateescape").rstrip("\n")

    def note(self, text: str, /) -> None:
        """Show one line."""
        messages.note(text)


class NoQuestions(PersonAtTerminal):
    """Answers every question with nothing: for a command that runs nothing."""

    def ask(self, prompt: str, /) -> str:
        """Return nothing."""
        return ""

    def ask_openly(self, prompt: str, /) -> str:
        """Return nothing."""
        return ""


def _no_terminal(prompt: str) -> UsageError:
    return UsageError(
        f"cannot ask `{prompt.strip()}`",
        cause="there is no terminal",
        hint="give passwords in files (--vault-password-file, --become-password-file) and variables with -e",
    )
