"""`raymm.check`: what would stop a training run, and what it would take, found out without writing anything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from raymm.api.checked import Checked
from raymm.api.public import public
from raymm.api.settings import Given, config_of, options_of
from raymm.api.shown import place_of
from raymm.api.store_check import existing_folder, tracking
from raymm.config.loading import Overrides
from raymm.data.opening import Data, open_data
from raymm.data.schema import SPLITS
from raymm.errors import RaymmError, in_one_line, is_of_own_code, messages_of
from raymm.storage.data_layout import index_folder
from raymm.tasks.defaults import with_defaults
from raymm.training.backends import Backends
from raymm.training.devices import any_device
from raymm.training.rehearsal import rehearse
from raymm.training.run import Run, check_folder, problems_of, validate_run

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.training.rehearsal import Rehearsal

__all__ = ["check"]


@public
def check(
    data: Data,
    *,
    out: str | Path | None = None,
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
) -> Checked:
    """Look whether a run could be trained, and try its first batches.

    Settings, plug-ins, data, model, method, folder, store, disk and cluster are looked at, and all mistakes are said
    at once. Where there is none, a few batches are trained and a few samples valued in this process, on its device,
    and the whole run is estimated from them. Nothing is written to `out` or to the store.

    Parameters
    ----------
    data, out, config, settings, method, model, seed, epochs, noise, plugins, data_settings, workers, backend, store
        As in `raymm.train`; without `out` no folder is looked at, and without `store` no store.

    Returns
    -------
    What was found: `ok`, `problems`, `rehearsal` (None where there are problems), `summary()`.

    Examples
    --------
    >>> import raymm
    >>> raymm.check("no/such/data", method="sampel").problems[0]
    "configuration: method.name: no method 'sampel'; did you mean 'sample'?"
    """
    options = options_of(
        method=method, model=model, seed=seed, epochs=epochs, workers=workers, plugins=plugins, noise=noise
    )
    folder = None if out is None else Path(out)
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="raymm-") as temporary:
        chosen = _tried(problems, lambda: config_of(config, settings, options))
        dataset = _tried(problems, lambda: _open(data, Path(temporary), folder, data_settings))
        _look_around(problems, folder, store)
        if chosen is not None and backend == "ray":
            _tried(problems, lambda: _ask_cluster(chosen))
        if chosen is not None and dataset is not None:
            problems += _unfit(chosen, dataset, folder)
        rehearsal = None
        if chosen is not None and dataset is not None and not problems:
            run = Run(Path(temporary) / "run", "", with_defaults(chosen, dataset.schema.task), dataset.path, "")
            rehearsal = _tried(problems, lambda: _rehearsed(run, dataset))
    free = shutil.disk_usage(existing_folder((folder or Path.cwd()).absolute())).free
    if rehearsal is not None and rehearsal.bytes > free:
        problems.append(
            f"disk: the run takes about {rehearsal.bytes} bytes, and {free} are free at {folder or Path.cwd()}; free "
            "some space, lower training.keep, or choose another folder"
        )
    return Checked(tuple(dict.fromkeys(problems)), rehearsal, free)


def _tried(problems: list[str], action: Callable[[], Any]) -> Any:
    """What an action returns; None where it raises a mistake, which is added."""
    try:
        return action()
    except RaymmError as cause:
        problems += messages_of(cause)
    except (MemoryError, torch.OutOfMemoryError) as cause:
        problems.append(f"memory: {in_one_line(cause)}; lower training.batch_size or valuation.batch_size")
    except Exception as cause:
        if not is_of_own_code(cause):
            raise
        problems.append(in_one_line(cause))
    return None


def _open(data: Data, temporary: Path, out: Path | None, settings: Mapping[str, Any] | None) -> Dataset:
    """The data set; the index of samples that stay where they are is that of the run, or is made for the moment."""
    known = [] if out is None else [index_folder(out)]
    return open_data(place_of(data), temporary / "index", settings, known=known)


def _look_around(problems: list[str], out: Path | None, store: str | Path | None) -> None:
    """Whether folder and store can be written."""
    if out is not None:
        above = existing_folder(out.absolute())
        if not above.is_dir():
            problems.append(f"{above}: is a file where a folder is needed; choose another --out")
        elif not os.access(above, os.W_OK):
            problems.append(f"{above}: cannot be written; choose another --out")
    if store is not None and (found := tracking(Path(store))).advice:
        problems.append(f"{found.name}: {found.value}; {found.advice}")


def _ask_cluster(config: Config) -> None:
    """Whether a Ray of this machine would be started for the run, or the cluster of RAY_ADDRESS is large enough."""
    from raymm.cluster.connect import connect, require_cores

    if os.environ.get("RAY_ADDRESS", "local") in {"", "local"}:
        require_cores(config.cluster)
        return
    with connect(config.cluster):
        return


def _unfit(config: Config, dataset: Dataset, out: Path | None) -> list[str]:
    """What keeps the settings from being run on the data, and in the folder."""
    problems: list[str] = []
    for split in SPLITS:
        _tried(problems, lambda split=split: dataset.rows(split))  # type: ignore[misc]
    if out is not None and existing_folder(out.absolute()).is_dir():
        _tried(problems, lambda: check_folder(out, config, dataset))
    found: Iterable[str] = _tried(problems, lambda: problems_of(config, dataset.schema)) or ()
    problems += found
    if not problems:  # what a model is tried on needs all of these
        _tried(problems, lambda: validate_run(config, dataset))
    return problems


def _rehearsed(run: Run, dataset: Dataset) -> Rehearsal:
    """The first batches, without a trace in the generator of this process."""
    with torch.random.fork_rng():
        return rehearse(run, dataset, Backends(device=any_device()))
