"""`raymm study` for `ray job submit --working-dir . -- python jobs/study.py ...`; same options as the verb.

A study on a cluster, on a drive that all nodes see; the same line again goes on with it:

    ray job submit --working-dir . -- python jobs/study.py --data /mnt/raymm/data --arms joint,coalition,sample \
      --seeds 0-4 --match seconds --out /mnt/raymm/studies/first
"""

import sys

from raymm.cli import main

if __name__ == "__main__":
    main(["study", *sys.argv[1:]])
