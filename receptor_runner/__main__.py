"""The program: `receptor-runner`, `python -m receptor_runner`, or `python PATH/receptor_runner`."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading

if not __package__:
    # Run by its path, the package is where Python does not look by itself. What Python put there instead, the inside of
    # the package, would let our modules shadow others. Last, so that nothing beside the package shadows the rest.
    here = __file__.removesuffix("/__main__.py")
    sys.path[:] = [*(path for path in sys.path if path != here), here.rpartition("/")[0]]

from receptor_runner.system.signals import STOPPING

_OBJECTS_UNTIL_COLLECTION = 50_000
"""Looking for garbage cycles among what was just imported, every 700 objects by default, is a tenth of the start."""


def main() -> int:
    """Run the command line; return its exit code."""
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTION)
    # Receptor cancels a unit with SIGINT, possibly as soon as it has started the worker. Until the worker can report
    # the cancel on its stream the signal stays pending; Python's own handler would end it with a traceback instead.
    if sys.argv[1:2] == ["worker"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    from receptor_runner.cli import main as run

    code = run()
    _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process at once: to take the interpreter apart takes 20 ms, and frees nothing that the end does not.

    Somebody waits for the end of each process: a person, or the node that reports a worker's end to its client.
    Returns, for the usual way, if a thread is left that the interpreter would wait for, or an output fails.
    """
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
