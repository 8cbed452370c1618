"""Budgets: every arm gets as many epochs as cost what the arm `to` used, by rows, encodings or seconds.

The budget on a data set is the median over the seeds of what the runs of `to` used. What an epoch of another arm
costs is measured by a pilot, a run of its first seed that is left a few epochs after the warm-up. Both are written
to pilots.json before anything is trained by them, so that a study that goes on keeps its epochs.

The runs of `to` may have been trained on another day or machine than the pilots: in seconds, a pilot of that arm
tells how much longer its runs took than they would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

from raymm.study.budgets import Match, read_matches, write_matches
from raymm.study.costs import TIMES, History, cost_of_run, epoch_cost, slower
from raymm.study.jobs import Chosen, job_folder
from raymm.study.pilots import Pair, Pilots, pilot_of, train_pilots
from raymm.study.settings import JOINT
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.study.session import Session
    from raymm.study.store import Study

__all__ = ["match_arms", "matched_pairs"]


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
        _decide(session, chosen, missing, matches)
    epochs = {pair: {**chosen.get(pair, {}), "training.epochs": match.epochs} for pair, match in matches.items()}
    kept = {pair: settings for pair, settings in chosen.items() if pair not in pairs}
    return {**kept, **epochs}


def _decide(session: Session, chosen: Chosen, missing: list[Pair], matches: dict[Pair, Match]) -> None:
    """Add the missing ones to what was decided, and write all of it down."""
    study, by = session.study, session.study.settings.match
    pilots, runs = train_pilots(session, chosen, missing), _runs_of_reference(study)
    spent = {data: median(cost_of_run(run)[by] for run in each) for data, each in runs.items()}
    budgets = {**spent, **{match.data: match.budget for match in matches.values()}}
    longer = dict.fromkeys(budgets, 1.0)
    if by in TIMES:  # in seconds of the budget, which an earlier command may have decided
        found_now = _times_longer(study, chosen, pilots, runs)
        longer = {data: times * budgets[data] / spent[data] for data, times in found_now.items()}
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
            config = pilot_of(study, (data, to), chosen).config
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
    cost = epoch_cost(pilot, pilot_of(study, pair, chosen).config, by).scaled(longer)
    if not budget or not cost.after:
        return f"{by} were not recorded by its pilot or by {to}; match by rows or seconds"
    epochs = cost.epochs_for(budget)
    return Match(*pair, budget, **asdict(cost), epochs=epochs, expected=cost.total(epochs), slower=longer)
