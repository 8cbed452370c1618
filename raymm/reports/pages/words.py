"""Numbers of pages for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import TYPE_CHECKING

from raymm.reports.paired_statistics import has_no_spread
from raymm.reports.statistics import Interval
from raymm.reports.tables import number_text
from raymm.tracking.epoch_text import ROUNDING

if TYPE_CHECKING:
    from raymm.reports.statistics import Proportion

__all__ = [
    "NONE",
    "decimal",
    "listed",
    "margin_text",
    "p_text",
    "percent",
    "plus_minus",
    "range_words",
    "share_words",
]

NONE = "-"
"""Where there is no number."""

VISIBLE = 5e-4
"""What three decimals show as another number than 0."""


def decimal(value: float | None, digits: int = 2, *, signed: bool = False, beside: Iterable[float] = ()) -> str:
    """A number with decimals, more of them where it would else seem to be 0 or 1.

    Parameters
    ----------
    beside
        Numbers that stand with it: where one of them is not as small, 0.00 says enough.

    Examples
    --------
    >>> decimal(0.467), decimal(0.0012), decimal(0.998), decimal(1.0), decimal(None), decimal(0.2, signed=True)
    ('0.47', '0.001', '0.998', '1.00', '-', '+0.20')
    >>> decimal(4.2e-6), decimal(4.2e-6, beside=[0.03]), decimal(1e-17)
    ('4.2e-06', '0.00', '0.00')
    """
    if value is None or isnan(value):
        return NONE
    text = number_text(value, digits)
    if (float(text) == 0 and abs(value) >= VISIBLE) or (float(text) == 1 and abs(value - 1) >= VISIBLE):
        text = number_text(value)
    elif ROUNDING < abs(value) < VISIBLE and not any(abs(other) >= VISIBLE for other in beside):
        text = f"{value:.2g}"
    return f"+{text}" if signed and float(text) > 0 else text


def p_text(p: float) -> str:
    """A p value.

    Examples
    --------
    >>> p_text(0.0196), p_text(0.0003), p_text(0.724), p_text(float("nan"))
    ('p 0.020', 'p < 0.001', 'p 0.72', 'no p')
    """
    if isnan(p):
        return "no p"
    if p < 0.001:
        return "p < 0.001"
    return f"p {p:.3f}" if p < 0.1 else f"p {p:.2f}"


def percent(share: float | None) -> str:
    """A share in percent, without decimals but near 0 and 100.

    >>> percent(0.694), percent(0.004), percent(0.9996), percent(1.0), percent(None)
    ('69 %', '0.4 %', '99.96 %', '100 %', '-')
    """
    if share is None or isnan(share):
        return NONE
    number = 100 * share
    digits = 0
    while digits < 2 and float(f"{number:.{digits}f}") in (0.0, 100.0) and number not in (0.0, 100.0):
        digits += 1
    return f"{number:.{digits}f} %"


def margin_text(interval: Interval, *, beside: Iterable[float] = ()) -> str:
    """The margin of error; a dash where there is none, as of values that are all equal. `beside` as of `decimal`."""
    return NONE if has_no_spread(interval) else decimal(interval.margin, beside=beside)


def plus_minus(interval: Interval, *, signed: bool = False) -> str:
    """A mean with its margin of error; the mean alone where there is no margin.

    >>> plus_minus(Interval(0.467, 0.072, 9)), plus_minus(Interval(0.467, 0.0, 2))
    ('0.47 ± 0.07', '0.47')
    """
    both = interval.mean, interval.margin
    margin = margin_text(interval, beside=both)
    mean = decimal(interval.mean, signed=signed, beside=both)
    return mean if margin == NONE else f"{mean} ± {margin}"


def range_words(low: float, high: float) -> str:
    """An interval: "0.09 to 0.16"."""
    return f"{decimal(low, beside=[high])} to {decimal(high, beside=[low])}"


def share_words(found: Proportion | None) -> str:
    """A share with its interval: "0.12 (0.09 to 0.16)"; a dash where there is none."""
    if found is None or not found.count:
        return NONE
    return f"{decimal(found.share, beside=[found.high])} ({range_words(found.low, found.high)})"


def listed(names: Sequence[str]) -> str:
    """Names with commas and "and".

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
