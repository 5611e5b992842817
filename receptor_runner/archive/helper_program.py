"""The program of a process that helps with the files of an archive, or of a job.

It is run by its path with `python -I -S`: leaving out `site` halves the start of an interpreter. Where packages are
comes on its command line:

    helper_program.py PACKAGES LIBRARIES MODULE ARGUMENT ...

It calls the module's function `serve` with the arguments, which are whole numbers.
"""

from __future__ import annotations

import sys
from importlib import import_module


def main(packages: str, libraries: str, module: str, *arguments: str) -> None:
    """Serve the parent until it ends the requests, or ends."""
    sys.path += [packages, libraries]
    import_module(module).serve(*map(int, arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
