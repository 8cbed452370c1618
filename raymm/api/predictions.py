"""Answers of a model to samples without labels, to look at: what `Trained.predict` returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from raymm.api.public import public
from raymm.api.shown import Shown, plot_called
from raymm.counts import counted
from raymm.data.quarantine import bad_line
from raymm.errors import ConfigError, did_you_mean
from raymm.models.answers import PROBABILITY, Answers
from raymm.storage.atomic import write_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.data.quarantine import BadValue

__all__ = ["Predictions"]


class Predictions(Shown):
    """The answer to every sample that could be read, and what each modality contributed to it.

    Attributes
    ----------
    samples
        What each is called: its file, its id in the manifest, or its number among those that were given, from 0 on.
    answers
        All that is known of them.
    failed
        What is wrong with samples that could not be read, a modality each.
    """

    def __init__(self, samples: Sequence[str], answers: Answers, failed: Sequence[BadValue] = ()) -> None:
        self.samples = list(samples)
        self.answers = answers
        self.failed = tuple(failed)

    @property
    def labels(self) -> list[str]:
        """The answers, as the labels of a manifest are written."""
        return self.answers.texts

    @property
    def probability(self) -> npt.NDArray[np.float64] | None:
        """What the model gives to each of its answers, [N]; None of a regression."""
        return self.answers.confidence

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """Of each class, [N, K]; None of a regression."""
        return self.answers.probabilities

    @property
    def outputs(self) -> npt.NDArray[np.float32]:
        """Outputs of the head, [N, K]: logits of a classification."""
        return self.answers.outputs

    @property
    def phi(self) -> npt.NDArray[np.float64]:
        """Contributions [N, n] to the answer; of several targets [N, n, T]. NaN where a modality is missing."""
        return self.answers.phi[..., 0] if self.answers.phi.shape[-1] == 1 else self.answers.phi

    @property
    def stderr(self) -> npt.NDArray[np.float64]:
        """Standard errors of `phi`, of its shape; 0 where it is exact."""
        found = self.answers.stderr
        if found is None:
            return np.where(np.isnan(self.phi), np.nan, 0.0)
        return found[..., 0] if found.shape[-1] == 1 else found

    @property
    def utility(self) -> str:
        """What the contributions add up to, beside its value without any modality: "probability" or "answer"."""
        return PROBABILITY if self.answers.schema.task.categorical else "answer"

    def __len__(self) -> int:
        return len(self.samples)

    def to_pandas(self) -> pd.DataFrame:
        """A row a sample: `sample`, `prediction`, `probability`, `probability_CLASS` of each, `phi_NAME` of each.

        Of a regression `prediction` is a number; of several targets there is `prediction_TARGET` and
        `phi_NAME_TARGET`. Where contributions are sampled, there is `stderr_NAME` beside `phi_NAME`.
        """
        import pandas as pd

        return pd.DataFrame({name: _numbers(column) for name, column in self._columns().items()})

    @public
    def plot(self, kind: str = "contributions", target: str | None = None) -> Figure:
        """Contributions to the answers, as a figure of matplotlib.

        Parameters
        ----------
        kind
            "contributions", sample by sample for the first 20; or "phi-distribution", of all.
        target
            Of several numbers a sample, the one that is drawn; default: the first.

        Raises
        ------
        ConfigError
            For another kind or target.
        """
        from raymm.api.predictions_plot import MOST, contributions_by_sample, phi_distribution

        schema = self.answers.schema
        targets = schema.classes if self.answers.phi.shape[-1] > 1 else ()
        if target is not None and target not in targets:
            raise ConfigError(f"plot: no target {target!r}; {did_you_mean(target, targets)}")
        number = targets.index(target) if target is not None else 0
        phi, stderr = self.answers.phi[..., number], self.stderr.reshape(self.answers.phi.shape)[..., number]
        first = slice(MOST)
        figures: dict[str, Callable[[], Figure]] = {
            "contributions": lambda: contributions_by_sample(
                self.samples[first], self.labels[first], schema.names, phi[first], stderr[first]
            ),
            "phi-distribution": lambda: phi_distribution(schema.names, phi, None),
        }
        return plot_called(kind, figures)()

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows of `to_pandas` as plain values, None where a modality is missing."""
        columns = self._columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_json(self) -> str:
        """`{"predictions": [...], "failed": [...], "utility": ...}`."""
        failed = [
            {"sample": one.sample_id, "modality": one.modality, "problem": bad_line(one)} for one in self.failed
        ]
        return json.dumps({"predictions": self.to_dicts(), "failed": failed, "utility": self.utility})

    def save(self, path: str | Path) -> Path:
        """Write the rows of `to_pandas` as CSV or Parquet, by the suffix; returns the path.

        Raises
        ------
        ConfigError
            For another suffix.
        """
        check_table_name(path)
        path, sink = Path(path), pa.BufferOutputStream()
        write = pq.write_table if path.suffix == ".parquet" else pyarrow.csv.write_csv
        write(pa.table(self._columns()), sink)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, sink.getvalue().to_pybytes())
        return path

    def summary(self) -> str:
        """A line a sample, and one for each that could not be read."""
        width = min(60, max((len(name) for name in self.samples), default=0))
        lines = [
            f"{name:<{width}}  {self._answer(row)}  phi {self._phi(row)}" for row, name in enumerate(self.samples)
        ]
        return "\n".join([*lines, *(f"not read: {bad_line(one)}" for one in self.failed)])

    def __repr__(self) -> str:
        failed = f", {len({one.sample_id for one in self.failed})} not read" if self.failed else ""
        return f"Predictions({counted(len(self), 'sample')}{failed})"

    def _columns(self) -> dict[str, list[Any]]:
        return {"sample": self.samples, **self.answers.columns(every_class=True)}

    def _answer(self, row: int) -> str:
        if self.probability is None:
            return ", ".join(f"{number:.4g}" for number in np.atleast_1d(self.answers.prediction[row]))
        return f"{self.labels[row] or 'none'} ({self.probability[row]:.3f})"

    def _phi(self, row: int) -> str:
        return "  ".join(
            f"{name} {'missing' if np.isnan(phi).all() else ' '.join(f'{one:+.3f}' for one in phi)}"
            for name, phi in zip(self.answers.schema.names, self.answers.phi[row], strict=True)
        )


def check_table_name(path: str | Path) -> None:
    """Raise `ConfigError` for a file that is neither .csv nor .parquet."""
    if Path(path).suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"{path}: predictions are written as .csv or .parquet; give a name with one of these")


def _numbers(column: list[Any]) -> Any:
    """A column with NaN in the place of None."""
    return [np.nan if value is None else value for value in column]
