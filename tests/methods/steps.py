"""Steps of methods on a tiny model: vectors for any number of modalities, any fusion, rows that lack some."""

import itertools

import numpy as np
import torch

from raymm.data import Schema, VectorSpec
from raymm.data.batch import Batch
from raymm.methods import build_method
from raymm.models.model import build_model
from raymm.tasks import get_task
from raymm.training.communicator import SingleProcess
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of
from raymm.training.training_step import RankBatch, TrainingStep
from tests.games import settings

__all__ = [
    "ROWS",
    "batch_of",
    "gradients",
    "grid_of_masks",
    "loss_of_coalition",
    "members_of",
    "schema_of",
    "step_of",
    "trainer_of",
]

ROWS = 10


def schema_of(n, task="classification"):
    modalities = tuple(VectorSpec(name=f"m{i}", size=4) for i in range(n))
    return Schema(modalities=modalities, classes=("x", "y", "z"), task=get_task(task))


def trainer_of(name, n, fusion="concat", task="classification", utility="count", **own):
    """A trainer whose baseline is not zero, so that a missing modality is not simply nothing."""
    model = {"fusion": {"name": fusion}, "feature_size": 6, "encoder": {"width": 4}, "baseline": "learned"}
    config = settings(model=model, method={"name": name, "settings": own}, valuation={"utility": utility})
    schema = schema_of(n, task)
    network, method = build_model(schema, config.model, 0), build_method(config, schema)
    with torch.no_grad():
        network.baseline.normal_(generator=torch.Generator().manual_seed(1))
    optimizer = build_optimizer(parameters_of(network, method), config.optimizer)
    return Trainer(network, optimizer, method, config, SingleProcess(), torch.device("cpu"), schema.task)


def grid_of_masks(n, rows=ROWS):
    """Masks [rows, n] in which whole rows and all others with something in them take turns."""
    masks = [mask for mask in itertools.product([True, False], repeat=n) if any(mask)]
    return torch.tensor([masks[0] if row % 2 == 0 else masks[(row // 2) % len(masks)] for row in range(rows)])


def batch_of(schema, mask, seed=0, first=0):
    """Random vectors of the modalities that each row has."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(mask), len(schema.names), 4, generator=generator)
    inputs = {name: values[mask[:, i], i] for i, name in enumerate(schema.names)}
    labels = torch.arange(len(mask)) % 3
    if schema.task.label_ndim > 1:
        labels = torch.rand(len(mask), 3, generator=generator) < 0.5
    return Batch(inputs, mask, labels, torch.arange(first, first + len(mask)))


def step_of(name, n, mask=None, weight=None, seed=0, **more):
    """A step of a method and its trainer; `more` as `trainer_of` has it."""
    trainer = trainer_of(name, n, **more)
    mask = grid_of_masks(n) if mask is None else mask
    batch = batch_of(schema_of(n, more.get("task", "classification")), mask, seed)
    return TrainingStep(trainer, RankBatch(batch, weight, len(mask), 0, 0)), trainer


def members_of(mask):
    """Modalities of a row, a tuple."""
    return tuple(np.flatnonzero(mask.numpy()).tolist())


def loss_of_coalition(step, row, members):
    """The task's loss of one row with some of its modalities, by running the fusion on them alone."""
    kept = torch.zeros(1, step.mask.shape[1], dtype=torch.bool)
    kept[0, list(members)] = True
    logits = step.model.fuse(step.features[row : row + 1], kept)
    return step._trainer.task.losses(logits.float(), step.labels[row : row + 1])[0]


def gradients(loss, trainer):
    """Gradients of a loss by all that is trained, flat."""
    parameters = parameters_of(trainer.model, trainer.method)
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, found, strict=True)]
    )
