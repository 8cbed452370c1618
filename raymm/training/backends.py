"""What a run in training is given from outside: who values, who is told, the other workers, and the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from raymm.config.sections import Config
from raymm.data.reader import BatchReader
from raymm.models.model import MultimodalModel
from raymm.training.communicator import SingleProcess
from raymm.training.devices import require_device
from raymm.valuation.engine import Rows, value_parts
from raymm.valuation.table import ValuationTable

if TYPE_CHECKING:
    from raymm.training.communicator import Communicator

__all__ = ["Backends", "Report", "ValueFn"]

ValueFn = Callable[[MultimodalModel, BatchReader, Rows, Config, int], Iterator[ValuationTable]]
"""`(model, reader, rows, config, epoch) -> tables` of consecutive parts: in this process, or by the actor pool."""

Report = Callable[[Sequence[dict[str, Any]]], None]
"""Called on every rank after each commit, and once at the start, with the whole history."""


def _report_nothing(history: Sequence[dict[str, Any]]) -> None:
    del history


@dataclass(frozen=True)
class Backends:
    """How training reaches the rest of the world; raises `ConfigError` where the device is not here."""

    value: ValueFn = value_parts
    report: Report = _report_nothing
    communicator: Communicator = field(default_factory=SingleProcess)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        require_device(self.device, "Backends(device=)")
