"""What the benches of an epoch train with: a new model, its optimizer and the method, in one process."""

import torch

from raymm.config import Config
from raymm.data import Dataset
from raymm.methods import build_method
from raymm.models.memory_format import channels_last
from raymm.models.model import build_model
from raymm.training.communicator import Communicator, SingleProcess
from raymm.training.compiled import compile_parts
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of

__all__ = ["trainer_of"]


CPU = torch.device("cpu")


def trainer_of(
    dataset: Dataset, config: Config, device: torch.device = CPU, communicator: Communicator | None = None
) -> Trainer:
    """A trainer on the CPU, or on another device; of one process, or one of several."""
    model = build_model(dataset.schema, config.model, 0).to(device)
    if config.training.channels_last:
        channels_last(model)
    if config.training.compile:
        compile_parts(model, device)
    method = build_method(config, dataset.schema)
    optimizer = build_optimizer(parameters_of(model, method), config.optimizer)
    return Trainer(model, optimizer, method, config, communicator or SingleProcess(), device, dataset.schema.task)
