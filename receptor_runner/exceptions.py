"""The errors under the names that programs catch from `ansible_runner.exceptions`."""

from __future__ import annotations

from receptor_runner.errors import RunnerError as AnsibleRunnerException
from receptor_runner.errors import UsageError as ConfigurationError

__all__ = ["AnsibleRunnerException", "ConfigurationError"]
