"""Canceling, releasing and following a sliced job as a sliced job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import output
from receptor_runner.errors import RunnerError

if TYPE_CHECKING:
    from receptor_runner.cli.follow_options import FollowOptions
    from receptor_runner.cli.output_options import OutputFormat
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.slices.index import SliceEntry
    from receptor_runner.slices.sliced_job import SlicedJob


def cancel(sliced: SlicedJob, where: Destination, *, json_output: bool) -> None:
    """Cancel all slices and print what that did.

    Raises:
        RunnerError: one could not be canceled; the others are.
    """
    from receptor_runner.slices.together import cancel_sliced_job

    _show(
        sliced, ((entry, done) for entry, done in cancel_sliced_job(sliced, where)), json_output=json_output
    )


def release(sliced: SlicedJob, where: Destination, *, force: bool, json_output: bool) -> None:
    """Release the units of all slices and print what that did.

    Raises:
        RunnerError: one could not be released; the others are.
    """
    from receptor_runner.slices.together import release_sliced_job

    ends = release_sliced_job(sliced, where, force=force)
    released = ((entry, end if isinstance(end, RunnerError) else "released") for entry, end in ends)
    _show(sliced, released, json_output=json_output)


def _show(sliced: SlicedJob, ends: Iterable[tuple[SliceEntry, object]], *, json_output: bool) -> None:
    described: list[dict[str, Any]] = []
    failures: list[RunnerError] = []
    for entry, end in ends:
        failures += [end] if isinstance(end, RunnerError) else []
        described.append(
            {"slice": entry.number, "ident": entry.ident, "node": entry.node, "result": str(end)}
        )
        if not json_output:
            output.line(f"{entry.ident}: {end}")
    if json_output:
        output.data({"schema": 1, "ident": sliced.ident, "slices": described})
    if failures:
        raise failures[0]


def attach(
    sliced: SlicedJob,
    where: Destination,
    follow: FollowOptions,
    output_format: OutputFormat,
    *,
    cancel_on_interrupt: bool,
) -> int:
    """Follow all slices to their end; return the exit code."""
    from receptor_runner.cli.live.slices_display import SlicesDisplay
    from receptor_runner.cli.sliced_run import SlicesFollowing
    from receptor_runner.slices.together import follow_sliced_job

    following = SlicesFollowing(follow, cancel_on_interrupt=cancel_on_interrupt)
    with SlicesDisplay(output_format) as display:
        index = sliced.read()
        display.begin(index, tuple(entry.number for entry in index.slices), following.base)
        following.interrupts.catch()
        index = follow_sliced_job(sliced, where, display)
        return following.finish(index, display, sliced)
