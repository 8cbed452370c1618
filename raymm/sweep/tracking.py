"""A sweep in a tracking store: a run for the sweep and, below it, one run for each trial, also when it is retried.

The driver of the sweep records from the files on disk, in a thread of its own: neither trials nor Tune wait for a
tracking server, and no worker needs access to one.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from raymm.counts import counted
from raymm.reports.diagnostics.of_run import findings_of
from raymm.reports.means import exact_mean
from raymm.reports.run_tracking import record_files, record_findings
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.sweep.rows import best_of, deviation_of
from raymm.sweep.runs import (
    best_seed,
    current_config,
    ended_runs,
    mean_metrics,
    read_histories,
    result_metrics,
    trial_rows,
    without_test,
)
from raymm.sweep.saved import SavedBest
from raymm.sweep.store import pending, read_outcome, read_trials
from raymm.sweep.summary import write_sweep_summary
from raymm.sweep.tracked_runs import changed_settings, describe_best, ended_in_words, sweep_info, trial_info
from raymm.tracking.machine import MachineLoad
from raymm.tracking.metrics import BEST_SCORE, SCORE, SCORE_SD, seed_score, trial_count
from raymm.tracking.of_an_epoch import from_one

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.sweep.rows import TrialRow
    from raymm.sweep.store import Sweep, Trial, TrialOutcome
    from raymm.tracking.base import Tracker, TrackingStatus

__all__ = ["SweepCallback", "SweepTracker"]

log = logging.getLogger(__name__)

AS_STATUS: Mapping[str, TrackingStatus] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
"""MLflow has no status for a trial that Tune stopped early; KILLED is the nearest."""


class SweepCallback(Protocol):
    """Receives the events of a sweep, in the process of its driver."""

    def on_setup(self, text: str) -> None:
        """Work that trials share has begun or progressed, before the first of them; `text` says which."""

    def on_trial_start(self, trial: Trial) -> None:
        """A trial has begun, or has begun again after an interruption."""

    def on_epoch(self, trial: Trial, epochs: int) -> None:
        """Every seed of a trial has committed this many epochs."""

    def on_trial_wait(self, trial: Trial, epochs: int) -> None:
        """A trial has reached a level of successive halving, and waits to be promoted."""

    def on_trial_end(self, trial: Trial, outcome: TrialOutcome) -> None:
        """A trial has ended."""


@dataclass
class SweepTracker:
    """The callback that records a sweep in a tracking store.

    Parameters
    ----------
    sweep, dataset
        The sweep, and its data set.
    make
        `(folder) -> Tracker`, for the folder of the sweep or of a trial.
    experiment
        Experiment of the runs.
    pages
        Records the pages of a run (`raymm.reports.run_pages`); here those of the best trial, in the run of the sweep.
    """

    sweep: Sweep
    dataset: Dataset
    make: Callable[[Path], Tracker]
    experiment: str
    pages: Callable[..., None] | None = None
    _trackers: dict[str, Tracker] = field(default_factory=dict)
    _recorded_epochs: dict[str, int] = field(default_factory=dict)
    _loads: defaultdict[str, MachineLoad] = field(default_factory=lambda: defaultdict(MachineLoad))
    _executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "raymm-record"))

    def begin(self) -> None:
        """Start the run of the sweep, and record trials that ended unrecorded; raises `TrackingError`."""
        self.parent = self.make(self.sweep.path)
        self.parent.start(sweep_info(self.sweep, self.dataset, self.experiment))
        for trial in read_trials(self.sweep):
            outcome = read_outcome(trial)
            if outcome is not None and not (trial.path / layout.RECORDED).exists():
                self.on_trial_end(trial, outcome)

    def on_setup(self, text: str) -> None:
        """Record nothing."""

    def on_trial_start(self, trial: Trial) -> None:
        """Start the run of the trial, or go on with it."""
        self._do(self._tag_progress, trial, "running")

    def on_epoch(self, trial: Trial, epochs: int) -> None:
        """Record the new epochs."""
        self._do(self._send_epochs, trial, epochs)

    def on_trial_wait(self, trial: Trial, epochs: int) -> None:
        """Record that the trial waits."""
        total = counted(self.sweep.config.training.epochs, "epoch")
        self._do(self._tag_progress, trial, f"waits to be promoted, after {epochs} of {total}")

    def on_trial_end(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Record the outcome, the summary, and the files of the best seed."""
        self._do(self._send_end, trial, outcome)

    def close(self, status: TrackingStatus) -> list[TrialRow]:
        """Record the rest, the summary and the status of the sweep; returns a row for each trial that has ended."""
        for trial in pending(read_trials(self.sweep)):
            self._do(self._interrupt, trial)
        rows = trial_rows(self.sweep)
        self._do(self._summarise, rows)
        self._do(self.parent.finish, status)
        self._executor.shutdown(wait=True)
        return rows

    def _do(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the recording thread, in order; an exception is logged and stops nothing."""

        def logged() -> None:
            try:
                function(*arguments)
            except Exception:
                log.exception("%s: could not be recorded", self.sweep.name)

        self._executor.submit(logged)

    def _tracker(self, trial: Trial) -> Tracker:
        if trial.key not in self._trackers:
            self._loads[trial.key]()  # counts from here on
            tracker = self.make(trial.path)
            tracker.start(trial_info(self.sweep, trial, self.dataset, self.experiment))
            self._trackers[trial.key] = tracker
        return self._trackers[trial.key]

    def _tag_progress(self, trial: Trial, text: str) -> None:
        self._tracker(trial).log_tags({"raymm.ended": text})

    def _send_epochs(self, trial: Trial, epochs: int) -> None:
        tracker, histories = self._tracker(trial), read_histories(self.sweep, trial)
        until = min(epochs, *(len(history) for history in histories))
        for epoch in range(self._recorded_epochs.get(trial.key, 0), until):
            load = self._loads[trial.key]() if epoch + 1 == until else {}
            means = mean_metrics([history[epoch]["metrics"] for history in histories])
            tracker.log_epoch(epoch + 1, {**means, **load})
            self._recorded_epochs[trial.key] = epoch + 1

    def _send_end(self, trial: Trial, outcome: TrialOutcome) -> None:
        self._send_epochs(trial, outcome.epochs)
        tracker = self._tracker(trial)
        tracker.log_tags({"raymm.ended": ended_in_words(outcome, self.sweep.config.training.epochs)})
        if (trial.path / layout.TRIAL_LOG).exists():
            tracker.log_artifact(trial.path / layout.TRIAL_LOG)
        if outcome.status == "finished":
            self._send_result(tracker, trial)
        tracker.finish(AS_STATUS[outcome.status])
        (trial.path / layout.RECORDED).touch()

    def _send_result(self, tracker: Tracker, trial: Trial) -> None:
        ended = ended_runs(self.sweep, trial)
        scores = [each.score for each in ended]
        deviation = deviation_of(scores)
        spread = {} if deviation is None else {SCORE_SD: deviation}
        means = without_test(mean_metrics([each.result.metrics for each in ended]))
        summary = {**means, SCORE: exact_mean(scores), **spread}
        by_seed = {seed_score(each.seed): each.score for each in ended}
        tracker.log_summary({**from_one(summary), **by_seed})
        best = best_seed(ended)
        record_findings(tracker, best.run, best.result, self.dataset)
        record_files(tracker, best.run, best.result, self.dataset)
        tracker.log_tags({"raymm.model_seed": str(best.seed), **changed_settings(trial, current_config(trial))})

    def _interrupt(self, trial: Trial) -> None:
        tracker = self._trackers.get(trial.key)
        if tracker is None:  # the trial has not begun
            return
        tracker.log_tags({"raymm.ended": "interrupted; `raymm sweep --resume` goes on with it"})
        tracker.finish("KILLED")

    def _summarise(self, rows: Sequence[TrialRow]) -> None:
        folder = self.sweep.path / layout.SUMMARY
        for file in write_sweep_summary(folder, rows, self.sweep.metric):
            self.parent.log_artifact(file, layout.SUMMARY)
        counts = {status: sum(row.status == status for row in rows) for status in AS_STATUS}
        self.parent.log_summary({trial_count(status): float(count) for status, count in counts.items()})
        if (best := best_of(rows)) is not None:
            self._mark_best(best)

    def _mark_best(self, best: TrialRow) -> None:
        """Tag the best trial, describe it in the run of the sweep, and untag the trial that was best before."""
        trials = {trial.key: trial for trial in read_trials(self.sweep)}
        metrics = result_metrics(self.sweep, trials[best.key])
        self.parent.log_summary({**from_one(metrics), BEST_SCORE: best.score or 0.0})
        self.parent.log_description(describe_best(self.sweep, trials[best.key], best, metrics))
        record = self.sweep.path / layout.SUMMARY / layout.BEST
        before = SavedBest.read(record).key if record.exists() else best.key
        if before != best.key:
            self._tag(trials[before], {"raymm.best": "false"})
        run_id = self._tag(trials[best.key], {"raymm.best": "true"})
        if self.pages is not None:
            self._send_pages(trials[best.key], self.pages)
        self.parent.log_tags({"raymm.best_trial": trials[best.key].name, "raymm.best_run_id": run_id})
        write_json(record, {"key": best.key, "trial": trials[best.key].name, "run_id": run_id})

    def _send_pages(self, trial: Trial, record: Callable[..., None]) -> None:
        """Record the pages of the best trial's best seed beside the sweep's own files."""
        best = best_seed(ended_runs(self.sweep, trial))
        findings = findings_of(best.run, self.dataset, best.result.history)
        record(self.parent, best.run, best.result, self.dataset, findings)

    def _tag(self, trial: Trial, tags: Mapping[str, str]) -> str:
        """Tag a trial that has ended; returns the id of its run, empty when the store has not answered."""
        tracker = self._trackers.get(trial.key)
        if tracker is not None:
            tracker.log_tags(tags)
        else:
            tracker = self._tracker(trial)
            tracker.log_tags({**tags, "raymm.ended": "finished"})
            tracker.finish("FINISHED")
        return getattr(tracker, "run_id", None) or ""
