"""A valuation as a folder that people read: README.md with tables, and plots beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raymm.reports import plots
from raymm.reports.statistics import Mean, means_by
from raymm.reports.valuation_summary import low_head, no_fair_share, summarise
from raymm.storage import write_bytes
from raymm.valuation import ValuationTable, interactions

__all__ = ["write_valuation_report"]


def write_valuation_report(
    folder: Path, table: ValuationTable, classes: Sequence[str], title: str, command: str
) -> list[Path]:
    """Write the report and return its files.

    Parameters
    ----------
    classes
        Names of the classes, by label.
    title, command
        What stands above it, and what made it.
    """
    figures = _figures(table, classes)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        plots.save(figure, paths[-1])
    summary = summarise(table)
    content = [
        f"# {title}",
        "",
        _opening(table, summary),
        "",
        f"Made by `{command}`.",
        "",
        *_modalities(summary),
        *_pairs(summary),
        *_classes(means_by(table, table.label, classes), table),
        *_lowest(summary),
        *(line for path in paths for line in (f"![{path.stem}]({path.name})", "")),
    ]
    write_bytes(folder / "README.md", "\n".join(content).rstrip().encode() + b"\n")
    return [folder / "README.md", *paths]


def _figures(table: ValuationTable, classes: Sequence[str]) -> dict[str, Any]:
    names, fair_share = table.info.modalities, table.info.fair_share
    figures = {
        "phi-distribution": plots.phi_distribution(names, table.phi, fair_share),
        "phi-per-class": plots.phi_per_class(names, classes, table.phi, table.label, fair_share),
    }
    if table.enumerated and len(names) > 1:
        strength = interactions(torch.from_numpy(table.right()).long()).mean(dim=0).numpy()
        figures["interactions"] = plots.interaction_matrix(names, strength)
    return figures


def _opening(table: ValuationTable, summary: dict[str, Any]) -> str:
    budget = f" with {summary['budget']} coalitions a sample" if summary["budget"] else ""
    return (
        f"{summary['samples']} samples of the {', '.join(sorted(set(table.split.tolist())))} split; accuracy "
        f"{summary['accuracy']:.3f}; utility `{summary['utility']}`, masking `{table.info.masking}`, values "
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
    lines = [f"| modality | present | {' | '.join(columns.values())} |", "|---" * (len(columns) + 2) + "|"]
    for name, row in summary["modalities"].items():
        lines.append(f"| {name} | {row['present']} | {' | '.join(_number(row[key]) for key in columns)} |")
    return [*lines, "", *no_fair_share(summary), "Banzhaf values are of the outcome without the factor |C|.", ""]


def _pairs(summary: dict[str, Any]) -> list[str]:
    if not summary["pairs"]:
        return []
    keys = (
        "synergy",
        "redundancy",
        "first carries",
        "second carries",
        "first breaks",
        "second breaks",
        "conflict",
        "hard",
    )
    lines = ["## Pairs", "", f"| first | second | {' | '.join(keys)} | interaction |", "|---" * (len(keys) + 3) + "|"]
    for pair in summary["pairs"]:
        shares = " | ".join(f"{100 * pair['patterns'][key]:.0f} %" for key in keys)
        lines.append(f"| {pair['first']} | {pair['second']} | {shares} | {pair['interaction']:+.3f} |")
    return [*lines, ""]


def _classes(means: list[Mean], table: ValuationTable) -> list[str]:
    names = table.info.modalities
    lines = ["## Mean phi by class, ± 95 %", "", f"| class | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for start in range(0, len(means), len(names)):
        row = means[start : start + len(names)]
        lines.append(f"| {row[0].group} | {' | '.join(f'{m.mean:.2f} ± {m.margin:.2f}' for m in row)} |")
    return [*lines, ""]


def _lowest(summary: dict[str, Any]) -> list[str]:
    lines = [
        f"- {name}: " + ", ".join(f"{row['sample_id']} ({row['phi']:+.2f})" for row in figures["lowest"])
        for name, figures in summary["modalities"].items()
        if figures["lowest"]
    ]
    return ["## Most negative samples", "", *lines, ""] if lines else []


def _number(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"
