"""A training run with its tracker, or several runs that are trained together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raymm.api.progress import Epoch, Progress
from raymm.api.watching import watching
from raymm.errors import ClusterError
from raymm.mirror.runs import mirrored
from raymm.reports.diagnostics.of_run import FindingLog, facts_of
from raymm.reports.run_pages import record_pages
from raymm.reports.run_tracking import HistoryLog, record_result, run_info
from raymm.storage import layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.tracking.base import ending
from raymm.tracking.machine import MachineLoad
from raymm.training.devices import any_device
from raymm.training.heading import Heading, device_name
from raymm.training.in_the_way import refuse_in_the_way
from raymm.training.live import LiveFile
from raymm.training.loop import Backends, train
from raymm.training.result import finished, read_result
from raymm.training.train_log import TrainLog, warnings_in

if TYPE_CHECKING:
    from raymm.api.stores import Store
    from raymm.cluster.train import Histories
    from raymm.data.dataset import Dataset
    from raymm.training.loop import Report
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["train_together_tracked", "train_tracked"]


def train_tracked(
    run: Run, dataset: Dataset, backend: str, store: Store, experiment: str, progress: Progress
) -> Result:
    """Train `run` to its end on a backend ("local" or "ray") and record it.

    The run is FAILED in the store when training raises, KILLED when it is interrupted. A failure signature
    (`docs/diagnostics.md`) is logged when it first holds.
    """
    with writing(lock_of_folder(run.path), f"the run {run.path}"):
        refuse_in_the_way(run.path)
        remove_unfinished(run.path)
        return _train_tracked(run, dataset, backend, store, experiment, progress)


def _train_tracked(
    run: Run, dataset: Dataset, backend: str, store: Store, experiment: str, progress: Progress
) -> Result:
    tracker = store.tracker(run.path)
    tracker.start(run_info(run, dataset, experiment))
    log, findings = HistoryLog(tracker, MachineLoad()), FindingLog(tracker, facts_of(run, dataset))
    with ending(tracker.finish), _watched(run, progress), warnings_in(run.path):
        progress.on_start(_heading(run, dataset, backend, store))
        with mirrored(run.path, run.config.cluster.mirror, _Reports(run, log, findings, progress)) as report:
            result = _train(run, dataset, backend, store.uri, report)
        log(result.history)
        findings(result.history)
        record_pages(tracker, run, result, dataset, record_result(tracker, run, result, dataset))
    return result


def train_together_tracked(
    runs: Sequence[Run],
    dataset: Dataset,
    store: Store,
    experiment: str,
    report: Callable[[Histories], None],
    paged: Collection[str],
) -> list[Result]:
    """Train runs with one worker group on the connected Ray, an epoch of each in turn, then record each.

    Parameters
    ----------
    runs
        Runs of the same cluster settings, such as the seeds of several methods.
    report
        Called with the histories of all runs whenever each of them has committed one epoch more.
    paged
        Names of the runs that get pages of their own, `report.html` among them: these take seconds each.
    """
    from raymm.cluster.preflight import preflight
    from raymm.cluster.train import train_together

    first = runs[0]
    with ExitStack() as locks:
        for run in runs:
            locks.enter_context(writing(lock_of_folder(run.path), f"the run {run.path}"))
        preflight(first.config.cluster, first.path, store.uri, first.config.plugins)
        train_together(runs, report, first.path / layout.RAY, restarts=first.config.cluster.max_failures)
        return [_recorded(run, dataset, store, experiment, pages=run.name in paged) for run in runs]


def _recorded(run: Run, dataset: Dataset, store: Store, experiment: str, *, pages: bool) -> Result:
    """The result of a run that has come to its end, once it is in the store."""
    result = read_result(run.path)
    tracker = store.tracker(run.path)
    tracker.start(run_info(run, dataset, experiment))
    with ending(tracker.finish):
        HistoryLog(tracker)(result.history)
        findings = record_result(tracker, run, result, dataset, pages=pages)
        if pages:
            record_pages(tracker, run, result, dataset, findings)
    return result


def _train(run: Run, dataset: Dataset, backend: str, uri: str | None, report: Report) -> Result:
    if finished(run.path):
        return read_result(run.path)
    if backend == "local":
        return train(run, dataset, Backends(report=report, device=any_device()))
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight
    from raymm.cluster.train import train_on_ray

    with connect(run.config.cluster), _ended_here(run):
        preflight(run.config.cluster, run.path, uri, run.config.plugins)
        return train_on_ray(run, report)


def _watched(run: Run, progress: Progress) -> AbstractContextManager[None]:
    """Tell of the run while it is trained; where it has come to its end before, nothing is."""
    epochs = None if finished(run.path) else run.config.training.epochs
    return watching(lambda: {run.name: run.path}, progress, epochs=epochs)


@contextmanager
def _ended_here(run: Run) -> Iterator[None]:
    """Add to the log of a run why this process ended its workers, which they do not know."""
    try:
        yield
    except (KeyboardInterrupt, ClusterError) as cause:
        words = f"failed: {cause}" if isinstance(cause, ClusterError) else "interrupted"
        TrainLog(run.path).say(words)
        LiveFile(run.path).remove()
        raise


@dataclass
class _Reports:
    """Logs the history, and tells of each epoch once."""

    run: Run
    log: HistoryLog
    findings: FindingLog
    progress: Progress
    shown: int = 0

    def __call__(self, history: Sequence[dict[str, Any]]) -> None:
        self.log(history)
        for entry in history[self.shown :]:
            self.progress.on_epoch(_epoch(self.run, entry["epoch"], entry["metrics"]))
        self.shown = len(history)
        self.findings(history)


def _heading(run: Run, dataset: Dataset, backend: str, store: Store) -> Heading:
    """What is said before the first epoch; of workers on other machines it is known what they ask for."""
    cluster = run.config.cluster
    if backend == "local":
        return Heading.of(run, dataset, device_name(any_device()), 1, store.shown)
    device = f"{cluster.gpus_per_worker:g} GPU" if cluster.gpus_per_worker else "cpu"
    return Heading.of(run, dataset, f"{device}, Ray", cluster.workers, store.shown)


def _epoch(run: Run, epoch: int, metrics: dict[str, float]) -> Epoch:
    return Epoch(run.name, epoch + 1, run.config.training.epochs, metrics, run.config.training.selection)
