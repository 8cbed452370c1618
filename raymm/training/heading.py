"""What a run is, in the lines that stand above its epochs."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch

from raymm.data.schema import SPLITS
from raymm.storage.layout import short_path
from raymm.tracking.epoch_text import WIDTH, legend
from raymm.valuation.utilities import fair_share_of

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.training.run import Run

__all__ = ["Heading", "device_name"]


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
            modalities={spec.name: spec.kind for spec in schema.modalities},
            samples={split: len(dataset.rows(split)) for split in SPLITS},
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
        kinds = [name if name == kind else f"{name} ({kind})" for name, kind in self.modalities.items()]
        counts = ", ".join(f"{split} {count:,}" for split, count in self.samples.items())
        labels = "targets" if self.task == "regression" else "classes"
        model, store = (
            f"; {word}{name}" * bool(name) for word, name in (("", self.model), ("tracked in ", self.store))
        )
        fields = {
            "data": self.data,
            "inputs": f"{len(kinds)} {'modality' if len(kinds) == 1 else 'modalities'}: {', '.join(kinds)}",
            "samples": f"{counts}; {self.task}, {self.classes} {labels}",
            "method": f"{self.method}, {self.epochs} epochs, seed {self.seed}{model}",
            "device": f"{self.device}, {self.workers} worker{'s' * (self.workers > 1)}",
            "results": f"{self.folder}{store}",
        }
        return [line for name, text in fields.items() for line in _filled(name, text, width)]

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


def _filled(name: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=f"{name:<9}", subsequent_indent=" " * 9, break_on_hyphens=False
    ) or [name]
