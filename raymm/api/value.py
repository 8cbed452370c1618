"""`raymm.value`: contributions of the modalities of samples, by a run's model or by any other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from raymm.api.progress import Showing, showing
from raymm.api.training_result import TrainingResult
from raymm.api.values_result import Values
from raymm.data.dataset import Dataset, open_dataset
from raymm.errors import ConfigError
from raymm.models.valued import import_plugins, load_for
from raymm.valuation.engine import stream_rows
from raymm.valuation.own import value_batches
from raymm.valuation.table import join_tables

__all__ = ["value"]


def value(model: Any, data: Any, *, progress: Showing = "auto", **options: Any) -> Values:
    """Value every modality of every sample, in this process and in memory.

    Parameters
    ----------
    model
        A run (`raymm.train`'s result, its folder, or the folder of an exported model), or any model of your own: a
        torch module, an object with `encode` and `fuse`, a function `(batch, mask) -> logits`.
    data
        For a run: a data set, or its folder. For a model of your own: batches, such as a `DataLoader`.
    progress
        Who is told how far it is; "auto" shows a bar on a terminal or in a notebook, None nothing.
    options
        For a run: `split` ("test"), and `utility`, `method`, `budget`, `plugins`, by default the run's. For a model
        of your own: those of `raymm.valuation.value_batches`: `modalities`, `label`, `ids`, `mask`, `utility`, ...

    Returns
    -------
    The values, to look at.

    Raises
    ------
    ConfigError, DataError, CheckpointError
        When model, data and options do not fit each other.
    BatchError
        When a batch of your own cannot be valued: its number, what is wrong, and the values before it.

    Examples
    --------
    >>> import torch
    >>> import raymm
    >>> def predict(batch, mask):
    ...     return batch["shown"] * mask[..., None].any(1)
    >>> batches = [{"shown": torch.eye(2), "label": [0, 0]}]
    >>> raymm.value(predict, batches, modalities=["audio", "video"])
    Values(2 samples, audio 0.5, video 0.5, accuracy 0.5)
    """
    if isinstance(model, str | Path | TrainingResult):
        return _value_run(model, data, progress, **options)
    if isinstance(data, str | Path | Dataset):
        raise ConfigError(
            f"value: a {type(model).__name__} is valued on batches, such as a DataLoader; data sets of raymm are for "
            "runs and their folders"
        )
    with showing(progress) as told:

        def follow(batches: Iterable[Any], total: int) -> Iterable[Any]:
            return told.follow(batches, total, "valuing batches")

        return Values(value_batches(model, data, follow=follow, **options))


def _value_run(
    model: str | Path | TrainingResult,
    data: str | Path | Dataset,
    progress: Showing,
    *,
    split: str = "test",
    utility: str | None = None,
    method: str | None = None,
    budget: int | str | None = None,
    plugins: Sequence[str] = (),
) -> Values:
    folder = model.folder if isinstance(model, TrainingResult) else Path(model)
    import_plugins(plugins, folder)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    settings = {"utility": utility, "method": method, "budget": budget}
    job = load_for(folder, dataset, split, {name: given for name, given in settings.items() if given is not None})
    stream = stream_rows(job.model, job.view, job.rows, job.config)
    with showing(progress) as told:
        return Values(
            join_tables([table for _, table in told.follow(stream, job.blocks, "valuing blocks of samples")])
        )
