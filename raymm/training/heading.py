"""What a run is, in the lines that stand above its epochs."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch

from raymm.counts import counted
from raymm.data.schema import SPLITS
from raymm.storage.layout import short_path
from raymm.tracking.epoch_text import WIDTH, legend
from raymm.valuation.utilities import fair_share_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.data.dataset import Dataset
    from raymm.training.run import Run

__all__ = [
    "Heading",
    "device_name",
    "filled",
    "inputs_in_words",
    "kinds_of",
    "place_of_results",
    "samples_in_words",
    "samples_of",
]


@dataclass(frozen=True)
class Heading:
    """What a run trains, on what, how, and where its results go.

    Attributes
    ----------
    modalities
        Their kinds by name, in the order of the schema.
    samples
        Their number by split.
    classes
        Number of the classes, or of the targets of a regression.
    device, workers
        Where a worker computes, and how many there are.
    folder, store
        Where the run lies, and the tracking store that records it; "" where none does.
    selection, fair_share
        The validation metric that picks the model, and what a modality contributes where all contribute alike.
    """

    run: str
    data: str
    modalities: dict[str, str]
    samples: dict[str, int]
    task: str
    classes: int
    method: str
    epochs: int
    seed: int
    device: str
    workers: int
    folder: str
    selection: str
    fair_share: float | None
    store: str = ""
    model: str = field(default="")

    @classmethod
    def of(cls, run: Run, dataset: Dataset, device: str, workers: int, store: str = "") -> Self:
        """The heading of a run on a data set."""
        config, schema = run.config, dataset.schema
        return cls(
            run=run.name,
            data=short_path(dataset.path),
            modalities=kinds_of(dataset),
            samples=samples_of(dataset),
            task=schema.task.name,
            classes=len(schema.classes),
            method=config.method.name,
            epochs=config.training.epochs,
            seed=config.training.seed,
            device=device,
            workers=workers,
            folder=short_path(run.path),
            selection=config.training.selection,
            fair_share=fair_share_of(config.valuation.utility),
            store=store,
            model=config.model.build or "",
        )

    def lines(self, width: int = WIDTH) -> list[str]:
        """The heading for people, in lines of at most `width` columns."""
        model = f"; {self.model}" if self.model else ""
        label = "target" if self.task == "regression" else "class"
        fields = {
            "data": self.data,
            "inputs": inputs_in_words(self.modalities),
            "samples": f"{samples_in_words(self.samples)}; {self.task}, {counted(self.classes, label)}",
            "method": f"{self.method}, {counted(self.epochs, 'epoch')}, seed {self.seed}{model}",
            "device": f"{self.device}, {counted(self.workers, 'worker')}",
            "results": place_of_results(self.folder, self.store),
        }
        return filled(fields, width)

    def legend(self) -> list[str]:
        """What the words of an epoch's line mean."""
        return legend(self.selection, self.fair_share)

    def to_dict(self) -> dict[str, Any]:
        """The fields, for programs."""
        return asdict(self)


def device_name(device: torch.device) -> str:
    """A device as people know it: "cpu", or the name of the GPU.

    >>> device_name(torch.device("cpu"))
    'cpu'
    """
    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def kinds_of(dataset: Dataset) -> dict[str, str]:
    """Kinds of the modalities by name."""
    return {spec.name: spec.kind for spec in dataset.schema.modalities}


def samples_of(dataset: Dataset) -> dict[str, int]:
    """Number of the samples by split."""
    return {split: len(dataset.rows(split)) for split in SPLITS}


def filled(fields: Mapping[str, str], width: int = WIDTH) -> list[str]:
    """Fields and what they say, in lines of at most `width` columns."""
    indent = " " * 9
    wrapped = (
        textwrap.wrap(text, width, initial_indent=f"{name:<9}", subsequent_indent=indent, break_on_hyphens=False)
        for name, text in fields.items()
    )
    return [line for lines in wrapped for line in lines]


def inputs_in_words(modalities: Mapping[str, str]) -> str:
    """Modalities by name, each with its kind.

    >>> inputs_in_words({"rgb": "rgb", "acc": "sequence"})
    '2 modalities: rgb, acc (sequence)'
    """
    kinds = [name if name == kind else f"{name} ({kind})" for name, kind in modalities.items()]
    return f"{counted(len(kinds), 'modality')}: {', '.join(kinds)}"


def samples_in_words(samples: Mapping[str, int]) -> str:
    """Samples by split.

    >>> samples_in_words({"train": 1200, "val": 300})
    'train 1,200, val 300'
    """
    return ", ".join(f"{split} {count:,}" for split, count in samples.items())


def place_of_results(folder: str, store: str) -> str:
    """Where results lie, and where they are tracked."""
    return f"{folder}; tracked in {store}" if store else folder
