"""The report of a valuation: a folder with README.md and plots."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.counts import counted
from raymm.reports import plots
from raymm.reports.pages.groups import by_class
from raymm.reports.some_classes import furthest_apart
from raymm.reports.tables import number_text, plain_table
from raymm.reports.valuation_summary import PATTERN_HEADS, low_head, no_fair_share, summarise
from raymm.storage.atomic import write_bytes
from raymm.valuation.outcome_means import mean_interactions

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["valuation_figures", "write_valuation_report"]


def write_valuation_report(
    folder: Path,
    table: ValuationTable,
    classes: Sequence[str],
    title: str,
    command: str,
) -> list[Path]:
    """Write the report and return its files.

    Parameters
    ----------
    classes
        Names of the classes, by label.
    title, command
        Title of the report, and the command that made it.
    """
    paths = plots.save_all(valuation_figures(table, classes), folder)
    summary = summarise(table, classes)
    content = [
        f"# {title}",
        "",
        _opening(table, summary),
        "",
        f"Made by `{command}`.",
        "",
        *_modalities(summary),
        *_pairs(summary),
        *_classes(table, classes),
        *_lowest(summary),
        *(line for path in paths for line in (f"![{path.stem}]({path.name})", "")),
    ]
    write_bytes(folder / "README.md", "\n".join(content).rstrip().encode() + b"\n")
    return [folder / "README.md", *paths]


def valuation_figures(table: ValuationTable, classes: Sequence[str]) -> dict[str, Any]:
    """The plots of the report by name, as figures of matplotlib; `classes` names the classes, by label."""
    names, fair_share = table.info.modalities, table.info.fair_share
    figures = {"phi-distribution": plots.phi_distribution(names, table.phi, fair_share)}
    if table.task.categorical:
        mean = by_class(table, len(classes)).mean
        figures["phi-per-class"] = plots.phi_per_class(names, classes, mean, fair_share)
    if table.shows_outcomes and len(names) > 1:
        figures["interactions"] = plots.interaction_matrix(names, mean_interactions(table))
    return figures


def _opening(table: ValuationTable, summary: dict[str, Any]) -> str:
    budget = f" with {counted(summary['budget'], 'coalition')} a sample" if summary["budget"] else ""
    accuracy = f"; accuracy {summary['accuracy']:.3f}" if summary["accuracy"] is not None else ""
    return (
        f"{counted(summary['samples'], 'sample')} of the {', '.join(sorted(set(table.split.tolist())))} "
        f"split{accuracy}; "
        f"utility `{summary['utility']}`, masking `{table.info.masking}`, values "
        f"{summary['method']}{budget}; model `{table.info.fingerprint}`."
    )


def _modalities(summary: dict[str, Any]) -> list[str]:
    columns = {
        "accuracy_alone": "right alone",
        "mean_phi": "mean phi",
        "ci95": "± 95 %",
        "low": low_head(summary),
        "negative": "phi < 0",
        "banzhaf": "Banzhaf",
        "stderr": "standard error",
    }
    rows = [
        [name, str(row["present"]), *(number_text(row[key]) for key in columns)]
        for name, row in summary["modalities"].items()
    ]
    table = plain_table(["modality", "present", *columns.values()], rows)
    banzhaf = ["Banzhaf values are of the outcome without the factor |C|."] if summary["accuracy"] is not None else []
    return [*table, "", *no_fair_share(summary), *banzhaf, ""]


def _pairs(summary: dict[str, Any]) -> list[str]:
    if not summary["pairs"]:
        return []
    rows = [
        [
            pair["first"],
            pair["second"],
            *(f"{100 * pair['patterns'][pattern]:.0f} %" for pattern in PATTERN_HEADS),
            f"{pair['interaction']:+.3f}",
        ]
        for pair in summary["pairs"]
    ]
    return ["## Pairs", "", *plain_table(["first", "second", *PATTERN_HEADS, "interaction"], rows), ""]


def _classes(table: ValuationTable, classes: Sequence[str]) -> list[str]:
    if not table.task.categorical:
        return []
    groups = by_class(table, len(classes))
    shown = furthest_apart(groups.mean)
    rows = [[classes[at], *map(_with_margin, groups.mean[at], groups.margin[at])] for at in shown]
    lines = plain_table(["class", *table.info.modalities], rows)
    more = len(classes) - len(shown)
    left_out = f"{counted(more, 'more class is', 'more classes are')} left out, whose modalities are less far apart."
    return ["## Mean phi by class, ± 95 %", "", *lines, "", *([left_out, ""] if more else [])]


def _with_margin(mean: float, margin: float) -> str:
    """A mean with its margin of error; alone where there is no margin, a dash where there is no mean."""
    return number_text(mean, 2) + ("" if isnan(margin) else f" ± {margin:.2f}")


def _lowest(summary: dict[str, Any]) -> list[str]:
    rows = [
        [name, f"{row['phi']:+.2f}", row["sample_id"], row["source"], row["label"], row["prediction"]]
        for name, figures in summary["modalities"].items()
        for row in figures["lowest"]
    ]
    lines = plain_table(["modality", "phi", "sample", "file", "label", "predicted"], rows)
    return ["## Most negative samples", "", *lines, ""] if rows else []
