"""``python -m scalingfit``: the command line."""

import sys

from scalingfit.cli import main

if __name__ == "__main__":
    sys.exit(main())
