"""An epoch in one line of at most 80 columns, and what the words of that line mean."""

from __future__ import annotations

import math
from collections.abc import Mapping

from raymm.tracking.metrics import ROWS, TRAIN_LOSS, TRAIN_SECONDS, split_metric
from raymm.tracking.of_an_epoch import epoch_seconds, phi_by_modality

__all__ = ["WIDTH", "epoch_line", "figure_text", "legend", "short_name", "short_number"]

WIDTH = 80
"""Columns of what is printed for people."""

ROUNDING = 1e-12
"""Smaller figures are shown as 0, which sums of numbers around 1 are off by."""


def epoch_line(number: int, epochs: int, metrics: Mapping[str, float], selection: str, width: int = WIDTH) -> str:
    """The line of an epoch, `number` from 1.

    Where not all fits, the rows are left out first; then the modalities but the one that contributes least and the
    one that contributes most.

    >>> metrics = {"train/loss": 0.5, "val/accuracy": 0.75, "phi/val_audio": 0.25, "phi/val_rgb": 1.25}
    >>> metrics |= {"rows/epoch": 96, "time/train_s": 1.5, "time/value_s": 0.5}
    >>> epoch_line(2, 30, metrics, "accuracy")
    'epoch   2/30  loss 0.500  val 0.750  phi audio +0.25 rgb +1.25  96 rows  2.0 s'
    """
    val = metrics.get(split_metric("val", selection), math.nan)
    head = f"epoch {number:>3}/{epochs}  loss {short_number(metrics[TRAIN_LOSS])}  val {short_number(val)}"
    tail = f"  {epoch_seconds(metrics):.1f} s" if TRAIN_SECONDS in metrics else ""
    phi, rows = phi_by_modality(metrics, "val"), f"  {metrics[ROWS]:.0f} rows"
    lines = [f"{head}{_every(phi)}{more}{tail}" for more in (rows, "")]
    lines += [f"{head}{_least_and_most(phi, width - len(head + more + tail))}{more}{tail}" for more in (rows, "")]
    return next((line for line in lines if len(line) <= width), f"{head}{tail}")


def legend(selection: str, fair_share: float | None) -> list[str]:
    """What the words of an epoch's line mean, a line each.

    Parameters
    ----------
    selection
        The validation metric that picks the model.
    fair_share
        What each modality contributes where all contribute alike; None for a utility without one.
    """
    fair = "" if fair_share is None else f"; its fair share is {fair_share:g}"
    return [
        "loss   mean loss of training over the rows of the epoch",
        f"val    {selection} on the validation split, by which the model is picked",
        f"phi    what a modality contributes there, on average{fair}",
        "rows   what was trained: each sample once, and rows that the method adds",
        "s      seconds of the epoch, of training and valuation",
    ]


def short_number(value: float) -> str:
    """A number in a line: three decimals, or four digits where these would say nothing.

    >>> short_number(0.5), short_number(0.000123), short_number(12345.678)
    ('0.500', '0.000123', '1.235e+04')
    """
    return f"{value:.3f}" if value == 0 or not math.isfinite(value) or 0.001 <= abs(value) < 1000 else f"{value:.4g}"


def figure_text(value: float, *, signed: bool = False) -> str:
    """A figure of any unit with four decimals, or three digits where these would say little.

    >>> figure_text(0.84), figure_text(4.213e-6), figure_text(12345.678), figure_text(0.12, signed=True)
    ('0.8400', '4.21e-06', '12345.6780', '+0.1200')
    """
    form = ".3g" if ROUNDING < abs(value) < 0.001 else ".4f"
    return f"{value:{'+' if signed else ''}{form}}"


def short_name(name: str, width: int) -> str:
    """A name in so many columns; of a longer one the end, which tells folders and sensors apart.

    >>> short_name("imu_left_foot", 8), short_name("rgb", 8)
    ('..t_foot', 'rgb')
    """
    return name if len(name) <= width else f"..{name[len(name) - max(width - 2, 1) :]}"


def _every(phi: Mapping[str, float]) -> str:
    return "  phi " + " ".join(f"{name} {value:+.2f}" for name, value in phi.items()) if phi else ""


def _least_and_most(phi: Mapping[str, float], room: int) -> str:
    """The modalities that contribute least and most, within so many columns; empty where these are too few."""
    if len(phi) < 2:
        return ""
    ordered = sorted(phi.items(), key=lambda item: item[1])
    figures = [f" {value:+.2f}" for _, value in (ordered[0], ordered[-1])]
    width = (room - len("  phi  to ") - sum(map(len, figures))) // 2
    if width < 4:
        return ""
    least, most = (short_name(name, width) for name, _ in (ordered[0], ordered[-1]))
    return f"  phi {least}{figures[0]} to {most}{figures[1]}"
