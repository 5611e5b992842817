"""The command line: a skin over the library, and the only place that prints or exits.

Nothing heavy is imported here: the start of every unit on a node pays for it.
"""

from __future__ import annotations

import os
import sys

from receptor_runner.cli import output
from receptor_runner.errors import Interrupted, OutputFailed, RunnerError

LOG_FORMAT_VARIABLE = "RECEPTOR_RUNNER_LOG_FORMAT"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; by default those of this process.

    Returns:
        The exit code, as in docs/exit-codes.md.
    """
    words = sys.argv[1:] if arguments is None else arguments
    output.fill_closed_streams()
    output.promise_object(False)
    try:
        return _run(words)
    except (Exception, KeyboardInterrupt) as error:
        return _show(error)


def _run(words: list[str]) -> int:
    """Run a command line; the two without anything to parse do not pay for the import of the parser.

    A worker is started for every job, and click with our options costs as much as the rest of its start.
    """
    if words == ["--version"]:
        from receptor_runner.cli.versions import print_versions

        return print_versions()
    if words == ["worker"] and LOG_FORMAT_VARIABLE not in os.environ:
        from receptor_runner.cli.worker_job import WorkerOptions, run_worker

        return run_worker(WorkerOptions())
    from receptor_runner.cli.program import run

    return run(words)


def _show(error: Exception | KeyboardInterrupt) -> int:
    """Show why a command failed; return its exit code."""
    import contextlib

    from receptor_runner.cli import messages

    failure = _explained(error)
    code = messages.error(failure)
    with contextlib.suppress(OutputFailed):  # stderr has it
        output.failure(failure)
    return code


def _explained(error: Exception | KeyboardInterrupt) -> RunnerError:
    from receptor_runner.cli.system_errors import bug, explained

    match error:
        case KeyboardInterrupt():
            from receptor_runner.cli.signals import signal_of

            return Interrupted("interrupted", signal_number=signal_of(error))
        case RunnerError():
            return error
        case OSError() if output.is_output_failure(error):
            # Of stdout, to which click prints help by itself.
            output.give_up_stdout()
            return output.cannot_write(error)
        case OSError() if (failure := explained(error)) is not None:
            return failure.with_traceback(error.__traceback__)
        case _:
            return bug(error)
