"""The process around a worker: its signals, its stdout, and the job that comes on stdin.

Without click: the usual work-command has no options, and each job waits for the worker's start.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from receptor_runner.errors import UsageError
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.signals import STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType
    from typing import Self

    from receptor_runner.execution.isolation.default_container import DefaultContainer
    from receptor_runner.execution.worker_directory import WorkerDirectory
    from receptor_runner.result_stream import ResultStream

DEFAULT_STORE_MIB = 2048


class WorkerOptions:
    """How a worker treats the job on its stdin.

    A plain class: to make a dataclass takes longer than all that is imported here.

    Args:
        private_data_dir: where the job's files go, and stay; None for a temporary directory.
        delete: empty the directory before the job, and remove it afterwards.
        keepalive_s: send a keepalive after so many seconds of silence; None lets the environment decide.
        store_mib: how much of projects to keep for later jobs; 0 for nothing.
        container_image: the image for jobs that choose no isolation; None to run them on this machine itself.
        container_engine: the engine for that image; None for the usual one.
    """

    __slots__ = (
        "container_engine",
        "container_image",
        "delete",
        "keepalive_s",
        "private_data_dir",
        "store_mib",
    )

    def __init__(
        self,
        *,
        private_data_dir: Path | None = None,
        delete: bool = False,
        keepalive_s: float | None = None,
        store_mib: int = DEFAULT_STORE_MIB,
        container_image: str | None = None,
        container_engine: str | None = None,
    ) -> None:
        self.private_data_dir = private_data_dir
        self.delete = delete
        self.keepalive_s = keepalive_s
        self.store_mib = store_mib
        self.container_image = container_image
        self.container_engine = container_engine


def run_worker(options: WorkerOptions) -> int:
    """Run the job of the stream on stdin and send its results to stdout; return the exit code.

    Args:
        options: how.

    Raises:
        UsageError: stdin is a terminal, or the directory must not be deleted.
        RunnerError: the job could not be run, or nobody reads its results.
    """
    stop = _stop_on_signals()
    if sys.stdin.isatty():
        raise UsageError(
            "refusing to read a job from a terminal",
            hint="receptor-runner transmit DIR -p site.yml | receptor-runner worker",
        )
    if options.delete:
        _directory(options).check()
    from receptor_runner.result_stream import ResultStream, keepalive_interval
    from receptor_runner.system.pipes import AbandonableOutput, read_descriptor, read_first

    keepalive_s = keepalive_interval(options.keepalive_s)
    with _PrivateOutput() as output:
        stream = AbandonableOutput(output.descriptor, lambda: stop.requested)
        results = ResultStream(stream, keepalive_s=keepalive_s, stop=stop)
        output.capture(results.remark)
        _leave_on_signals(stop, results)
        chunks = read_descriptor(sys.stdin.fileno(), lambda: stop.requested, stop.fileno())
        # The sender goes on while everything else is imported.
        return _work(read_first(chunks), results, options, stop)


def _work(chunks: Iterator[bytes], results: ResultStream, options: WorkerOptions, stop: CancelToken) -> int:
    from receptor_runner.execution.guardian import adopt_orphans
    from receptor_runner.execution.guardian_client import GuardianClient

    adopt_orphans()
    # Its interpreter starts while this one imports what the job needs, and receives and extracts that.
    with GuardianClient() as guardian:
        from receptor_runner.cli import logs
        from receptor_runner.store.blobs import open_store
        from receptor_runner.worker import work

        logs.start_by_default()
        outcome = work(
            chunks,
            results,
            directory=_directory(options),
            stop=stop,
            guardian=guardian,
            store=open_store(options.store_mib << 20) if options.store_mib else None,
            container=_container(options),
        )
    return outcome.exit_code


def _container(options: WorkerOptions) -> DefaultContainer | None:
    if options.container_image is None:
        return None
    from receptor_runner.execution.isolation.default_container import DefaultContainer

    return DefaultContainer(image=options.container_image, executable=options.container_engine)


def _directory(options: WorkerOptions) -> WorkerDirectory:
    from receptor_runner.execution.worker_directory import WorkerDirectory

    return WorkerDirectory(private_data_dir=options.private_data_dir, delete=options.delete)


def _stop_on_signals() -> CancelToken:
    """Return a request to stop that a signal makes; from then on those that were blocked may come."""
    stop = CancelToken()
    for number in STOPPING:
        signal.signal(number, lambda *_: stop.request())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
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
