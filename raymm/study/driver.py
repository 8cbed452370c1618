"""A study from its beginning, or from where it was left, to its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.storage import layout
from raymm.study.budgets import matched_pairs
from raymm.study.jobs import jobs_of
from raymm.study.matching import match_arms
from raymm.study.records import check_runs, read_results
from raymm.study.session import Session
from raymm.study.tuning import tune_arms
from raymm.study.warmups import train_warmups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raymm.study.lanes import Lane
    from raymm.study.results import StudyResults
    from raymm.study.session import StudyCallback
    from raymm.study.store import Study

__all__ = ["run_study"]


def run_study(study: Study, lanes: Sequence[Lane], callback: StudyCallback) -> StudyResults:
    """Train every run of a study that has no result, and read the results of all.

    What was trained before is kept, also by a process that was killed: each run goes on from its newest committed
    epoch. A run that fails does not end the study (`raymm.study.session.read_failures`); the next command tries it
    again.

    Parameters
    ----------
    study
        A study that was made or opened, in a folder that all lanes can read and write.
    lanes
        Where runs are trained; who made them closes them.
    callback
        Receives the events.
    """
    check_runs(study)
    (study.path / layout.FAILED).unlink(missing_ok=True)
    session = Session(study, study.datasets(), lanes, callback)
    chosen = match_arms(session, tune_arms(session))
    unmatched = {pair for pair in matched_pairs(session.study) if pair not in chosen}
    jobs = [job for job in jobs_of(session.study, chosen) if (job.data, job.arm) not in unmatched]
    session.cache_features(jobs)
    session.train(jobs, train_warmups(session, jobs))
    return read_results(study)
