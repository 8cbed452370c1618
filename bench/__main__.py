"""Run every benchmark and write bench/results/NAME.json; exit with 1 when a bar is missed.

python -m bench --data DATA      DATA: grid_digits, prepared with audio,rgb,flow
"""

import argparse
import sys
from pathlib import Path

import torch

from bench import (
    checksums,
    encoder_pass,
    epoch,
    loop,
    loop_overlap,
    many_rows,
    memory,
    preparing,
    ragged,
    ray_train,
    run_page,
    sampling,
    study_start,
    sweep,
    tables,
    training_memory,
    valuation,
)
from bench.keeping import keep
from bench.timing import Measured

BENCHES = {
    "encoder_pass": encoder_pass.run,
    "epoch": epoch.run,
    "loop": loop.run,
    "ray_train": ray_train.run,
    "memory": memory.run,
    "ragged": ragged.run,
    "valuation": valuation.run,
    "sampling": sampling.run,
    "sweep": sweep.run,
    "study_start": study_start.run,
    "tables": tables.run,
    "loop_overlap": loop_overlap.run,
    "checksums": checksums.run,
    "many_rows": many_rows.run,
    "training_memory": training_memory.run,
    "preparing": preparing.run,
    "run_page": run_page.run,
}


def main() -> int:
    """Run what was asked for and print one line each."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--data", type=Path, default=Path("data/grid_digits"))
    parser.add_argument("--only", choices=sorted(BENCHES))
    arguments = parser.parse_args()
    missed, threads = 0, torch.get_num_threads()
    for name, run in BENCHES.items():
        if arguments.only in (None, name):
            torch.set_num_threads(threads)  # a bench may have set its own
            measured: Measured = run(arguments.data)
            missed += not measured.reached
            print(measured.line(), flush=True)
            keep(measured, name)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
