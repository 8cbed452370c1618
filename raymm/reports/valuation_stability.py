"""Stability of contributions over epochs, seeds or baselines of masked features: pairs of tables compared."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from raymm.errors import DataError

if TYPE_CHECKING:
    from raymm.valuation.table import TableInfo, ValuationTable

__all__ = ["stability", "stability_lines"]


def stability(tables: Mapping[str, ValuationTable]) -> list[dict[str, Any]]:
    """Compare valuations of the same samples, each pair of tables.

    Returns
    -------
    One row a pair and modality: `first`, `second`, `modality`, `rank_correlation` (Spearman; None where one of them
    is constant), `flips` (share of samples whose phi is below the fair share in one and not in the other; None where
    a utility has no fair share), `largest` change.

    Raises
    ------
    DataError
        When the tables are not of the same samples and modalities.
    """
    rows = []
    for (first, a), (second, b) in combinations(tables.items(), 2):
        order = _order(first, a, second, b)
        for position, modality in enumerate(a.info.modalities):
            x, y = a.phi[:, position], b.phi[order, position]
            known = ~np.isnan(x) & ~np.isnan(y)
            compared = {**_compare(x[known], y[known]), "flips": _flips(x[known], y[known], a.info, b.info)}
            rows.append({"first": first, "second": second, "modality": modality, **compared})
    return rows


def stability_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as lines of a table, 80 columns wide at most."""
    if not rows:
        return []
    lines = ["", f"{'compared':<26}{'modality':<16}{'rank corr.':>12}{'flips':>10}{'largest':>10}"]
    for row in rows:
        correlation, flips = ("-" if row[key] is None else f"{row[key]:.3f}" for key in ("rank_correlation", "flips"))
        pair = f"{row['first']} / {row['second']}"
        lines.append(f"{pair:<26}{row['modality']:<16}{correlation:>12}{flips:>10}{row['largest']:>10.3f}")
    if any(row["flips"] is None for row in rows):
        lines.append("No fair share is known of a utility: flips, changes of sides of it, are empty.")
    return lines


def _order(first: str, a: ValuationTable, second: str, b: ValuationTable) -> npt.NDArray[np.int64]:
    """Positions in b of the samples of a."""
    if a.info.modalities != b.info.modalities:
        raise DataError(
            f"'{first}' values {', '.join(a.info.modalities)} and '{second}' {', '.join(b.info.modalities)}: "
            "only tables of the same modalities compare"
        )
    missing = set(a.sample_id.tolist()) ^ set(b.sample_id.tolist())
    if missing:
        raise DataError(
            f"'{first}' and '{second}' are not of the same samples: {len(missing)} are in one of them only, such as "
            f"'{min(missing)}'"
        )
    ranked = np.argsort(b.sample_id, kind="stable")
    return ranked[np.searchsorted(b.sample_id[ranked], a.sample_id)]


def _compare(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> dict[str, float | None]:
    constant = len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
    return {
        "rank_correlation": None if constant else float(stats.spearmanr(x, y).statistic),
        "largest": float(np.abs(x - y).max()) if len(x) else 0.0,
    }


def _flips(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], a: TableInfo, b: TableInfo) -> float | None:
    """Share of samples that are below the fair share in one table and not in the other."""
    if a.fair_share is None or b.fair_share is None:
        return None
    return float(((x < a.fair_share) != (y < b.fair_share)).mean()) if len(x) else 0.0
