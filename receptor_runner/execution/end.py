"""How a program ended, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from receptor_runner.execution.guardian_client import Exit


class Cause(StrEnum):
    """Why a program ended."""

    EXITED = "it exited"
    CANCELED = "it was canceled"
    JOB_TIMEOUT = "it exceeded its job_timeout"
    IDLE_TIMEOUT = "it printed nothing for its idle_timeout"
    UNANSWERED = "no password matches its prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a program.

    Attributes:
        cause: why it ended.
        exit: its exit status; None if it is unknown.
        left: the processes that could not be killed.
        undone: the command that could not remove its container, empty if there is none left.
        last_line: the prompt at which it was stopped, if there was one.
        last_text: the end of what it printed itself, which is where a container engine reports errors.
    """

    cause: Cause
    exit: Exit | None
    left: tuple[int, ...] = ()
    undone: tuple[str, ...] = ()
    last_line: str = ""
    last_text: str = ""
