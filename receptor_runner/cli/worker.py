"""`receptor-runner worker`: what a Receptor node runs as a work-command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from receptor_runner.cli import output as stdout
from receptor_runner.cli import parameters
from receptor_runner.cli.commands import Group
from receptor_runner.cli.worker_cleanup import cleanup
from receptor_runner.errors import UsageError
from receptor_runner.system.signals import STOPPING

if TYPE_CHECKING:
    from types import FrameType

    from receptor_runner.execution.worker_directory import WorkerDirectory
    from receptor_runner.result_stream import ResultStream
    from receptor_runner.store.blobs import Store
    from receptor_runner.system.cancel import CancelToken

EPILOG = """\b
Examples:
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker |
      receptor-runner process ./demo
  receptor-runner worker --worker-info
  receptor-runner worker cleanup --help
\b
As a work-command in receptor.yml:
  - work-command:
      worktype: receptor-runner
      command: /path/to/receptor-runner
      params: worker
"""


@click.group(cls=Group, invoke_without_command=True, subcommand_metavar="[cleanup ...]", epilog=EPILOG)
@click.option(
    "--private-data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the job's files go, and stay. Default: a temporary directory.",
)
@click.option(
    "--delete", is_flag=True, help="Empty --private-data-dir before the job and remove it afterwards."
)
@click.option(
    "--keepalive-seconds",
    type=parameters.Duration(),
    help="Send a keepalive after this much silence. Default: $ANSIBLE_RUNNER_KEEPALIVE_SECONDS, else never.",
)
@click.option(
    "--worker-info", is_flag=True, help="Print this machine's versions and capacity as YAML, and exit."
)
@click.option(
    "--no-store",
    is_flag=True,
    help="Keep no files of projects for later jobs, and take no job that relies on such files.",
)
@click.option(
    "--store-size",
    type=click.IntRange(min=1),
    default=2048,
    show_default=True,
    metavar="MIB",
    help="How much of the projects to keep below the user's state directory: what is unchanged does not travel again.",
)
@click.pass_context
def worker(
    context: click.Context,
    private_data_dir: Path | None,
    delete: bool,
    keepalive_seconds: float | None,
    worker_info: bool,
    no_store: bool,
    store_size: int,
) -> int:
    """Run the job of the stream on stdin and send its results to stdout."""
    runs_job = not (context.invoked_subcommand or worker_info)
    stop = _stop_on_signals() if runs_job else None
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    if context.invoked_subcommand:
        return 0
    if stop is None:
        return _print_info()
    from receptor_runner.execution.worker_directory import WorkerDirectory
    from receptor_runner.store.blobs import open_store

    if sys.stdin.isatty():
        raise UsageError(
            "refusing to read a job from a terminal",
            hint="receptor-runner transmit DIR -p site.yml | receptor-runner worker",
        )
    directory = WorkerDirectory(private_data_dir=private_data_dir, delete=delete)
    store = None if no_store else open_store(store_size << 20)
    return _work(stop, directory, store, keepalive_seconds=keepalive_seconds)


worker.add_command(cleanup)


def _print_info() -> int:
    from receptor_runner.execution.worker_info import worker_info_text

    stdout.line(worker_info_text())
    return 0


def _work(
    stop: CancelToken, directory: WorkerDirectory, store: Store | None, *, keepalive_seconds: float | None
) -> int:
    from receptor_runner.execution.guardian import adopt_orphans
    from receptor_runner.result_stream import ResultStream, keepalive_interval
    from receptor_runner.system.pipes import AbandonableOutput, read_descriptor
    from receptor_runner.worker import work

    directory.check()
    keepalive_s = keepalive_interval(keepalive_seconds)
    adopt_orphans()
    with _PrivateOutput() as output:
        stream = AbandonableOutput(output.descriptor, lambda: stop.requested)
        results = ResultStream(stream, keepalive_s=keepalive_s, stop=stop)
        output.capture(results.remark)
        _leave_on_signals(stop, results)
        chunks = read_descriptor(sys.stdin.fileno(), lambda: stop.requested, stop.fileno())
        return work(chunks, results, directory=directory, stop=stop, store=store).exit_code


def _stop_on_signals() -> CancelToken:
    """Return a request to stop that a signal makes."""
    from receptor_runner.system.cancel import CancelToken

    stop = CancelToken()
    for number in STOPPING:
        signal.signal(number, lambda *_: stop.request())
    return stop


def _leave_on_signals(stop: CancelToken, results: ResultStream) -> None:
    """End at once at a signal after the end of the stream, when only the removal of directories is left.

    Receptor interrupts a worker whose unit is released, which the client does as soon as it has the whole stream, and
    the client waits until the worker has ended. The guardian goes on with the removal.
    """

    def take(number: int, _frame: FrameType | None) -> None:
        if results.finished:
            os._exit(128 + number)
        stop.request()

    for number in STOPPING:
        signal.signal(number, take)


class _PrivateOutput:
    """Keeps stdout for the stream alone: whatever else is printed, by anything in this process, is captured.

    Receptor merges stdout and stderr, so a stray line on either would land inside of the stream.
    """

    def __enter__(self) -> Self:
        sys.stdout.flush()
        self.descriptor = os.dup(1)
        self._stderr = os.dup(2)
        self._reader: threading.Thread | None = None
        return self

    def capture(self, take: Callable[[str], None]) -> None:
        source, sink = os.pipe()
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(sink)
        self._reader = threading.Thread(target=self._read, args=(source, take), daemon=True)
        self._reader.start()

    @staticmethod
    def _read(source: int, take: Callable[[str], None]) -> None:
        with open(source, encoding="utf-8", errors="backslashreplace") as lines:
            for line in lines:
                take(line.rstrip("\n"))

    def __exit__(self, *_exception: object) -> None:
        sys.stdout.flush()
        os.dup2(self.descriptor, 1)
        os.dup2(self._stderr, 2)
        if self._reader:
            self._reader.join(timeout=1)
        os.close(self._stderr)
