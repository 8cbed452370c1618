"""The summary of a valuation table: accuracies, mean contributions, patterns of pairs, and the lowest samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.counts import counted
from raymm.reports.statistics import mean_of
from raymm.reports.tables import number_text
from raymm.valuation.outcome_means import mean_banzhaf, mean_interactions
from raymm.valuation.patterns import PATTERNS, pattern_shares

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = [
    "class_names_of",
    "class_text",
    "low_head",
    "no_fair_share",
    "summarise",
    "summary_lines",
]

LOWEST = 5
LOWEST_HEAD = f"{'':<14} {'phi':>6} {'sample and file':<36} {'label':<10} predicted"
NO_FAIR_SHARE = "No fair share is known of this utility, so the column 'below' is empty."
PATTERN_HEADS = {
    "synergy": ("syn-", "ergy"),
    "redundancy": ("redun-", "dancy"),
    "first carries": ("first", "carries"),
    "second carries": ("second", "carries"),
    "first breaks": ("first", "breaks"),
    "second breaks": ("second", "breaks"),
    "conflict": ("con-", "flict"),
    "hard": ("", "hard"),
}
"""Patterns in the order of the table of pairs, each with its head on two lines."""
PAIR_WIDTH = 20
MOST_FOR_PAIRS = 12
"""Modalities up to which pairs are shown: of more there are too many to read."""


def summarise(table: ValuationTable, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of a table.

    Parameters
    ----------
    classes
        Names of the classes, by label; without them their numbers are shown.

    Returns
    -------
    `samples`, `accuracy` (None where the task has no right answers, as `accuracy_alone`), `utility`, `fair_share`
    (None where the utility has none), `method`, `budget`;
    `modalities`: by name `present`, `accuracy_alone`, `mean_phi`, `ci95` (margin of error of its 95 % interval),
    `low` and `negative` (shares with phi below the fair share, None without one, and below 0), `stderr` (root mean
    square of the standard errors), `banzhaf` (mean; None where values are sampled), `lowest` (samples with
    negative phi, lowest first: id, source, empty where none is known, label and prediction by name, and phi);
    `pairs`: names, shares of the six `patterns` and mean `interaction` on u (outcomes without the factor |C|), of the
    samples that have both.
    """
    present = ~np.isnan(table.phi)
    banzhaf = mean_banzhaf(table) if table.shows_outcomes else None
    modalities = {}
    for position, name in enumerate(table.info.modalities):
        has = present[:, position]
        mean = mean_of(table.phi[:, position], "all", name, table.info.fair_share)
        modalities[name] = {
            "present": mean.count,
            "accuracy_alone": _mean(table.unimodal_correct[has, position]) if table.shows_right else None,
            "mean_phi": _known(mean.mean),
            "ci95": _known(mean.margin),
            "low": _known(mean.low),
            "negative": _known(mean.negative),
            "stderr": _known(float(np.sqrt(np.mean(table.stderr[has, position] ** 2)))) if mean.count else None,
            "banzhaf": None if banzhaf is None else _known(float(banzhaf[position])),
            "lowest": _lowest(table, position, classes or class_names_of(table)),
        }
    return {
        "samples": len(table),
        "utility": table.info.utility,
        "fair_share": table.info.fair_share,
        "method": table.info.method,
        "budget": table.info.budget,
        "accuracy": _mean(table.grand_correct) if table.shows_right else None,
        "modalities": modalities,
        "pairs": _pairs(table, present),
    }


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The figures as lines of tables, 80 columns wide at most."""
    method = summary["method"] + (
        f", {counted(summary['budget'], 'coalition')} a sample" if summary["budget"] else ""
    )
    below = low_head(summary)
    accuracy = "" if summary["accuracy"] is None else f", accuracy {number_text(summary['accuracy'])}"
    head = f"{'modality':<16}{'present':>9}{'alone':>9}{'mean phi':>12}{'± 95 %':>9}{below:>10}{'phi < 0':>10}"
    lines = [
        counted(summary["samples"], "sample") + accuracy,
        f"utility {summary['utility']}, {method}",
        *no_fair_share(summary),
        head,
    ]
    for name, row in summary["modalities"].items():
        lines.append(
            f"{name:<16}{row['present']:>9}{number_text(row['accuracy_alone']):>9}{number_text(row['mean_phi']):>12}"
            f"{number_text(row['ci95']):>9}{number_text(row['low']):>10}{number_text(row['negative']):>10}"
        )
    return [*lines, *_pair_lines(summary["pairs"]), *_lowest_lines(summary["modalities"])]


def low_head(summary: dict[str, Any]) -> str:
    """Head of the column of samples below the fair share."""
    return "below" if summary["fair_share"] is None else f"phi < {summary['fair_share']:g}"


def no_fair_share(summary: dict[str, Any]) -> list[str]:
    """The line that explains the empty column of samples below the fair share; none where it is not empty."""
    return [] if summary["fair_share"] is not None else [NO_FAIR_SHARE]


def _pairs(table: ValuationTable, present: np.ndarray) -> list[dict[str, Any]]:
    """Patterns and interactions of every pair that some sample has; none where not all coalitions were evaluated."""
    names = table.info.modalities
    if not table.shows_outcomes or not 2 <= len(names) <= MOST_FOR_PAIRS:
        return []
    shares, strength = pattern_shares(table.outcomes, present), mean_interactions(table)
    return [
        {
            "first": names[i],
            "second": names[j],
            "patterns": dict(zip(PATTERNS, shares[i, j], strict=True)),
            "interaction": float(strength[i, j]),
        }
        for i, j in combinations(range(len(names)), 2)
        if (present[:, i] & present[:, j]).any()
    ]


def class_text(table: ValuationTable, label: Any, classes: Sequence[str]) -> str:
    """A label or a prediction (one row) on a page; of many numbers or labels the first."""
    return table.task.brief(label, classes) or "(none)"


def class_names_of(table: ValuationTable) -> list[str]:
    """Names of the classes; their numbers for a table of 0.1.0, which does not even say how many there are."""
    if table.info.class_names:
        return list(table.info.class_names)
    most = max((int(labels.max()) for labels in (table.label, table.prediction) if len(labels)), default=0)
    return [str(number) for number in range(table.info.classes or most + 1)]


def _lowest(table: ValuationTable, position: int, classes: Sequence[str]) -> list[dict[str, Any]]:
    phi = table.phi[:, position]
    order = [int(row) for row in np.argsort(phi, kind="stable")[:LOWEST] if phi[row] < 0]
    return [
        {
            "sample_id": str(table.sample_id[row]),
            "source": "" if table.source is None else str(table.source[row]),
            "label": class_text(table, table.label[row], classes),
            "prediction": class_text(table, table.prediction[row], classes),
            "phi": float(phi[row]),
        }
        for row in order
    ]


def _pair_lines(pairs: list[dict[str, Any]]) -> list[str]:
    if not pairs:
        return []
    heads = [*PATTERN_HEADS.values(), ("inter-", "action")]
    return [
        "",
        "pairs, % of samples that have both; one carries where only it is right alone and",
        "both are right together, breaks where only the other is and both are wrong",
        *(f"{'':<{PAIR_WIDTH}}" + "".join(f" {head[line]:>{_width(head)}}" for head in heads) for line in (0, 1)),
        *(_pair_line(pair) for pair in pairs),
    ]


def _pair_line(pair: dict[str, Any]) -> str:
    shares = (f" {100 * pair['patterns'][name]:>{_width(head)}.0f}" for name, head in PATTERN_HEADS.items())
    return f"{_pair_name(pair['first'], pair['second']):<{PAIR_WIDTH}}{''.join(shares)}{pair['interaction']:>+7.2f}"


def _pair_name(first: str, second: str) -> str:
    """Both names, cut to fit where they are long; a short one leaves its room to the other."""
    room = PAIR_WIDTH - len(" + ")
    first = first[: max(room - len(second), room // 2)]
    return f"{first} + {second[: room - len(first)]}"


def _width(head: tuple[str, str]) -> int:
    return max(map(len, head))


def _lowest_lines(modalities: dict[str, Any]) -> list[str]:
    lines = [_lowest_line(name, row) for name, figures in modalities.items() for row in figures["lowest"][:2]]
    return ["", "most negative samples (--json and --html list more)", LOWEST_HEAD, *lines] if lines else []


def _lowest_line(name: str, row: dict[str, Any]) -> str:
    """One sample; ids and files are cut at the left, where they differ least."""
    file = (
        f"{row['sample_id'][-14:]:<14} {row['source'][-21:]:<21}"
        if row["source"]
        else f"{row['sample_id'][-36:]:<36}"
    )
    return f"{name[:14]:<14} {row['phi']:+6.2f} {file} {row['label'][:10]:<10} {row['prediction'][:10]}"


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None
