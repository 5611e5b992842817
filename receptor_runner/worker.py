"""Phase 2: reads the transmit stream, runs the job, and writes the result stream."""

from __future__ import annotations

import contextlib
import dataclasses
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.artifacts import RESERVED_NAMES, artifact_directory
from receptor_runner.errors import ArchiveError, RunnerError
from receptor_runner.outcome import RC_STOPPED, Outcome, Status
from receptor_runner.system.claims import claimed
from receptor_runner.system.pipes import output_failed

if TYPE_CHECKING:
    from receptor_runner.execution.guardian_client import GuardianClient
    from receptor_runner.execution.isolation.default_container import DefaultContainer
    from receptor_runner.execution.worker_directory import WorkerDirectory
    from receptor_runner.job import Job
    from receptor_runner.result_stream import ResultStream
    from receptor_runner.store.blobs import Store
    from receptor_runner.system.cancel import CancelToken


def work(
    chunks: Iterator[bytes],
    stream: ResultStream,
    *,
    directory: WorkerDirectory,
    stop: CancelToken,
    guardian: GuardianClient,
    defaults: dict[str, Any] | None = None,
    store: Store | None = None,
    container: DefaultContainer | None = None,
) -> Outcome:
    """Receive a job, run it, and send back its events and artifacts.

    Whatever goes wrong, the result stream ends with an error status and its end marker. A job whose stream lacks the
    end marker is never run. The end marker is sent before the private data dir is removed, which can take seconds.

    Args:
        chunks: the transmit stream.
        stream: the result stream; it is finished at the end.
        directory: its private data dir.
        stop: stops the job, or the reading of it.
        guardian: starts the job's processes; the caller closes it afterwards.
        defaults: options that those of the job override.
        store: files kept from earlier jobs; without one, questions about it and archives that refer to it are refused.
        container: where jobs run that choose no isolation; None for this machine itself.

    Raises:
        RunnerError: the job could not be run (the stream ends with that error), or nobody reads the stream.

    Source: the message order and the texts of ansible-runner 2.4.3's worker, which there exits 0 whatever happens.
    """
    with contextlib.ExitStack() as tidying:
        try:
            outcome = _work(
                chunks, stream, directory, stop, guardian, defaults or {}, store, container, tidying
            )
        except Exception as error:
            stream.status(_error_status(error))
            raise
        finally:
            stream.finish()
    if stream.failure:
        raise output_failed(stream.failure) from stream.failure
    return outcome


def _error_status(error: Exception) -> dict[str, Any]:
    status: dict[str, Any] = {"status": Status.ERROR.value, "job_explanation": _explanation(error)}
    if isinstance(error, ArchiveError) or not isinstance(error, RunnerError):
        status["result_traceback"] = "".join(traceback.format_exception(error))
    return status


def _explanation(error: Exception) -> str:
    """Return the reason in one line; ansible-runner's sentences come first, since callers match on them."""
    if not isinstance(error, RunnerError):
        return f"{type(error).__name__}: {error}"
    joint = " " if error.what.endswith(".") else ": "
    return joint.join(part for part in (error.what, error.cause) if part)


def _work(
    chunks: Iterator[bytes],
    stream: ResultStream,
    directory: WorkerDirectory,
    stop: CancelToken,
    guardian: GuardianClient,
    defaults: dict[str, Any],
    store: Store | None,
    container: DefaultContainer | None,
    tidying: contextlib.ExitStack,
) -> Outcome:
    from receptor_runner.intake import Received, answer, extract_archives, receive
    from receptor_runner.job import Job
    from receptor_runner.store.filling import filling

    received = Received()
    try:
        if not receive(chunks, received, stop):
            return _canceled(stream)
        if received.question:
            return answer(received.question, stream, store)
        private_data_dir = tidying.enter_context(_guarded(directory, guardian))
        kept = extract_archives(received, private_data_dir, store)
        received.close()
        if stop.requested:
            return _canceled(stream)
        tidying.enter_context(filling(store, private_data_dir, kept))
        job = Job.from_kwargs({**defaults, **(received.options or {})})
        job = container.for_job(job, private_data_dir) if container else job
        job = _located(job, private_data_dir)
        return _run(job, private_data_dir, stream, stop, guardian, received.results_level)
    finally:
        received.close()


@contextlib.contextmanager
def _guarded(directory: WorkerDirectory, guardian: GuardianClient) -> Iterator[Path]:
    """Provide the directory; the guardian removes a temporary one even if this process is killed."""
    private_data_dir = directory.open()
    if directory.is_temporary:
        guardian.remove_on_exit(private_data_dir)
    try:
        with claimed(private_data_dir):
            yield private_data_dir
    finally:
        directory.close(private_data_dir)


def _located(job: Job, directory: Path) -> Job:
    """Return the job with absolute directories; relative ones start at the private data directory."""
    keys = ("project_dir", "artifact_dir")
    named: dict[str, Any] = {key: str(directory / value) for key in keys if (value := getattr(job, key))}
    return dataclasses.replace(job, **named)


def _canceled(stream: ResultStream) -> Outcome:
    explanation = "canceled before the job started"
    stream.status({"status": Status.CANCELED.value, "job_explanation": explanation})
    return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation=explanation)


def _run(
    job: Job,
    directory: Path,
    stream: ResultStream,
    stop: CancelToken,
    guardian: GuardianClient,
    level: int,
) -> Outcome:
    import uuid

    from receptor_runner.archive.pack import pack
    from receptor_runner.execution.run import execute
    from receptor_runner.job import check_ident

    ident = check_ident(job.ident or str(uuid.uuid4()))
    left_out = RESERVED_NAMES | _output_files(job, directory)
    outcome = execute(job, directory, ident=ident, sink=stream, stop=stop, guardian=guardian)
    # Nobody waits for what follows the end of the stream: whoever kills this process then must not hit what the job
    # left running on purpose.
    guardian.job_is_over()
    artifacts = artifact_directory(directory, job.artifact_dir, ident)
    packed = pack(artifacts, wanted=lambda name: name not in left_out, level=level)
    try:
        stream.archive(packed.size, packed.chunks())
    finally:
        packed.close()
    return outcome


def _output_files(job: Job, directory: Path) -> frozenset[str]:
    """Return the output files of a job that suppresses them: in a shared directory, `process` may have written some."""
    from receptor_runner.env_files import EnvFiles
    from receptor_runner.job_inputs import read_inputs

    suppressed = read_inputs(job, EnvFiles(root=directory)).job.suppress_output_file
    return frozenset({"stdout", "stderr"}) if suppressed else frozenset()
