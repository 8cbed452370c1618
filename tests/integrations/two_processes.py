"""One process of an Accelerate training of several: writes what it trained.

`python -m tests.integrations.two_processes OUT`, with the environment of torch.distributed.
"""

import json
import os
import sys
from pathlib import Path

import torch

from tests.examples import example
from tests.integrations.test_examples_of_loops import rows_of

__all__: list[str] = []

EPOCHS = 4


def main(out):
    module = example("accelerate_loop")
    rank = int(os.environ.get("RANK", "0"))
    update = module.Resampler.update
    if rank:  # the values of the first process are taken
        module.Resampler.update = lambda resampler, values=None: update(resampler, None)
    (model, resampler), planned, _ = rows_of(module, lambda: module.train(EPOCHS))
    weights = {name.removeprefix("module."): value.tolist() for name, value in model.state_dict().items()}
    found = {"planned": planned, "weights": weights, "rows": resampler.metrics["rows/epoch"]}
    (Path(out) / f"{rank}.json").write_text(json.dumps(found))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
