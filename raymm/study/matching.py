"""Budgets: every arm gets as many epochs as cost what the arm `to` used, by rows, encodings or seconds.

The budget on a data set is the median over the seeds of what the runs of `to` used. What an epoch of another arm
costs is measured by a pilot, a run of its first seed that is left a few epochs after the warm-up. Both are written
to pilots.json before anything is trained by them, so that a study that goes on keeps its epochs.

The seconds of an epoch change within minutes, with what else the machine does, and more where a study goes on on
another one. So pilots in seconds are trained several times, all of them and then all of them again, and by the
command that decides; the least that each epoch took counts. How much longer the runs of `to` took than that, a pilot
of that arm tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.storage import layout
from raymm.study.budgets import Match, matched_pairs, read_matches, with_epochs, write_matches
from raymm.study.configs import config_of
from raymm.study.costs import TIMES, History, cost_of_run, epoch_cost, least, pilot_epochs, slower
from raymm.study.jobs import Chosen, Job, job_folder, jobs_of
from raymm.study.settings import JOINT
from raymm.training.checkpoint import read_history
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.study.session import Session
    from raymm.study.store import Study

__all__ = ["match_arms"]

REPEATS = 3
"""How often a pilot in seconds is trained."""

Pair = tuple[str, str]
Pilots = Mapping[Pair, History]
"""The histories of pilots, by data set and arm; without those that failed."""


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
        _decide(session, chosen, missing, matches)
    kept = {pair: settings for pair, settings in chosen.items() if pair not in pairs}
    return {**kept, **with_epochs(chosen, matches)}


def _decide(session: Session, chosen: Chosen, missing: list[Pair], matches: dict[Pair, Match]) -> None:
    """Add the missing ones to what was decided, and write all of it down."""
    study, by = session.study, session.study.settings.match
    pilots, runs = _train_pilots(session, chosen, missing), _runs_of_reference(study)
    spent = {data: median(cost_of_run(run)[by] for run in each) for data, each in runs.items()}
    budgets = {**spent, **{match.data: match.budget for match in matches.values()}}
    longer = dict.fromkeys(budgets, 1.0)
    if by in TIMES:  # in seconds of the budget, which an earlier command may have decided
        now = _times_longer(study, chosen, pilots, runs)
        longer = {data: times * budgets[data] / spent[data] for data, times in now.items()}
    for pair in missing:
        found = _matched(study, pair, chosen, pilots.get(pair), budgets.get(pair[0]), longer.get(pair[0]))
        if isinstance(found, str):
            session.fail(*pair, None, found)
        else:
            matches[pair] = found
    write_matches(study, budgets, list(matches.values()))


def _runs_of_reference(study: Study) -> dict[str, list[History]]:
    """By data set, the finished runs of the arm `to`; without data sets that have none."""
    settings, runs = study.settings, dict[str, list[History]]()
    for data in settings.data:
        paths = [job_folder(study, data, settings.to or "", seed) for seed in settings.seeds]
        runs[data] = [read_result(path).history for path in paths if finished(path)]
    return {data: each for data, each in runs.items() if each}


def _times_longer(
    study: Study, chosen: Chosen, pilots: Pilots, runs: Mapping[str, Sequence[History]]
) -> dict[str, float]:
    """By data set, the median over seeds of how many times longer runs of `to` took than its pilot foretold."""
    by, to, longer = study.settings.match, study.settings.to or "", {}
    for data, each in runs.items():
        if (data, to) in pilots:
            config = _pilot(study, (data, to), chosen).config
            longer[data] = median(slower(run, pilots[data, to], config, by) for run in each)
    return longer


def _matched(
    study: Study, pair: Pair, chosen: Chosen, pilot: History | None, budget: float | None, longer: float | None
) -> Match | str:
    """The epochs of an arm, or why they cannot be decided."""
    (data, _), by, to = pair, study.settings.match, study.settings.to
    if budget is None:
        return f"its budget is that of {to}, which did not finish on {data}"
    if pilot is None:
        return "its pilot did not finish, so its epochs are not known"
    if longer is None:
        return f"the pilot of {to} did not finish on {data}, so it is not known how fast its runs were"
    cost = epoch_cost(pilot, _pilot(study, pair, chosen).config, by).scaled(longer)
    if not budget or not cost.after:
        return f"{by} were not recorded by its pilot or by {to}; match by rows or seconds"
    epochs = cost.epochs_for(budget)
    return Match(*pair, budget, **asdict(cost), epochs=epochs, expected=cost.total(epochs), slower=longer)


def _train_pilots(session: Session, chosen: Chosen, pairs: list[Pair]) -> Pilots:
    """Train the runs of the arm `to`, and the pilots of some data sets and arms; in seconds also of the arm `to`."""
    study, by, to = session.study, session.study.settings.match, session.study.settings.to
    assert to is not None
    measured = [(data, to) for data in dict(pairs) if (data, to) not in study.unfit]
    reference = jobs_of(study, chosen, measured)
    pilots = [_pilot(study, pair, chosen) for pair in [*(measured if by in TIMES else []), *pairs]]
    session.cache_features([*reference, *pilots])
    session.callback.on_setup(f"{to} first, and {counted(len(pilots), 'pilot')}: what arms get as much of, by {by}")
    if by in TIMES:
        session.train(reference)
        known = {job.data for job in reference if job.done}
        return _least_of_repeats(session, [pilot for pilot in pilots if pilot.data in known], chosen)
    session.train([*reference, *pilots])
    return {(pilot.data, pilot.arm): _history(pilot) for pilot in pilots if pilot.done}


def _least_of_repeats(session: Session, pilots: Sequence[Job], chosen: Chosen) -> Pilots:
    """Train pilots anew, all of them and then all of them again; what each epoch took at least.

    Each time in another order, so that a pilot has other neighbours on the machine. The last one has one, too, as
    long as there are runs of `joint`, which wait for no budget.
    """
    behind = _joint(session.study, chosen)
    session.cache_features(behind)
    repeats: dict[Pair, list[History]] = {}
    for number in range(REPEATS):
        session.callback.on_setup(f"pilots, {number + 1} of {REPEATS} times")
        order = np.random.default_rng(number).permutation(len(pilots))
        anew = [pilots[place] for place in order if session.removed(pilots[place])]
        session.train([*anew, *behind[number::REPEATS]])
        for pilot in anew:
            if pilot.done:
                repeats.setdefault((pilot.data, pilot.arm), []).append(_history(pilot))
    session.forgive(repeats)
    return {pair: least(histories, session.study.settings.match) for pair, histories in repeats.items()}


def _joint(study: Study, chosen: Chosen) -> list[Job]:
    """The runs of `joint` that are to be trained."""
    pairs = [(data, JOINT) for data in study.settings.data if JOINT in study.settings.arms]
    return [
        job for job in jobs_of(study, chosen, [pair for pair in pairs if pair not in study.unfit]) if not job.done
    ]


def _history(pilot: Job) -> History:
    return read_history(pilot.path)[: pilot.until]


def _pilot(study: Study, pair: Pair, chosen: Chosen) -> Job:
    """A run that is left before its last epoch, which would not value the training split."""
    config = config_of(study.settings, *pair, chosen.get(pair))
    until = pilot_epochs(config)
    training = config.training.model_copy(update={"epochs": max(config.training.epochs, until + 1)})
    path = study.path / layout.PILOTS / pair[0] / pair[1]
    return Job(*pair, study.settings.seeds[0], config.model_copy(update={"training": training}), path, until, "pilot")
