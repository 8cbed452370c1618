"""A sweep on the connected cluster: Ray Tune runs the trials, each of which is a run of Ray Train.

Trials are drawn, or proposed, in `raymm.sweep.search`; `raymm.sweep.trial` runs one. As many trials run at the same
time as fit with all their workers and actors, so none waits for resources that another one holds. A resumed sweep
reads its own folder only, never the files of Tune.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ray import tune
from ray.tune import Callback, FailureConfig, RunConfig, TuneConfig, Tuner

from raymm.cluster.resources import cluster_totals, living_nodes, runs_at_once
from raymm.counts import counted
from raymm.data.feature_cache import cache_features
from raymm.data.reader import BatchReader
from raymm.errors import ClusterError, last_line
from raymm.storage import layout
from raymm.sweep.promotion import Promotions
from raymm.sweep.reported import CAUSE, EPOCHS, STATUS
from raymm.sweep.runs import trains_in_its_process, warmup_epochs_done
from raymm.sweep.schedule import mutable, scheduler_of
from raymm.sweep.search import EXAMPLES, draw, population, proposals_of
from raymm.sweep.store import TrialOutcome, open_trial, pending, read_trials, write_outcome
from raymm.training.warmups import shared_warmups

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

    from raymm.config.cluster import ClusterConfig
    from raymm.config.sections import Config
    from raymm.sweep.reported import Trainables
    from raymm.sweep.search import Proposals
    from raymm.sweep.store import Sweep, Trial
    from raymm.sweep.tracking import SweepCallback

__all__ = ["max_concurrent_trials", "run_sweep"]

log = logging.getLogger(__name__)

HEAD = "node:__internal_head__"
"""A resource of which the head node has 1. The driver of a worker group runs there and asks for no CPU: no cluster
outlives its head node. A trial that trains by itself asks for what a worker holds, on any node."""

LITTLE = 1e-3

EVERY = 10.0
"""Seconds between two looks at the warm-ups."""

ATTEMPTS = 3
"""Times that a trial is started again after a node was lost, in addition to `cluster.max_failures`."""


def run_sweep(sweep: Sweep, space: Mapping[str, Any], callback: SweepCallback, trainables: Trainables) -> None:
    """Run every trial of a sweep that has not ended.

    Parameters
    ----------
    sweep
        A committed sweep, in a folder that every node can read and write.
    space
        Samplers of its settings.
    callback
        Receives the events.
    trainables
        What a trial and a shared warm-up run: `raymm.sweep.trial.TRAINABLES`.

    Raises
    ------
    ClusterError
        When not even one trial fits on the cluster.
    """
    at_once = max_concurrent_trials(sweep)
    _cache_features(sweep, callback)
    if sweep.settings.share_warmup:
        _train_warmups(sweep, space, at_once, callback, trainables)
    if sweep.settings.scheduler == "halving":
        _run_levels(sweep, at_once, callback, trainables)
    else:
        _run_trials(sweep, space, at_once, callback, trainables)


def _run_levels(sweep: Sweep, at_once: int, callback: SweepCallback, trainables: Trainables) -> None:
    """Train trials from level to level; those that nothing promotes any more were stopped early."""
    promotions, events = Promotions(sweep), _TrialEvents(sweep, callback)
    if promotions.count:
        _fit(trainables.trial, sweep, _searched(sweep, promotions, at_once), {}, [events])
    for trial, outcome in promotions.outcomes():
        events.end(trial, outcome)


def _run_trials(
    sweep: Sweep, space: Mapping[str, Any], at_once: int, callback: SweepCallback, trainables: Trainables
) -> None:
    """Train trials to their ends, or until the scheduler ends them."""
    proposals = proposals_of(sweep, space)
    if not proposals.count:
        return
    random.seed(sweep.settings.seeds[0])  # Tune's schedulers draw from the global generators
    np.random.seed(sweep.settings.seeds[0])  # noqa: NPY002
    scheduler, events = scheduler_of(sweep, space), [_TrialEvents(sweep, callback)]
    if sweep.settings.scheduler == "pbt":
        # Tune starts all trials of a population in turns: what each asks for bounds how many run at the same time
        config, points, share = TuneConfig(scheduler=scheduler), population(sweep, mutable(space)), 0.9 / at_once
    else:
        config, points, share = _searched(sweep, proposals, at_once, scheduler), {}, LITTLE
    _fit(trainables.trial, sweep, config, points, events, share)


def _searched(
    sweep: Sweep, proposals: Proposals | Promotions, at_once: int, scheduler: TrialScheduler | None = None
) -> TuneConfig:
    """How Tune runs what a search algorithm gives it."""
    return TuneConfig(
        scheduler=scheduler,
        search_alg=proposals,
        num_samples=proposals.count,
        max_concurrent_trials=at_once,
        reuse_actors=trains_in_its_process(sweep),
    )


def max_concurrent_trials(sweep: Sweep) -> int:
    """Trials that may run at the same time on the connected cluster; raises `ClusterError` when none fits."""
    cluster, nodes = sweep.config.cluster, living_nodes()
    fits = runs_at_once(cluster, cluster_totals(), nodes)
    if not fits:
        raise ClusterError(
            _misfit(cluster, [f"{counted(node.cpus, 'CPU')} and {counted(node.gpus, 'GPU')}" for node in nodes])
        )
    return min(fits, sweep.settings.max_concurrent_trials or fits)


def _misfit(cluster: ClusterConfig, nodes: list[str]) -> str:
    return (
        f"no trial fits on this cluster: {counted(cluster.workers, 'worker')} of "
        f"{counted(cluster.cpus_per_worker, 'CPU')} and "
        f"{counted(cluster.gpus_per_worker, 'GPU')} and {counted(cluster.actors, 'actor')} of "
        f"{counted(cluster.cpus_per_actor, 'CPU')} and "
        f"{counted(cluster.gpus_per_actor, 'GPU')}, each within one node, over nodes that have "
        f"{'; '.join(nodes)}; lower "
        "cluster.workers or what a worker holds, or add nodes"
    )


def _cache_features(sweep: Sweep, callback: SweepCallback) -> None:
    """Compute the features that trials read, once for all of them."""
    dataset = sweep.dataset()
    configs = [trial.config for trial in pending(read_trials(sweep))] or [sweep.config]
    wanted = {config.view.model_dump_json(): config.view for config in configs}
    for config in wanted.values():
        for seed in sweep.settings.seeds:
            cache_features(BatchReader(dataset, config, seed), callback.on_setup)


def _train_warmups(
    sweep: Sweep, space: Mapping[str, Any], at_once: int, callback: SweepCallback, trainables: Trainables
) -> None:
    """Train the epochs that several trials have in common, once."""
    configs = [trial.config for trial in pending(read_trials(sweep))]
    if sweep.settings.search == "optuna":
        configs += [
            config for _, config in draw(space, EXAMPLES, sweep.config, sweep.settings.seeds[0], sweep.settings.space)
        ]
    shared = [
        (config, until) for config, until in shared_warmups(configs) if warmup_epochs_done(sweep, config) < until
    ]
    if shared:
        events = _WarmupEvents(sweep, shared, callback)
        points = [
            {"sweep": str(sweep.path), "config": config.model_dump(mode="json"), "until": until}
            for config, until in shared
        ]
        config = TuneConfig(max_concurrent_trials=at_once)
        _fit(trainables.warmup, sweep, config, {"warmup": tune.grid_search(points)}, [events])


def _fit(
    function: Callable[[dict[str, Any]], None],
    sweep: Sweep,
    config: TuneConfig,
    points: dict[str, Any],
    callbacks: list[Callback],
    share: float = LITTLE,
) -> None:
    run = RunConfig(
        name=uuid.uuid4().hex[:12],  # of an old name Tune would read the state
        storage_path=str(sweep.path / layout.TUNE),
        failure_config=FailureConfig(max_failures=ATTEMPTS + sweep.config.cluster.max_failures),
        callbacks=callbacks,
        verbose=0,
    )
    asked = _of_a_worker(sweep.config.cluster) if trains_in_its_process(sweep) else {HEAD: share}
    trainable = tune.with_resources(function, asked)
    Tuner(trainable, param_space=points, tune_config=config, run_config=run).fit()


def _of_a_worker(cluster: ClusterConfig) -> dict[str, float]:
    """What a process asks for that trains by itself."""
    asked = {"CPU": cluster.cpus_per_worker, "GPU": cluster.gpus_per_worker}
    return {name: amount for name, amount in asked.items() if amount}


class _WarmupEvents(Callback):  # type: ignore[misc]
    """Tells a sweep's callback how far the shared warm-ups are, whenever another epoch is committed."""

    def __init__(self, sweep: Sweep, shared: list[tuple[Config, int]], callback: SweepCallback) -> None:
        self._sweep, self._shared, self._callback = sweep, shared, callback
        self._announced, self._looked = -1, 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; nothing is ever restored from that

    def on_step_begin(self, **_: Any) -> None:
        if time.monotonic() - self._looked < EVERY:
            return
        self._looked = time.monotonic()
        done = sum(min(warmup_epochs_done(self._sweep, config), until) for config, until in self._shared)
        if done > self._announced:
            total = sum(until for _, until in self._shared)
            self._callback.on_setup(f"warm-up that trials share: {done} of {counted(total, 'epoch')}")
            self._announced = done


