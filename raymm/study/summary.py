"""What a study found, in a table for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from textwrap import fill
from typing import TYPE_CHECKING

from raymm.reports.tables import number_text, text_table
from raymm.tracking.epoch_text import WIDTH
from raymm.tracking.metrics import split_metric

if TYPE_CHECKING:
    from raymm.study.results import RunRecord, StudyResults

__all__ = ["result_table"]


def result_table(results: StudyResults, reached: Mapping[tuple[str, str], float]) -> list[str]:
    """A line an arm: its mean on test over runs, on each data set and over all, its costs, and the budget it reached.

    Parameters
    ----------
    reached
        By data set and arm, the part of the budget that its runs used.
    """
    by_arm: dict[str, list[RunRecord]] = defaultdict(list)
    for run in results.runs:
        by_arm[run.arm].append(run)
    sets = list(dict.fromkeys(run.data for run in results.runs))
    name = split_metric("test", results.metric)
    header = [
        "arm",
        "runs",
        *sets,
        *(["macro"] if len(sets) > 1 else []),
        "seconds",
        *(["budget"] if reached else []),
    ]
    lines = text_table(
        header,
        [[arm, str(len(runs)), *_cells(runs, sets, name), *_budget(arm, reached)] for arm, runs in by_arm.items()],
        width=200,
    )
    return [*lines, *_legend(results, several=len(sets) > 1, budget=bool(reached))]


def _legend(results: StudyResults, *, several: bool, budget: bool) -> list[str]:
    """What the columns are, in lines of at most 80 columns."""
    better = "higher" if results.higher else "lower"
    said = [f"below each data set: mean test {results.metric} of the runs, {better} is better"]
    said += ["macro: mean over the data sets"] if several else []
    said += ["seconds: of training and valuation, all runs of the arm together"]
    said += ["budget: the part of it that runs used"] if budget else []
    return ["", *fill("; ".join(said), WIDTH).splitlines()]


def _cells(runs: Sequence[RunRecord], sets: Sequence[str], name: str) -> list[str]:
    means = [_mean([run.metrics[name] for run in runs if run.data == data and name in run.metrics]) for data in sets]
    macro = (
        [number_text(None if None in means else fmean(m for m in means if m is not None))] if len(sets) > 1 else []
    )
    return [*map(number_text, means), *macro, f"{sum(run.cost['seconds'] for run in runs):.1f}"]


def _budget(arm: str, reached: Mapping[tuple[str, str], float]) -> list[str]:
    if not reached:
        return []
    own = [part for (_, name), part in reached.items() if name == arm]
    return [f"{min(own):.2f} to {max(own):.2f}" if len(own) > 1 else f"{own[0]:.2f}" if own else "as given"]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
