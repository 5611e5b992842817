"""The Python interface: `run` and `run_async`, with ansible-runner's argument and handler names."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.call import Call, Directory, Display
from receptor_runner.errors import OutputFailed, RunnerError, StreamError, UsageError
from receptor_runner.handlers import Handlers, ignore, runner_config
from receptor_runner.job import Job
from receptor_runner.outcome import Outcome, Status
from receptor_runner.plugins import with_plugins
from receptor_runner.process import Processor, process
from receptor_runner.runner import Runner
from receptor_runner.system.files import reading
from receptor_runner.system.pipes import read_file, write_all

if TYPE_CHECKING:
    from receptor_runner.handlers import RunnerConfig
    from receptor_runner.receptor.jobs.follow import Following
    from receptor_runner.receptor.jobs.record import Record
    from receptor_runner.receptor.nodes.destination import Destination


def run(**arguments: Any) -> Runner:
    """Run one phase of a job, or the whole of it through Receptor.

    Args:
        arguments: ansible-runner's arguments. `streamer` chooses the phase: "transmit", "worker" or "process";
            without it the whole job runs through Receptor. `_input` and `_output` are binary files. Handlers:
            `event_handler(event)`, `status_handler(status, runner_config=...)`, `artifacts_handler(directory)`,
            `finished_callback(runner)`, `cancel_callback()`. For the whole job also `socket`, `node`, `work_type`,
            `params`, `tls_client`, `ttl`, `sign`, `store`, `compression_level`, `retry_deadline` and
            `retry_max_wait` (seconds), and `rerun`; a list of nodes or `slices` (a number) run it in slices,
            `rerun_slices` (numbers) some of them again. Everything else is an option of the job.

    Returns:
        The runner; its `status` and `rc` say how the job ended. A private data directory that was not named is a
        temporary one, which goes with the runner.

    Raises:
        RunnerError: the phase could not be started, or its output could not be written. A broken stream is a status
            `error` instead, as in ansible-runner.
        Exception: what a handler or callback raised; the job is stopped first.

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
    call = Call.read(arguments)
    whole = _sliced if call.node.in_slices else _whole
    phase = {"transmit": _transmit, "worker": _worker, "process": _process, None: whole}[call.phase.streamer]
    directory = Directory.given_or_temporary(call.phase.private_data_dir)
    runner = _runner(call, directory)
    working = contextlib.ExitStack()
    working.enter_context(
        runner.working()
    )  # before any thread starts: `events` waits for a job that is under way

    def work() -> None:
        try:
            with working:
                phase(call, runner, directory)
            directory.remove_with(runner)
        finally:
            if call.phase.streamer in {"transmit", "worker"}:
                directory.remove()
            else:
                directory.remove_unused()
        if call.callbacks.finished_callback and call.phase.streamer != "transmit":
            call.callbacks.finished_callback(runner)

    return runner, work


def _runner(call: Call, directory: Directory) -> Runner:
    given = call.phase.artifact_dir
    artifact_dir = Path(given) if given and call.phase.streamer == "process" else None
    config = runner_config(directory.path, call.ident, artifact_dir)
    config.settings = call.phase.settings or {}
    with contextlib.suppress(UsageError):  # process accepts options that it does not know
        config.job = Job.from_kwargs(call.job_options)
    if call.node.in_slices:
        from receptor_runner.slices.runner import SlicedRunner

        return SlicedRunner(config)
    return Runner(config)


def _handlers(call: Call, runner: Runner) -> Handlers:
    """Return the caller's handlers, and a display unless the call is quiet; the runner learns of each status."""
    callbacks = call.callbacks

    def note_status(data: dict[str, Any], runner_config: RunnerConfig) -> None:
        runner.status = str(data["status"])
        if callbacks.status_handler:
            callbacks.status_handler(data, runner_config=runner_config)

    return Handlers(
        event_handler=callbacks.event_handler,
        status_handler=note_status,
        artifacts_handler=callbacks.artifacts_handler or ignore,
        display=ignore if call.phase.quiet else Display().show,
    )


def _transmit(call: Call, runner: Runner, directory: Directory) -> None:
    from receptor_runner.transmit import prepare

    output = call.streams.sink()
    shipment = prepare(
        Job.from_kwargs(call.job_options),
        directory.path,
        only_kwargs=call.phase.only_transmit_kwargs,
        include_artifacts=call.phase.include_artifacts,
        level=call.node.compression_level,
    )
    try:
        write_all(output, _until_canceled(shipment.chunks(), call, runner))
    finally:
        shipment.close()


def _until_canceled(chunks: Iterator[bytes], call: Call, runner: Runner) -> Iterator[bytes]:
    """Yield the chunks of a job, and no more of them once it is canceled: a worker runs no stream without an end."""
    for chunk in chunks:
        if call.callbacks.is_canceled(runner.cancel_token):
            runner.settle(Outcome(status=Status.CANCELED, explanation="canceled while the job was sent"))
            return
        yield chunk


