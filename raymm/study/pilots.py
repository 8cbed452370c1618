"""Pilots of arms that are matched: runs of a few epochs, which tell what an epoch costs.

The seconds of an epoch change within minutes, with what else the machine does, and more where a study goes on on
another one. So pilots in seconds are trained several times, all of them and then all of them again, and by the
command that decides; the least that each epoch took counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.storage import layout
from raymm.study.configs import config_of
from raymm.study.costs import TIMES, History, least, pilot_epochs
from raymm.study.jobs import Chosen, Job, jobs_of
from raymm.study.settings import JOINT
from raymm.training.checkpoint import read_history

if TYPE_CHECKING:
    from raymm.study.session import Session
    from raymm.study.store import Study

__all__ = ["REPEATS", "Pair", "Pilots", "pilot_of", "train_pilots"]

REPEATS = 3
"""How often a pilot in seconds is trained."""

Pair = tuple[str, str]
Pilots = Mapping[Pair, History]
"""The histories of pilots, by data set and arm; without those that failed."""


def train_pilots(session: Session, chosen: Chosen, pairs: list[Pair]) -> Pilots:
    """Train the runs of the arm `to`, and the pilots of some data sets and arms; in seconds also of the arm `to`."""
    study, by, to = session.study, session.study.settings.match, session.study.settings.to
    assert to is not None
    measured = [(data, to) for data in dict(pairs) if (data, to) not in study.unfit]
    reference = jobs_of(study, chosen, measured)
    pilots = [pilot_of(study, pair, chosen) for pair in [*(measured if by in TIMES else []), *pairs]]
    session.cache_features([*reference, *pilots])
    session.callback.on_setup(f"{to} first, and {counted(len(pilots), 'pilot')}: what arms get as much of, by {by}")
    if by in TIMES:
        session.train(reference)
        finished = {job.data for job in reference if job.done}
        return _least_of_repeats(session, [pilot for pilot in pilots if pilot.data in finished], chosen)
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


def pilot_of(study: Study, pair: Pair, chosen: Chosen) -> Job:
    """A run that is left before its last epoch, which would not value the training split."""
    config = config_of(study.settings, *pair, chosen.get(pair))
    until = pilot_epochs(config)
    training = config.training.model_copy(update={"epochs": max(config.training.epochs, until + 1)})
    path = study.path / layout.PILOTS / pair[0] / pair[1]
    return Job(*pair, study.settings.seeds[0], config.model_copy(update={"training": training}), path, until, "pilot")
