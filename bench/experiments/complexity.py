"""How valuation and training grow with modalities, samples and coalitions, beside the formulas."""

import csv
import io
import json
from dataclasses import asdict

from matplotlib.figure import Figure

from bench.experiments.growth import training_series, valuation_series
from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.timed import Series, slope
from raymm.reports.plots import COLOURS, panels, style_axis
from raymm.storage.atomic import write_json

__all__ = ["run"]

QUESTION = (
    "How do the times of valuation and training grow with modalities n, samples and coalitions, and is that what "
    "the formulas say? Valuation is of features that are given, since encoders run once a sample whatever the "
    "way. How far sampled values are from exact ones is measured elsewhere: [valuation against an "
    "oracle](../oracle/README.md)."
)
TEXT = (
    "Processor time of one thread, the quickest of three rounds. The slope is that of log(time) over log(formula), "
    "by least squares over the larger half of the sizes: 1 is growth by the formula, less is work that does not grow "
    "(calls, tables) or that the processor does more efficiently in larger pieces."
)


def run(inputs: Inputs) -> Page:
    """Measure all series."""
    groups = _measured(inputs)
    page = Page("What valuation and training cost, and how that grows", QUESTION)
    for title, series in groups.items():
        page.head(title, TEXT if title == "Valuation" else "Small encoders of vectors; concat; batches of 32 rows.")
        page.table(["work", "over", "sizes", "milliseconds", "formula", "slope"], [_row(one) for one in series])
        shows = f"processor time over the size; dashed: the formula, through the largest size ({title.lower()})"
        page.plot(title.lower(), _plot(series), shows)
    page.file("series.csv", _csv([one for series in groups.values() for one in series]), "All times")
    return page


def _measured(inputs: Inputs) -> dict[str, list[Series]]:
    """The series, which are measured once in a working folder."""
    saved = inputs.work / "series.json"
    if not saved.exists():
        groups = {
            "Valuation": valuation_series(quick=inputs.quick),
            "Training": training_series(inputs.work / "data", quick=inputs.quick),
        }
        write_json(saved, {title: [asdict(one) for one in series] for title, series in groups.items()})
    found = json.loads(saved.read_text())
    return {title: [Series(**one) for one in series] for title, series in found.items()}


def _row(series: Series) -> list[str]:
    first, last = 1e3 * series.seconds[0], 1e3 * series.seconds[-1]
    sizes = f"{series.sizes[0]} to {series.sizes[-1]}"
    return [series.what, series.over, sizes, f"{first:.3g} to {last:.3g}", series.formula, f"{slope(series):.2f}"]


def _plot(series: list[Series]) -> Figure:
    axes_of = list(dict.fromkeys(one.over for one in series))
    figure, axes = panels(len(axes_of), "milliseconds", width=4.0, margin=0.8)
    for axis, over in zip(axes, axes_of, strict=True):
        for place, one in enumerate(each for each in series if each.over == over):
            colour = COLOURS[place % len(COLOURS)]
            axis.plot(one.sizes, [1e3 * second for second in one.seconds], "o-", color=colour, label=one.what)
            by_formula = [1e3 * one.seconds[-1] * count / one.operations[-1] for count in one.operations]
            axis.plot(one.sizes, by_formula, "--", color=colour, linewidth=0.8)
        axis.set_yscale("log")
        axis.set_xscale("linear" if over == "n" else "log")
        axis.set_xlabel(over)
        axis.legend(frameon=False, fontsize=6)
        style_axis(axis)
    return figure


def _csv(series: list[Series]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["work", "over", "size", "operations", "seconds"])
    for one in series:
        for row in zip(one.sizes, one.operations, one.seconds, strict=True):
            writer.writerow([one.what, one.over, *row])
    return text.getvalue()
