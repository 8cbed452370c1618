"""Finished runs on the same data beside each other: runs that differ in the seed alone are one column."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from raymm.data.identity import short_digest
from raymm.errors import CheckpointError, Problems, RaymmError
from raymm.reports.pages.paired import Difference, over_samples, over_seeds, per_sample, score_of
from raymm.reports.pages.usage import Usage, usages
from raymm.reports.paired_statistics import seed_interval
from raymm.reports.statistics import Interval, mean_interval, nan_mean, proportion
from raymm.study.arm_names import arm_names
from raymm.study.compare import JOINT, digest_of, open_all
from raymm.tracking.metrics import split_metric
from raymm.valuation.table_file import read_test_table

if TYPE_CHECKING:
    import numpy.typing as npt

    from raymm.training.result import Result
    from raymm.training.run import Run
    from raymm.valuation.table import ValuationTable

__all__ = ["Column", "Member", "SideBySide", "beside"]


@dataclass(frozen=True)
class Member:
    """One run: its result, its test table, how it uses each modality, and the metric of all runs (`SideBySide`)."""

    run: Run
    result: Result
    table: ValuationTable
    found: tuple[Usage, ...]
    metric: str

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.run.config.training.seed

    @cached_property
    def figures(self) -> dict[str, npt.NDArray[np.float64]]:
        """Score and phi of each sample (`per_sample`)."""
        return per_sample(self.table, self.metric, self.run.config.model.modalities)

    @property
    def of_seed(self) -> dict[str, npt.NDArray[np.float64]]:
        """`figures`, and before them the metric as one value where it is no mean over the samples."""
        return {self.metric: np.array([self.mean(self.metric)])} | self.figures

    def mean(self, figure: str) -> float:
        """The mean of a figure over the samples; of a metric that is no such mean, that of the result."""
        if figure in self.figures:
            return nan_mean(self.figures[figure])
        return self.result.metrics.get(split_metric("test", figure), float("nan"))


@dataclass(frozen=True)
class Column:
    """Runs that differ in the seed alone, by seed."""

    name: str
    note: str
    members: tuple[Member, ...]

    def interval(self, figure: str) -> Interval:
        """A figure with its 95 % interval: over seeds of several runs, over test samples of one."""
        if len(self.members) > 1 or figure not in self.members[0].figures:
            return seed_interval([member.mean(figure) for member in self.members])
        return mean_interval(self.members[0].figures[figure])

    def alone(self, at: int) -> Interval:
        """The accuracy of a modality by itself: over seeds of several runs; of one with half of Wilson's interval."""
        shares = [member.found[at].alone for member in self.members]
        if len(self.members) > 1:
            return seed_interval([float("nan") if share is None else share.share for share in shares])
        share = shares[0] or proportion(0, 0)
        return Interval(share.share, (share.high - share.low) / 2, share.count)


@dataclass(frozen=True)
class SideBySide:
    """Columns, the first of which the others are compared with.

    Attributes
    ----------
    columns
        The reference first: `joint` where it is one of them, else the first that was given.
    metric
        What is compared: "accuracy", or what the first run that was given picked its epoch by.
    """

    columns: tuple[Column, ...]
    metric: str

    def differences(self, column: Column) -> tuple[list[Difference], str]:
        """A column less the reference, and what the pairs are: "seeds", "samples", or "" without a common seed.

        With one seed in common there is none of a metric that is no mean over samples.
        """
        return self._differences[column.name]

    @cached_property
    def _differences(self) -> dict[str, tuple[list[Difference], str]]:
        """By the name of the column; each is told of several times."""
        return {column.name: self._less_reference(column) for column in self.columns[1:]}

    def _less_reference(self, column: Column) -> tuple[list[Difference], str]:
        reference, tests = self.columns[0], len(self.columns) - 1
        first, second = ({member.seed: member for member in each.members} for each in (column, reference))
        common = sorted(set(first) & set(second))
        if not common:
            return [], ""
        if len(common) == 1:
            seed = common[0]
            hard = first[seed].table.shows_right
            figures = [side[seed].figures for side in (first, second)]
            return over_samples(*figures, hard=hard, tests=tests), "samples"
        sides = [[side[seed].of_seed for seed in common] for side in (first, second)]
        return over_seeds(sides[0], sides[1], tests), "seeds"


def beside(paths: Sequence[Path]) -> SideBySide:
    """Open finished runs and put them side by side.

    Raises
    ------
    CheckpointError
        When a folder is no finished run, or they are not of the same data, samples, modalities and utility, or two
        are the same run; with all problems.
    """
    opened = open_all(paths)
    _check_data([run for run, _ in opened])
    first = opened[0][0]
    untrained = _untrained(first)
    members = [_member(run, result, first.config.training.selection, untrained) for run, result in opened]
    names = arm_names([run.config for run, _ in opened], ["data"] * len(opened))
    _check_alike(members, [name.name for name in names])
    groups: dict[str, list[Member]] = {}
    notes = {name.name: name.note for name in names}
    for name, member in zip(names, members, strict=True):
        groups.setdefault(name.name, []).append(member)
    order = sorted(groups, key=lambda name: name != JOINT)
    columns = [Column(name, notes[name], tuple(sorted(groups[name], key=lambda each: each.seed))) for name in order]
    return SideBySide(tuple(columns), members[0].metric)


def _untrained(run: Run) -> tuple[str, ...]:
    """Modalities that no training sample has; none where the data set is gone or has changed."""
    with suppress(RaymmError):
        return run.dataset().untrained
    return ()


def _member(run: Run, result: Result, selection: str, untrained: Sequence[str]) -> Member:
    table = read_test_table(run.path)
    found = usages(table, run.config.model.modalities, untrained)
    return Member(run, result, table, tuple(found), score_of(table, selection))


def _check_data(runs: Sequence[Run]) -> None:
    """Raise where runs are of different data, naming the data of each."""
    digests = [digest_of(run) for run in runs]
    if len(set(digests)) > 1:
        pairs = zip(runs, digests, strict=True)
        lines = [f"{run.path}: {run.data} ({short_digest(digest)})" for run, digest in pairs]
        Problems("runs on different data cannot stand side by side", lines).raise_if_any(CheckpointError)


def _check_alike(members: Sequence[Member], arms: Sequence[str]) -> None:
    """Raise where tables are of other samples or games than the first, or two runs are the same."""
    problems, first = Problems("runs that cannot stand side by side"), members[0]
    seen: dict[tuple[str, int], Path] = {}
    for member, arm in zip(members, arms, strict=True):
        other = seen.setdefault((arm, member.seed), member.run.path)
        if other != member.run.path:
            problems.add(f"{other} and {member.run.path} have the same settings, data and seed; give one of them")
        for what, own, known in zip(
            ("test samples", "modalities", "utility"), _game(member), _game(first), strict=True
        ):
            if own != known:
                problems.add(f"{member.run.path}: other {what} than {first.run.path}")
    problems.raise_if_any(CheckpointError)


def _game(member: Member) -> tuple[object, ...]:
    table = member.table
    return np.sort(table.sample_id).tolist(), table.info.modalities, table.info.utility
