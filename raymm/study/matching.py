"""Budgets: every arm gets as many epochs as cost what the arm `to` used, by rows, encodings or seconds.

The budget on a data set is the median over the seeds of what the runs of `to` used. What an epoch of another arm
costs is measured by a pilot, a run of its first seed that is left a few epochs after the warm-up. Both are written
to pilots.json before anything is trained by them, so that a study that goes on keeps its epochs.
"""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.storage import layout
from raymm.study.budgets import Match, read_matches, write_matches
from raymm.study.configs import config_of
from raymm.study.costs import cost_of_run, epoch_cost, pilot_epochs
from raymm.study.jobs import Chosen, Job, job_folder, jobs_of
from raymm.study.settings import JOINT
from raymm.training.checkpoint import read_history
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.study.session import Session
    from raymm.study.store import Study

__all__ = ["match_arms", "matched_pairs"]


def matched_pairs(study: Study) -> list[tuple[str, str]]:
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
        _train_what_is_measured(session, chosen, missing)
        budgets = {**_budgets(study), **{match.data: match.budget for match in matches.values()}}
        for pair in missing:
            found = _matched(session, pair, chosen, budgets.get(pair[0]))
            if isinstance(found, str):
                session.fail(*pair, None, found)
            else:
                matches[pair] = found
        write_matches(study, budgets, [matches[pair] for pair in pairs if pair in matches])
    epochs = {pair: {**chosen.get(pair, {}), "training.epochs": match.epochs} for pair, match in matches.items()}
    kept = {pair: settings for pair, settings in chosen.items() if pair not in pairs}
    return {**kept, **epochs}


def _train_what_is_measured(session: Session, chosen: Chosen, pairs: list[tuple[str, str]]) -> None:
    study = session.study
    to = study.settings.to
    assert to is not None
    reference = jobs_of(study, chosen, [(data, to) for data in dict(pairs) if (data, to) not in study.unfit])
    pilots = [_pilot(study, pair, chosen) for pair in pairs]
    session.cache_features([*reference, *pilots])
    by = study.settings.match
    session.callback.on_setup(f"{to} first, and {counted(len(pilots), 'pilot')}: what arms get as much of, by {by}")
    session.train([*reference, *pilots])


def _pilot(study: Study, pair: tuple[str, str], chosen: Chosen) -> Job:
    """A run that is left before its last epoch, which would not value the training split."""
    config = config_of(study.settings, *pair, chosen.get(pair))
    until = pilot_epochs(config)
    training = config.training.model_copy(update={"epochs": max(config.training.epochs, until + 1)})
    path = study.path / layout.PILOTS / pair[0] / pair[1]
    return Job(*pair, study.settings.seeds[0], config.model_copy(update={"training": training}), path, until, "pilot")


def _budgets(study: Study) -> dict[str, float]:
    """By data set, the median over seeds of what the finished runs of the arm `to` used."""
    settings, budgets = study.settings, {}
    for data in settings.data:
        paths = [job_folder(study, data, settings.to or "", seed) for seed in settings.seeds]
        spent = [cost_of_run(read_result(path).history)[settings.match] for path in paths if finished(path)]
        if spent:
            budgets[data] = median(spent)
    return budgets


def _matched(session: Session, pair: tuple[str, str], chosen: Chosen, budget: float | None) -> Match | str:
    """The epochs of an arm, or why they cannot be decided."""
    settings, pilot = session.study.settings, _pilot(session.study, pair, chosen)
    if budget is None:
        return f"its budget is that of {settings.to}, which did not finish on {pair[0]}"
    if not pilot.done:
        return "its pilot did not finish, so its epochs are not known"
    cost = epoch_cost(read_history(pilot.path)[: pilot.until], pilot.config, settings.match)
    if not budget or not cost.after:
        return f"{settings.match} were not recorded by its pilot or by {settings.to}; match by rows or seconds"
    epochs = cost.epochs_for(budget)
    return Match(*pair, budget, **asdict(cost), epochs=epochs, expected=cost.total(epochs))
