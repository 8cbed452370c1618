"""`raymm.train`: a training run, in this process or on Ray Train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from raymm.api.public import public
from raymm.api.settings import Given, config_of, options_of
from raymm.api.showing import Showing, showing
from raymm.api.shown import place_of
from raymm.api.stores import Store
from raymm.api.tracked import train_tracked
from raymm.api.training_result import TrainingResult
from raymm.config.loading import Overrides
from raymm.data.opening import Data, open_data
from raymm.mirror.runs import open_mirrored
from raymm.storage.data_layout import index_folder
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing

__all__ = ["train"]


@public
def train(
    data: Data,
    *,
    out: str | Path,
    config: Given = None,
    settings: Overrides = (),
    method: str | None = None,
    model: Callable[..., Any] | str | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    noise: Mapping[str, float] | None = None,
    plugins: Sequence[str] = (),
    data_settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    backend: Literal["local", "ray"] = "local",
    store: str | Path | None = None,
    experiment: str = "raymm",
    progress: Showing = "auto",
) -> TrainingResult:
    """Train a model by a method, and value its modalities after each epoch.

    Parameters
    ----------
    data
        Data set: its folder, or what `raymm.prepare` returned; or samples that stay where they are, of which OUT.data
        becomes the index: a function or `torch.utils.data.Dataset` of your own, "package.module:NAME", or whatever
        else docs/your_data.md names.
    out
        Folder of the run. An unfinished run that is there goes on, a finished one is read; one of other settings or
        data is refused.
    config
        Settings to begin with: a `Config`, nested or dotted settings, or a YAML file. Default: the defaults.
    settings
        Over these and the options: `("training.epochs=5", ...)` or `{"training.epochs": 5}`.
    method, seed, epochs, workers
        The settings `method.name`, `training.seed`, `training.epochs` and `cluster.workers`.
    model
        A function `build(schema, ...)` that makes a model of your own: one of a module (no lambda, and none of a
        notebook, which other processes could not find), or its name, "package.module:NAME" or "FILE.py:NAME". Its
        arguments are settings, `model.args.NAME`.
    noise
        White noise on modalities: signal-to-noise ratios in dB by name.
    plugins
        Files or modules that register parts of your own.
    data_settings
        How samples that stay where they are are taken, such as `{"args": {"root": "clips"}}`.
    backend
        "local", this process, or "ray": the cluster of RAY_ADDRESS, or a Ray of its own. The numbers are the same.
    store
        Folder of a local MLflow store (`MLFLOW_TRACKING_URI` goes before it); None records nothing.
    experiment
        MLflow experiment.
    progress
        Who is told of the epochs; "auto" shows a bar on a terminal or in a notebook, None nothing.

    Returns
    -------
    The result, which is read from the folder of the run.

    Raises
    ------
    ConfigError, DataError, CheckpointError
        For settings, data or a folder that do not fit, before anything is trained.
    TrainingError, ClusterError, TrackingError
        As they occur; what was committed is kept, and the same call goes on from there.

    Examples
    --------
    >>> import raymm
    >>> raymm.train("no/such/data", out="runs/sample", method="sample")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.DataError: ...no/such/data: there is no such folder; ...
    """
    options = options_of(
        method=method, model=model, seed=seed, epochs=epochs, workers=workers, plugins=plugins, noise=noise
    )
    chosen = config_of(config, settings, options)
    if backend == "ray":
        from raymm.cluster.connect import require_cores

        require_cores(chosen.cluster)
    folder = Path(out)
    with showing(progress) as told, writing(lock_of_folder(folder), f"the run {folder}"):
        dataset = open_data(place_of(data), index_folder(folder), data_settings, told.on_note)
        run = open_mirrored(folder, chosen, dataset)
        result = train_tracked(run, dataset, backend, Store.of(store), experiment, told)
    return TrainingResult(run, result, dataset)
