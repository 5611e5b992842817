"""Canceling, releasing and following a job in slices as a whole."""

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
    from receptor_runner.slices.whole import Whole


def cancel(whole: Whole, where: Destination, *, json_output: bool) -> None:
    """Cancel all slices and print what that did.

    Raises:
        RunnerError: one could not be canceled; the others are.
    """
    from receptor_runner.slices.together import cancel_whole

    _show(whole, ((entry, done) for entry, done in cancel_whole(whole, where)), json_output=json_output)


def release(whole: Whole, where: Destination, *, force: bool, json_output: bool) -> None:
    """Release the units of all slices and print what that did.

    Raises:
        RunnerError: one could not be released; the others are.
    """
    from receptor_runner.slices.together import release_whole

    ends = release_whole(whole, where, force=force)
    released = ((entry, end if isinstance(end, RunnerError) else "released") for entry, end in ends)
    _show(whole, released, json_output=json_output)


def _show(whole: Whole, ends: Iterable[tuple[SliceEntry, object]], *, json_output: bool) -> None:
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
        output.data({"schema": 1, "ident": whole.ident, "slices": described})
    if failures:
        raise failures[0]


def attach(
    whole: Whole,
    where: Destination,
    follow: FollowOptions,
    output_format: OutputFormat,
    *,
    cancel_on_interrupt: bool,
) -> int:
    """Follow all slices to their end; return the exit code."""
    from receptor_runner.cli.live.slices_display import SlicesDisplay
    from receptor_runner.cli.sliced_run import SlicesFollowing
    from receptor_runner.slices.together import follow_whole

    following = SlicesFollowing(follow, cancel_on_interrupt=cancel_on_interrupt)
    with SlicesDisplay(output_format) as display:
        index = whole.read()
        display.begin(index, tuple(entry.number for entry in index.slices), following.base)
        following.catch_signals()
        index = follow_whole(whole, where, display)
        return following.finish(index, display, whole)
