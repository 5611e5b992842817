"""`python -m receptor_runner` is the command line."""

import sys

from receptor_runner.cli import main

if __name__ == "__main__":
    sys.exit(main())
