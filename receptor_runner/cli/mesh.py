"""What the commands that talk to a node share: options, signals, and the lines they show."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import options, show
from receptor_runner.errors import ContactLost, Interrupted

if TYPE_CHECKING:
    from receptor_runner.outcome import Outcome
    from receptor_runner.receptor.jobs.follow import Following
    from receptor_runner.receptor.jobs.record import Record
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.receptor.nodes.locate import NodeAddress


def seconds(flag: str, usual: float | None, text: str, variable: str | None = None) -> Callable[[Any], Any]:
    """Return an option that takes seconds."""
    return click.option(
        flag,
        type=options.Duration(),
        default=usual,
        show_default=usual is not None,
        envvar=variable,
        metavar="SECONDS",
        help=text,
    )


reaching = options.together(
    click.option("--rootcas", help="The authority of a tls:// socket (PEM).", metavar="FILE"),
    click.option("--key", help="Our key for a tls:// socket (PEM).", metavar="FILE"),
    click.option("--cert", help="Our certificate for a tls:// socket (PEM).", metavar="FILE"),
    seconds(
        "--retry-deadline",
        60.0,
        "How long to try again when the node does not answer.",
        "RECEPTOR_RUNNER_RETRY_DEADLINE",
    ),
    seconds(
        "--retry-max-wait", 10.0, "The longest wait between two tries.", "RECEPTOR_RUNNER_RETRY_MAX_WAIT"
    ),
)

socket_of_node = click.option(
    "--socket",
    help="The control socket of the node to ask: a path, tcp://host:port or tls://host:port. By default "
    "$RECEPTORCTL_SOCKET, else one of the usual places, else the embedded node.",
)

tls_choice = options.together(
    click.option(
        "--tls-client",
        help="Which tls-client of its receptor.yml the asked node uses towards the other. By default the only one "
        "there, if the other wants TLS.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="RECEPTORCTL_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="The receptor.yml of the asked node, for its tls-client; by default the one it was started with.",
    ),
)

passing_on = options.together(
    tls_choice,
    click.option(
        "--signwork/--no-signwork",
        "sign",
        default=None,
        help="Have the asked node sign the request, or not. By default as the other advertises.",
    ),
)

where_to_run = options.together(
    socket_of_node,
    click.option("--node", help="The node where the job runs; by default the one that is asked."),
    click.option("--work-type", help="Its work-command; by default receptor-runner, else ansible-runner."),
    click.option("--work-params", "params", help="Further words for the worker's command line."),
    passing_on,
    click.option(
        "--ttl",
        help="How long a remote job may wait for its start: 30s, 10m, 1h; then nothing of it runs.  [default: 10m]",
    ),
    click.option("--no-preflight", is_flag=True, help="Upload without checking node and work type first."),
    reaching,
)

how_to_follow = options.together(
    click.option("--quiet", "-q", is_flag=True, help="Do not print the job's output."),
    click.option("--keep", is_flag=True, help="Keep the unit on its node if the job does not succeed."),
    seconds("--wait-timeout", None, "Stop waiting after this; the job goes on."),
    seconds("--contact-timeout", None, "Give up after this silence, where the worker sends keepalives."),
    seconds("--pending-timeout", 600.0, "Take the job back if it has not started by then."),
    seconds(
        "--node-timeout",
        300.0,
        "How long the node of a running job may be out of the mesh before it counts as lost.",
    ),
    seconds(
        "--runner-timeout",
        10.0,
        "How long a silent job may run on without its unit's command runner before it counts as lost.",
    ),
    seconds("--results-timeout", 300.0, "How long known results of an ended job may fail to come."),
    seconds("--cancel-timeout", 15.0, "How long a canceled job may be silent before its end."),
)

as_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object instead of text.")

ident_of_job = click.option("-i", "--ident", required=True, help="The job's name below DIR/artifacts.")


def take(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Take options out of `given` and return them."""
    return {name: given.pop(name) for name in names if name in given}


def destination(given: dict[str, Any]) -> Destination:
    """Take the options of `where_to_run` or `reaching` out of `given`; return the destination they describe."""
    from receptor_runner.receptor.control.connection import Tls
    from receptor_runner.receptor.control.retry import RetryPolicy
    from receptor_runner.receptor.nodes.destination import Destination

    retry = RetryPolicy(deadline_s=given.pop("retry_deadline"), max_wait_s=given.pop("retry_max_wait"))
    tls = Tls(**take(given, "rootcas", "key", "cert"))
    preflight = not given.pop("no_preflight", False)
    where = take(given, "socket", "node", "work_type", "params", "tls_client", "config", "ttl", "sign")
    return Destination(**where, preflight=preflight, tls=tls, retry=retry)


_LOOK_FIRST = "it may have run, or run on: look there before the same command with --rerun"


def start_job(
    private_data_dir: Path, where: Destination, given: dict[str, Any], *, include_artifacts: bool, rerun: bool
) -> Record:
    """Pack the job that the rest of the options describes, and start it; say what happens meanwhile."""
    from receptor_runner.receptor.jobs.submit import start
    from receptor_runner.transmit import prepare

    job = options.read_job(given)
    shipment = prepare(job, private_data_dir, include_artifacts=include_artifacts)
    shipment.on_sent = show.UploadProgress().tell
    try:
        for skipped in shipment.skipped:
            show.note(f"warning: left out: {skipped}")
        with _submitting(private_data_dir, str(job.ident)):
            return start(shipment, private_data_dir, where, rerun=rerun, on_route=tell_route)
    finally:
        shipment.close()


