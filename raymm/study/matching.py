"""Budgets: every arm gets as many epochs as cost what the arm `to` used, by rows, encodings or seconds.

The budget on a data set is the median over the seeds of what the runs of `to` used. What an epoch of another arm
costs is measured by a pilot, a run of its first seed that is left a few epochs after the warm-up. Both are written
to pilots.json before anything is trained by them, so that a study that goes on keeps its epochs.

The seconds of an epoch change within minutes, with what else the machine does, and more where a study goes on on
another one. So pilots in seconds are trained several times, one round of all arms after the other, all by the command
that decides, and the least of what an epoch took counts; how much slower the runs of `to` were than that, a pilot of
that arm tells.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from raymm.counts import counted
from raymm.storage import layout
from raymm.study.budgets import Match, read_matches, write_matches
from raymm.study.configs import config_of
from raymm.study.costs import TIMES, History, cost_of_run, epoch_cost, least, pilot_epochs, slower
from raymm.study.jobs import Chosen, Job, job_folder, jobs_of
from raymm.study.settings import JOINT
from raymm.training.checkpoint import read_history
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.study.session import Session
    from raymm.study.store import Study

__all__ = ["REPEATS", "match_arms", "matched_pairs"]

REPEATS = 3
"""How often a pilot in seconds is trained."""

Pair = tuple[str, str]
Pilots = Mapping[Pair, History]
"""What the epochs of pilots cost, by data set and arm; without those that failed."""


class _Budget(NamedTuple):
    """What the runs of the arm `to` used on a data set, and how many times slower than its pilot they were."""

    spent: float
    slower: float


def matched_pairs(study: Study) -> list[Pair]:
    """Data set and arm of the runs that get the budget of the arm `to`: all but that arm and `joint`."""
    if study.settings.match == "none":
        return []
    own = {study.settings.to, JOINT}
    arms = [arm for arm in study.settings.arms if arm not in own]
    return [(data, arm) for data in study.settings.data for arm in arms if (data, arm) not in study.unfit]


def match_arms(session: Session, chosen: Chosen) -> Chosen:
    """Train the arm `to` and the pilots, and decide the epochs of all other arms.

    Returns
    -------
    What was chosen, with the epochs of every arm that is matched; without those whose epochs could not be decided,
    which the session counts as failed.
    """
    study, pairs = session.study, matched_pairs(session.study)
    if not pairs:
        return chosen
    matches = {(match.data, match.arm): match for match in read_matches(study)}
    missing = [pair for pair in pairs if pair not in matches]
    if missing:
        decided = {match.data: match.budget for match in matches.values()}
        pilots = _train_what_is_measured(session, chosen, missing)
        budgets = _budgets(study, pilots)
        for pair in missing:
            found = _matched(session, pair, chosen, pilots.get(pair), budgets.get(pair[0]))
            if isinstance(found, str):
                session.fail(*pair, None, found)
            else:
                matches[pair] = found
        spent = {data: budget.spent for data, budget in budgets.items()}
        write_matches(study, {**spent, **decided}, [matches[pair] for pair in pairs if pair in matches])
    epochs = {pair: {**chosen.get(pair, {}), "training.epochs": match.epochs} for pair, match in matches.items()}
    kept = {pair: settings for pair, settings in chosen.items() if pair not in pairs}
    return {**kept, **epochs}


def _train_what_is_measured(session: Session, chosen: Chosen, pairs: list[Pair]) -> Pilots:
    """Train the runs of the arm `to`, and the pilots of others; in seconds also of that arm, round by round."""
    study, by, to = session.study, session.study.settings.match, session.study.settings.to
    assert to is not None
    measured = [(data, to) for data in dict(pairs) if (data, to) not in study.unfit]
    reference = jobs_of(study, chosen, measured)
    pilots = [_pilot(study, pair, chosen) for pair in [*pairs, *(measured if by in TIMES else [])]]
    session.cache_features([*reference, *pilots])
    session.callback.on_setup(f"{to} first, and {counted(len(pilots), 'pilot')}: what arms get as much of, by {by}")
    if by in TIMES:
        session.train(reference)
        return _least_of_rounds(session, pilots)
    session.train([*reference, *pilots])
    return {(pilot.data, pilot.arm): _history(pilot) for pilot in pilots if pilot.done}


def _least_of_rounds(session: Session, pilots: list[Job]) -> Pilots:
    """Train pilots anew, all of them and then all of them again; what each epoch took at least."""
    rounds: dict[Pair, list[History]] = {}
    for number in range(1, REPEATS + 1):
        session.callback.on_setup(f"pilots, round {number} of {REPEATS}")
        for pilot in pilots:
            shutil.rmtree(pilot.path, ignore_errors=True)
        session.train(pilots)
        pilots = [pilot for pilot in pilots if pilot.done]
        for pilot in pilots:
            rounds.setdefault((pilot.data, pilot.arm), []).append(_history(pilot))
    by = session.study.settings.match
    return {(pilot.data, pilot.arm): least(rounds[pilot.data, pilot.arm], by) for pilot in pilots}


def _history(pilot: Job) -> History:
    return read_history(pilot.path)[: pilot.until]


def _pilot(study: Study, pair: Pair, chosen: Chosen) -> Job:
    """A run that is left before its last epoch, which would not value the training split."""
    config = config_of(study.settings, *pair, chosen.get(pair))
    until = pilot_epochs(config)
    training = config.training.model_copy(update={"epochs": max(config.training.epochs, until + 1)})
    path = study.path / layout.PILOTS / pair[0] / pair[1]
    return Job(*pair, study.settings.seeds[0], config.model_copy(update={"training": training}), path, until, "pilot")


def _budgets(study: Study, pilots: Pilots) -> dict[str, _Budget]:
    """By data set, the medians over seeds of what the finished runs of the arm `to` used."""
    settings, budgets = study.settings, {}
    for data in settings.data:
        paths = [job_folder(study, data, settings.to or "", seed) for seed in settings.seeds]
        runs = [read_result(path).history for path in paths if finished(path)]
        pilot = pilots.get((data, settings.to or ""))
        if runs and (pilot or settings.match not in TIMES):
            spent = median(cost_of_run(run)[settings.match] for run in runs)
            times = median(slower(pilot, run, settings.match) for run in runs) if pilot else 1.0
            budgets[data] = _Budget(spent, times)
    return budgets


def _matched(
    session: Session, pair: Pair, chosen: Chosen, pilot: History | None, budget: _Budget | None
) -> Match | str:
    """The epochs of an arm, or why they cannot be decided."""
    settings = session.study.settings
    if budget is None:
        return f"its budget is that of {settings.to}, which did not finish on {pair[0]}"
    if pilot is None:
        return "its pilot did not finish, so its epochs are not known"
    cost = epoch_cost(pilot, _pilot(session.study, pair, chosen).config, settings.match).times(budget.slower)
    if not budget.spent or not cost.after:
        return f"{settings.match} were not recorded by its pilot or by {settings.to}; match by rows or seconds"
    epochs = cost.epochs_for(budget.spent)
    return Match(*pair, budget.spent, **asdict(cost), epochs=epochs, expected=cost.total(epochs))