def _worker(call: Call, runner: Runner, directory: Directory) -> None:
    from receptor_runner.execution.guardian_client import GuardianClient
    from receptor_runner.execution.worker_directory import WorkerDirectory
    from receptor_runner.observed_stream import ObservedStream
    from receptor_runner.result_stream import keepalive_interval
    from receptor_runner.worker import work

    keepalive_s = keepalive_interval(call.phase.keepalive_seconds)
    cancel = runner.cancel_token
    source = call.streams.source()
    stream = ObservedStream(
        call.streams.sink(),
        keepalive_s=keepalive_s,
        stop=cancel,
        handlers=_handlers(call, runner),
        config=runner.config,
    )
    place = WorkerDirectory(private_data_dir=directory.path, delete=directory.is_temporary)
    chunks = read_file(source, lambda: cancel.requested)
    try:
        with call.callbacks.polling_cancel(cancel), GuardianClient() as guardian:
            outcome = work(
                chunks,
                stream,
                directory=place,
                stop=cancel,
                guardian=guardian,
                defaults=call.job_options,
            )
            runner.settle(outcome)
    except OutputFailed:
        raise
    except RunnerError as error:
        runner.settle(Outcome(status=Status.ERROR, explanation=str(error)))
    finally:
        cancel.close()


def _process(call: Call, runner: Runner, _directory: Directory) -> None:
    source = call.streams.source()
    handlers = with_plugins(_handlers(call, runner), runner.config)
    processor = Processor(runner.artifact_dir, config=runner.config, handlers=handlers)

    def canceled() -> bool:
        return call.callbacks.is_canceled(runner.cancel_token)

    chunks = read_file(source, lambda: processor.ended or canceled())
    try:
        runner.settle(process(chunks, processor, canceled=canceled))
    except StreamError as error:
        explanation = processor.explain(error)
        runner.settle(Outcome(status=Status.ERROR, explanation=explanation, warnings=processor.warnings))


def _whole(call: Call, runner: Runner, directory: Directory) -> None:
    from receptor_runner.receptor.jobs.follow import Following
    from receptor_runner.receptor.jobs.record import RecordFile

    destination = call.node.destination()
    cancel = runner.cancel_token
    following = Following(handlers=_handlers(call, runner), cancel=cancel, config=runner.config)
    submitted: list[Record] = []
    with call.callbacks.polling_cancel(cancel):
        try:
            _start(call, directory.path, destination, submitted)
            outcome = _followed(directory.path, submitted[-1].ident, destination, following)
        except KeyboardInterrupt:
            if not any(RecordFile(directory.path, record.ident).may_run() for record in submitted):
                raise
            cancel.request()
            outcome = _followed(directory.path, submitted[-1].ident, destination, following)
        runner.settle(outcome)


def _start(call: Call, private_data_dir: Path, destination: Destination, submitted: list[Record]) -> None:
    """Submit the job; its record is in `submitted` from the moment on from which it may run."""
    from receptor_runner.receptor.jobs.submit import start
    from receptor_runner.transmit import prepare

    job = Job.from_kwargs(call.job_options)
    with reading(private_data_dir):
        has_target = job.has_target or (private_data_dir / "args").is_file()
    if not has_target:
        hint = f"pass playbook, module or role, or write a command line to {private_data_dir / 'args'}"
        raise UsageError("nothing to run", hint=hint)
    with destination.local_node() as local:  # an embedded one starts while the job is packed
        level = destination.level(local)
        include_artifacts = call.phase.include_artifacts
        shipment = prepare(job, private_data_dir, include_artifacts=include_artifacts, level=level)
        try:
            record = start(
                shipment,
                private_data_dir,
                destination,
                local,
                rerun=call.phase.rerun,
                on_route=lambda record, _local: submitted.append(record),
            )
            submitted.append(record)
        finally:
            shipment.close()


def _sliced(call: Call, runner: Runner, directory: Directory) -> None:
    from receptor_runner.slices.calls import SlicedCalls
    from receptor_runner.slices.job import Slicing, run_in_slices
    from receptor_runner.slices.nodes import lanes
    from receptor_runner.slices.running import Requests
    from receptor_runner.slices.work import work_of

    destination = call.node.destination()
    requests = Requests(cancel=runner.cancel_token)
    calls = SlicedCalls(directory.path, _handlers(call, runner), requests)
    slicing = Slicing(
        count=call.node.slices,
        lanes=lanes(destination, call.node.nodes),
        rerun=call.phase.rerun,
        rerun_slices=tuple(call.node.rerun_slices),
    )
    job = Job.from_kwargs(call.job_options)
    work = work_of(job, directory.path, include_artifacts=call.phase.include_artifacts)
    with call.callbacks.polling_cancel(requests.cancel):
        index = run_in_slices(
            directory.path,
            str(call.ident),
            work,
            slicing,
            replace(destination, node=None),
            observer=calls,
            requests=requests,
        )
    calls.check()
    runner.settle(calls.outcome(index))


def _followed(private_data_dir: Path, ident: str, destination: Destination, following: Following) -> Outcome:
    from receptor_runner.receptor.jobs.follow import follow

    try:
        return follow(private_data_dir, ident, destination, following)
    except StreamError as error:
        return Outcome(status=Status.ERROR, explanation=str(error))
    except RunnerError:
        raise
    except Exception:
        # A handler failed, so nobody would learn how the job ends: it is stopped rather than left running unseen.
        following.cancel.request()
        with contextlib.suppress(RunnerError):
            follow(private_data_dir, ident, destination, replace(following, handlers=Handlers()))
        raise
