"""One process of several that train with libraries: writes what it trained, and what was refused.

`python -m tests.integrations.two_processes OUT`, with the environment of torch.distributed.
"""

import json
import logging
import os
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from torch.utils.data import default_collate

from raymm.errors import RaymmError
from raymm.integrations.lightning import ResamplingCallback
from tests.examples import example
from tests.integrations.library_loops import (
    LOOPS,
    Module,
    by_accelerate,
    by_lightning,
    lightning_trainer,
    training,
)

__all__: list[str] = []


def main(out):
    rank = int(os.environ["RANK"])
    found = {"refused": {"lightning": said(lightning_that_splits), "no callback": said(lightning_without_callback)}}
    for name, loop in LOOPS.items():
        found[name] = loop(out / name)
    found["mean"] = by_accelerate(out, "mean")
    found["valued"] = {"lightning": by_lightning(out, "valued"), "accelerate": by_accelerate(out, "valued")}
    found["beside"] = warned(lambda: loss_beside_the_wrapper(Accelerator(cpu=True)))
    found["refused"] |= {"accelerate": said(accelerate_by_itself), "dispatched": said(accelerate_that_dispatches)}
    found["example"] = of_example(rank)
    (out / f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def said(work):
    """What a mistake is answered with; "" where it is not seen."""
    try:
        work()
    except RaymmError as refused:
        return f"{type(refused).__name__}: {refused}"
    return ""


def warned(work):
    """What raymm logs meanwhile."""
    lines, handler = [], logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("raymm").addHandler(handler)
    work()
    logging.getLogger("raymm").removeHandler(handler)
    return lines


def loss_beside_the_wrapper(accelerator):
    """Two losses by parts of the model, whose `forward` is not called."""
    one = training()
    own = accelerator.unwrap_model(accelerator.prepare(one.net))
    features, labels = own.encode(default_collate(one.samples[:4])), torch.tensor([0, 1, 2, 0])
    for _ in range(2):
        own.valued(features, None, labels, own.fuse).backward(retain_graph=True)


def lightning_that_splits():
    one = training()
    callback = ResamplingCallback(one.resampler, lambda module: None)
    lightning_trainer([callback]).fit(Module(one), one.resampler.loader(one.samples))


def lightning_without_callback():
    one = training()
    lightning_trainer([]).fit(Module(one), one.resampler.loader(one.samples))


def accelerate_by_itself():
    one = training()
    Accelerator(cpu=True).prepare(one.resampler.loader(one.samples))


def accelerate_that_dispatches():
    one = training()
    accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(dispatch_batches=True))
    loader, model = accelerator.prepare(one.resampler.loader(one.samples), one.net)
    for batch in loader:
        accelerator.backward(model(**batch)["loss"])
    one.update(one.net)


def of_example(rank):
    """The example of Accelerate, which prints its metrics and nothing else."""
    module = example("accelerate_loop")
    update = module.Resampler.update
    if rank:  # the values of the first process are taken
        module.Resampler.update = lambda resampler, values=None: update(resampler, None)
    model, resampler = module.train(4)
    weights = {name.removeprefix("module."): value.tolist() for name, value in model.state_dict().items()}
    return {"weights": weights, "rows": resampler.metrics["rows/epoch"]}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
