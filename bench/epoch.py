"""(k) An epoch after warm-up, training and valuation, over the reference's way on the same data and model.

Seconds are processor time of one thread, in a process with the allocator settings of every process that raymm starts
(`raymm.allocator`), which serve both ways.

The reference's way is that of the method's published code: all modalities of every row of the plan are read and
encoded, also those that the row masks, whose features are then replaced; and the training split is valued by
running the whole model, encoders included, once for each coalition. The rows are those of the plan of `sample` after
its warm-up. raymm's `sample` trains the same rows; `coalition` trains each sample once and values it in the same
pass, from the features at hand; `joint` trains each sample once and values nothing.
"""

import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.timing import Bar, Measured, processor_seconds_of, said_by_process
from bench.trainer import trainer_of
from raymm.allocator import tune_malloc
from raymm.config import Config, load
from raymm.data import BatchReader, Dataset, open_dataset
from raymm.data.loading import BatchLoader
from raymm.methods import Plan, base_plan, epoch_batches
from raymm.training.epoch import train_epoch
from raymm.training.planning import plan_epoch
from raymm.training.step import Trainer
from raymm.valuation.engine import value_rows
from raymm.valuation.table import ValuationTable

COALITION_BAR, SAMPLE_BAR, JOINT_BAR = 0.25, 0.55, 1.12
ROUNDS = 5
WARMUP = 5
SETTINGS = ("model.encoder.width=16", f"method.warmup={WARMUP}", "training.threads=1")


def run(data: Path) -> Measured:
    """Measure whole epochs in turn, reading included, in a process of their own."""
    return _measured(said_by_process("bench.epoch", str(data)))


def epochs_in_turn(dataset: Dataset, rounds: int = ROUNDS) -> dict[str, Any]:
    """Rows of an epoch, and seconds of each way round by round."""
    rows = dataset.rows("train")
    base = base_plan(rows, len(dataset.schema.names))
    sample, plan = warmed_up(dataset, base)
    coalition = trainer_of(dataset, load(None, (*SETTINGS, "method=coalition", "valuation.source=online")))
    joint = trainer_of(dataset, load(None, (*SETTINGS, "method=joint")))
    reference = _Reference(dataset, sample)
    works = {
        "reference": lambda: reference.epoch(plan),
        "sample": lambda: (train_epoch(sample, _loader(dataset, sample), plan, WARMUP), _value(dataset, sample)),
        "coalition": lambda: train_epoch(coalition, _loader(dataset, coalition), base, WARMUP),
        "joint": lambda: train_epoch(joint, _loader(dataset, joint), base, WARMUP),
    }
    for work in works.values():
        work()
    seconds = [{name: processor_seconds_of(work) for name, work in works.items()} for _ in range(rounds)]
    return {"rows": {"samples": len(base), "plan of sample": len(plan)}, "seconds": seconds}


def _measured(details: dict[str, Any]) -> Measured:
    def ratio(first: str, second: str) -> float:
        return statistics.median(each[first] / each[second] for each in details["seconds"])

    bars = {
        "epoch, sample / the reference's way": Bar(ratio("sample", "reference"), "<=", SAMPLE_BAR),
        "epoch, coalition with online values / joint without values": Bar(
            ratio("coalition", "joint"), "<=", JOINT_BAR
        ),
    }
    what = "epoch, coalition with online values / the reference's way"
    return Measured(what, ratio("coalition", "reference"), "<=", COALITION_BAR, details, bars)


def warmed_up(dataset: Dataset, base: Plan) -> tuple[Trainer, Plan]:
    """A trainer of `sample` after its warm-up, and its first plan."""
    trainer = trainer_of(dataset, load(None, (*SETTINGS, "method=sample")))
    for epoch in range(WARMUP):
        train_epoch(trainer, _loader(dataset, trainer), base, epoch)
    phi = _value(dataset, trainer).phi
    return trainer, plan_epoch(trainer.method, dataset, trainer.config, WARMUP, phi)


def _loader(dataset: Dataset, trainer: Trainer) -> BatchLoader:
    return BatchLoader(BatchReader(dataset, trainer.config.view))


def _value(dataset: Dataset, trainer: Trainer) -> ValuationTable:
    reader = BatchReader(dataset, trainer.config.view)
    return value_rows(trainer.model, reader, dataset.rows("train"), trainer.config, WARMUP)


class _Reference:
    """The reference's way, with the model, optimizer and reader of a trainer."""

    def __init__(self, dataset: Dataset, trainer: Trainer) -> None:
        self.reader, self.trainer, self.config = BatchReader(dataset, trainer.config.view), trainer, trainer.config
        self.rows, self.n = dataset.rows("train"), len(dataset.schema.names)

    def epoch(self, plan: Plan) -> None:
        """Train the rows of a plan, then value the training split."""
        self.train(plan, self.config)
        self.value()

    def train(self, plan: Plan, config: Config) -> None:
        """Every modality of every row is encoded; features of those that a row masks are replaced."""
        model, optimizer = self.trainer.model, self.trainer.optimizer
        model.train()
        for rows in epoch_batches(plan, config.training.batch_size, config.training.seed, WARMUP):
            batch = self.reader.batch(plan.index[rows], keys=self.reader.augmentation_keys(WARMUP, rows))
            optimizer.zero_grad(set_to_none=True)
            logits = model.fuse(model.encode(batch), torch.from_numpy(plan.masks(rows, self.n)))
            nn.functional.cross_entropy(logits, batch.labels).backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.clip_norm or 1.0)
            optimizer.step()

    def value(self) -> None:
        """Run the whole model once for each coalition, on the augmented view, as the published code does."""
        model = self.trainer.model.eval()
        with torch.inference_mode():
            for start in range(0, len(self.rows), self.config.valuation.batch_size):
                rows = np.arange(start, min(start + self.config.valuation.batch_size, len(self.rows)))
                keys = self.reader.augmentation_keys(WARMUP, rows)
                batch = self.reader.batch(self.rows[rows], keys=keys)
                for members in itertools.product((False, True), repeat=self.n):
                    mask = torch.tensor(members).expand(len(rows), self.n)
                    (model.fuse(model.encode(batch), mask).argmax(dim=1) == batch.labels).float()


def _main(data: Path) -> None:
    tune_malloc()
    torch.set_num_threads(1)
    print(json.dumps(epochs_in_turn(open_dataset(data))))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
