"""The training loop on Ray Train: one worker group for all epochs, of one run or of several that go in turn.

Every rank runs `raymm.training.loop.iter_epochs` on the same run folders, which all nodes must see. Recovery is the
run's own: the worker group is started again and the loop goes on from the newest committed epoch. Ray's own
checkpoints are not used, so nothing depends on the names of its runs.

The driver follows the committed epochs and is the only one that reports them: workers need no tracking server, and
do not call `ray.train.report`, which would make them wait for Ray's controller in every epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train
from ray.train.torch import get_device

from raymm import errors
from raymm.allocator import tune_malloc
from raymm.beside import beside
from raymm.cluster.connect import set_defaults
from raymm.cluster.given_device import given_device
from raymm.cluster.prometheus import export_epoch_metrics, run_label
from raymm.cluster.valuation_pool import ActorPool
from raymm.cluster.worker_group import run_worker_group
from raymm.errors import ConfigError, RaymmError
from raymm.storage import layout
from raymm.training.checkpoint import read_history
from raymm.training.communicator import SingleProcess, TorchDistributed
from raymm.training.loop import Backends, iter_epochs
from raymm.training.result import read_result
from raymm.training.run import open_run
from raymm.training.warm_process import warm_process
from raymm.valuation.engine import value_parts

if TYPE_CHECKING:
    import torch

    from raymm.training.checkpoint import Checkpoint
    from raymm.training.loop import Report
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = [
    "Histories",
    "raise_error_of",
    "reporting",
    "train_in_this_process",
    "train_on_rank",
    "train_on_ray",
    "train_together",
]

POLL_SECONDS = 0.5

Histories = Sequence[Sequence[dict[str, Any]]]
"""The history of each of several runs."""

Reports = Callable[[Histories], None]


def train_on_ray(run: Run, report: Report) -> Result:
    """Train a run on the connected cluster and return its result.

    Parameters
    ----------
    run
        A run whose folder every node of the cluster can read and write.
    report
        Called in this process with the history, whenever an epoch has been committed.

    Raises
    ------
    ClusterError
        When the worker group failed more often than it may be started again, or could not be started.
    RaymmError
        What the loop itself raised.
    """
    restarts = run.config.cluster.max_failures
    train_together([run], lambda histories: report(histories[0]), run.path / layout.RAY, restarts=restarts)
    return read_result(run.path)


def train_together(
    runs: Sequence[Run], report: Reports, storage: Path, *, restarts: int, until: int | None = None
) -> None:
    """Train several runs with one worker group, an epoch of each in turn, so that none is ahead of the others.

    Parameters
    ----------
    runs
        Runs of the same cluster settings, such as the seeds of one configuration.
    report
        Called in this process with their histories, whenever all of them have one epoch more.
    storage
        Folder for Ray Train's own files.
    restarts
        Times that a lost worker group is started again. Zero where this process may be ended while it trains: a
        controller whose workers are ended before it would reserve resources for new ones, which nobody gives back.
    until
        Epochs after which to leave off, the runs unfinished and their test splits unread; None trains to the end.

    Raises
    ------
    ClusterError, RaymmError
        As `train_on_ray`.
    """
    cluster = runs[0].config.cluster
    set_defaults(cluster)  # a trial's process has the environment of its node, not that of the sweep's driver
    settings = {"runs": [str(run.path) for run in runs], "until": until}
    with reporting(runs, report):
        outcome = run_worker_group(train_on_rank, settings, cluster, storage, runs[0].key[:12], restarts)
    raise_error_of(outcome)


def train_in_this_process(runs: Sequence[Run], report: Reports, *, until: int | None = None) -> None:
    """Train several runs as `train_together` does, in this process of the cluster instead of a worker group's.

    It trains on the first GPU that Ray has given to the process, or on its CPUs, values there, and reports between
    two epochs: what `report` raises ends the training with these epochs committed. Raises `ConfigError` where torch
    does not find the GPU.
    """
    tune_malloc()
    backends = Backends(device=given_device())
    _round_robin([iter_epochs(run, run.dataset(), backends) for run in runs], until, _teller(runs, report))


@contextmanager
def reporting(runs: Sequence[Run], report: Reports) -> Iterator[None]:
    """Report epochs as they are committed, from a thread of this process: one writer a run, on the driver."""
    with beside(_teller(runs, report), POLL_SECONDS, "raymm-report"):
        yield


def _teller(runs: Sequence[Run], report: Reports) -> Callable[[], None]:
    """What looks at the committed epochs, and reports them when all runs have one more."""
    seen = 0

    def look() -> None:
        nonlocal seen
        histories = [read_history(run.path) for run in runs]
        reached = min(len(history) for history in histories)
        if reached > seen:
            seen = reached
            for run, history in zip(runs, histories, strict=True):
                export_epoch_metrics(run_label(run.name, run.key), history)
            report(histories)

    return look


def train_on_rank(settings: dict[str, Any]) -> dict[str, str]:
    """Train on one rank; errors that a restart does not repair are returned as a value, by every rank.

    With `warm`, the process loads before what trainings load, so that what the runs cost does not depend on whether
    they come first.
    """
    tune_malloc()
    try:
        runs = [open_run(Path(path)) for path in settings["runs"]]
    except ConfigError as cause:
        return _error_as_value(_refused_on_worker(cause))
    except RaymmError as cause:
        return _error_as_value(cause)
    world = ray.train.get_context().get_world_size()
    pool = ActorPool(label=run_label(runs[0].name, runs[0].key))
    communicator = TorchDistributed() if world > 1 else SingleProcess()
    value = pool.parts if runs[0].config.cluster.actors else value_parts
    try:
        given_device()
        device: torch.device = get_device()
        backends = Backends(value=value, communicator=communicator, device=device)
        read = [(run, run.dataset()) for run in runs]
        if settings.get("warm"):
            warm_process(runs[0].config, read[0][1], device)
        _round_robin([iter_epochs(run, dataset, backends) for run, dataset in read], settings["until"])
    except RaymmError as cause:
        return _error_as_value(cause)
    finally:
        pool.close()
    return {}


def _refused_on_worker(cause: ConfigError) -> ConfigError:
    """Settings that the driver accepted: a part that it knows and a worker does not was registered in it alone."""
    return ConfigError(
        f"a Ray worker refused settings that the driver accepted ({cause}); a part that a program registers in its "
        "own process is unknown to workers: name its file or module by --plugins, which they import as well"
    )


def _error_as_value(cause: RaymmError) -> dict[str, str]:
    return {"error": type(cause).__name__, "message": str(cause)}


def raise_error_of(outcome: dict[str, str] | None) -> None:
    """Raise the error that a rank returned as a value, if it did."""
    if outcome is not None and "error" in outcome:
        raise _error_of_rank(outcome["error"], outcome["message"])


def _error_of_rank(kind: str, message: str) -> RaymmError:
    """The error that a rank returned; one that is declared in another module than `raymm.errors` keeps its words."""
    found = getattr(errors, kind, RaymmError)
    return found(message) if isinstance(found, type) and issubclass(found, RaymmError) else RaymmError(message)


def _round_robin(
    runs: list[Iterator[Checkpoint]], until: int | None, after_each: Callable[[], None] = lambda: None
) -> None:
    """Train an epoch of each run in turn, until all runs have ended or have trained `until` epochs."""
    while runs:
        reached = [(run, next(run, None)) for run in runs]
        after_each()
        runs = [run for run, state in reached if state is not None and (until is None or state.epoch < until)]
