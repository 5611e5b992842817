"""The Python interface: `run` and `run_async`, with ansible-runner's argument and handler names."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, Literal

from receptor_runner.edges import Writable, never, read_file, write_all
from receptor_runner.errors import OutputFailed, RunnerError, StreamError, UsageError
from receptor_runner.execution.seam import StopRequest
from receptor_runner.job import Job, new_ident
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import EventHandler, Handlers, Processor, process, runner_config
from receptor_runner.runner import Runner

Streamer = Literal["transmit", "worker", "process"]

_CANCEL_POLL_S = 0.2


@dataclass(slots=True, kw_only=True)
class _Call:
    """The arguments of `run` that are about the call, not about the job."""

    private_data_dir: str | Path | None = None
    artifact_dir: str | Path | None = None
    ident: Any = None
    streamer: Streamer | None = None
    event_handler: EventHandler | None = None
    status_handler: Callable[..., Any] | None = None
    artifacts_handler: Callable[[str], Any] | None = None
    finished_callback: Callable[[Any], Any] | None = None
    cancel_callback: Callable[[], bool] | None = None
    keepalive_seconds: float | None = None
    only_transmit_kwargs: bool = False
    include_artifacts: bool = False
    quiet: bool = False
    settings: dict[str, Any] | None = None
    _input: BinaryIO | None = None
    _output: Writable | None = None
    socket: str | None = None
    node: str | None = None
    work_type: str | None = None
    rerun: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> _Call:
        names = {entry.name for entry in fields(cls)} - {"options"}
        own = {key: value for key, value in arguments.items() if key in names}
        shared = {"ident", "artifact_dir", "settings", "quiet"}
        options = {key: value for key, value in arguments.items() if key not in names or key in shared}
        return cls(**own, options=options)

    def settle_directory(self) -> bool:
        """Make a temporary private data directory where none was named; return whether it ends with the phase."""
        if self.private_data_dir is not None:
            return False
        self.private_data_dir = tempfile.mkdtemp(prefix="receptor-runner-")
        return self.streamer in {"transmit", "worker"}

    @property
    def directory(self) -> Path:
        """The private data directory."""
        assert self.private_data_dir is not None
        return Path(self.private_data_dir)

    @property
    def job_ident(self) -> str | None:
        """The ident as text."""
        return None if self.ident is None else str(self.ident)

    def handlers(self) -> Handlers:
        """Return the handlers that were given, and a display unless it is to be quiet."""
        given = {
            name: handler
            for name in ("event_handler", "status_handler", "artifacts_handler")
            if (handler := getattr(self, name)) is not None
        }
        return Handlers(**given, display=_ignore if self.quiet else _print)

    @contextlib.contextmanager
    def canceling(self, cancel: Callable[[], Any]) -> Iterator[None]:
        """Ask the cancel callback, beside what goes on, and pass its wish on."""
        if self.cancel_callback is None:
            yield
            return
        over = threading.Event()
        asker = threading.Thread(target=_ask, args=(self.cancel_callback, cancel, over), daemon=True)
        asker.start()
        try:
            yield
        finally:
            over.set()
            asker.join()


def _ask(callback: Callable[[], bool], cancel: Callable[[], Any], over: threading.Event) -> None:
    while not over.wait(_CANCEL_POLL_S):
        if callback():
            cancel()
            return


def _print(text: str) -> None:
    """Print a job's output, as far as stdout has characters for it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _ignore(_text: str) -> None:
    return None


def run(**arguments: Any) -> Runner:
    """Run one phase of a job, or the whole of it through Receptor.

    Args:
        arguments: ansible-runner's arguments. `streamer` chooses the phase: "transmit", "worker" or "process";
            without it the whole job runs through Receptor. `_input` and `_output` are binary files. Handlers:
            `event_handler(event)`, `status_handler(status, runner_config=...)`, `artifacts_handler(directory)`,
            `finished_callback(runner)`, `cancel_callback()`. For the whole job also `socket`, `node`, `work_type`
            and `rerun`. Everything else is an option of the job.

    Returns:
        The runner; its `status` and `rc` say how it ended.

    Raises:
        RunnerError: what was asked for could not be begun, or its output could not be written. A stream that is
            broken is a status `error`, as with ansible-runner.

    Source: the arguments of ansible-runner 2.4.3's `run`.
    """
    runner, work = _prepare(arguments)
    work()
    return runner


