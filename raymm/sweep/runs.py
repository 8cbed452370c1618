"""The runs of a trial, one for each seed: their folders, their starts, and their results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.config.canonical import parameters
from raymm.config.loading import parse
from raymm.reports.means import exact_mean
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.layout import committed_epochs
from raymm.sweep.rows import TrialRow
from raymm.sweep.saved import SavedCurrent
from raymm.sweep.store import read_outcome, read_trials
from raymm.tracking.metrics import ROWS_TOTAL, higher_is_better, is_of_split, split_metric
from raymm.tracking.of_an_epoch import epoch_seconds
from raymm.training.checkpoint import read_history
from raymm.training.result import finished, read_result
from raymm.training.run import BranchPoint, create_or_open, open_run, validate_run
from raymm.training.warmups import warm_start, warmup_of, with_seed

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.config.training import TrainingConfig
    from raymm.data.dataset import Dataset
    from raymm.sweep.store import Sweep, Trial, TrialOutcome
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = [
    "EndedRun",
    "Histories",
    "best_seed",
    "best_so_far",
    "branch_runs",
    "current_config",
    "current_paths",
    "ended_runs",
    "epochs_reached",
    "mean_metrics",
    "open_runs",
    "open_warmups",
    "read_histories",
    "result_metrics",
    "score_at",
    "trains_in_its_process",
    "trial_row",
    "trial_rows",
    "warmup_epochs_done",
    "without_test",
]

Histories = Sequence[Sequence[dict[str, Any]]]


def trains_in_its_process(sweep: Sweep) -> bool:
    """Whether each trial trains within the process that Tune starts for it, not with a worker group of its own.

    The trials of a population are started again all the time, more of them than fit: they ask for next to nothing.
    """
    alone = sweep.config.cluster.workers == 1 and sweep.config.cluster.actors == 0
    return alone and sweep.settings.scheduler != "pbt"


def open_runs(sweep: Sweep, trial: Trial, dataset: Dataset) -> list[Run]:
    """Make or open the runs of a trial; new ones start from the shared warm-up when there is one."""
    folder, config = _current(trial)
    configs = [with_seed(config, seed) for seed in sweep.settings.seeds]
    starts = [_warm_start(sweep, config) for config in configs]
    return _make(_paths(sweep, trial, folder), configs, dataset, starts)


def branch_runs(
    sweep: Sweep, trial: Trial, config: Config, sources: Sequence[Path], epoch: int, dataset: Dataset
) -> list[Run]:
    """Make or open runs that continue other runs with other settings, as in population based training.

    They become the current runs of the trial.
    """
    folder = f"from-{sources[0].name}-{epoch}-{config.fingerprint()}"
    configs = [with_seed(config, seed) for seed in sweep.settings.seeds]
    runs = _make(_paths(sweep, trial, folder), configs, dataset, [BranchPoint(source, epoch) for source in sources])
    write_json(trial.path / layout.CURRENT, {"folder": folder, "config": config.model_dump(mode="json")})
    return runs


def open_warmups(sweep: Sweep, config: Config, dataset: Dataset, until: int) -> list[Run]:
    """Make or open the runs of a shared warm-up: joint training, all of whose epochs up to `until` are kept."""
    warm = warmup_of(config)
    warm = warm.model_copy(update={"training": _but(warm.training, keep=until + 1)})
    configs = [with_seed(warm, seed) for seed in sweep.settings.seeds]
    return _make([_warm_folder(sweep, config) for config in configs], configs, dataset, [None] * len(configs))


def warmup_epochs_done(sweep: Sweep, config: Config) -> int:
    """Epochs of the shared warm-up that every seed has committed."""
    folders = [_warm_folder(sweep, warmup_of(with_seed(config, seed))) for seed in sweep.settings.seeds]
    return min(max(committed_epochs(folder), default=0) for folder in folders)


def current_paths(sweep: Sweep, trial: Trial) -> list[Path]:
    """Folders of a trial's runs, in the order of the seeds."""
    return _paths(sweep, trial, _current(trial)[0])


def current_config(trial: Trial) -> Config:
    """Settings of a trial's current runs, which population based training may have changed."""
    return _current(trial)[1]


def read_histories(sweep: Sweep, trial: Trial) -> Histories:
    """The committed history of each run of a trial."""
    paths = current_paths(sweep, trial)
    return [read_result(path).history if finished(path) else read_history(path) for path in paths]


def epochs_reached(histories: Histories) -> int:
    """Epochs that every seed of a trial has committed."""
    return min(map(len, histories))


@dataclass(frozen=True)
class EndedRun:
    """The run of one seed of a finished trial; `score` is its best on validation, of which higher is better."""

    run: Run
    result: Result
    score: float

    @property
    def seed(self) -> int:
        """The seed."""
        return self.run.config.training.seed


