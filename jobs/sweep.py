"""`raymm sweep` for `ray job submit --working-dir . -- python jobs/sweep.py ...`; same options as the verb."""

import sys

from raymm.cli import main

if __name__ == "__main__":
    main(["sweep", *sys.argv[1:]])
