"""Contributions of samples, to look at: what `raymm.value` returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm.api.argument_types import check_least, refuse_folder
from raymm.api.places_of_pages import refuse_page, refuse_report
from raymm.api.public import public
from raymm.api.shown import Shown, plot_called
from raymm.counts import counted
from raymm.errors import ConfigError, did_you_mean
from raymm.reports.valuation_page import write_valuation_page
from raymm.reports.valuation_report import valuation_figures, write_valuation_report
from raymm.reports.valuation_stability import stability, stability_lines
from raymm.reports.valuation_summary import class_names_of, summarise, summary_lines
from raymm.valuation.table_file import read_table, write_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.data.dataset import Dataset
    from raymm.tasks.labels import Labels
    from raymm.valuation.table import ValuationTable

__all__ = ["Values"]

OTHER_FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".html", ".feather", ".arrow")
"""Endings of names that a Parquet file must not have."""


class Values(Shown):
    """The contribution of every modality of every sample.

    Attributes
    ----------
    table
        All that is known of the samples, as `raymm.valuation.read_table` gives it.
    maskings
        Where several were asked for, the table under each, by the name of the masking.
    dataset
        Where the samples lie, so that the page shows them; None where that is not known, as of batches.

    Examples
    --------
    >>> import torch
    >>> from raymm.valuation import value_batches
    >>> def predict(batch, mask):
    ...     return batch["shown"] * mask[..., None].any(1)
    >>> batch = {"shown": torch.eye(2), "label": [0, 0]}
    >>> values = Values(value_batches(predict, [batch], modalities=["audio", "video"]))
    >>> values
    Values(2 samples, audio 0.5, video 0.5, accuracy 0.5)
    >>> values.lowest("video", 1)[["sample_id", "label", "prediction", "phi_video"]].to_dict("records")
    [{'sample_id': '1', 'label': '0', 'prediction': '1', 'phi_video': 0.0}]
    """

    def __init__(
        self,
        table: ValuationTable,
        maskings: Mapping[str, ValuationTable] | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        self.table = table
        self.maskings = dict(maskings or {})
        self.dataset = dataset

    @classmethod
    def of_maskings(cls, tables: Mapping[str, ValuationTable], dataset: Dataset | None = None) -> Values:
        """The values under the first masking, beside those under the others."""
        return cls(next(iter(tables.values())), tables if len(tables) > 1 else None, dataset)

    @classmethod
    def read(cls, path: str | Path) -> Values:
        """The values in a file that `save`, `raymm value` or a run wrote; errors as `raymm.valuation.read_table`."""
        return cls(read_table(path))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in the order of the columns of `phi`."""
        return self.table.info.modalities

    @property
    def phi(self) -> npt.NDArray[np.float64]:
        """Contributions [N, n]; NaN where a sample lacks a modality."""
        return self.table.phi

    @property
    def ids(self) -> list[str]:
        """The name of each sample."""
        found: list[str] = self.table.sample_id.tolist()
        return found

    @property
    def sources(self) -> list[str] | None:
        """The file of each sample; None where none is known."""
        return None if self.table.source is None else self.table.source.tolist()

    def __len__(self) -> int:
        return len(self.table)

    def figures(self) -> dict[str, Any]:
        """The numbers of the summary as plain values, see `raymm.reports.valuation_summary.summarise`."""
        return summarise(self.table)

    def stability(self) -> list[dict[str, Any]]:
        """How much the values depend on the masking, `raymm.reports.valuation_stability`; empty of one."""
        return stability(self.maskings) if self.maskings else []

    def summary(self) -> str:
        """Accuracies, mean contributions with intervals, patterns of pairs and the lowest samples, as lines."""
        return "\n".join([*summary_lines(self.figures()), *stability_lines(self.stability())])

    def to_pandas(self) -> pd.DataFrame:
        """A row a sample.

        Returns
        -------
        `sample_id`, `split`, `source` (where known), `label` and `prediction` by name (one number a sample as it is),
        `correct` (where the task says what is), `phi_NAME` of each modality, and `stderr_NAME` where values are
        sampled.
        """
        import pandas as pd

        table = self.table
        columns: dict[str, Any] = {"sample_id": table.sample_id, "split": table.split}
        if table.source is not None:
            columns["source"] = table.source
        columns |= {"label": self._texts(table.label), "prediction": self._texts(table.prediction)}
        if table.task.hard:
            columns["correct"] = table.grand_correct
        columns |= {f"phi_{name}": table.phi[:, i] for i, name in enumerate(self.modalities)}
        if not table.enumerated:
            columns |= {f"stderr_{name}": table.stderr[:, i] for i, name in enumerate(self.modalities)}
        return pd.DataFrame(columns)

    @public
    def lowest(self, modality: str, count: int = 20) -> pd.DataFrame:
        """The samples to which a modality contributes least, lowest first, as `to_pandas` has them.

        Raises
        ------
        ConfigError
            When there is no such modality, or `count` is below 0.
        """
        check_least("lowest", 0, count=count)
        if modality not in self.modalities:
            raise ConfigError(f"lowest: no modality '{modality}'; {did_you_mean(modality, self.modalities)}")
        phi = self.table.phi[:, self.modalities.index(modality)]
        order = np.argsort(phi, kind="stable")[: np.count_nonzero(~np.isnan(phi))]  # NaN sorts last
        return self.to_pandas().iloc[order[:count]]

    @public
    def plot(self, kind: str = "phi-distribution") -> Figure:
        """One of the plots of the report, as a figure of matplotlib.

        Parameters
        ----------
        kind
            "phi-distribution"; of classes "phi-per-class"; where all coalitions were evaluated "interactions".

        Raises
        ------
        ConfigError
            For another kind.
        """
        figures: dict[str, Figure] = valuation_figures(self.table, class_names_of(self.table))
        return plot_called(kind, figures)

    @public
    def html(self, path: str | Path) -> Path:
        """Write a page on which the samples are sorted and filtered in a browser; returns its path.

        Where the data set is known, the page also shows the lowest and the most surprising samples of each modality
        with their media; further ones lie beside it, in a folder of the same name that ends in `.files`.

        Raises
        ------
        ConfigError
            When the path is a folder, or lies in that of a run, study, sweep or data set.
        """
        refuse_folder("html", Path(path), "values.html")
        refuse_page("html", Path(path))
        write_valuation_page(Path(path), self.table, class_names_of(self.table), self.dataset)
        return Path(path)

    @public
    def report(self, folder: str | Path, title: str = "What each modality contributes", command: str = "") -> Path:
        """Write a report with plots, as Markdown; returns its path.

        Parameters
        ----------
        folder
            Where `README.md` and its plots go.
        title, command
            Of the report, and the command that made it.

        Raises
        ------
        ConfigError
            When the folder is a run, study, sweep or data set.
        """
        refuse_report("report", Path(folder))
        return write_valuation_report(Path(folder), self.table, class_names_of(self.table), title, command)[0]

    @public
    def save(self, path: str | Path) -> Path:
        """Write the table as Parquet, which `Values.read` and `raymm.valuation.read_table` read; returns its path.

        Raises
        ------
        ConfigError
            When the path is a folder, or the name ends like that of another format.
        """
        refuse_folder("save", Path(path), "values.parquet")
        if Path(path).suffix.lower() in OTHER_FORMATS:
            raise ConfigError(f"save: {path}: values are saved as .parquet; to_pandas() has them for other formats")
        write_table(Path(path), self.table)
        return Path(path)

    def _texts(self, labels: Labels) -> Any:
        if not self.table.task.categorical and labels.shape[1] == 1:  # numbers are of more use than their texts
            return labels[:, 0]
        task, names = self.table.task, class_names_of(self.table)
        return [task.text(label, names) or "(none)" for label in labels]

    def __repr__(self) -> str:
        summary = summarise(self.table)
        means = {name: row["mean_phi"] for name, row in summary["modalities"].items()}
        shown = [f"{name} {'missing' if mean is None else f'{mean:.3g}'}" for name, mean in means.items()]
        accuracy = [] if summary["accuracy"] is None else [f"accuracy {summary['accuracy']:.3g}"]
        return f"Values({', '.join([counted(len(self), 'sample'), *shown, *accuracy])})"