class _TrialEvents(Callback):  # type: ignore[misc]
    """Receives the events of Tune, writes the outcomes of trials, and passes the events on to a sweep's callback."""

    def __init__(self, sweep: Sweep, callback: SweepCallback) -> None:
        self._sweep, self._callback = sweep, callback
        self._trials: dict[str, Trial] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; nothing is ever restored from that

    def on_trial_start(self, *, trial: Any, **_: Any) -> None:
        self._callback.on_trial_start(self._of(trial))

    def on_trial_result(self, *, trial: Any, result: Any, **_: Any) -> None:
        self._callback.on_epoch(self._of(trial), result.get(EPOCHS, 0))

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:
        last = trial.last_result or {}
        status = last.get(STATUS, "stopped")
        if status == "waiting":
            self._callback.on_trial_wait(self._of(trial), _epochs(trial))
        else:
            self.end(self._of(trial), TrialOutcome(status, _epochs(trial), last.get(CAUSE, "")))

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:
        cause = last_line(trial.get_error() or "", "it ended without an error message")
        self.end(self._of(trial), TrialOutcome("failed", _epochs(trial), cause))

    def end(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Write the outcome of a trial of the sweep, and pass it on."""
        write_outcome(trial, outcome)
        self._callback.on_trial_end(trial, outcome)

    def _of(self, trial: Any) -> Trial:
        name = trial.config["trial"]
        if name not in self._trials:
            self._trials[name] = open_trial(self._sweep.path / layout.TRIALS / name)
        return self._trials[name]


def _epochs(trial: Any) -> int:
    """Epochs that were reported to Tune; the report of a failure has none."""
    last = trial.last_result or {}
    return int(last.get(EPOCHS) or trial.metric_analysis.get(EPOCHS, {}).get("max", 0))
