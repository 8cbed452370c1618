"""Raw tables of a study, as CSV: a row a run, and a row a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from raymm.study.cost_ratios import COST_NAMES
from raymm.study.verdict import outcome, verdict

if TYPE_CHECKING:
    from raymm.reports.statistics import Interval
    from raymm.study.bootstrap import Range
    from raymm.study.comparison import Against, Comparison
    from raymm.study.results import StudyResults

__all__ = ["comparison_rows", "comparisons_csv", "runs_csv"]


def runs_csv(results: StudyResults, folder: Path | None = None) -> str:
    """Data set, arm, seed, folder, costs as `cost_...` (memory in bytes) and all metrics, a row a run in their order.

    A cost or metric that a run does not have is left empty. Folders below `folder` are relative to it.
    """
    metrics = sorted({name for run in results.runs for name in run.metrics})
    rows = [
        {
            "data": run.data,
            "arm": run.arm,
            "seed": run.seed,
            "path": str(_below(run.path, folder)),
            **{f"cost_{cost}": run.cost.get(cost) or None for cost in COST_NAMES},
            **{name: run.metrics.get(name) for name in metrics},
        }
        for run in results.runs
    ]
    return _csv(rows, ["data", "arm", "seed"])


def _below(path: Path, folder: Path | None) -> Path:
    return path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path


def comparisons_csv(tables: Sequence[Against]) -> str:
    """`comparison_rows` as CSV; what is not defined is left empty."""
    return _csv(comparison_rows(tables), ["first", "second"])


def comparison_rows(tables: Sequence[Against]) -> list[dict[str, Any]]:
    """Every number of every comparison, in the figure's own unit (a share is not in points); None where undefined."""
    rows = [_row(each) for table in tables for each in table.comparisons]
    return [
        {key: None if isinstance(value, float) and isnan(value) else value for key, value in row.items()}
        for row in rows
    ]


def _row(each: Comparison) -> dict[str, Any]:
    row = {
        "first": each.first,
        "second": each.second,
        "figure": each.figure.name,
        "outcome": outcome(each),
        "verdict": verdict(each),
        "p_t": each.p_t,
        "p": each.p,
        "p_holm": each.p_holm,
        "p_sign_flips": each.p_flips,
        "effect_dz": each.effect,
        "won": each.won,
        "tied": each.tied,
        "lost": each.lost,
        **_interval("pairs", each.over_pairs),
        **_interval("seeds", each.over_seeds),
        **_interval("data", each.over_data),
        **_ends("bootstrap_seeds", each.by_seeds),
        **_ends("bootstrap_samples", each.by_samples),
        **_ends("bootstrap_all", each.by_all),
    }
    for name, interval in each.by_data.items():
        row |= _interval(f"data:{name}", interval)
    for name, test in each.mcnemar.items():
        row |= {f"mcnemar:{name}_first": test.only_first, f"mcnemar:{name}_second": test.only_second}
        row[f"mcnemar:{name}_p"] = test.p
    return row


def _interval(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name}_mean": interval.mean, f"{name}_margin": interval.margin, f"{name}_count": interval.count}


def _ends(name: str, ends: Range | None) -> dict[str, float | None]:
    low, high = (None, None) if ends is None else ends
    return {f"{name}_low": low, f"{name}_high": high}


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Of objects, so that whole numbers stay whole in columns that have gaps."""
    table = pd.DataFrame(list(rows) or None, columns=None if rows else columns, dtype=object)
    return str(table.to_csv(index=False, lineterminator="\n"))
