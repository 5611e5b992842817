"""`receptor-runner cleanup`."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import messages, output, parameters
from receptor_runner.cli.cleanup_options import CleanupOptions, WordsCommand
from receptor_runner.cli.node_options import (
    ConnectionOptions,
    SocketOptions,
    TargetOptions,
    TlsOptions,
    destination,
)
from receptor_runner.errors import UsageError, WorkerFailed

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.command_unit import CommandEnd

EPILOG = """\b
Examples:
  receptor-runner cleanup --node exec1 --file-pattern '/tmp/awx_*_*' --dry-run
  receptor-runner cleanup --node exec1 --image-prune
"""

_LAST_LINE = "(changed: "


@click.command(cls=WordsCommand, epilog=EPILOG)
@parameters.takes("options", CleanupOptions)
@parameters.takes("local", SocketOptions)
@parameters.takes("target", TargetOptions)
@parameters.takes("tls", TlsOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def cleanup(
    options: CleanupOptions,
    local: SocketOptions,
    target: TargetOptions,
    tls: TlsOptions,
    connection: ConnectionOptions,
    json_output: bool,
) -> int:
    """Clean up the machine of a node: `worker cleanup`, as a unit of work there.

    The node's work-command needs `allowruntimeparams: true`. The output of the worker is printed, and its exit code is
    the exit code of this command. See `receptor-runner worker cleanup --help` for what is removed and what is kept.
    """
    from receptor_runner.receptor.jobs.command_unit import run_command

    words = _command(options, json_output=json_output)
    where = destination(connection, local, tls, target)
    end = run_command(where, words)
    return _show_json(end) if json_output else _show(end)


def _command(options: CleanupOptions, *, json_output: bool) -> str:
    """Return the worker's command line, as far as possible in a form that ansible-runner's worker understands too.

    Source: ansible-runner takes several words behind one option, does not split them, and uses only the last of a
    repeated option; its grace period is a whole number.
    """
    words = ["cleanup", *_several("--exclude-strings", options.exclude_strings)]
    words += _several("--remove-images", options.remove_images)
    words += [f"--file-pattern={options.file_pattern}"] if options.file_pattern else []
    words += [
        f"--grace-period={options.grace_period_min:g}",
        f"--process-isolation-executable={options.engine}",
    ]
    flags = {
        "--image-prune": options.image_prune,
        "--store": options.store,
        "--dry-run": options.dry_run,
        "--json": json_output,
    }
    return shlex.join([*words, *(flag for flag, wanted in flags.items() if wanted)])


def _several(option: str, words: tuple[str, ...]) -> list[str]:
    for word in words:
        if word.startswith("-"):
            raise UsageError(f"{option}: `{word}` would be taken for an option on the node")
    return [option, *words] if words else []


def _show(end: CommandEnd) -> int:
    output.line(end.text)
    if end.succeeded and not end.text.rpartition("\n")[2].startswith(_LAST_LINE):
        raise WorkerFailed(
            f"the worker of node `{end.node}` did not clean up",
            cause="its output does not end with `(changed: ...)`",
        )
    return _exit_code(end)


def _show_json(end: CommandEnd) -> int:
    """Print the worker's report, and nothing if it gives none."""
    for line in reversed(end.text.splitlines()):
        if (report := _read(line)) is not None:
            output.data(report | {"node": end.node})
            return _exit_code(end)
    raise WorkerFailed(
        f"the worker of node `{end.node}` sent no report",
        cause=f"{end.detail}: {end.text[-500:]}",
        hint="ansible-runner's worker knows neither --json nor --dry-run",
    )


def _read(line: str) -> dict[str, Any] | None:
    try:
        report = json.loads(line)
    except ValueError:
        return None
    # With `error` as an object it says why nothing was cleaned up; the error of a report is a text.
    is_report = isinstance(report, dict) and ("changed" in report or isinstance(report.get("error"), dict))
    return report if is_report else None


def _exit_code(end: CommandEnd) -> int:
    if end.succeeded:
        return 0
    failure = WorkerFailed(f"the clean-up of node `{end.node}` failed", cause=end.detail)
    messages.error(failure)
    return end.exit_code or failure.exit_code
