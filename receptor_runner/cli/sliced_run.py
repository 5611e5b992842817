"""Running a sliced job from the command line: the nodes, Ctrl-C, and the exit code."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.cli import messages, parameters, slices_report
from receptor_runner.cli.interrupts import Interrupts
from receptor_runner.errors import ContactLost, Interrupted, NeverStarted, RunnerError, UsageError

if TYPE_CHECKING:
    from receptor_runner.cli.follow_options import FollowOptions
    from receptor_runner.cli.live.slices_display import SlicesDisplay
    from receptor_runner.cli.node_options import NodesOptions
    from receptor_runner.cli.output_options import OutputFormat
    from receptor_runner.job import Job
    from receptor_runner.receptor.jobs.follow import Following
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.slices.index import Index
    from receptor_runner.slices.job import Plan, SlicedWork, Slicing
    from receptor_runner.slices.running import Requests
    from receptor_runner.slices.sliced_job import SlicedJob
    from receptor_runner.transmit import Shipment


class SlicesFollowing:
    """Follows the slices of a job: one deadline policy, one Ctrl-C for all.

    Args:
        options: deadlines, and what becomes of the units.
        cancel_on_interrupt: whether the first Ctrl-C cancels.
    """

    def __init__(self, options: FollowOptions, *, cancel_on_interrupt: bool = True) -> None:
        from receptor_runner.receptor.jobs.follow import Following
        from receptor_runner.slices.running import Requests

        self.interrupts = Interrupts(
            "canceling all slices; waiting for their remaining output",
            cancel_on_interrupt=cancel_on_interrupt,
        )
        self.requests: Requests = Requests(cancel=self.interrupts.cancel, detach=self.interrupts.detach)
        self.base: Following = Following(
            policy=options.policy(),
            keep=options.keep,
            cancel=self.requests.cancel,
            detach=self.requests.detach,
        )

    def finish(self, index: Index, display: SlicesDisplay, sliced: SlicedJob) -> int:
        """Show how the sliced job ended; return the exit code.

        Raises:
            Interrupted: a signal came.
            ContactLost: a slice may still run.
            NeverStarted: a slice was never submitted.
        """
        display.end(index, sliced.private_data_dir)
        if number := self.interrupts.signal_number:
            state = f"the job is {index.status}"
            hint = None if index.end else sliced.way_back
            raise Interrupted(f"interrupted; {state}", signal_number=number, hint=hint)
        if index.end is None:
            raise _open_end(index, sliced)
        if hint := slices_report.rerun_hint(index):
            messages.note(f"to run the slices that did not succeed again: {hint}")
        return index.end.exit_code


def _open_end(index: Index, sliced: SlicedJob) -> RunnerError:
    """Return the error for a sliced job some of whose slices have no end."""
    from receptor_runner.slices.index import WAITING

    running = [str(entry.number) for entry in index.slices if not entry.end and entry.status != WAITING]
    if running:
        return ContactLost(
            f"contact with the job `{index.ident}` is lost",
            cause=f"slices that may be running: {', '.join(running)}",
            hint=sliced.way_back,
        )
    waiting = [str(entry.number) for entry in index.slices if not entry.end]
    return NeverStarted(
        f"part of the job `{index.ident}` has not run",
        cause=f"slices that were never submitted: {', '.join(waiting)}",
        hint="repeat the command that started it",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicedRun:
    """What a command that runs a sliced job was told.

    Attributes:
        directory: where the artifacts go.
        ident: the ident of the sliced job.
        nodes: where it runs.
        destination: how the local node is reached, and how units are submitted.
        follow: how it is followed.
        rerun: whether an ended job of that ident may be replaced.
    """

    directory: Path
    ident: str
    nodes: NodesOptions
    destination: Destination
    follow: FollowOptions
    rerun: bool

    def run_job(self, job: Job, output_format: OutputFormat, *, include_artifacts: bool) -> int:
        """Run a job with a private data directory; return the exit code.

        Args:
            job: the job.
            output_format: what is printed of it.
            include_artifacts: send the artifacts of earlier jobs too.
        """
        from receptor_runner.slices.work import work_of

        work = work_of(job, self.directory, include_artifacts=include_artifacts, note=messages.note)
        return self.run(work, output_format)

    def run(self, work: SlicedWork, output_format: OutputFormat) -> int:
        """Run what is prepared for slices; return the exit code."""
        from receptor_runner.cli.live.slices_display import SlicesDisplay

        with SlicesDisplay(output_format) as display:
            return self._run(work, display)

    def _run(self, work: SlicedWork, display: SlicesDisplay) -> int:
        from receptor_runner.slices.job import run_in_slices
        from receptor_runner.slices.sliced_job import SlicedJob

        following = SlicesFollowing(self.follow)
        slicing = self._slicing()

        def begin(plan: Plan, shipment: Shipment) -> None:
            following.interrupts.catch()
            for warning in shipment.warnings():
                messages.note(f"warning: {warning}")
            display.begin(plan.index, plan.numbers, following.base)

        index = run_in_slices(
            self.directory,
            self.ident,
            work,
            slicing,
            dataclasses.replace(self.destination, node=None),
            observer=display,
            requests=following.requests,
            on_plan=begin,
        )
        return following.finish(index, display, SlicedJob(self.directory, self.ident))

    def _slicing(self) -> Slicing:
        from receptor_runner.slices.job import Slicing

        if self.nodes.rerun_slice and self.rerun:
            raise UsageError("--rerun and --rerun-slice exclude each other")
        return Slicing(
            count=self.nodes.slices,
            lanes=self._lanes(),
            rerun=self.rerun,
            rerun_slices=self.nodes.rerun_slice,
        )

    def _lanes(self) -> tuple[str | None, ...]:
        """Return the node of each lane; None for the local node, which an embedded one may be."""
        from receptor_runner.slices.nodes import lanes, nodes_of_type

        if not self.nodes.nodes_of_type:
            return lanes(self.destination, self.nodes.node)
        if self.nodes.node and parameters.is_on_command_line("node"):
            raise UsageError("--node and --nodes-of-type exclude each other")
        any_node = dataclasses.replace(self.destination, node=self.nodes.nodes_of_type)
        return nodes_of_type(any_node, self.nodes.nodes_of_type)
