"""The results of a study, read from its folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from raymm import __version__
from raymm.counts import counted
from raymm.data.identity import short_digest
from raymm.study.budgets import read_matches
from raymm.study.cells import check_runs
from raymm.study.costs import cost_of_run
from raymm.study.failures import read_failures
from raymm.study.jobs import job_folder
from raymm.study.results import RunRecord, StudyResults
from raymm.study.settings import JOINT
from raymm.study.tuned import trials_finished
from raymm.tracking.metrics import higher_is_better, split_metric
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.study.store import Study

__all__ = ["budgets_reached", "read_results", "read_run"]

NEAR = 0.9, 1.1
"""Parts of a budget that are near to it."""


def read_run(data: str, arm: str, seed: int, path: Path) -> RunRecord:
    """The record of one finished run."""
    result = read_result(path)
    return RunRecord(data, arm, seed, path, result.metrics, result.history, cost_of_run(result.history))


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
