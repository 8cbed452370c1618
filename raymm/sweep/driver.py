"""A sweep on the connected cluster: Ray Tune over Ray Train, with every trial's way written into its own folder.

Trials are drawn, or proposed, in `raymm.sweep.search`; what one does is in `raymm.sweep.trial`. As many
run beside each other as fit with all their workers and actors, so none waits for what another one holds. Tune's own
files only serve the session that wrote them: what a later one goes on with is the sweep's folder.
"""

import logging
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ray import tune
from ray.tune import Callback, FailureConfig, RunConfig, TuneConfig, Tuner

from raymm.cluster.resources import cluster_totals, living_nodes, runs_at_once
from raymm.config import ClusterConfig
from raymm.data import View
from raymm.data.feature_cache import cache_features
from raymm.errors import ClusterError
from raymm.storage import layout
from raymm.sweep.runs import shared_warmups, warmups_lacking
from raymm.sweep.schedule import EPOCHS, mutable, scheduler_of
from raymm.sweep.search import EXAMPLES, draw, population, proposals_of
from raymm.sweep.store import Ended, Sweep, Trial, missing, open_trial, read_trials, write_ended
from raymm.sweep.tracking import Journal
from raymm.sweep.trial import CAUSE, ENDED, run_trial, run_warmup

__all__ = ["run_sweep", "trials_at_once"]

log = logging.getLogger(__name__)

HEAD = "node:__internal_head__"
"""The head node has 1 of it. A trial's driver asks for no CPU and stays there: no cluster outlives its head."""

LITTLE = 1e-3

ATTEMPTS = 3
"""Times that a trial is started again after a node was lost, beside `cluster.max_failures`."""


def run_sweep(sweep: Sweep, space: Mapping[str, Any], journal: Journal) -> None:
    """Run every trial of a sweep that has not ended.

    Parameters
    ----------
    sweep
        A committed sweep whose folder every node can read and write.
    space
        What its trials are drawn from.
    journal
        Hears what happens.

    Raises
    ------
    ClusterError
        When not even one trial fits on the cluster.
    """
    at_once = trials_at_once(sweep)
    _cache_features(sweep)
    if sweep.plan.share_warmup:
        _train_warmups(sweep, space, at_once)
    proposals = proposals_of(sweep, space)
    if not proposals.count:
        return
    random.seed(sweep.plan.seeds[0])  # Tune's schedulers draw from the global generators
    np.random.seed(sweep.plan.seeds[0])  # noqa: NPY002
    scheduler, watch = scheduler_of(sweep, space), [_Watch(sweep, journal)]
    if sweep.plan.scheduler == "pbt":
        # all of a population takes turns, so it is what each asks for that bounds how many run at once
        config, points, share = TuneConfig(scheduler=scheduler), population(sweep, mutable(space)), 0.9 / at_once
    else:
        config = TuneConfig(
            scheduler=scheduler,
            search_alg=proposals,
            num_samples=proposals.count,
            max_concurrent_trials=at_once,
        )
        points, share = {}, LITTLE
    _fit(run_trial, sweep, config, points, watch, share)


def trials_at_once(sweep: Sweep) -> int:
    """Trials that may run beside each other on the connected cluster; raises `ClusterError` when none fits."""
    cluster, nodes = sweep.config.cluster, living_nodes()
    fits = runs_at_once(cluster, cluster_totals(), nodes)
    if not fits:
        raise ClusterError(_misfit(cluster, [f"{node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in nodes]))
    return min(fits, sweep.plan.concurrent or fits)


def _misfit(cluster: ClusterConfig, nodes: list[str]) -> str:
    return (
        f"no trial fits on this cluster: {cluster.workers} workers of {cluster.cpus_per_worker:g} CPUs and "
        f"{cluster.gpus_per_worker:g} GPUs and {cluster.actors} actors of {cluster.cpus_per_actor:g} CPUs and "
        f"{cluster.gpus_per_actor:g} GPUs, each within one node, over nodes that have {'; '.join(nodes)}; lower "
        "cluster.workers or what a worker holds, or add nodes"
    )


def _cache_features(sweep: Sweep) -> None:
    """Compute the valuation views that trials read, once for all of them."""
    dataset = sweep.dataset()
    configs = [trial.config for trial in missing(read_trials(sweep))] or [sweep.config]
    wanted = {config.view.model_dump_json(): config.view for config in configs}
    for config in wanted.values():
        for seed in sweep.plan.seeds:
            cache_features(View(dataset, config, seed))


def _train_warmups(sweep: Sweep, space: Mapping[str, Any], at_once: int) -> None:
    """Train the epochs that several trials have in common, once."""
    configs = [trial.config for trial in missing(read_trials(sweep))]
    if sweep.plan.search == "optuna":
        configs += [
            config for _, config in draw(space, EXAMPLES, sweep.config, sweep.plan.seeds[0], sweep.plan.space)
        ]
    shared = [(config, until) for config, until in shared_warmups(configs) if warmups_lacking(sweep, config, until)]
    if shared:
        points = [
            {"sweep": str(sweep.path), "config": config.model_dump(mode="json"), "until": until}
            for config, until in shared
        ]
        _fit(_warmup, sweep, TuneConfig(max_concurrent_trials=at_once), {"warmup": tune.grid_search(points)}, [])


def _warmup(config: dict[str, Any]) -> None:
    run_warmup(config["warmup"])


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
    trainable = tune.with_resources(function, {HEAD: share})
    Tuner(trainable, param_space=points, tune_config=config, run_config=run).fit()


class _Watch(Callback):  # type: ignore[misc]
    """Hears from Tune, writes down how trials ended, and tells the journal."""

    def __init__(self, sweep: Sweep, journal: Journal) -> None:
        self._sweep, self._journal = sweep, journal

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune writes its callbacks down; nothing is ever restored from that

    def on_trial_start(self, *, trial: Any, **_: Any) -> None:
        self._journal.started(self._of(trial))

    def on_trial_result(self, *, trial: Any, result: Any, **_: Any) -> None:
        self._journal.reached(self._of(trial), result.get(EPOCHS, 0))

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:
        last = trial.last_result or {}
        status = last.get(ENDED, "stopped")
        self._end(trial, Ended(status, _epochs(trial), last.get(CAUSE, "")))

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:
        self._end(trial, Ended("failed", _epochs(trial), _last_line(trial)))

    def _end(self, trial: Any, how: Ended) -> None:
        ours = self._of(trial)
        write_ended(ours, how)
        self._journal.ended(ours, how)

    def _of(self, trial: Any) -> Trial:
        return open_trial(self._sweep.path / layout.TRIALS / trial.config["trial"])


def _epochs(trial: Any) -> int:
    """Epochs that Tune has heard of; the report that a trial failed speaks of none."""
    last = trial.last_result or {}
    return int(last.get(EPOCHS) or trial.metric_analysis.get(EPOCHS, {}).get("max", 0))


def _last_line(trial: Any) -> str:
    """The error that ended a trial, without its trace."""
    error = trial.get_error()
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"
