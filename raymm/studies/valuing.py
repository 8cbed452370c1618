"""Value a split with a model that was trained before, or with somebody's own: find it, check it, stream the table.

A table grows in parts beside its file, OUT.parts/shard-00012.parquet, each written whole; the same command after an
interruption values only the shards that are missing. At the end the parts become OUT.
"""

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from raymm.config import Config, parse
from raymm.data import Dataset, View
from raymm.errors import CheckpointError, ConfigError, Problems
from raymm.model import MultimodalModel
from raymm.plugins import load_object
from raymm.storage import atomic_path, write_json
from raymm.training.export import Exported, load_model
from raymm.training.result import result_folder
from raymm.training.value import TILES_OF_SHARD, DataModel, Rows, method_for, table_info, tiles
from raymm.valuation import SplitModel, ValuationTable, check_model, read_table, write_table
from raymm.valuation.table import TableWriter

__all__ = ["Stream", "Valuing", "load_for", "load_own", "value_to_file", "with_masking"]

Stream = Callable[[DataModel, View, Rows, Config, int | None, Collection[int]], Iterator[tuple[int, ValuationTable]]]
"""`(model, view, rows, config, epoch, done) -> (shard, table)`: in this process, or through the actor pool."""

CHECKED = 8
"""Samples on which a model of one's own is checked."""


@dataclass(frozen=True)
class Valuing:
    """A model, the view of the data it reads, and the rows to value."""

    model: DataModel
    view: View
    rows: Rows
    config: Config

    def on_cluster(self, **settings: float) -> "Valuing":
        """The same with other settings of the section `cluster`, which decide no numbers."""
        cluster = self.config.cluster.model_copy(update=settings)
        return replace(self, config=self.config.model_copy(update={"cluster": cluster}))

    @property
    def shards(self) -> int:
        """Number of shards that the rows make."""
        return -(-len(self.rows) // (self.config.valuation.batch_size * TILES_OF_SHARD))


def load_for(checkpoint: Path, dataset: Dataset, split: str, valuation: Mapping[str, Any] | None = None) -> Valuing:
    """Load a run's picked model (or an exported model's folder) to value a split of `dataset`.

    Parameters
    ----------
    valuation
        Settings of the section `valuation` that differ from the run's.

    Raises
    ------
    CheckpointError
        When there is no model, or its modalities or classes are not those of the data set.
    """
    folder = result_folder(checkpoint) / "model"
    exported = load_model(folder if folder.is_dir() else checkpoint)
    _check_fit(checkpoint, exported, dataset)
    config = _with_valuation(exported.config, valuation or {})
    view = View(_with_statistics(dataset, exported), config.view, config.training.seed)
    return Valuing(exported.model, view, dataset.rows(split), config)


def load_own(spec: str, dataset: Dataset, split: str, valuation: Mapping[str, Any] | None = None) -> Valuing:
    """Load a model of one's own: `spec` names a function from the schema of the data to a split model.

    Raises
    ------
    ConfigError
        When there is no such function, or what it returns is no split model.
    ModelError
        When its `partials` do not tell the same as its `fuse`, at the first difference.
    """
    model = load_object(spec, "--model")(dataset.schema)
    if not isinstance(model, SplitModel):
        raise ConfigError(
            f"--model {spec}: returned a {type(model).__name__} without encode(batch) and fuse(features, mask); "
            "docs/valuation.md shows what is needed"
        )
    if isinstance(model, torch.nn.Module):
        model.eval()
    config = _with_valuation(Config(), valuation or {})
    view, rows = View(dataset, config.view), dataset.rows(split)
    few = view.batch(rows[:CHECKED])
    if len(dataset.schema.names) <= 12:
        check_model(model, few, few.mask, names=dataset.schema.names)
    return Valuing(model, view, rows, config)


def with_masking(job: Valuing, masking: str, dataset: Dataset) -> Valuing:
    """The same model with another stand-in for masked features: "zeros", or "mean" over the training split.

    Raises
    ------
    ConfigError
        When the model has no baseline of raymm's, or "learned" is asked of a model that has not learned one.
    """
    model = job.model
    if not isinstance(model, MultimodalModel):
        raise ConfigError(f"--masking {masking}: a model of one's own decides itself how it masks")
    if masking == job.config.model.baseline:
        return job
    if masking not in {"zeros", "mean"}:
        raise ConfigError(
            f"--masking {masking}: this model was trained with '{job.config.model.baseline}'; zeros and mean can be "
            "put in its place, learned only by training"
        )
    with torch.inference_mode():
        baseline = torch.zeros_like(model.baseline) if masking == "zeros" else _mean_features(job, dataset)
    model.set_baseline(baseline)
    config = parse({**job.config.model_dump(), "model": {**job.config.model.model_dump(), "baseline": masking}})
    return replace(job, config=config)


def value_to_file(
    job: Valuing, stream: Stream, out: Path, follow: Callable[[Iterator[Any], int], Iterator[Any]]
) -> ValuationTable:
    """Value a split into a Parquet file, going on from parts that an earlier call has left; returns the table.

    Parameters
    ----------
    stream
        Where the work is done.
    follow
        `(shards, total) -> shards`, shows how far it is.
    """
    folder = out.with_name(out.name + ".parts")
    done = _parts_of(folder, _identity(job))
    shards = stream(job.model, job.view, job.rows, job.config, None, done)
    for shard, table in follow(shards, job.shards - len(done)):
        write_table(_part(folder, shard), table)
    first = read_table(_part(folder, 0))
    with atomic_path(out) as temporary, TableWriter(temporary, first.info) as writer:
        for shard in range(job.shards):
            writer.write(read_table(_part(folder, shard)))
    shutil.rmtree(folder)
    return read_table(out)


def _part(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:05d}.parquet"


def _parts_of(folder: Path, identity: dict[str, Any]) -> set[int]:
    """Shards that are there already; parts of another valuation are thrown away."""
    about = folder / "about.json"
    if not about.exists() or json.loads(about.read_text()) != identity:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(about, identity)
        return set()
    return {int(path.stem.removeprefix("shard-")) for path in folder.glob("shard-*.parquet")}


def _identity(job: Valuing) -> dict[str, Any]:
    """All that decides the values."""
    method = method_for(job.model, job.view, job.rows, job.config)
    info = asdict(table_info(job.model, job.view, job.config, None, method))
    return json.loads(
        json.dumps(
            {
                "info": info,
                "method": asdict(method),
                "data": job.view.dataset.digest,
                "first": int(job.rows[0]),
                "rows": len(job.rows),
                "tile": job.config.valuation.batch_size,
                "view": job.config.view.model_dump(),
            }
        )
    )


def _mean_features(job: Valuing, dataset: Dataset) -> torch.Tensor:
    """Mean feature of each modality over the training samples that have it, [n, D]."""
    assert isinstance(job.model, MultimodalModel)
    total = torch.zeros_like(job.model.baseline, dtype=torch.float64)
    count = torch.zeros(len(total), 1, dtype=torch.float64)
    for tile in tiles(dataset.rows("train"), job.config.valuation.batch_size):
        batch = job.view.batch(tile)
        mask = batch.mask[..., None].double()
        total += (job.model.encode(batch) * mask).sum(dim=0)
        count += mask.sum(dim=0)
    return (total / count.clamp(min=1)).float()


def _with_valuation(config: Config, settings: Mapping[str, Any]) -> Config:
    return parse({**config.model_dump(), "valuation": {**config.valuation.model_dump(), **settings}}, "valuation")


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
