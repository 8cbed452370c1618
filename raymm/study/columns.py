"""What the columns of a study's tables are, in a sentence each: what is measured, its unit, and what is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.study.cost_ratios import COST_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raymm.study.comparison import Against
    from raymm.study.figures import Figure
    from raymm.study.results import StudyResults

__all__ = [
    "by_data_columns",
    "cost_columns",
    "difference_columns",
    "finding_columns",
    "interval_columns",
    "mcnemar_columns",
    "score_columns",
    "unit_in_words",
]

Columns = dict[str, str]
"""By head of a column: what stands below it."""

ARM = "what was trained: a method with its settings"
COSTS = {
    "rows": "rows that were trained: samples and copies of them",
    "encodings": "rows that went through an encoder; a row of two modalities counts twice",
    "fusions": "outputs that were fused, one a row and coalition",
    "backwards": "rows that went through a backward pass",
    "seconds": "time of training and valuation, in seconds; it depends on what else the machine does",
    "cpu_seconds": "processor time of the first worker, all threads together, in seconds",
    "memory": "most memory that training held, of the GPU or else of the process, in MiB",
}
"""Of `COST_NAMES`; less is better of all."""


def unit_in_words(figure: Figure) -> str:
    """The unit of a figure as tables write it, and which direction is better."""
    from raymm.study.words import unit_of  # noqa: PLC0415  (it reads figures, as this does)

    unit = "in percent" if figure.share else f"in {unit_of(figure)}" if unit_of(figure) != "1" else "a plain number"
    return f"{unit}; {'higher' if figure.higher else 'lower'} is better"


def score_columns(figure: Figure, data: Sequence[str], said: bool) -> Columns:
    """Of `score_table`."""
    unit = unit_in_words(figure)
    each = f"mean test {figure.name} over seeds on this data set ± standard deviation over seeds, {unit}"
    more = "; in brackets the number of seeds, where other arms have more"
    return {
        "arm": ARM,
        **dict.fromkeys(data, each + more),
        **({"macro": f"mean over the data sets of these means, {unit}"} if len(data) > 1 else {}),
        "validation": f"the same mean on validation, of the epochs that were picked, {unit}",
        **({"note": "what else is known of the arm, such as the part of its budget that it used"} if said else {}),
    }


def difference_columns(against: Against, trained: bool) -> Columns:
    """Of `difference_table`."""
    better = _better_side(against.figure)
    unit = _unit_of_differences(against.figure, "points (percent)")
    known = {
        "arm": f"what is compared with {against.second}",
        "difference": f"mean over pairs of the arm less {against.second}, {unit}, ± half of its 95 % interval; "
        f"{better} 0 the arm is better",
        "verdict": "better or worse where that is shown, else not shown",
        "p": "p value of Student's t test over pairs, before any correction; small values speak for a difference",
        "p (Holm)": "the same after Holm's correction over the arms of this table; shown where it is at most 0.05",
        "p (sign flips)": "p value of the exact test that flips signs of the pairs, which assumes no distribution",
        "d_z": "Cohen's d of pairs: mean difference over its standard deviation, a plain number; 0 is no effect",
        "won-tied-lost": "pairs in which the arm is better, equal, worse",
    }
    before = {
        "as trained": f"the difference before the models were calibrated, {unit}",
        "p (Holm), as trained": "its p value after Holm's correction",
    }
    return {**known, **(before if trained else {})}


def interval_columns(against: Against) -> Columns:
    """Of `interval_table`."""
    unit = _unit_of_differences(against.figure)
    better = _better_side(against.figure)
    ends = f"95 % interval of the difference to {against.second}, {unit}"
    return {
        "arm": f"what is compared with {against.second}; an interval wholly {better} 0 says that the arm is better",
        "pairs (t)": f"{ends}, by Student's t over all pairs; a dash with one seed a data set",
        "seeds (t)": f"{ends}, by Student's t over the seeds' means of all data sets",
        "data sets (t)": f"{ends}, by Student's t over the means of the data sets",
        "seeds (bootstrap)": f"{ends}, seeds drawn again",
        "samples (bootstrap)": f"{ends}, test samples drawn again, for these very models",
        "data sets, seeds and samples (bootstrap)": f"{ends}, all three drawn again",
    }


def by_data_columns(against: Against, data: Sequence[str]) -> Columns:
    """Of `by_data_table`."""
    unit = _unit_of_differences(against.figure)
    each = f"mean difference to {against.second} on this data set, {unit}, ± half of its 95 % interval over seeds"
    better = _better_side(against.figure)
    left = "mean of the others when the data set that speaks most for the arm, named in brackets, is left out"
    return {
        "arm": f"what is compared with {against.second}; {better} 0 it is better",
        **dict.fromkeys(data, each),
        "without its best data set": left,
    }


def mcnemar_columns(against: Against, data: Sequence[str]) -> Columns:
    """Of `mcnemar_table`."""
    each = (
        f"test samples that only the arm is right on : that only {against.second} is right on, seeds pooled, and the "
        "exact p of McNemar's test; the larger first number, the better the arm"
    )
    return {"arm": f"what is compared with {against.second}", **dict.fromkeys(data, each)}


def finding_columns() -> Columns:
    """Of the table of a failure signature."""
    return {
        "data set": "that of the runs in which it holds",
        "about": "the modality that it is about, or run where it is about all of them",
        "runs": "in how many runs of the data set it holds, of those that were looked at",
        "arms": "in how many runs of which arms, over seeds; arms in which it never holds are left out",
    }


def cost_columns(results: StudyResults) -> Columns:
    """Of `cost_table`."""
    first = (
        f"the first row is a run of {results.reference} in these units, the others are times that: below 1 is less"
    )
    named: Mapping[str, str] = COST_NAMES
    return {"arm": f"what was trained; {first}", **{named[cost]: COSTS[cost] for cost in named}}


def _unit_of_differences(figure: Figure, points: str = "points") -> str:
    return f"in {points}" if figure.share else unit_in_words(figure).partition(";")[0]


def _better_side(figure: Figure) -> str:
    """On which side of 0 the arm is better."""
    return "above" if figure.higher else "below"
