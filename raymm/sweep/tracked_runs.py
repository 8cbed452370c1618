"""What a tracking store shows of a sweep and of its trials: names, parameters, tags and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raymm import __version__
from raymm.config.canonical import parameters
from raymm.counts import counted
from raymm.data.identity import short_digest
from raymm.reports.run_about import data_of, trial_view
from raymm.storage import layout
from raymm.sweep.rows import measured
from raymm.tracking.base import RunInfo
from raymm.tracking.epoch_text import figure_text
from raymm.tracking.metrics import SCORE, split_metric

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.sweep.rows import TrialRow
    from raymm.sweep.store import Sweep, Trial, TrialOutcome
    from raymm.tracking.about import View

__all__ = ["changed_settings", "describe_best", "ended_in_words", "sweep_info", "tracking_key", "trial_info"]

COMPARE = f"[Compare the trials](children:{SCORE})"


def sweep_info(sweep: Sweep, dataset: Dataset, experiment: str) -> RunInfo:
    """The tracked run of a sweep."""
    settings = sweep.settings
    return RunInfo(
        key=sweep.key,
        name=sweep.name,
        experiment=experiment,
        params={
            "sweep.space": settings.space,
            "sweep.search": settings.search,
            "sweep.scheduler": settings.scheduler,
            "sweep.trials": settings.trials,
            "sweep.seeds": ", ".join(map(str, settings.seeds)),
            "sweep.metric": sweep.metric,
            "training.epochs": sweep.config.training.epochs,
            "data.name": sweep.data.name,
            "data.digest": short_digest(sweep.digest),
        },
        tags={"raymm.kind": "sweep", "raymm.version": __version__, "raymm.run_dir": str(sweep.path)},
        description=(
            f"Sweep of `{settings.space}` on `{sweep.data.name}`: {settings.search} search, scheduler "
            f"{settings.scheduler}, {counted(len(settings.seeds), 'seed')} a trial. Trials are compared by "
            "the mean over seeds "
            f"of `{sweep.metric}`.\n\n{COMPARE}"
        ),
        view=_view(sweep.config, dataset, []),
        data=(data_of(dataset, sweep.data.name),),
    )


def _view(config: Config, dataset: Dataset, searched: Sequence[str]) -> View:
    """What people see first of trials: the method, and the settings that were drawn."""
    schema, params = dataset.schema, dict.fromkeys(["method.name", *searched])
    return trial_view(config.training.selection, schema.names, list(params), accuracy=schema.task.hard)


def tracking_key(sweep: Sweep, trial: str) -> str:
    """The key of the tracked run of a trial, whose own key is `trial`."""
    return f"{sweep.key}.{trial}"


def trial_info(sweep: Sweep, trial: Trial, dataset: Dataset, experiment: str) -> RunInfo:
    """The tracked run of a trial: flat parameters, only those that its configuration reads."""
    params = parameters(trial.config)
    del params["training.seed"]
    searched = sorted(name for name in trial.searched if name in params)
    drawn = ", ".join(f"{name}={params[name]}" for name in searched)
    return RunInfo(
        key=tracking_key(sweep, trial.key),
        name=_label(trial),
        experiment=experiment,
        params={**params, "sweep.seeds": ", ".join(map(str, sweep.settings.seeds))},
        tags={
            "raymm.kind": "trial",
            "raymm.version": __version__,
            "raymm.sweep": sweep.name,
            "raymm.trial": str(trial.number),
            "raymm.config_hash": trial.key,
            "raymm.dataset_digest": sweep.digest,
            "raymm.run_dir": str(trial.path),
            "raymm.log": str(trial.path / layout.TRIAL_LOG),
        },
        description=f"Trial {trial.number} of `{sweep.name}`: {drawn or 'nothing drawn'}.",
        parent_key=sweep.key,
        view=_view(trial.config, dataset, searched),
        data=(data_of(dataset, sweep.data.name),),
    )


def _label(trial: Trial) -> str:
    """The number of a trial, then its drawn values, words before numbers."""
    params = parameters(trial.config)
    drawn = [params[name] for name in params if name in trial.searched]
    words = [str(value) for value in drawn if isinstance(value, str)]
    numbers = [f"{value:.3g}" for value in drawn if isinstance(value, int | float) and not isinstance(value, bool)]
    return " ".join([str(trial.number), *words, *numbers])


def describe_best(sweep: Sweep, trial: Trial, best: TrialRow, metrics: Mapping[str, float]) -> str:
    """A sentence about the best trial; the test metrics of no other trial are read."""
    drawn = ", ".join(f"{name} {value}" for name, value in best.params.items()) or "nothing drawn"
    spread = f" (standard deviation {figure_text(best.deviation)})" if best.deviation is not None else ""
    best_score = measured(best.score or 0.0, sweep.metric)
    score = f"`{sweep.metric}` {figure_text(best_score)}, mean over {counted(len(best.scores), 'seed')}{spread}"
    name = split_metric("test", sweep.config.training.selection)
    test = f" Its mean `{name}` is {figure_text(metrics[name])}." if name in metrics else ""
    return (
        f"Best of the trials that finished: **{_label(trial)}** ({drawn}), {score}.{test} The best of many trials is "
        "partly luck.\n\n"
        f"{COMPARE}; `{layout.SUMMARY}/{layout.SUMMARY_PAGE}` among the artifacts has the table and the plots."
    )


def ended_in_words(outcome: TrialOutcome, epochs: int) -> str:
    """How a trial ended, of so many epochs."""
    if outcome.status == "stopped":
        return f"stopped early after {outcome.epochs} of {counted(epochs, 'epoch')}"
    return f"failed: {outcome.cause}"[:500] if outcome.status == "failed" else "finished"


def changed_settings(trial: Trial, config: Config) -> dict[str, Any]:
    """Tags with the values of settings that population based training changed, from those that a trial has now."""
    first, last = parameters(trial.config), parameters(config)
    changed = {name: last[name] for name in last if name in trial.searched and last[name] != first.get(name)}
    return {"raymm.changed_to": ", ".join(f"{name}={value}" for name, value in changed.items())} if changed else {}
