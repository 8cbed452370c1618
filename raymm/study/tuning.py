"""Tuning: every arm gets the same number of trials of its own small space, chosen on validation.

A trial is a run of a seed that is not among the study's (its first and 1000), which is left after its last epoch: the
test split is never read. The first trial has the settings as they were given. The others draw the learning rate, of
all arms alike, and what the method says of its own settings (`Method.tuned`). Draws are keyed by the study's first
seed and the number of the trial, so that arms are tried at the same learning rates.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.config.base import flatten
from raymm.config.legacy import modern_key
from raymm.counts import counted
from raymm.methods.registry import get_method
from raymm.seeds import derive, keys_of, uniform
from raymm.storage import layout
from raymm.study.configs import config_of
from raymm.study.jobs import Job
from raymm.study.tuned import SavedArm, SavedTrial, read_tuning, settings_of, write_tuning
from raymm.tracking.metrics import higher_is_better, split_metric
from raymm.training.checkpoint import read_history
from raymm.training.warmups import with_seed

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.study.jobs import Chosen
    from raymm.study.session import Session
    from raymm.study.store import Study

__all__ = ["SEED_OFFSET", "draws", "tune_arms"]

SEED_OFFSET = 1000
"""What is added to the study's first seed for that of the trials."""

LR_RANGE = 5.0
"""Learning rates are drawn from a fifth of the one that is given to five times it, uniformly in the logarithm."""


def draws(config: Config, count: int, seed: int, fixed: Collection[str] = ()) -> list[dict[str, Any]]:
    """The settings of each trial of an arm, dotted; the first changes nothing.

    Parameters
    ----------
    fixed
        Dotted settings that make the arm what it is, and are not drawn.
    """
    tuned = get_method(config.method.name).tuned
    space = {key: values for name, values in tuned if (key := f"method.settings.{name}") not in fixed}
    trials: list[dict[str, Any]] = [{}]
    for number in range(1, count):
        share = 2 * _uniform(seed, "optimizer.lr", number) - 1
        drawn: dict[str, Any] = {"optimizer.lr": float(f"{config.optimizer.lr * LR_RANGE**share:.3g}")}
        for name, values in space.items():
            drawn[name] = values[int(_uniform(seed, name, number) * len(values))]
        trials.append(drawn)
    return trials


def tune_arms(session: Session) -> Chosen:
    """Train the trials of all arms that were not tuned before, and choose the best of each by validation.

    Returns
    -------
    What was chosen, by data set and arm; empty without tuning. Arms of which a trial failed for the first time are
    not among them: the session counts them as failed, and trains none of their runs. Where no trial of an arm has
    trained to its end when it was tried again, its settings stay as they are.
    """
    study = session.study
    if not study.settings.tune:
        return {}
    saved = {(arm.data, arm.arm): arm for arm in read_tuning(study)}
    every = [(data, arm) for data in study.settings.data for arm in study.settings.arms]
    pairs = [pair for pair in every if pair not in study.unfit and (pair not in saved or saved[pair].chosen is None)]
    trials = {pair: _trials(study, pair) for pair in pairs}
    jobs = [job for jobs in trials.values() for job, _ in jobs]
    if jobs:
        session.callback.on_setup(
            f"{counted(study.settings.tune, 'trial')} of each arm on each data set, chosen on validation"
        )
        session.cache_features(jobs)
        session.train(jobs)
    for pair, tried in trials.items():
        saved[pair] = _chosen(pair, tried, again=pair in saved)
        write_tuning(study, [saved[name] for name in every if name in saved])
    _hold_back(session, [arm for arm in saved.values() if arm.chosen is None])
    return settings_of(saved.values())


def _hold_back(session: Session, arms: Sequence[SavedArm]) -> None:
    """Train no run of these arms: a choice that changes later would leave an arm with runs of several settings."""
    unfit = dict(session.study.unfit)
    for arm in arms:
        unfit[arm.data, arm.arm] = (
            f"{arm.finished} of {counted(len(arm.trials), 'trial')} finished, so that its settings are not "
            "chosen; the same "
            "command tries the others again, and then chooses among those that finished"
        )
        session.fail(arm.data, arm.arm, None, unfit[arm.data, arm.arm])
    session.study = replace(session.study, unfit=unfit)


def _trials(study: Study, pair: tuple[str, str]) -> list[tuple[Job, dict[str, Any]]]:
    """The trials of an arm, each with what was drawn."""
    settings, first = study.settings, study.settings.seeds[0]
    made = []
    own = {modern_key(key) for key in flatten(settings.arms[pair[1]])}
    for number, drawn in enumerate(draws(config_of(settings, *pair), settings.tune, first, own)):
        config = with_seed(config_of(settings, *pair, drawn), first + SEED_OFFSET)
        path = study.path / layout.TUNING / pair[0] / pair[1] / f"trial-{number}"
        job = Job(*pair, config.training.seed, config, path, config.training.epochs, f"trial {number}")
        made.append((job, drawn))
    return made


def _chosen(pair: tuple[str, str], trials: Sequence[tuple[Job, Mapping[str, Any]]], *, again: bool) -> SavedArm:
    """The trials with their scores, and the best of them; of equals the first.

    Nothing is chosen where one did not finish, unless it was tried again.
    """
    scores = [_score(job) if job.done else None for job, _ in trials]
    name = split_metric("val", trials[0][0].config.training.selection)
    sign = 1 if higher_is_better(name) else -1
    ranks = [-math.inf if score is None else sign * score for score in scores]
    saved = [SavedTrial(settings=dict(drawn), score=score) for (_, drawn), score in zip(trials, scores, strict=True)]
    known = again or all(job.done for job, _ in trials)
    return SavedArm(data=pair[0], arm=pair[1], chosen=int(np.argmax(ranks)) if known else None, trials=saved)


def _score(job: Job) -> float | None:
    """The best validation metric of any epoch of a trial."""
    name = split_metric("val", job.config.training.selection)
    found = [entry["metrics"][name] for entry in read_history(job.path) if name in entry["metrics"]]
    return float((max if higher_is_better(name) else min)(found)) if found else None


def _uniform(seed: int, name: str, number: int) -> float:
    keys = keys_of(derive(seed, "tune", name), np.array([number], dtype=np.int64))
    return float(uniform(keys, 1)[0, 0])
