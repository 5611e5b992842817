"""The Python interface: `run` and `run_async`, with ansible-runner's argument and handler names."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from receptor_runner.errors import OutputFailed, RunnerError, StreamError, UsageError
from receptor_runner.handlers import EventHandler, Handlers, RunnerConfig, runner_config
from receptor_runner.job import Job, new_ident
from receptor_runner.outcome import Outcome, Status
from receptor_runner.plugins import tell_plugins
from receptor_runner.process import Processor, process
from receptor_runner.runner import Runner
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.directories import PREFIX
from receptor_runner.system.files import remove_tree
from receptor_runner.system.pipes import Writable, never, read_file, write_all

if TYPE_CHECKING:
    from receptor_runner.receptor.control.retry import RetryPolicy

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
    params: str | None = None
    tls_client: str | None = None
    ttl: str | None = None
    sign: bool | None = None
    retry_deadline: float | None = None
    retry_max_wait: float | None = None
    rerun: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    is_temporary: bool = False

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> _Call:
        names = {entry.name for entry in fields(cls)} - {"options", "is_temporary"}
        own = {key: value for key, value in arguments.items() if key in names}
        shared = {"ident", "artifact_dir", "settings", "quiet"}
        options = {key: value for key, value in arguments.items() if key not in names or key in shared}
        return cls(**own, options=options)

    def settle_directory(self) -> None:
        """Make a temporary private data directory where none was named; a phase that reads it removes it."""
        if self.private_data_dir is None:
            self.private_data_dir = tempfile.mkdtemp(prefix=PREFIX)
            self.is_temporary = self.streamer in {"transmit", "worker"}

    @property
    def directory(self) -> Path:
        """The private data directory."""
        assert self.private_data_dir is not None
        return Path(self.private_data_dir)

    @property
    def job_ident(self) -> str | None:
        """The ident as text."""
        return None if self.ident is None else str(self.ident)

    def handlers(self, runner: Runner) -> Handlers:
        """Return the handlers that were given, and a display unless it is to be quiet; the runner hears of statuses."""
        given = {
            name: handler
            for name in ("event_handler", "artifacts_handler")
            if (handler := getattr(self, name)) is not None
        }
        status_handler = _noting(runner, self.status_handler or _ignore)
        return Handlers(**given, status_handler=status_handler, display=_ignore if self.quiet else _print)

    @property
    def fact_cache(self) -> str:
        """The name of the fact cache among the artifacts."""
        return str((self.settings or {}).get("fact_cache") or self.options.get("fact_cache") or "fact_cache")

    @contextlib.contextmanager
    def canceling(self, cancel: CancelToken) -> Iterator[None]:
        """Poll the cancel callback in a thread; when it returns true, or fails, request the cancel."""
        if self.cancel_callback is None:
            yield
            return
        over = threading.Event()
        failures: list[Exception] = []
        arguments = (self.cancel_callback, cancel, over, failures)
        asker = threading.Thread(target=_ask, args=arguments, daemon=True)
        asker.start()
        try:
            yield
        finally:
            over.set()
            asker.join()
        if failures:
            raise failures[0]


def _ask(
    callback: Callable[[], bool],
    cancel: CancelToken,
    over: threading.Event,
    failures: list[Exception],
) -> None:
    while not over.wait(_CANCEL_POLL_S):
        try:
            wanted = callback()
        except Exception as error:
            failures.append(error)
            wanted = True
        if wanted:
            cancel.request()
            return


def _noting(runner: Runner, own: Callable[..., Any]) -> Callable[..., Any]:
    """Return a status handler that has the runner say how things are."""

    def note(data: dict[str, Any], runner_config: RunnerConfig) -> None:
        runner.status = str(data["status"])
        own(data, runner_config=runner_config)

    return note


def _print(text: str) -> None:
    """Print a job's output, as far as stdout has characters for it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _ignore(*_arguments: object, **_options: object) -> None:
    return None


