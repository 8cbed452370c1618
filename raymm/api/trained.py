"""What `raymm.load` returns: a trained model, and what its inputs and outputs mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.predicting import answered, encoders_of, question_in
from raymm.api.public import public
from raymm.api.recorded import recorded_table
from raymm.api.settings import named
from raymm.api.showing import Showing, showing
from raymm.api.shown import Placed, place_of, plot_called
from raymm.api.values_result import Values
from raymm.config.plugins import load_plugins
from raymm.counts import counted
from raymm.data.opening import Data
from raymm.errors import CheckpointError
from raymm.models.export import load_model, model_folder
from raymm.storage.layout import result_folder
from raymm.storage.local_path import local_path
from raymm.training.result import read_result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.api.graph_result import ExportedGraphs
    from raymm.api.predictions import Predictions
    from raymm.config.sections import Config
    from raymm.data.schema import Schema
    from raymm.models.export import Exported
    from raymm.models.model import MultimodalModel

__all__ = ["Trained", "trained_of"]


class Trained(Placed):
    """A trained model, from a finished run or from the folder of an exported model.

    Attributes
    ----------
    folder
        Of the run or of the model.
    exported
        The model with its configuration, schema and statistics.
    """

    def __init__(self, folder: Path, exported: Exported) -> None:
        self.folder = folder
        self.exported = exported

    @classmethod
    def of(cls, folder: str | Path) -> Trained:
        """The model in a folder; errors as `raymm.load`."""
        path = local_path(folder).absolute()
        return cls(path, load_model(model_folder(path)))

    @property
    def config(self) -> Config:
        """The settings that it was trained with."""
        return self.exported.config

    @property
    def schema(self) -> Schema:
        """Its modalities, with kinds and shapes, its classes and its task."""
        return self.exported.schema

    @property
    def model(self) -> MultimodalModel:
        """The module itself, in evaluation mode: `encode(batch)` and `fuse(features, mask)`."""
        return self.exported.model

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the picked epoch; raises `CheckpointError` where the folder is no finished run."""
        return read_result(self.folder).metrics

    @public
    def values(self, split: str = "test") -> Values:
        """The values that the run recorded of a split after the picked epoch.

        Raises
        ------
        CheckpointError
            When the folder is that of an exported model, or the run recorded no values of this split then.
        """
        if not result_folder(self.folder).is_dir():
            raise CheckpointError(
                f"{self.folder}: an exported model has no recorded values; raymm.value(folder, data) values a split"
            )
        return Values(recorded_table(self.folder, split))

    @public
    def predict(
        self,
        samples: Any = (),
        *,
        manifest: str | Path | None = None,
        media_root: str | Path | None = None,
        allow_outside: bool = False,
        sentence_encoders: Sequence[str] | Mapping[str, str | Path] = (),
        progress: Showing = "auto",
    ) -> Predictions:
        """Answer samples without labels: files, texts and arrays; parameters and errors as `raymm.predict`."""
        question = question_in(samples, self.schema, manifest, media_root, allow_outside)
        encoders = encoders_of(self.schema, sentence_encoders)
        with showing(progress) as told:
            return answered(question, self.exported, encoders, told)

    @public
    def export(
        self,
        *,
        onnx: str | Path | None = None,
        torch: str | Path | None = None,
        data: Data | None = None,
        samples: int = 100,
        progress: Showing = "auto",
    ) -> ExportedGraphs:
        """Write it as ONNX, or as a program of `torch.export`; parameters and errors as `raymm.export`."""
        from raymm.api.graph_result import export_graphs

        with showing(progress) as told:
            return export_graphs(self.folder, self.exported, (onnx, torch), data, samples, told.on_note)

    def to_pandas(self) -> pd.DataFrame:
        """A row a modality: `modality`, `kind`, `shape` of a stored value, and `parameters` of its encoder.

        Their number is missing where a model of one's own does not say which its encoders are.
        """
        import pandas as pd

        known = self.exported.config.model.build is None or getattr(self.model, "has_encoders", True)
        counts = {
            name: sum(value.numel() for value in self.model.encoders[name].parameters()) if known else None
            for name in self.schema.names
        }
        return pd.DataFrame(
            [
                {"modality": one.name, "kind": one.kind, "shape": one.shape, "parameters": counts[one.name]}
                for one in self.schema.modalities
            ]
        )

    @public
    def plot(self, kind: str = "learning-curves") -> Figure:
        """One of the plots of the run's report, as `raymm.train`'s result has them.

        Raises
        ------
        CheckpointError
            When the folder is no finished run.
        ConfigError
            For another kind.
        """
        from raymm.reports.run_tracking import figures_of
        from raymm.training.run import open_run

        figures = figures_of(self.folder, read_result(self.folder), open_run(self.folder).dataset())
        return plot_called(kind, figures)()

    def summary(self) -> str:
        """Method, modalities, classes, and numbers of parameters of each part."""
        own, fusion = self.config.model.build, self.config.model.fusion.name
        lines = [
            f"method {self.config.method.name}, " + (f"model {own}" if own else f"fusion {fusion}"),
            f"classes: {', '.join(self.schema.classes)}",
        ]
        lines += [f"{spec.name:<16} {spec.kind:<12} {list(spec.shape) or 'text'}" for spec in self.schema.modalities]
        return "\n".join([*lines, *(f"{part:<16} {count:,} parameters" for part, count in self._parameters())])

    def _parameters(self) -> list[tuple[str, int]]:
        parts = [
            (name, sum(value.numel() for value in part.parameters())) for name, part in self.model.named_children()
        ]
        return [(name, count) for name, count in parts if count]

    def __repr__(self) -> str:
        names, what = ", ".join(self.schema.names), "class" if self.schema.task.categorical else "target"
        return f"Trained({str(self.folder)!r}, {names}, {counted(len(self.schema.classes), what)})"


def trained_of(model: str | Path | Placed, plugins: Sequence[str]) -> Trained:
    """The model that a verb is given: its folder, a `Trained`, or the result of a training; errors as `raymm.load`.

    Parameters
    ----------
    plugins
        Parts of one's own that are imported first; those of the run are loaded from it.
    """
    load_plugins(named(plugins))
    return model if isinstance(model, Trained) else Trained.of(place_of(model))
