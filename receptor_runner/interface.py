"""The name under which many programs call ansible-runner: `interface.run` and `interface.run_async`."""

from __future__ import annotations

from receptor_runner.api import run, run_async

__all__ = ["run", "run_async"]
