"""Numbers of a study for people: shares in points, intervals."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from raymm.tracking.metrics import parse, split_metric

if TYPE_CHECKING:
    from raymm.study.bootstrap import Range
    from raymm.study.figures import Figure

SMALLEST = 1e-5
"""What is smaller is rounding: test accuracies are sums of whole samples, and figures of other kinds as long; but
errors in units of the label may be of any size."""

__all__ = ["amount", "range_text", "ratio_text", "unit_of"]


def amount(value: float, figure: Figure, *, signed: bool = False) -> str:
    """A figure or a difference of it, in points where it is a share; a dash where there is none.

    It has one decimal (three where it is no share), and more where it would else seem to be 0.

    Examples
    --------
    >>> from raymm.study.figures import Figure
    >>> accuracy = Figure("accuracy", "accuracy", higher=True, share=True)
    >>> amount(0.0541, accuracy), amount(-0.0541, accuracy, signed=True), amount(0.0004, accuracy)
    ('5.4', '-5.4', '0.04')
    """
    if isnan(value):
        return "-"
    number, digits = (100 * value, 1) if figure.share else (value, 3)
    sign = "+" if signed and number > 0 else ""
    text = f"{number:.{digits}f}"
    if float(text) == 0:
        least = 0.0 if _declared_unit(figure) == "label" else SMALLEST
        text = f"{number:.1g}" if abs(number) > least else f"{0:.{digits}f}"
    return f"{sign}{text}"


def range_text(ends: Range | None, figure: Figure) -> str:
    """An interval, "1.0 to 9.8"; a dash where there is none."""
    if ends is None or any(map(isnan, ends)):
        return "-"
    return f"{amount(ends[0], figure)} to {amount(ends[1], figure)}"


def unit_of(figure: Figure) -> str:
    """Of differences: "points" where it is a share, else the unit of the metric."""
    if figure.share:
        return "points"
    return figure.unit or _declared_unit(figure) or figure.name


def _declared_unit(figure: Figure) -> str:
    declared = parse(split_metric("test", figure.metric))
    return declared.metric.unit if declared else ""


def ratio_text(value: float) -> str:
    """A cost relative to another; a dash where it is not known.

    >>> ratio_text(1.6249), ratio_text(12.34), ratio_text(float("nan"))
    ('1.62', '12.3', '-')
    """
    if isnan(value):
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.3g}"
