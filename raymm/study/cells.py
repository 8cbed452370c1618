"""Whether each finished run of a study is the one that its folder is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.errors import CheckpointError, Problems, RaymmError, messages_of
from raymm.study.budgets import read_matches
from raymm.study.jobs import jobs_of
from raymm.study.matching import matched_pairs, with_epochs
from raymm.study.tuned import read_tuning, settings_of
from raymm.training.result import finished
from raymm.training.run import differences

if TYPE_CHECKING:
    from raymm.study.jobs import Chosen, Job
    from raymm.study.store import Study

__all__ = ["check_runs"]


def check_runs(study: Study) -> None:
    """Refuse finished runs of other settings, another seed or other data than their folders are for.

    Raises
    ------
    CheckpointError
        Naming each folder and what differs; also when the run.json of a finished run is missing or cannot be read.
    """
    problems = Problems("runs of a study that are not those of their folders")
    chosen, undecided = _chosen(study)
    for job in jobs_of(study, chosen):
        if finished(job.path):
            problems.extend(_wrong(study, job, (job.data, job.arm) in undecided))
    problems.raise_if_any(
        CheckpointError, note="bring back each folder to its place, or delete it: the same command trains it again"
    )


def _wrong(study: Study, job: Job, undecided: bool) -> list[str]:
    """What is wrong with the run of a folder, in words."""
    try:
        found = differences(job.path, job.config, study.settings.data[job.data].digest or "")
    except RaymmError as cause:
        return messages_of(cause)
    if undecided:  # by a file that is gone, which alone knew the settings that were chosen
        found = [words for words in found if words.partition(":")[0] in {"data", "method.name", "training.seed"}]
    return [f"{job.path}: {'; '.join(found)}"] if found else []


def _chosen(study: Study) -> tuple[Chosen, set[tuple[str, str]]]:
    """What tuning and matching chose, as their files say, and the data sets and arms for which none says it."""
    settings = study.settings
    chosen: Chosen = settings_of(read_tuning(study)) if settings.tune else {}
    undecided = (
        {(data, arm) for data in settings.data for arm in settings.arms} - set(chosen) if settings.tune else set()
    )
    pairs = matched_pairs(study)
    matches = {(match.data, match.arm): match for match in read_matches(study)} if pairs else {}
    return {**chosen, **with_epochs(chosen, matches)}, undecided | (set(pairs) - set(matches))
