"""A valuation table in a few lines: accuracy, each modality alone, mean contributions, who is low."""

from typing import Any

import numpy as np

from raymm.valuation import ValuationTable

__all__ = ["summarise", "summary_lines"]


def summarise(table: ValuationTable) -> dict[str, Any]:
    """Figures of a table.

    Returns
    -------
    `samples`, `accuracy`, `utility`, and by modality `present`, `accuracy_alone`, `mean_phi`, `ci95` (half
    width of the 95 % interval of the mean, normal approximation), `low` and `negative` (shares of the samples
    that have it with phi below 1, the fair share, and below 0).
    """
    modalities = {}
    for position, name in enumerate(table.info.modalities):
        has = ~np.isnan(table.phi[:, position])
        phi = table.phi[has, position]
        modalities[name] = {
            "present": int(has.sum()),
            "accuracy_alone": _mean(table.alone[has, position]),
            "mean_phi": _mean(phi),
            "ci95": float(1.96 * phi.std(ddof=1) / np.sqrt(len(phi))) if len(phi) > 1 else None,
            "low": _mean(phi < 1),
            "negative": _mean(phi < 0),
        }
    return {
        "samples": len(table),
        "utility": table.info.utility,
        "accuracy": _mean(table.prediction == table.label),
        "modalities": modalities,
    }


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The figures as lines of a table, 80 columns wide at most."""
    lines = [
        f"{summary['samples']} samples, accuracy {_number(summary['accuracy'])}, utility {summary['utility']}",
        f"{'modality':<16}{'present':>9}{'alone':>9}{'mean phi':>12}{'± 95 %':>9}{'phi < 1':>10}{'phi < 0':>10}",
    ]
    for name, row in summary["modalities"].items():
        lines.append(
            f"{name:<16}{row['present']:>9}{_number(row['accuracy_alone']):>9}{_number(row['mean_phi']):>12}"
            f"{_number(row['ci95']):>9}{_number(row['low']):>10}{_number(row['negative']):>10}"
        )
    return lines


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
