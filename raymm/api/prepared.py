"""What `raymm.prepare` returns: a data set on disk, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.shown import Placed
from raymm.counts import counted
from raymm.data.dataset import open_dataset
from raymm.data.schema import SPLITS
from raymm.storage import data_layout

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.data.dataset import Dataset
    from raymm.data.prepare import ChunkReport
    from raymm.data.schema import Schema

__all__ = ["Prepared"]


@dataclass(frozen=True, repr=False)
class Prepared(Placed):
    """A finished data set.

    Attributes
    ----------
    folder
        Where it lies.
    schema
        Names, kinds and shapes of its modalities, and its classes.
    rows
        Number of samples.
    quarantined
        Ids of the samples that were left out; `quarantine.csv` in the folder says why.
    unchanged
        Whether an earlier call had made it already.
    """

    folder: Path
    schema: Schema
    rows: int
    quarantined: tuple[str, ...]
    unchanged: bool = False

    @classmethod
    def of(cls, folder: Path, schema: Schema, reports: Sequence[ChunkReport], *, unchanged: bool = False) -> Prepared:
        """The data set that these reports are of."""
        bad = {item.sample_id for report in reports for item in report.bad}
        return cls(folder, schema, sum(report.rows for report in reports), tuple(sorted(bad)), unchanged)

    def open(self) -> Dataset:
        """The data set, opened for reading."""
        return open_dataset(self.folder)

    def summary(self) -> str:
        """What the data set holds, and what was left out of it."""
        shapes = ", ".join(f"{spec.name} {list(spec.shape) or 'text'}" for spec in self.schema.modalities)
        what = "class" if self.schema.task.categorical else "target"
        lines = [f"{counted(self.rows, 'sample')}, {counted(len(self.schema.classes), what)}: {shapes}"]
        if self.quarantined:
            where = self.folder / data_layout.QUARANTINE
            lines.append(f"{counted(len(self.quarantined), 'sample was', 'samples were')} left out; {where} says why")
        return "\n".join(lines)

    def to_pandas(self) -> pd.DataFrame:
        """A row a sample: its id, split, label by name, source file, and whether it has each modality."""
        import numpy as np
        import pandas as pd

        dataset = self.open()
        shards, task = dataset.shards, self.schema.task
        columns = {
            "sample_id": shards.sample_id,
            "split": shards.split,
            "label": [task.text(label, self.schema.classes) for label in shards.label],
            "source": shards.sources(np.arange(len(dataset))),
        }
        has = {f"has_{name}": shards.present[:, position] for position, name in enumerate(self.schema.names)}
        return pd.DataFrame({**columns, **has})

    def plot(self) -> Figure:
        """How many samples of each class (of a regression: with each target) every split has, as a figure."""
        from raymm.reports.plots import samples_per_class

        dataset, of_task = self.open(), self.schema.task.class_counts
        of_split = {split: dataset.label[dataset.shards.in_split(split)] for split in SPLITS}
        counts = {split: of_task(labels, len(self.schema.classes)) for split, labels in of_split.items()}
        return samples_per_class(self.schema.classes, counts)

    def __repr__(self) -> str:
        left = f", {len(self.quarantined)} left out" if self.quarantined else ""
        return f"Prepared({str(self.folder)!r}, {counted(self.rows, 'sample')}{left})"
