"""The results of a study, read from its folder, and whether each run is the one that its folder is for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from raymm import __version__
from raymm.counts import counted
from raymm.data.identity import short_digest
from raymm.errors import CheckpointError, Problems, RaymmError, messages_of
from raymm.study.budgets import matched_pairs, read_matches, with_epochs
from raymm.study.costs import cost_of_run
from raymm.study.failures import read_failures
from raymm.study.jobs import job_folder, jobs_of
from raymm.study.results import RunRecord, StudyResults
from raymm.study.settings import JOINT
from raymm.study.tuned import read_tuning, settings_of, trials_finished
from raymm.tracking.metrics import higher_is_better, split_metric
from raymm.training.result import finished, read_result
from raymm.training.run import differences

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.study.jobs import Chosen, Job
    from raymm.study.store import Study

__all__ = ["budgets_reached", "check_runs", "read_results", "read_run"]

NEAR = 0.9, 1.1
"""Parts of a budget that are near to it."""


def read_run(data: str, arm: str, seed: int, path: Path) -> RunRecord:
    """The record of one finished run."""
    result = read_result(path)
    return RunRecord(data, arm, seed, path, result.metrics, result.history, cost_of_run(result.history))


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


def read_results(study: Study) -> StudyResults:
    """The finished runs of a study, how many are not finished, and what failed when it was last run.

    Raises
    ------
    CheckpointError
        When a finished run is damaged, or is not the one that its folder is for.
    """
    check_runs(study)
    settings, failures = study.settings, read_failures(study)
    every = [(data, arm, seed) for data in settings.data for arm in settings.arms for seed in settings.seeds]
    paths = {entry: job_folder(study, *entry) for entry in every}
    runs = tuple(read_run(*entry, path) for entry, path in paths.items() if finished(path))
    left = [entry for entry, path in paths.items() if not finished(path)]
    failed_runs = sum(any(failure.is_of(*entry) for failure in failures) for entry in left)
    selection = study.config.training.selection
    return StudyResults(
        title=study.title,
        metric=selection,
        higher=higher_is_better(split_metric("test", selection)),
        reference=JOINT if JOINT in settings.arms else next(iter(settings.arms)),
        runs=runs,
        pending=len(left) - failed_runs,
        about=_about(study, runs),
        failed=tuple(map(str, failures)),
        failed_runs=failed_runs,
        facts=_facts(study, runs),
    )


def budgets_reached(study: Study, runs: Sequence[RunRecord]) -> dict[tuple[str, str], float]:
    """By data set and arm, what its finished runs used on average, in parts of the budget; empty without matching."""
    used: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs:
        used[run.data, run.arm].append(run.cost.get(study.settings.match, 0.0))
    budgets = {(match.data, match.arm): match.budget for match in read_matches(study)}
    return {pair: fmean(used[pair]) / budget for pair, budget in budgets.items() if pair in used}


def _about(study: Study, runs: Sequence[RunRecord]) -> dict[str, str]:
    """What is said of each arm that is matched."""
    reached: dict[str, list[float]] = defaultdict(list)
    for (_, arm), part in budgets_reached(study, runs).items():
        reached[arm].append(part)
    by, to = study.settings.match, study.settings.to
    return {
        arm: f"{by} of {to}: {min(parts):.2f}" + (f" to {max(parts):.2f}" if len(parts) > 1 else "") + " of them used"
        for arm, parts in reached.items()
    }


def _facts(study: Study, runs: Sequence[RunRecord]) -> dict[str, str]:
    settings = study.settings
    sets = [f"{name} ({short_digest(about.digest or '')})" for name, about in settings.data.items()]
    facts = {"data": ", ".join(sets), "seeds": ", ".join(map(str, settings.seeds)), "raymm": __version__}
    if settings.match != "none":
        facts["matched"] = (
            f"by {settings.match}; every arm but joint has the epochs that cost what {settings.to} used"
            f"{_far_from_budget(study, runs)}"
        )
    if settings.tune:
        facts["tuned"] = (
            f"{counted(settings.tune, 'trial')} of every arm on every data set, chosen on validation with a "
            "seed that is not "
            f"among those of the study{_trials_that_lack(study)}"
        )
    return facts


def _far_from_budget(study: Study, runs: Sequence[RunRecord]) -> str:
    """The arms whose runs used clearly less or more than their budget, with the part; empty where there is none."""
    low, high = NEAR
    reached = budgets_reached(study, runs).items()
    far = [f"{arm} on {data} {part:.3g} of it" for (data, arm), part in reached if not low <= part <= high]
    return f"; not near this budget ({low} to {high} of it) are {', '.join(far)}" if far else ""


def _trials_that_lack(study: Study) -> str:
    """How many trials have finished of the arms where it is not all; empty where there is none."""
    lacking = [
        f"{count} of {study.settings.tune} of {arm} on {data}"
        for (data, arm), count in trials_finished(study).items()
    ]
    return f"; finished were only {', '.join(lacking)}" if lacking else ""


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
