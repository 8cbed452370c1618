"""`raymm train` for `ray job submit --working-dir . -- python jobs/train.py ...`; same options as the verb."""

import sys

from raymm.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
