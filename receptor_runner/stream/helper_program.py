"""The program of a process that helps with an archive.

It is run by its path with `python -I -S`: leaving out `site` halves the start of an interpreter. Where packages are
comes on its command line:

    helper_program.py PACKAGES LIBRARIES write TARGET PARENT
    helper_program.py PACKAGES LIBRARIES pack LEVEL
"""

from __future__ import annotations

import sys


def main(argv: list[str]) -> None:
    """Serve the parent until stdin ends."""
    *packages, work, first, second = argv if len(argv) == 5 else [*argv, ""]
    sys.path += packages
    if work == "write":
        from receptor_runner.stream.small_files import serve as write

        write(int(first), int(second))
    else:
        from receptor_runner.stream.packing_process import serve as pack

        pack(int(first))


if __name__ == "__main__":
    main(sys.argv[1:])
