"""`raymm prepare` for `ray job submit --working-dir . -- python jobs/prepare.py ...`; same options as the verb."""

import sys

from raymm.cli import main

if __name__ == "__main__":
    main(["prepare", *sys.argv[1:]])
