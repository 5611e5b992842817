"""Which engines this machine has."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress

from receptor_runner.execution.isolation.choose import KNOWN

_VERSION = re.compile(r"\d+(\.\d+)+[\w.+-]*")
_LIMIT_S = 5.0


def engine_versions() -> dict[str, str]:
    """Return the version of each engine that is installed and answers, by the engine's name."""
    running = {kind: process for kind in KNOWN if (process := _ask(kind)) is not None}
    answers = {kind: _answer(process) for kind, process in running.items()}
    return {kind: found[0] for kind, text in answers.items() if (found := _VERSION.search(text))}


def _ask(kind: str) -> subprocess.Popen[str] | None:
    with suppress(OSError):
        return subprocess.Popen(
            [kind, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
    return None


def _answer(process: subprocess.Popen[str]) -> str:
    with process:
        try:
            text = process.communicate(timeout=_LIMIT_S)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return ""
    return "" if process.returncode else text