def run_async(**arguments: Any) -> tuple[threading.Thread, Runner]:
    """Do as `run` does, in a thread; return the thread and the runner."""
    runner, work = _prepare(arguments)
    thread = threading.Thread(target=work, name="receptor-runner")
    thread.start()
    return thread, runner


def _prepare(arguments: Mapping[str, Any]) -> tuple[Runner, Callable[[], None]]:
    phases = {"transmit": _transmit, "worker": _worker, "process": _process, None: _whole}
    call = _Call.read(arguments)
    if call.streamer not in phases:
        raise UsageError(f"unknown streamer `{call.streamer}`", hint='"transmit", "worker" or "process"')
    phase = phases[call.streamer]
    if call.streamer is None and call.ident is None:
        call.ident = call.options["ident"] = new_ident()
    passing = call.settle_directory()
    artifact_dir = Path(call.artifact_dir) if call.artifact_dir and call.streamer == "process" else None
    runner = Runner(runner_config(call.directory, call.job_ident, artifact_dir))
    runner.config.settings = call.settings or {}

    def work() -> None:
        try:
            phase(call, runner)
        finally:
            if passing:
                shutil.rmtree(call.directory, ignore_errors=True)
        if call.finished_callback and call.streamer != "transmit":
            call.finished_callback(runner)

    return runner, work


def _transmit(call: _Call, runner: Runner) -> None:
    from receptor_runner.transmit import prepare

    shipment = prepare(
        Job.from_kwargs(call.options),
        call.directory,
        only_kwargs=call.only_transmit_kwargs,
        include_artifacts=call.include_artifacts,
    )
    try:
        write_all(call._output or sys.stdout.buffer, shipment.chunks())
    finally:
        shipment.close()
    runner.status = "unstarted"


def _worker(call: _Call, runner: Runner) -> None:
    from receptor_runner.worker import Place, ResultStream, keepalive_interval, work

    keepalive_s = keepalive_interval(call.keepalive_seconds)
    stop = StopRequest()
    stream = ResultStream(call._output or sys.stdout.buffer, keepalive_s=keepalive_s, stop=stop)
    place = Place(private_data_dir=call.directory)
    chunks = read_file(call._input or sys.stdin.buffer, lambda: stop.requested)
    try:
        with call.canceling(stop.request):
            runner.settle(work(chunks, stream, place=place, stop=stop, defaults=call.options))
    except OutputFailed:
        raise
    except RunnerError as error:
        runner.settle(Outcome(status=Status.ERROR, explanation=str(error)))
    finally:
        stop.close()


def _process(call: _Call, runner: Runner) -> None:
    processor = Processor(runner.artifact_dir, config=runner.config, handlers=call.handlers())
    canceled = call.cancel_callback or never
    chunks = read_file(call._input or sys.stdin.buffer, lambda: processor.ended or canceled())
    try:
        runner.settle(process(chunks, processor, canceled=canceled))
    except StreamError as error:
        runner.settle(Outcome(status=Status.ERROR, explanation=processor.explain(error)))


def _whole(call: _Call, runner: Runner) -> None:
    from receptor_runner.receptor.destination import Destination
    from receptor_runner.receptor.follow import Following, follow
    from receptor_runner.receptor.start import start
    from receptor_runner.receptor.unit import Wishes
    from receptor_runner.transmit import prepare

    destination = Destination(socket=call.socket, node=call.node, work_type=call.work_type)
    job = Job.from_kwargs(call.options)
    if not job.has_target:
        raise UsageError("nothing to run: give a playbook, a module or a role")
    shipment = prepare(job, call.directory, include_artifacts=call.include_artifacts)
    try:
        record = start(shipment, call.directory, destination, rerun=call.rerun)
    finally:
        shipment.close()
    wishes = Wishes()
    following = Following(handlers=call.handlers(), wishes=wishes, config=runner.config)
    with call.canceling(wishes.cancel.set):
        try:
            outcome = follow(call.directory, record.ident, destination, following)
        except KeyboardInterrupt:
            wishes.cancel.set()
            outcome = follow(call.directory, record.ident, destination, following)
        except StreamError as error:
            outcome = Outcome(status=Status.ERROR, explanation=str(error))
    runner.settle(outcome)
