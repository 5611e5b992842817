"""The program: `receptor-runner`, or `python -m receptor_runner`."""

from __future__ import annotations

import signal
import sys

STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def main() -> int:
    """Run the command line; what asks a worker to stop is held back until it can give its answer on the stream.

    Source: Receptor cancels a unit with SIGINT, and may do so as soon as it has started the worker.
    """
    if sys.argv[1:2] == ["worker"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    from receptor_runner.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
