"""The process table as the guardian sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from receptor_runner.execution.guardian import descendants

if TYPE_CHECKING:
    from tests.harness import Headless


def test_a_process_whose_first_thread_has_ended_is_there(headless: Headless) -> None:
    """A process that shows as a zombie, though a thread of it lives, is found, and so are its children."""
    assert {headless.pid, headless.child} <= descendants(os.getpid())


def test_the_dead_are_not_there(headless: Headless) -> None:
    """What has ended is not found, collected or not."""
    headless.kill()
    assert not {headless.pid, headless.child} & descendants(os.getpid())
