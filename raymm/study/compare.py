"""Finished runs as arms of one comparison, whoever made them: what `raymm compare` does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raymm import __version__
from raymm.data.identity import is_legacy, short_digest
from raymm.errors import CheckpointError, ConfigError, Problems, RaymmError, did_you_mean, messages_of
from raymm.study.arm_names import arm_names
from raymm.study.costs import cost_of_run
from raymm.study.results import RunRecord, StudyResults
from raymm.tracking.metrics import higher_is_better, split_metric
from raymm.training.result import read_result
from raymm.training.run import open_run

if TYPE_CHECKING:
    from raymm.study.arm_names import ArmName
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["JOINT", "compare_runs", "digest_of", "open_all"]

JOINT = "joint"
Pair = tuple["Run", "Result"]


def compare_runs(
    paths: Sequence[Path], *, metric: str | None = None, reference: str | None = None, title: str = "Runs compared"
) -> StudyResults:
    """Gather finished runs into arms by what differs in their settings, paired by data set and seed.

    Parameters
    ----------
    paths
        Folders of runs, in any order.
    metric
        What is compared on test; default: the metric by which the runs picked their epochs.
    reference
        The arm that costs are relative to; default: `joint` where it is one, else the arm of the first run.
    title
        Of the report.

    Returns
    -------
    What `raymm.study.report.write_study_report` takes.

    Raises
    ------
    CheckpointError
        When a folder is no finished run, or the runs cannot be compared; with all problems.
    ConfigError
        When there is no such metric or arm, or the runs picked their epochs by different metrics.
    """
    if not paths:
        raise CheckpointError("no runs to compare")
    opened = open_all(paths)
    data = _names_of_data([run for run, _ in opened])
    names = arm_names([run.config for run, _ in opened], data)
    runs = tuple(map(_record, opened, data, names))
    _check_comparable(runs)
    chosen = _metric(opened) if metric is None else metric
    _check_metric(runs, chosen)
    return StudyResults(
        title=title,
        metric=chosen,
        higher=higher_is_better(split_metric("test", chosen)),
        reference=_reference(names, reference),
        runs=runs,
        pending=0,
        about={each.name: each.note for each in names if each.note},
        facts=_facts(opened, data),
    )


def open_all(paths: Sequence[Path]) -> list[Pair]:
    """Open every run and read its result; raises once, with what is wrong with each."""
    problems, opened, seen = Problems("runs"), [], set()
    for path in paths:
        if (where := os.path.realpath(path)) in seen:
            problems.add(f"{path}: given twice")
            continue
        seen.add(where)
        try:
            run = open_run(path)
            opened.append((run, read_result(run.path)))
        except RaymmError as cause:
            problems.extend(messages_of(cause))
    problems.raise_if_any(CheckpointError)
    return opened


def digest_of(run: Run) -> str:
    """The digest of the run's data; of a run of 0.1.0 that of the data set itself, where it is still there."""
    if not is_legacy(run.digest):
        return run.digest
    try:
        return run.dataset().digest
    except RaymmError:
        return run.digest


def _names_of_data(runs: Sequence[Run]) -> list[str]:
    """A name for the data set of each run: that of its folder, with its digest where two would have the same."""
    digests = [digest_of(run) for run in runs]
    first = {digest: run.data.name for run, digest in zip(reversed(runs), reversed(digests), strict=True)}
    alike = [name for name in first.values() if list(first.values()).count(name) > 1]
    names = {
        digest: f"{name} {short_digest(digest)[:8]}" if name in alike else name for digest, name in first.items()
    }
    return [names[digest] for digest in digests]


def _record(pair: Pair, data: str, arm: ArmName) -> RunRecord:
    run, result = pair
    cost = cost_of_run(result.history)
    return RunRecord(data, arm.name, run.config.training.seed, run.path, result.metrics, result.history, cost)


def _check_comparable(runs: Sequence[RunRecord]) -> None:
    """Raise where runs cannot be told apart, where there is one arm, or an arm has no pair with any other."""
    problems = Problems("runs that cannot be compared")
    places: dict[tuple[str, str, int], RunRecord] = {}
    by_arm: dict[str, set[tuple[str, int]]] = {}
    for run in runs:
        other = places.setdefault((run.data, run.arm, run.seed), run)
        if other is not run:
            problems.add(f"{other.path} and {run.path} have the same settings, data and seed; give one of them")
        by_arm.setdefault(run.arm, set()).add((run.data, run.seed))
    if len(by_arm) == 1:
        problems.add(f"all {len(runs)} runs are of one arm, '{runs[0].arm}'; give runs that differ in a setting")
    else:
        problems.extend(_unpaired(by_arm))
    problems.raise_if_any(CheckpointError)


def _unpaired(by_arm: Mapping[str, set[tuple[str, int]]]) -> list[str]:
    """A line for each arm that has no data set and seed in common with another, and so no test samples."""
    made = []
    for arm, own in by_arm.items():
        others = set().union(*(pairs for other, pairs in by_arm.items() if other != arm))
        if not own & others:
            made.append(
                f"'{arm}' has no run on the data set and seed of another arm: it has {_places(own)}, others have "
                f"{_places(others)}"
            )
    return made


def _places(pairs: set[tuple[str, int]]) -> str:
    """Data sets with their seeds: "digits (seed 0, 1) and letters (seed 0)"."""
    seeds: dict[str, list[int]] = {}
    for data, seed in sorted(pairs):
        seeds.setdefault(data, []).append(seed)
    return " and ".join(f"{data} (seed {', '.join(map(str, of))})" for data, of in seeds.items())


def _metric(opened: Sequence[Pair]) -> str:
    """The metric by which all runs picked their epochs."""
    found: dict[str, Path] = {}
    for run, _ in opened:
        found.setdefault(run.config.training.selection, run.path)
    if len(found) > 1:
        said = ", ".join(f"{metric} in {path}" for metric, path in found.items())
        raise ConfigError(
            f"the runs picked their epochs by different metrics ({said}); say by --metric what to compare"
        )
    return next(iter(found))


def _check_metric(runs: Sequence[RunRecord], metric: str) -> None:
    """Raise when a run has no such metric on test."""
    key = split_metric("test", metric)
    known = {
        name.removeprefix(split_metric("test", ""))
        for run in runs
        for name in run.metrics
        if name.startswith(split_metric("test", ""))
    }
    without = [run.path for run in runs if key not in run.metrics]
    if len(without) == len(runs):
        raise ConfigError(f"--metric '{metric}': no run has it on test; {did_you_mean(metric, known)}")
    Problems(f"--metric '{metric}'", [f"{path} does not have it on test" for path in without]).raise_if_any(
        ConfigError
    )


def _reference(names: Sequence[ArmName], wanted: str | None) -> str:
    arms = list(dict.fromkeys(each.name for each in names))
    if wanted is not None and wanted not in arms:
        raise ConfigError(f"--reference '{wanted}': no such arm; {did_you_mean(wanted, arms)}")
    return wanted or (JOINT if JOINT in arms else arms[0])


def _facts(opened: Sequence[Pair], data: Sequence[str]) -> Mapping[str, str]:
    sets = {name: f"{run.data} ({short_digest(run.digest)})" for (run, _), name in zip(opened, data, strict=True)}
    return {**{f"data set {name}": where for name, where in sets.items()}, "raymm": __version__}
