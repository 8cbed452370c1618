"""The whole training step on a device: rows a second of raymm's step, and of the same step in plain torch.

Colour frames and log-mels are drawn, and lie on the device already, so that reading is left out. Each modality has a
ResNet-18 (the frames of a clip are encoded alone and averaged), features are put side by side and classified. Both
steps have the same weights, precision, loss, clipping and optimizer; they are timed in turn, and beside them raymm's
step with `training.channels_last` and with `training.compile`.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.timing import seconds_of
from bench.trainer import trainer_of
from raymm.config import Config, parse
from raymm.data import AudioSpec, Batch, Dataset, RgbSpec, Schema
from raymm.data.in_memory import MemoryRows
from raymm.training.step import Trainer
from raymm.training.training_step import RankBatch

__all__ = ["Clips", "StepSize", "clips_of", "step_rates"]

CLASSES = 10
LEARNING_RATE = 0.01
SETTINGS: dict[str, Any] = {
    "model": {"feature_size": 128, "encoder": {"name": "resnet18"}},
    "optimizer": {"name": "sgd", "lr": LEARNING_RATE, "momentum": 0.9, "weight_decay": 0.0, "schedule": "constant"},
    "method": "joint",
}


@dataclass(frozen=True)
class Clips:
    """How large clips are: frames of so many pixels a side, seconds of sound; and the precision of training."""

    frames: int = 4
    side: int = 224
    seconds: float = 3.0
    precision: str = "bfloat16"


@dataclass(frozen=True)
class StepSize(Clips):
    """How large a step is."""

    rows: int = 64
    steps: int = 20
    rounds: int = 5
    variants: tuple[str, ...] = ("channels_last", "compile")


def step_rates(device: torch.device, size: StepSize) -> dict[str, Any]:
    """Rows a second of both, their ratio in each round, and how far the losses of the first step are apart."""
    ours, plain = _trainer(device, size), _trainer(device, size)
    batch = _batch(size, device)
    step, same = _raymm_step(ours, batch), _plain_step(plain, batch)
    first = float((step() - same()).abs())
    others = {name: _raymm_step(_trainer(device, size, name), batch) for name in size.variants}
    steps = {"raymm": step, "plain": same, **others}
    works = {name: _steps(one, size.steps, device) for name, one in steps.items()}
    for work in works.values():
        work()
    rounds = [{name: seconds_of(work) for name, work in works.items()} for _ in range(size.rounds)]
    rows = size.rows * size.steps
    return {
        "size": vars(size),
        "difference_of_first_losses": first,
        **{f"{name}_rows_per_second": rows / min(taken[name] for taken in rounds) for name in works},
        "ratio": statistics.median(taken["plain"] / taken["raymm"] for taken in rounds),
        "ratios": [taken["plain"] / taken["raymm"] for taken in rounds],
        "faster_than_raymm_by": {
            name: statistics.median(taken["raymm"] / taken[name] for taken in rounds) for name in size.variants
        },
        "GiB": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0,
    }


def clips_of(size: Clips, classes: tuple[str, ...]) -> Schema:
    """The schema of clips of colour frames and sound."""
    rgb = RgbSpec(name="rgb", frames=size.frames, height=size.side, width=size.side)
    return Schema(modalities=(rgb, AudioSpec(name="audio", seconds=size.seconds)), classes=classes)


def _trainer(device: torch.device, size: StepSize, variant: str | None = None) -> Trainer:
    """A trainer; with one of the switches of `training` on, where a variant names it."""
    schema = clips_of(size, tuple(f"c{number}" for number in range(CLASSES)))
    training = {"precision": size.precision, "batch_size": size.rows, **({variant: True} if variant else {})}
    config: Config = parse({**SETTINGS, "training": training})
    rows = MemoryRows(schema, {name: [] for name in schema.names})
    return trainer_of(Dataset(Path(), schema, rows, statistics={}, digest=""), config, device)


def _batch(size: StepSize, device: torch.device) -> Batch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(size.rows, size.frames, 3, size.side, size.side, generator=generator)
    mels = torch.randn(size.rows, 1, 64, 1 + round(16_000 * size.seconds) // 160, generator=generator)
    return Batch(
        inputs={"rgb": frames.to(device), "audio": mels.to(device)},
        mask=torch.ones(size.rows, 2, dtype=torch.bool, device=device),
        labels=torch.randint(CLASSES, (size.rows,), generator=generator).to(device),
        index=torch.arange(size.rows),
    )


def _raymm_step(trainer: Trainer, batch: Batch) -> Callable[[], Tensor]:
    """One step; the loss is looked at only where it is asked for, as in an epoch."""

    def step() -> Tensor:
        return trainer.step(RankBatch(batch, None, len(batch), 0, 1)).loss / len(batch)

    return step


def _plain_step(trainer: Trainer, batch: Batch) -> Callable[[], Tensor]:
    """What one writes in a loop of one's own, around the same encoders and the same head."""
    model, config = trainer.model, trainer.config
    head: Any = model.fusion
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9)
    everything = torch.ones_like(batch.mask)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(batch.labels.device.type, trainer.dtype, enabled=trainer.dtype != torch.float32):
            features = [model.encoders[name](batch.inputs[name]) for name in model.names]
            logits = head(torch.stack(features, dim=1).float(), everything)
        loss = functional.cross_entropy(logits.float(), batch.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.clip_norm)
        optimizer.step()
        return loss.detach()

    return step


def _steps(step: Callable[[], Tensor], count: int, device: torch.device) -> Callable[[], None]:
    def work() -> None:
        for _ in range(count):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return work
