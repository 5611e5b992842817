"""What every display of jobs has: their output on stdout, and a status line below it on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from receptor_runner.cli import logs
from receptor_runner.cli.job_output import JobOutput
from receptor_runner.cli.live.renderers import make_renderer
from receptor_runner.cli.output_options import OutputFormat

if TYPE_CHECKING:
    from receptor_runner.cli.live.bottom_line import Render


class JobScreen:
    """Shows jobs. Whatever goes wrong with that, they and their artifacts go on.

    Args:
        output_format: what is printed.
        may_be_live: whether there is a status line on a terminal.
    """

    def __init__(self, output_format: OutputFormat, *, may_be_live: bool = True) -> None:
        self.format = output_format
        self._stdout = JobOutput()
        is_quiet = output_format is OutputFormat.QUIET
        if is_quiet:
            logs.set_log_level("error")
        self._renderer = make_renderer(
            self._status_line, self._stdout.show, may_be_live=may_be_live and not is_quiet
        )

    def _status_line(self) -> Render:
        """Return what draws the status line; it is called when there is one."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is shown for the time of the jobs only."""
        self._renderer.close()
