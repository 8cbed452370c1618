"""`raymm.value`: contributions of the modalities of samples, by a run's model or by any other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

from raymm.api.argument_types import check_types, refuse_folder, types_of
from raymm.api.public import public
from raymm.api.showing import Showing, showing
from raymm.api.shown import Placed
from raymm.api.trained import Trained
from raymm.api.training_result import TrainingResult
from raymm.api.value_data import ValueOptions, value_data
from raymm.api.values_result import Values
from raymm.data.dataset import Dataset
from raymm.data.indexed.own_items import items_of
from raymm.data.opening import Data
from raymm.errors import ConfigError, did_you_mean, mistakes_in
from raymm.storage.local_path import as_path
from raymm.valuation.own import value_batches

__all__ = ["value"]


@public
def value(model: Any, data: Any, *, progress: Showing = "auto", **options: Any) -> Values:
    """Value every modality of every sample.

    Parameters
    ----------
    model
        A run (`raymm.train`'s result, its folder, what `raymm.load` opened, or the folder of an exported model); or
        `"package.module:build"` or `"FILE.py:build"`, a function that makes a model from the schema of a data set; or
        any model of your own: a torch module, an object with `encode` and `fuse`, a function `(batch, mask) ->
        logits`.
    data
        For a run, or a function that makes a model: a data set, or what `raymm.train` takes. For a
        model of your own: batches, such as a `DataLoader`.
    progress
        Who is told how far it is; "auto" shows a bar on a terminal or in a notebook, None nothing.
    options
        For a data set: `split` ("test"); `utility`, `method`, `budget` and `plugins`, by default the run's;
        `masking`, "zeros", "mean" or "learned", or several to compare; `out`, a Parquet file that is written block
        by block, so that a second call goes on where the first one ended; `data_settings` as in `raymm.train`;
        `backend` ("local", or "ray" with so many `actors` of `gpus_per_actor`). For batches: those of
        `raymm.valuation.value_batches`: `modalities`, `label`, `ids`, `mask`, `utility`, ...

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
    model, data = as_path(model), as_path(data)
    if isinstance(model, str | Path | TrainingResult | Trained):
        return _value_run(_where(model), data, progress, **options)
    if isinstance(data, str | Path | Dataset | Placed):
        raise ConfigError(
            f"value: a {type(model).__name__} is valued on batches, such as a DataLoader; data sets of raymm are for "
            "runs and their folders"
        )
    known = [name for name in signature(value_batches).parameters if name not in {"model", "batches", "follow"}]
    if unknown := [name for name in options if name not in known]:
        raise ConfigError(f"value: no option '{unknown[0]}' of batches; {did_you_mean(unknown[0], known)}")
    with showing(progress) as told:

        def follow(batches: Iterable[Any], total: int) -> Iterable[Any]:
            return told.follow(batches, total, "valuing batches")

        return Values(value_batches(model, data, follow=follow, **options))


def _value_run(model: Path | str, data: Data, progress: Showing, **options: Any) -> Values:
    names = [field.name for field in fields(ValueOptions)]
    if unknown := [name for name in options if name not in names]:
        raise ConfigError(f"value: no option '{unknown[0]}' of a run; {did_you_mean(unknown[0], names)}")
    out, masking = options.pop("out", None), options.pop("masking", None) or ()
    check_types("value", {**options, "out": out, "masking": masking}, types_of(ValueOptions))
    out = as_path(out)
    _refuse_batches(data, has_place=out is not None)
    if out is not None:
        refuse_folder("value", Path(out), "values.parquet")
    asked = ValueOptions(
        out=None if out is None else Path(out), masking=(masking,) if isinstance(masking, str) else masking, **options
    )
    with showing(progress) as told:
        return Values.of_maskings(*value_data(model, data, asked, told))


def _refuse_batches(data: Data, *, has_place: bool) -> None:
    """Raise `ConfigError` for what is no data set; a list is one of samples only where its index has a place."""
    if isinstance(data, str | Path | Dataset | Placed) or callable(data):
        return
    is_list = isinstance(data, list | tuple)
    if (is_list and not has_place) or (not is_list and mistakes_in(lambda: items_of(data, ""))):
        raise ConfigError(
            f"value: a {type(data).__name__} is no data set, and a run is valued on one: give its folder, or what "
            "raymm.train takes, with out=; batches, such as a DataLoader, go with a model of your own"
        )


def _where(model: str | Path | TrainingResult | Trained) -> Path | str:
    """The folder of a model; text that names a function stays text, with the whole path of a file in it."""
    if isinstance(model, TrainingResult | Trained):
        return model.folder
    if not isinstance(model, str) or ":" not in model or Path(model).exists():
        return Path(model)
    module, _, name = model.rpartition(":")
    return f"{Path(module).absolute()}:{name}" if module.endswith(".py") else model
