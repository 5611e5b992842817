"""The output of a job on stdout."""

from __future__ import annotations

import sys

from receptor_runner.cli import color
from receptor_runner.cli.output import cannot_write, give_up_stdout


class JobOutput:
    """The output of a job on stdout. A stdout that fails ends the display; job and artifacts go on."""

    def __init__(self) -> None:
        self._keeps_color = color.is_wanted(sys.stdout)
        self.failure: OSError | None = None

    def show(self, text: str) -> None:
        """Print a piece of the job's output at once, without its colors if stdout gets none."""
        if self.failure:
            return
        text = text if self._keeps_color else color.without_color(text)
        try:
            sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
            sys.stdout.buffer.flush()
        except UnicodeEncodeError:
            self.show(text.encode("ascii", "backslashreplace").decode())
        except OSError as failure:
            self.failure = failure
            give_up_stdout()

    def check(self) -> None:
        """Raise OutputFailed if something could not be shown."""
        if self.failure:
            raise cannot_write(self.failure) from self.failure
