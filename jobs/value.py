"""`raymm value` for `ray job submit --working-dir . -- python jobs/value.py ...`; same options as the verb."""

import sys

from raymm.cli import main

if __name__ == "__main__":
    main(["value", *sys.argv[1:]])
