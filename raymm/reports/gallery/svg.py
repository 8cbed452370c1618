"""Lines and bars of vector graphics, written as the `d` of an SVG path in whole numbers.

A graphic is `HEIGHT` units high, and its x runs through the numbers that are shown; pages stretch it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["HEIGHT", "MOST_BARS", "MOST_POINTS", "Drawn", "bars", "traces"]

HEIGHT = 100

MOST_POINTS = 240
MOST_BARS = 128

Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Drawn:
    """Paths of one graphic, its width in units, and the y of zero (None where that lies outside)."""

    paths: tuple[str, ...]
    width: int
    zero: int | None


def traces(series: Numbers) -> Drawn:
    """A line a channel of series [channels, length], on one scale from the lowest to the highest number.

    Of more than `MOST_POINTS` numbers the lowest and the highest of each stretch are drawn, in their order.
    """
    shown = _thinned(series)
    low, high = _span(float(shown.min()), float(shown.max()))
    places = _places(shown, low, high)
    zero = int(_places(np.zeros(1), low, high)[0]) if low <= 0 <= high else None
    return Drawn(tuple(map(_line, places)), max(1, shown.shape[1] - 1), zero)


def bars(values: Numbers) -> Drawn:
    """A bar from 0 a number of [size]; of more than `MOST_BARS`, that of the largest magnitude of each stretch."""
    shown = np.array([part[np.abs(part).argmax()] for part in np.array_split(values, min(len(values), MOST_BARS))])
    low, high = _span(min(0.0, float(shown.min())), max(0.0, float(shown.max())))
    zero, *places = _places(np.array([0.0, *shown]), low, high).tolist()
    path = "".join(f"M{2 * number + 1} {zero}V{place}" for number, place in enumerate(places))
    return Drawn((path,), 2 * len(places), zero)


def _line(places: npt.NDArray[np.int64]) -> str:
    """`M0 y` and a step of 1 to the right for each further number."""
    steps = [f"1{step}" if step < 0 else f"1 {step}" for step in np.diff(places).tolist()]
    return f"M0 {places[0]}l{' '.join(steps)}" if steps else f"M0 {places[0]}h1"


def _thinned(series: Numbers) -> Numbers:
    if series.shape[1] <= MOST_POINTS:
        return series
    parts = np.array_split(series, MOST_POINTS // 2, axis=1)
    pairs = [np.sort(np.stack([part.argmin(axis=1), part.argmax(axis=1)], axis=1), axis=1) for part in parts]
    return np.concatenate(
        [np.take_along_axis(part, pair, axis=1) for part, pair in zip(parts, pairs, strict=True)], axis=1
    )


def _span(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 1, high + 1)


def _places(values: Numbers, low: float, high: float) -> npt.NDArray[np.int64]:
    """y of numbers: `high` at 0, `low` at HEIGHT."""
    parts = (high - values.astype(np.float64)) / (high - low)
    return np.round(parts * HEIGHT).astype(np.int64)
