"""Charts as the places of their marks, which templates draw as SVG: lines over epochs, bars with intervals.

A chart has an alternative text that carries its numbers. Colours are classes of the style sheet (`c0`, `c1`, ...), so
that they fit light and dark pages, and lines differ in their dashes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from matplotlib.ticker import MaxNLocator

from raymm.reports.spacing import evenly

__all__ = [
    "HEIGHT",
    "WIDTH",
    "BarChart",
    "Level",
    "LineChart",
    "Mark",
    "Series",
    "bar_chart",
    "colour_class",
    "line_chart",
]

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 18, 38
MOST_POINTS = 400
"""Points of a line; of more epochs, as many evenly spaced ones are drawn."""
COLOURS = 8
ROW = 34


@dataclass(frozen=True)
class Series:
    """A line: its name, a value at each place, NaN where there is none, and its colour; None is that of the text."""

    name: str
    values: Sequence[float]
    colour: int | None = None


@dataclass(frozen=True)
class Level:
    """A straight line across a chart: at a value, or at a place of the x axis."""

    name: str
    at: float
    axis: Literal["x", "y"] = "y"


@dataclass(frozen=True)
class Mark:
    """A place of an axis: where, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """What is drawn of a series: the class of its colour, polylines, and dots."""

    name: str
    colour: str
    paths: Sequence[str]
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class LineChart:
    """Lines with axes; all places are in the units of `WIDTH` by `HEIGHT`."""

    title: str
    alt: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    x_marks: Sequence[Mark]
    y_marks: Sequence[Mark]
    levels: Sequence[tuple[str, float, Literal["x", "y"]]]
    box: tuple[float, float, float, float] = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Bar:
    """A bar from `start` to `end`, its whisker, and what is written beside it."""

    name: str
    colour: str
    y: float
    start: float
    end: float
    whisker: tuple[float, float] | None
    text: str


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars on one axis."""

    title: str
    alt: str
    x_label: str
    bars: Sequence[Bar]
    x_marks: Sequence[Mark]
    zero: float
    level: tuple[str, float] | None
    height: int
    width: int = WIDTH


def colour_class(number: int | None) -> str:
    """The class of the style sheet for a colour.

    >>> colour_class(9), colour_class(None)
    ('c1', 'all')
    """
    return "all" if number is None else f"c{number % COLOURS}"


def line_chart(
    title: str,
    alt: str,
    places: Sequence[float],
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    levels: Sequence[Level] = (),
    include: Sequence[float] = (),
) -> LineChart | None:
    """Lines over places; None where no series has a value.

    Parameters
    ----------
    places
        Of the values of every series, rising.
    include
        Values that the y axis reaches in any case.
    """
    known = [value for each in series for value in each.values if isfinite(value)]
    if not known or not places:
        return None
    ys = [*known, *include, *(level.at for level in levels if level.axis == "y")]
    x_ticks = _ticks(min(places), max(places), whole=True)
    y_ticks = _ticks(min(ys), max(ys))
    x = _Scale(min(places), max(places), LEFT + 6, WIDTH - RIGHT - 6)
    y = _Scale(min([*ys, y_ticks[0]]), max([*ys, y_ticks[-1]]), HEIGHT - BOTTOM, TOP)
    kept = evenly(len(places), MOST_POINTS)
    return LineChart(
        title,
        alt,
        x_label,
        y_label,
        [_line(each, places, kept, x, y) for each in series],
        [Mark(x(tick), f"{tick:g}") for tick in x_ticks if min(places) <= tick <= max(places)],
        [Mark(y(tick), f"{tick:g}") for tick in y_ticks],
        [(each.name, x(each.at) if each.axis == "x" else y(each.at), each.axis) for each in levels],
    )


def bar_chart(
    title: str,
    alt: str,
    bars: Sequence[tuple[str, float, float, str]],
    *,
    x_label: str,
    level: Level | None = None,
) -> BarChart | None:
    """Bars of (name, value, margin, text); None where none has a value.

    A margin that is NaN has no whisker.
    """
    known = [(value, margin if isfinite(margin) else 0.0) for _, value, margin, _ in bars if isfinite(value)]
    if not known:
        return None
    ends = [0.0, *(value - margin for value, margin in known), *(value + margin for value, margin in known)]
    ends += [level.at] if level else []
    ticks = _ticks(min(ends), max(ends))
    x = _Scale(min(*ends, ticks[0]), max(*ends, ticks[-1]), 18, WIDTH - 18)
    drawn = [_bar(each, number, x) for number, each in enumerate(bars)]
    height = TOP + ROW * len(bars) + BOTTOM
    marks = [Mark(x(tick), f"{tick:g}") for tick in ticks]
    return BarChart(title, alt, x_label, drawn, marks, x(0.0), (level.name, x(level.at)) if level else None, height)


@dataclass(frozen=True)
class _Scale:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        return round(self.start + (self.end - self.start) * ((value - self.low) / span if span else 0.5), 1)


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    if low == high:
        low, high = low - 0.5, high + 0.5
    found = MaxNLocator(nbins=5, integer=whole, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [round(float(tick), 9) + 0.0 for tick in found]


def _line(series: Series, places: Sequence[float], kept: Sequence[int], x: _Scale, y: _Scale) -> Line:
    """Polylines between gaps; dots where there are few points, or one stands by itself."""
    paths: list[list[tuple[float, float]]] = [[]]
    for at in kept:
        if isfinite(series.values[at]):
            paths[-1].append((x(places[at]), y(series.values[at])))
        elif paths[-1]:
            paths.append([])
    few = len(kept) <= 30
    dots = [point for path in paths for point in path if few or len(path) == 1]
    texts = [" ".join(f"{a:g},{b:g}" for a, b in path) for path in paths if len(path) > 1]
    return Line(series.name, colour_class(series.colour), texts, dots)


def _bar(bar: tuple[str, float, float, str], number: int, x: _Scale) -> Bar:
    name, value, margin, text = bar
    y = TOP + ROW * number + 22
    if not isfinite(value):
        return Bar(name, colour_class(number), y, x(0.0), x(0.0), None, text)
    start, end = sorted((x(0.0), x(value)))
    whisker = (x(value - margin), x(value + margin)) if isfinite(margin) else None
    return Bar(name, colour_class(number), y, start, end, whisker, text)
