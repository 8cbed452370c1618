"""A tiny model in training, for tests of what one update of a method does."""

from types import SimpleNamespace

import numpy as np
import torch

from raymm.data import Batch, Schema, VectorSpec
from raymm.methods import build_method
from raymm.models.model import build_model
from raymm.training.communicator import SingleProcess
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of
from raymm.training.training_step import RankBatch, TrainingStep
from tests.games import settings

__all__ = [
    "SIZE",
    "assert_gradients",
    "backward",
    "begin",
    "encoder_grads",
    "fused",
    "part_of",
    "step_of",
    "trainer_of",
]

SIZE = 5


def trainer_of(name, n=2, fusion="concat", *, task=None, classes=3, training=None, schedule="cosine", **own):
    """A trainer of a method with its settings; vectors of four numbers, features of five."""
    extra = {} if task is None else {"task": task}
    schema = Schema(
        modalities=tuple(VectorSpec(name=f"m{i}", size=4) for i in range(n)),
        classes=tuple("abcdefgh"[:classes]),
        **extra,
    )
    config = settings(
        method={"name": name, "settings": own, "warmup": 0},
        model={"feature_size": SIZE, "encoder": {"width": 4}, "fusion": fusion},
        optimizer={
            "name": "sgd",
            "lr": 0.1,
            "momentum": 0.0,
            "weight_decay": 0.0,
            "clip_norm": None,
            "schedule": schedule,
        },
        training={"epochs": 4, "batch_size": 8, **(training or {})},
    )
    model = build_model(schema, config.model, 0)
    method = build_method(config, schema)
    optimizer = build_optimizer(parameters_of(model, method), config.optimizer)
    return Trainer(model, optimizer, method, config, SingleProcess(), torch.device("cpu"), schema.task)


def part_of(trainer, rows=8, *, seed=0, lacking=(), epoch=0, number=0, start=0, labels=None):
    """A global batch of one rank; `lacking` are pairs of row and modality that are not there."""
    generator = np.random.default_rng(seed)
    names = trainer.model.names
    mask = np.ones((rows, len(names)), bool)
    for row, position in lacking:
        mask[row, position] = False
    values = generator.normal(size=(rows, len(names), 4)).astype(np.float32)
    inputs = {name: torch.from_numpy(values[mask[:, i], i]) for i, name in enumerate(names)}
    if labels is None:
        labels = torch.from_numpy(generator.integers(trainer.method.context.outputs, size=rows))
    batch = Batch(inputs, torch.from_numpy(mask), labels, torch.arange(start, start + rows))
    return RankBatch(batch, None, rows, epoch, number)


def begin(trainer, epoch=0, initial=None):
    """What happens before the first step of an epoch."""
    trainer.method.before_epoch(
        SimpleNamespace(
            epoch=epoch,
            epochs=trainer.config.training.epochs,
            samples=100,
            model=trainer.model,
            initial_model=lambda: initial,
            forget_average=lambda _: None,
        )
    )


def step_of(trainer, part):
    return TrainingStep(trainer, part)


def backward(trainer, part):
    """The step of a part, once its gradients are those that the optimizer would take."""
    step = TrainingStep(trainer, part)
    trainer.optimizer.zero_grad()
    loss = trainer.method.loss(step)
    (loss / part.rows).backward()
    step.loss = loss.detach()
    trainer.method.on_gradients(step)
    return step


def fused(trainer, part, *members):
    """Outputs of a coalition from a forward pass of its own, [B, K]; all modalities by default."""
    mask = part.batch.mask
    if members != ("all",):
        only = torch.zeros(mask.shape[1], dtype=torch.bool)
        only[list(members)] = True
        mask = mask & only
    return trainer.model.fuse(trainer.model.encode(part.batch), mask)


def encoder_grads(trainer, loss):
    """Gradients of a scalar by each encoder's parameters, a list of lists."""
    encoders = [list(trainer.model.encoders[name].parameters()) for name in trainer.model.names]
    found = []
    for parameters in encoders:
        grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        found.append([torch.zeros_like(p) if g is None else g for p, g in zip(parameters, grads, strict=True)])
    return found


def assert_gradients(trainer, part, loss):
    """The update of a part has the gradients of a summed loss by every encoder and by the fusion, none of them 0."""
    modules = {**trainer.model.encoders, "fusion": trainer.model.fusion}
    parts = {name: list(module.parameters()) for name, module in modules.items()}
    expected = {name: _flat(torch.autograd.grad(loss, own, retain_graph=True)) for name, own in parts.items()}
    backward(trainer, part)
    assert all(parameter.grad is not None for own in parts.values() for parameter in own)
    for name, own in parts.items():
        found = part.rows * _flat(parameter.grad for parameter in own)
        length = float(expected[name].norm())
        assert length > 0.01, name
        assert float((found - expected[name]).norm()) < 1e-4 * length, name


def _flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])
