"""`raymm study` for `ray job submit --working-dir . -- python jobs/study.py oracle ...`; same options as the verb."""

import sys

from raymm.cli import main

if __name__ == "__main__":
    main(["study", *sys.argv[1:]])
