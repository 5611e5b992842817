"""How commands show what a linter found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from receptor_runner.cli import messages, output
from receptor_runner.errors import ConfigError

if TYPE_CHECKING:
    from receptor_runner.receptor_config.findings import Finding


def show_findings(findings: Sequence[Finding], *, json_output: bool) -> int:
    """Print findings, one a line with its hint below it, and their number; return the exit code.

    Args:
        findings: in the order in which they are shown.
        json_output: print one JSON object instead.
    """
    from receptor_runner.receptor_config.linter import count

    numbers = {severity.value: number for severity, number in count(findings).items()}
    if json_output:
        totals = {f"{name}s": number for name, number in numbers.items()}
        output.data({"findings": [finding.as_dict() for finding in findings], **totals})
    else:
        for finding in findings:
            output.line(_line(finding))
        messages.note(", ".join(f"{number} {name}{'s' * (number != 1)}" for name, number in numbers.items()))
    return ConfigError.exit_code if numbers["error"] else 0


def _line(finding: Finding) -> str:
    text = f"{finding.file}:{finding.line}: {finding.severity.value}: {finding.message} [{finding.code}]"
    return f"{text}\n    {finding.hint}" if finding.hint else text
