"""What a command that runs a job prints: `--output`, and its two short forms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import click

from receptor_runner.cli import output
from receptor_runner.cli.parameters import is_on_command_line, option
from receptor_runner.errors import UsageError


class OutputFormat(StrEnum):
    """What is printed of a job."""

    TEXT = "text"
    """Its output, as it comes."""
    JSON = "json"
    """One object at the end."""
    NDJSON = "ndjson"
    """Each status line and event as it comes, one JSON object a line, then the object of `json`."""
    QUIET = "quiet"
    """Errors, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is printed of a job. `--json` and `--quiet` are the names that ansible-runner's users know."""

    output: str = option(
        "--output",
        type=click.Choice([entry.value for entry in OutputFormat]),
        default=OutputFormat.TEXT.value,
        metavar="FORMAT",
        help="text (default), json, ndjson or quiet. text: the job's output; json: one object at the end; ndjson: "
        "one event per line; quiet: errors only.",
    )
    json: bool = option("--json", is_flag=True, help="The same as --output json.")
    quiet: bool = option("-q", "--quiet", is_flag=True, help="The same as --output quiet.")

    def format(self) -> OutputFormat:
        """Return the format that the options name.

        Raises:
            UsageError: they name more than one.
        """
        named = {OutputFormat.JSON} if self.json else set()
        named |= {OutputFormat.QUIET} if self.quiet else set()
        if not named or is_on_command_line("output"):
            named.add(OutputFormat(self.output))
        if len(named) > 1:
            raise UsageError(f"conflicting output formats: {' and '.join(sorted(named))}")
        wanted = named.pop()
        output.promise_object(wanted in {OutputFormat.JSON, OutputFormat.NDJSON})
        return wanted