def run(**arguments: Any) -> Runner:
    """Run one phase of a job, or the whole of it through Receptor.

    Args:
        arguments: ansible-runner's arguments. `streamer` chooses the phase: "transmit", "worker" or "process";
            without it the whole job runs through Receptor. `_input` and `_output` are binary files. Handlers:
            `event_handler(event)`, `status_handler(status, runner_config=...)`, `artifacts_handler(directory)`,
            `finished_callback(runner)`, `cancel_callback()`. For the whole job also `socket`, `node`, `work_type`,
            `params`, `tls_client`, `ttl`, `sign`, `retry_deadline` and `retry_max_wait` (seconds), and `rerun`.
            Everything else is an option of the job.

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
    call.settle_directory()
    artifact_dir = Path(call.artifact_dir) if call.artifact_dir and call.streamer == "process" else None
    runner = Runner(runner_config(call.directory, call.job_ident, artifact_dir), fact_cache=call.fact_cache)
    runner.config.settings = call.settings or {}

    working = contextlib.ExitStack()
    working.enter_context(runner.working())

    def work() -> None:
        try:
            with working:
                phase(call, runner)
        finally:
            if call.is_temporary:
                remove_tree(call.directory)
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
        write_all(call._output or sys.stdout.buffer, _until_canceled(shipment.chunks(), call, runner))
    finally:
        shipment.close()


def _until_canceled(chunks: Iterator[bytes], call: _Call, runner: Runner) -> Iterator[bytes]:
    """Yield the chunks of a job; once it is canceled no more: a worker does not run what has no end."""
    canceled = call.cancel_callback or never
    for chunk in chunks:
        if canceled():
            runner.settle(Outcome(status=Status.CANCELED, explanation="canceled while the job was sent"))
            return
        yield chunk


def _worker(call: _Call, runner: Runner) -> None:
    from receptor_runner.execution.worker_directory import WorkerDirectory
    from receptor_runner.observed_stream import ObservedStream
    from receptor_runner.result_stream import keepalive_interval
    from receptor_runner.worker import work

    keepalive_s = keepalive_interval(call.keepalive_seconds)
    stop = CancelToken()
    stream = ObservedStream(
        call._output or sys.stdout.buffer,
        keepalive_s=keepalive_s,
        stop=stop,
        handlers=call.handlers(runner),
        config=runner.config,
    )
    directory = WorkerDirectory(private_data_dir=call.directory, delete=call.is_temporary)
    chunks = read_file(call._input or sys.stdin.buffer, lambda: stop.requested)
    try:
        with call.canceling(stop):
            runner.settle(work(chunks, stream, directory=directory, stop=stop, defaults=call.options))
    except OutputFailed:
        raise
    except RunnerError as error:
        runner.settle(Outcome(status=Status.ERROR, explanation=str(error)))
    finally:
        stop.close()


def _process(call: _Call, runner: Runner) -> None:
    handlers = tell_plugins(call.handlers(runner), runner.config)
    processor = Processor(runner.artifact_dir, config=runner.config, handlers=handlers)
    canceled = call.cancel_callback or never
    chunks = read_file(call._input or sys.stdin.buffer, lambda: processor.ended or canceled())
    try:
        runner.settle(process(chunks, processor, canceled=canceled))
    except StreamError as error:
        runner.settle(Outcome(status=Status.ERROR, explanation=processor.explain(error)))


def _retry_policy(call: _Call) -> RetryPolicy:
    """Return the policy of the call: as given, else as the environment says, else the usual one."""
    from receptor_runner.receptor.control.retry import RetryPolicy

    return RetryPolicy.from_environment(deadline_s=call.retry_deadline, max_wait_s=call.retry_max_wait)


def _whole(call: _Call, runner: Runner) -> None:
    from receptor_runner.receptor.jobs.follow import Following, follow
    from receptor_runner.receptor.jobs.submit import start
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.transmit import prepare

    destination = Destination(
        socket=call.socket,
        node=call.node,
        work_type=call.work_type,
        params=call.params,
        tls_client=call.tls_client,
        ttl=call.ttl,
        sign=call.sign,
        retry=_retry_policy(call),
    )
    job = Job.from_kwargs(call.options)
    if not job.has_target:
        raise UsageError("nothing to run: give a playbook, a module or a role")
    cancel = CancelToken()
    following = Following(handlers=call.handlers(runner), cancel=cancel, config=runner.config)
    with call.canceling(cancel):
        with destination.local_node() as local:  # an embedded one starts while the job is packed
            shipment = prepare(job, call.directory, include_artifacts=call.include_artifacts)
            try:
                record = start(shipment, call.directory, destination, local, rerun=call.rerun)
            finally:
                shipment.close()
        try:
            outcome = follow(call.directory, record.ident, destination, following)
        except KeyboardInterrupt:
            cancel.request()
            outcome = follow(call.directory, record.ident, destination, following)
        except StreamError as error:
            outcome = Outcome(status=Status.ERROR, explanation=str(error))
        except RunnerError:
            raise
        except Exception:  # a handler's: nobody would hear how the job ends
            cancel.request()
            with contextlib.suppress(RunnerError):
                follow(call.directory, record.ident, destination, replace(following, handlers=Handlers()))
            raise
    runner.settle(outcome)
