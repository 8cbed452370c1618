"""Schedulers of Ray Tune, over epochs and validation scores: trials end early, or continue from better ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)
from ray.tune.search.sample import Categorical, Domain, Float, Integer

from raymm.config.legacy import modern_key
from raymm.errors import ConfigError
from raymm.methods.registry import get_method
from raymm.sweep.reported import AIM, EPOCHS, GIVEN, SCORE
from raymm.sweep.runs import read_histories, score_at
from raymm.sweep.store import read_outcome, read_trials

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.sweep.store import Sweep, SweepConfig

__all__ = ["check_scheduler", "grace_period_of", "interval_of", "mutable", "scheduler_of", "within"]

MUTABLE = ("method.settings.", "method.row_budget", "optimizer.lr")
"""Settings that may change during a run: they are read anew in every epoch."""


def check_scheduler(settings: SweepConfig, config: Config, space: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a scheduler that could have no effect with this space."""
    patience = "training.patience"
    if settings.scheduler != "none" and (config.training.patience is not None or patience in space):
        raise ConfigError(
            f"--scheduler {settings.scheduler}: compares trials at the same epochs, and {patience} would end their "
            "runs at epochs of their own; use one of both"
        )
    if settings.grace_period is not None and settings.scheduler == "none":
        raise ConfigError(
            f"--grace {settings.grace_period}: nothing ends trials early; give --scheduler halving, asha or median "
            "too"
        )
    if settings.grace_period is not None and settings.grace_period >= config.training.epochs:
        raise ConfigError(
            f"--grace {settings.grace_period}: trials have training.epochs={config.training.epochs}, so none "
            "could end early"
        )
    if settings.scheduler == "pbt" and not mutable(space):
        raise ConfigError(
            f"--scheduler pbt: {settings.space} draws nothing that may change while a run goes on; let it draw one "
            f"of {', '.join(MUTABLE)} (as method.settings.fs.scale)"
        )
    if settings.scheduler == "pbt" and (keeping := _methods_that_keep(config, space)):
        raise ConfigError(
            f"--scheduler pbt: method.settings of {', '.join(keeping)} cannot change while a run goes on, since what "
            "the method keeps would begin anew; let the space draw optimizer.lr instead, or use --scheduler asha"
        )
    if settings.scheduler == "pbt" and settings.search == "optuna":
        raise ConfigError("--scheduler pbt: chooses settings itself; use --search random")
    if settings.scheduler == "halving" and settings.search == "optuna":
        raise ConfigError(
            "--scheduler halving: no score is final before the sweep ends, from which --search optuna could learn; "
            "use --search random, or --scheduler asha"
        )


def scheduler_of(sweep: Sweep, space: Mapping[str, Any]) -> TrialScheduler:
    """The scheduler of a sweep, with the reports of all trials that have ended."""
    scheduler = _make(sweep.settings, sweep.config, space)
    if sweep.settings.scheduler in {"asha", "median"}:
        _replay(scheduler, sweep)
    return scheduler


def grace_period_of(settings: SweepConfig, config: Config) -> int:
    """Epochs that every trial gets: one more than the warm-up, in which all trials are alike."""
    return settings.grace_period or min(config.method.warmup + 1, config.training.epochs)


def interval_of(config: Config) -> int:
    """Epochs between two comparisons of the population, which are few: each one starts its trials again."""
    return max(1, round((config.training.epochs - config.method.warmup) / 3))


def mutable(space: Mapping[str, Any]) -> dict[str, Domain]:
    """Samplers of the settings that may change during a run."""
    return {
        key: value
        for key, value in space.items()
        if isinstance(value, Domain) and modern_key(key).startswith(MUTABLE)
    }


def within(sampled: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """Perturbed values, clipped to the ranges of their samplers; a range of integers excludes its upper end."""
    return {key: _clipped(value, space.get(key)) for key, value in sampled.items()}


def _methods_that_keep(config: Config, space: Mapping[str, Any]) -> list[str]:
    """Methods whose settings would change in mid-training although they act by more than their plan."""
    keys = {modern_key(key): value for key, value in space.items()}
    if not any(modern_key(key).startswith("method.settings.") for key in mutable(space)):
        return []
    drawn = keys.get("method.name", keys.get("method", config.method.name))
    names = drawn.categories if isinstance(drawn, Categorical) else [drawn]
    return [name for name in names if isinstance(name, str) and not get_method(name).acts_by_plan_only()]


def _clipped(value: Any, domain: Any) -> Any:
    if not isinstance(domain, Float | Integer):
        return value
    upper = domain.upper - 1 if isinstance(domain, Integer) else domain.upper
    return min(max(value, domain.lower), upper)


def _make(settings: SweepConfig, config: Config, space: Mapping[str, Any]) -> TrialScheduler:
    epochs = config.training.epochs
    if settings.scheduler == "asha":
        # one more than there are, so that a trial that reaches the end is let finish
        longest = epochs + 1
        return ASHAScheduler(
            time_attr=EPOCHS,
            max_t=longest,
            grace_period=min(grace_period_of(settings, config), longest),
            reduction_factor=settings.reduction_factor,
            **AIM,
        )
    if settings.scheduler == "median":
        return MedianStoppingRule(
            time_attr=EPOCHS,
            grace_period=grace_period_of(settings, config),
            min_samples_required=3,
            min_time_slice=epochs,  # no trial gives way to another: starting again costs more than it could win
            **AIM,
        )
    if settings.scheduler == "pbt":
        return _Population(
            epochs,
            time_attr=EPOCHS,
            perturbation_interval=interval_of(config),
            burn_in_period=grace_period_of(settings, config),
            hyperparam_mutations={key: _choices(domain) for key, domain in mutable(space).items()},
            custom_explore_fn=partial(within, space=space),
            synch=True,  # the population is compared at the same epoch, however many of it run at once
            **AIM,
        )
    return FIFOScheduler()


class _Population(PopulationBasedTraining):  # type: ignore[misc]
    """Population based training whose trials keep their folders and are never replaced after their last epoch.

    Three corrections to Tune: a trial that continues another one gets all values of the other, its name included; a
    trial that reports its last epoch can still be replaced; and when trials wait for each other and the last running
    one fails, the others wait forever.
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
    """Tune exchanges names for their neighbours in a list, and scales numbers."""
    return list(domain.categories) if isinstance(domain, Categorical) else domain


def _replay(scheduler: TrialScheduler, sweep: Sweep) -> None:
    """Repeat to a scheduler the reports of trials that have ended, in the order in which they were proposed."""
    selection = sweep.config.training.selection
    for trial in read_trials(sweep):
        outcome = read_outcome(trial)
        if outcome is None or outcome.status == "failed":
            continue
        finished = _FinishedTrial(trial.key)
        histories = read_histories(sweep, trial)
        results = [{EPOCHS: n, SCORE: score_at(histories, n, selection)} for n in range(1, outcome.epochs + 1)]
        scheduler.on_trial_add(None, finished)
        for result in results:
            scheduler.on_trial_result(_NullController(), finished, result)
        if results:
            scheduler.on_trial_complete(None, finished, results[-1])


class _FinishedTrial:
    """Stands for a trial of Tune that has ended."""

    status = "TERMINATED"

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


class _NullController:
    """Stands for the controller of Tune, which schedulers ask for the other trials; it has none."""

    def get_trials(self) -> list[Any]:
        return []

    def get_live_trials(self) -> list[Any]:
        return []