@contextlib.contextmanager
def _submitting(private_data_dir: Path, ident: str) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM break a submit off, and say how to attach if the job may have started all the same."""

    def terminate(number: int, _frame: FrameType | None) -> None:
        raise Interrupted("terminated", signal_number=number)

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as stop:
        number = signal.SIGTERM if isinstance(stop, Interrupted) else signal.SIGINT
        raise _broken_off(private_data_dir, ident, number) from stop
    finally:
        signal.signal(signal.SIGTERM, previous)


def _broken_off(private_data_dir: Path, ident: str, number: int) -> Interrupted:
    from receptor_runner.receptor.jobs.record import RecordFile

    record = RecordFile(private_data_dir, ident).read()
    if record and record.is_active and record.unit_id:
        way = f"receptor-runner attach {private_data_dir} -i {ident}"
        return Interrupted("interrupted; the job may run", signal_number=number, hint=way)
    return Interrupted("interrupted; nothing of the job has run", signal_number=number)


class JobFollowing:
    """Following a job from the command line: its output, Ctrl-C, and the exit code.

    The first Ctrl-C or SIGTERM cancels the job and waits for its last word, the second detaches.
    """

    def __init__(self, given: dict[str, Any], where: Destination, *, json_output: bool) -> None:
        from receptor_runner.handlers import Handlers
        from receptor_runner.receptor.jobs.follow import Following
        from receptor_runner.receptor.jobs.liveness import FollowPolicy

        self.json_output = json_output
        self.destination = where
        self._output = show.JobOutput(quiet=given.pop("quiet") or json_output)
        self.signal_number = 0
        timeouts = {
            "wait_timeout_s": given.pop("wait_timeout"),
            "contact_timeout_s": given.pop("contact_timeout"),
            "pending_timeout_s": given.pop("pending_timeout"),
            "node_gone_s": given.pop("node_timeout"),
            "dead_runner_s": given.pop("runner_timeout"),
            "missing_s": given.pop("results_timeout"),
            "canceled_silence_s": given.pop("cancel_timeout"),
        }
        self.following: Following = Following(
            handlers=Handlers(display=self._output.show),
            policy=FollowPolicy(retry=where.retry, **timeouts),
            keep=given.pop("keep"),
        )

    def catch_signals(self) -> None:
        """Make Ctrl-C and SIGTERM cancel the job from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.signal_number = not self.signal_number, self.signal_number or number
        if not is_first:
            self.following.detach.request()
            return
        self.following.cancel.request()
        show.note_at_once("canceling the job; waiting for its remaining output (press again to detach)")

    def of_many(self, ident: str, lock: threading.Lock) -> Following:
        """Return the following of one job among many: its lines of output carry its ident."""

        from receptor_runner.handlers import Handlers

        def show_lines(text: str) -> None:
            lines = text.splitlines(keepends=True)
            with lock:
                self._output.show("".join(f"{ident} | {line}" for line in lines))

        return dataclasses.replace(self.following, handlers=Handlers(display=show_lines))

    def follow(self, private_data_dir: Path, ident: str) -> int:
        """Follow the job to its end; return the exit code."""
        from receptor_runner.receptor.jobs.follow import follow
        from receptor_runner.receptor.jobs.record import RecordFile

        try:
            outcome = follow(private_data_dir, ident, self.destination, self.following)
        except ContactLost as error:
            if self.signal_number:
                raise Interrupted(
                    error.what, signal_number=self.signal_number, cause=error.cause, hint=error.hint
                ) from error
            raise
        if self.json_output:
            show.data(describe(RecordFile(private_data_dir, ident).require()))
        self._output.check()
        return self._exit_code(outcome)

    def _exit_code(self, outcome: Outcome) -> int:
        from receptor_runner.cli.process import verdict
        from receptor_runner.outcome import Status

        self.check(f"the job is {outcome.status}")
        if outcome.status is Status.LOST:
            raise ContactLost("the job is lost", cause=outcome.explanation, hint=_LOOK_FIRST)
        return verdict(outcome)

    def check(self, state: str) -> None:
        """Raise Interrupted if we were, with what became of the job."""
        if self.signal_number:
            raise Interrupted(f"interrupted; {state}", signal_number=self.signal_number)


def describe(record: Record) -> dict[str, Any]:
    """Return a record as programs read it."""
    outcome = record.outcome
    return {
        "schema": 1,
        "ident": record.ident,
        "node": record.node,
        "socket": record.socket,
        "work_type": record.work_type,
        "unit": record.unit_id,
        "created": record.created,
        "updated": record.updated,
        "active": record.is_active,
        "status": outcome.status.value if outcome else record.checkpoint.status or record.stage.value,
        "rc": outcome.rc if outcome else None,
        "verdict": bool(outcome and outcome.is_verdict),
        "explanation": outcome.explanation if outcome else None,
        "events": record.checkpoint.counter,
        "released": record.released,
    }


def tell_route(record: Record, address: NodeAddress) -> None:
    """Say in one line which node is used."""
    kind = "embedded node" if address.embedded else "node"
    show.note(f"job {record.ident} on {kind} `{record.node}`, asked at {address.socket} ({address.source})")
