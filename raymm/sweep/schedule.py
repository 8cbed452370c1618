"""When trials end early, or go on from better ones: Tune's schedulers, over epochs and the score of validation."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)
from ray.tune.search.sample import Categorical, Domain, Float, Integer

from raymm.config import Config
from raymm.config.legacy import modern_key
from raymm.errors import ConfigError
from raymm.sweep.runs import read_histories, score_at
from raymm.sweep.search import GIVEN, SCORE
from raymm.sweep.store import Plan, Sweep, read_ended, read_trials

__all__ = ["EPOCHS", "check_scheduler", "grace_of", "interval_of", "mutable", "scheduler_of", "within"]

EPOCHS = "epochs"
"""The name under which trials report how many epochs are done."""

AIM = {"metric": SCORE, "mode": "max"}
MUTABLE = ("method.settings.", "method.row_budget", "optimizer.lr")
"""Settings that may change while a run goes on: they are read anew in every epoch."""


def check_scheduler(plan: Plan, config: Config, space: Mapping[str, Any]) -> None:
    """Refuse a scheduler that could do nothing with this space; raises `ConfigError`."""
    if plan.grace is not None and plan.scheduler == "none":
        raise ConfigError(f"--grace {plan.grace}: nothing ends trials early; give --scheduler asha or median too")
    if plan.grace is not None and plan.grace >= config.training.epochs:
        raise ConfigError(
            f"--grace {plan.grace}: trials have training.epochs={config.training.epochs}, so none could end early"
        )
    if plan.scheduler == "pbt" and not mutable(space):
        raise ConfigError(
            f"--scheduler pbt: {plan.space} draws nothing that may change while a run goes on; let it draw one of "
            f"{', '.join(MUTABLE)} (as method.settings.fs.scale)"
        )
    if plan.scheduler == "pbt" and plan.search == "optuna":
        raise ConfigError("--scheduler pbt: chooses settings itself; use --search random")


def scheduler_of(sweep: Sweep, space: Mapping[str, Any]) -> TrialScheduler:
    """The scheduler of a sweep, which knows of all trials that have ended."""
    scheduler = _make(sweep.plan, sweep.config, space)
    if sweep.plan.scheduler in {"asha", "median"}:
        _remember(scheduler, sweep)
    return scheduler


def grace_of(plan: Plan, config: Config) -> int:
    """Epochs that every trial gets: past the warm-up, in which all are alike."""
    return plan.grace or min(config.method.warmup + 1, config.training.epochs)


def interval_of(config: Config) -> int:
    """Epochs between two looks at the population: every look starts its trials again, so there are few."""
    return max(1, round((config.training.epochs - config.method.warmup) / 3))


def mutable(space: Mapping[str, Any]) -> dict[str, Domain]:
    """Samplers of the space whose settings may change while a run goes on."""
    return {
        key: value
        for key, value in space.items()
        if isinstance(value, Domain) and modern_key(key).startswith(MUTABLE)
    }


def within(sampled: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """Perturbed values, brought back into the ranges of their samplers; a range of integers has an open end."""
    return {key: _clipped(value, space.get(key)) for key, value in sampled.items()}


def _clipped(value: Any, domain: Any) -> Any:
    if not isinstance(domain, Float | Integer):
        return value
    upper = domain.upper - 1 if isinstance(domain, Integer) else domain.upper
    return min(max(value, domain.lower), upper)


def _make(plan: Plan, config: Config, space: Mapping[str, Any]) -> TrialScheduler:
    epochs = config.training.epochs
    if plan.scheduler == "asha":
        # one more than there are, so that a trial that reaches the end is let finish
        longest = epochs + 1
        return ASHAScheduler(
            time_attr=EPOCHS,
            max_t=longest,
            grace_period=min(grace_of(plan, config), longest),
            reduction_factor=plan.reduction,
            **AIM,
        )
    if plan.scheduler == "median":
        return MedianStoppingRule(
            time_attr=EPOCHS,
            grace_period=grace_of(plan, config),
            min_samples_required=3,
            min_time_slice=epochs,  # no trial gives way to another: starting again costs more than it could win
            **AIM,
        )
    if plan.scheduler == "pbt":
        return _Population(
            epochs,
            time_attr=EPOCHS,
            perturbation_interval=interval_of(config),
            burn_in_period=grace_of(plan, config),
            hyperparam_mutations={key: _choices(domain) for key, domain in mutable(space).items()},
            custom_explore_fn=partial(within, space=space),
            synch=True,  # the population is compared at the same epoch, however many of it run at once
            **AIM,
        )
    return FIFOScheduler()


class _Population(PopulationBasedTraining):  # type: ignore[misc]
    """A population whose trials keep their folders, and end as what they have trained.

    Tune hands a trial that goes on from another all of the other's values, its name included; and it would still
    exchange a trial that reports its last epoch. Of trials that wait for each other, it lets the others wait for ever
    when the last one fails.
    """

    def __init__(self, longest: int, **settings: Any) -> None:
        super().__init__(**settings)
        self._longest = longest

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> Any:
        if result.get(EPOCHS, 0) >= self._longest:
            return TrialScheduler.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        chosen = super().choose_trial_to_run(tune_controller)
        waiting = [trial for trial in tune_controller.get_trials() if trial.status == Trial.PAUSED]
        if chosen is not None or not waiting or any(t.status == Trial.RUNNING for t in tune_controller.get_trials()):
            return chosen
        for trial in waiting:
            state = self._trial_state[trial]
            state.last_perturbation_time = state.last_train_time
        self._next_perturbation_sync += self._perturbation_interval
        return super().choose_trial_to_run(tune_controller)

    def _get_new_config(self, trial: Any, trial_to_clone: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        config, operations = super()._get_new_config(trial, trial_to_clone)
        return {**config, **{name: trial.config[name] for name in GIVEN}}, operations


def _choices(domain: Domain) -> Any:
    """Names are exchanged for their neighbours, numbers are scaled."""
    return list(domain.categories) if isinstance(domain, Categorical) else domain


def _remember(scheduler: TrialScheduler, sweep: Sweep) -> None:
    """Tell a scheduler again what trials that have ended reported, in the order in which they were proposed."""
    selection = sweep.config.training.selection
    for trial in read_trials(sweep):
        ended = read_ended(trial)
        if ended is None or ended.status == "failed":
            continue
        told = _Told(trial.key)
        histories = read_histories(sweep, trial)
        results = [{EPOCHS: n, SCORE: score_at(histories, n, selection)} for n in range(1, ended.epochs + 1)]
        scheduler.on_trial_add(None, told)
        for result in results:
            scheduler.on_trial_result(_Nobody(), told, result)
        if results:
            scheduler.on_trial_complete(None, told, results[-1])


class _Told:
    """Stands in for a trial of Tune that has ended."""

    status = "TERMINATED"

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


class _Nobody:
    """Stands in for Tune's controller, whom schedulers ask for the other trials."""

    def get_trials(self) -> list[Any]:
        return []

    def get_live_trials(self) -> list[Any]:
        return []
