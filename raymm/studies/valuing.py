"""Value a split with a model that was trained before: find the model, check that it fits the data."""

from dataclasses import dataclass
from pathlib import Path

from raymm.config import Config, parse
from raymm.data import Dataset, View
from raymm.errors import CheckpointError, Problems
from raymm.model import MultimodalModel
from raymm.training.export import Exported, load_model
from raymm.training.result import result_folder
from raymm.training.value import Rows

__all__ = ["Valuing", "load_for"]


@dataclass(frozen=True)
class Valuing:
    """A model, the view of the data it reads, and the rows to value."""

    model: MultimodalModel
    view: View
    rows: Rows
    config: Config


def load_for(checkpoint: Path, dataset: Dataset, split: str, utility: str | None = None) -> Valuing:
    """Load a run's picked model (or an exported model's folder) to value a split of `dataset`.

    Raises
    ------
    CheckpointError
        When there is no model, or its modalities or classes are not those of the data set.
    """
    folder = result_folder(checkpoint) / "model"
    exported = load_model(folder if folder.is_dir() else checkpoint)
    _check_fit(checkpoint, exported, dataset)
    config = exported.config
    if utility is not None:
        config = parse({**config.model_dump(), "valuation": {**config.valuation.model_dump(), "utility": utility}})
    view = View(_with_statistics(dataset, exported), config.view, config.training.seed)
    return Valuing(exported.model, view, dataset.rows(split), config)


def _check_fit(checkpoint: Path, exported: Exported, dataset: Dataset) -> None:
    problems = Problems(f"{checkpoint} does not fit {dataset.path}")
    then, now = exported.schema, dataset.schema
    if then.classes != now.classes:
        problems.add(f"classes: the model knows {', '.join(then.classes)}; the data has {', '.join(now.classes)}")
    if then.modalities != now.modalities:
        problems.add(f"modalities: the model reads {_kinds(then.modalities)}; the data has {_kinds(now.modalities)}")
    problems.raise_if_any(CheckpointError)


def _kinds(modalities: object) -> str:
    assert isinstance(modalities, tuple)
    return ", ".join(f"{spec.name} {spec.kind}{list(spec.shape)}" for spec in modalities)


def _with_statistics(dataset: Dataset, exported: Exported) -> Dataset:
    """Standardise as in training, whatever the statistics of this data set."""
    return Dataset(dataset.path, dataset.schema, dataset.shards, exported.statistics, dataset.digest)
