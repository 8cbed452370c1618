"""One step of a method on a model of a few numbers, and what it must do to it by plain autograd."""

from types import SimpleNamespace

import torch

from raymm.config import parse
from raymm.data import Batch, Schema, VectorSpec
from raymm.methods import build_method
from raymm.methods.epochs import EpochStart
from raymm.models.model import build_model
from raymm.tasks import get_task
from raymm.training.communicator import SingleProcess
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of
from raymm.training.training_step import RankBatch, TrainingStep

__all__ = ["changes", "gradients", "part_of", "rows_of", "schema_of", "start_of", "step_of", "trainer_of"]

ROWS = 9


def schema_of(n, task="classification"):
    vectors = tuple(VectorSpec(name=f"m{i}", size=5) for i in range(n))
    return Schema(modalities=vectors, classes=("a", "b", "c"), task=get_task(task))


def trainer_of(name, n=2, *, fusion="concat", task="classification", epochs=4, model=None, **own):
    """A trainer by plain gradient descent with rate 1, so that weights change by minus the gradient."""
    config = parse(
        {
            "method": {"name": name, "settings": own},
            "training": {"epochs": epochs},
            "model": {"feature_size": 4, "fusion": {"name": fusion}, "encoder": {"width": 4}, **(model or {})},
            "optimizer": {"name": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0, "clip_norm": None},
        }
    )
    schema = schema_of(n, task)
    network, method = build_model(schema, config.model, 0), build_method(config, schema)
    optimizer = build_optimizer(parameters_of(network, method), config.optimizer)
    return Trainer(network, optimizer, method, config, SingleProcess(), torch.device("cpu"), schema.task)


def rows_of(trainer, rows=ROWS, seed=0, missing=True):
    """A batch in which row 1 lacks the first modality, and row 2 the last, where there are several."""
    n = len(trainer.model.names)
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(rows, n, dtype=torch.bool)
    if missing and n > 1:
        mask[1, 0] = mask[2, -1] = False
    values = torch.randn(n, rows, 5, generator=generator)
    inputs = {name: values[i][mask[:, i]] for i, name in enumerate(trainer.model.names)}
    return Batch(inputs, mask, torch.randint(3, (rows,), generator=generator), torch.arange(rows))


def part_of(batch, epoch=0, number=0, weight=None):
    return RankBatch(batch, weight, len(batch), epoch, number)


def step_of(trainer, batch, **place):
    return TrainingStep(trainer, part_of(batch, **place))


def start_of(trainer, epoch, epochs=4):
    schema = SimpleNamespace(model=trainer.config.model)

    def initial():
        return build_model(schema_of(len(trainer.model.names)), schema.model, 0)

    def forget(module):
        for parameter in module.parameters():
            trainer.optimizer.state.pop(parameter, None)

    return EpochStart(epoch, epochs, ROWS, trainer.model, initial, forget)


def weights_of(trainer):
    own = trainer.method.module
    parts = {"": trainer.model, "own.": own} if own is not None else {"": trainer.model}
    return {prefix + name: value for prefix, part in parts.items() for name, value in part.named_parameters()}


def changes(trainer, part):
    """What a step takes from each weight, by name: the gradient, summed over the turns."""
    before = {name: value.detach().clone() for name, value in weights_of(trainer).items()}
    trainer.step(part)
    return {name: before[name] - value.detach() for name, value in weights_of(trainer).items()}


def gradients(trainer, loss):
    """Gradients of a loss by all weights, by name; zeros where it does not depend on one."""
    named = weights_of(trainer)
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(value) if gradient is None else gradient
        for (name, value), gradient in zip(named.items(), found, strict=True)
    }


def assert_equal(found, expected, atol=1e-6):
    """Two sets of tensors by name are the same numbers, and not all of them 0."""
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.allclose(found[name], expected[name], atol=atol)] == []
    assert any(tensor.abs().max() > 1e-3 for tensor in found.values())