def ended_runs(sweep: Sweep, trial: Trial) -> list[EndedRun]:
    """The runs of a finished trial, in the order of the seeds; raises `CheckpointError` as `read_result`."""
    runs = [(open_run(path), read_result(path)) for path in current_paths(sweep, trial)]
    selection = sweep.config.training.selection
    return [EndedRun(run, result, best_so_far(result.history, selection)[-1]) for run, result in runs]


def best_seed(ended: Sequence[EndedRun]) -> EndedRun:
    """The run with the best score; of equals the first, and one without a finite score last."""
    return max(ended, key=lambda each: each.score if np.isfinite(each.score) else -np.inf)


def best_so_far(history: Sequence[Mapping[str, Any]], selection: str) -> list[float]:
    """The best validation score up to each epoch; higher is better, so a loss is negated."""
    name = split_metric("val", selection)
    scores = [entry["metrics"].get(name, np.nan) for entry in history]
    signed = np.asarray(scores, dtype=float) if higher_is_better(name) else np.negative(scores)
    return [float(score) for score in np.fmax.accumulate(signed)] if len(signed) else []


def score_at(histories: Histories, epochs: int, selection: str) -> float:
    """Mean over seeds of the best score of the first `epochs` epochs."""
    return exact_mean([best_so_far(history[:epochs], selection)[-1] for history in histories])


def trial_rows(sweep: Sweep) -> list[TrialRow]:
    """A row for every trial that has ended."""
    trials = read_trials(sweep)
    outcomes = [(trial, read_outcome(trial)) for trial in trials]
    searched = {name for trial in trials for name in trial.searched}
    return [trial_row(sweep, trial, outcome, searched) for trial, outcome in outcomes if outcome is not None]


def trial_row(sweep: Sweep, trial: Trial, outcome: TrialOutcome, searched: set[str]) -> TrialRow:
    """The row of one trial."""
    config = current_config(trial)
    histories = [history[: outcome.epochs] for history in read_histories(sweep, trial)]
    whole = [history for history in histories if history]
    selection = config.training.selection
    scores = [best_so_far(history, selection)[-1] for history in whole if outcome.status != "failed"]
    return TrialRow(
        key=trial.key,
        number=trial.number,
        params={name: value for name, value in parameters(config).items() if name in searched},
        status=outcome.status,
        scores=tuple(scores) if np.isfinite(scores).all() else (),
        metrics=without_test(result_metrics(sweep, trial)) if outcome.status == "finished" else {},
        epochs=sum(len(history) for history in whole),
        rows=sum(history[-1]["metrics"][ROWS_TOTAL] for history in whole),
        seconds=sum(epoch_seconds(entry["metrics"]) for history in whole for entry in history),
        cause=outcome.cause,
    )


def result_metrics(sweep: Sweep, trial: Trial) -> dict[str, float]:
    """Means over seeds of the metrics of a finished trial, those of the test split included."""
    return mean_metrics([read_result(path).metrics for path in current_paths(sweep, trial)])


def mean_metrics(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over seeds of the metrics that all of them have."""
    names = set.intersection(*(set(metrics) for metrics in of_seeds))
    return {name: exact_mean([metrics[name] for metrics in of_seeds]) for name in sorted(names)}


def without_test(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that may be used for selection: those of the test split are left out."""
    return {name: value for name, value in metrics.items() if not is_of_split(name, "test")}


def _current(trial: Trial) -> tuple[str, Config]:
    """Folder and settings of a trial's current runs."""
    file = trial.path / layout.CURRENT
    if not os.path.lexists(file):
        return layout.RUNS, trial.config
    about = SavedCurrent.read(file)
    return about.folder, parse(about.config, str(file), folder=trial.path.parents[1])


def _make(
    paths: Sequence[Path], configs: Sequence[Config], dataset: Dataset, starts: Sequence[BranchPoint | None]
) -> list[Run]:
    """Make or open runs without a mirror of their own: the driver of the sweep mirrors them.

    Their settings differ in the seed alone, so the first stands for all where there are new ones.
    """
    if not all((path / layout.RUN).exists() for path in paths):
        validate_run(configs[0], dataset)
    return [
        create_or_open(path, _not_mirrored(config), dataset, start, check=False)
        for path, config, start in zip(paths, configs, starts, strict=True)
    ]


def _not_mirrored(config: Config) -> Config:
    return config.model_copy(update={"cluster": config.cluster.model_copy(update={"mirror": None})})


def _paths(sweep: Sweep, trial: Trial, folder: str) -> list[Path]:
    return [trial.path / folder / f"{trial.name}-s{seed}" for seed in sweep.settings.seeds]


def _warm_folder(sweep: Sweep, warm: Config) -> Path:
    return sweep.path / layout.WARMUPS / f"{warm.fingerprint()}-s{warm.training.seed}"


def _warm_start(sweep: Sweep, config: Config) -> BranchPoint | None:
    """The epoch of the shared warm-up from which a run starts; None when it has not been trained so far."""
    return warm_start(_warm_folder(sweep, warmup_of(config)), config)


def _but(training: TrainingConfig, **values: int) -> TrainingConfig:
    return training.model_copy(update=values)
