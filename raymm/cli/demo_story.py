"""What `raymm demo` tells: two methods side by side as epochs end; then figures, intervals and the truth."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from textwrap import fill
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.api.progress import Epoch
from raymm.reports.paired_statistics import LEVEL, differences, p_of_mean, seed_interval
from raymm.reports.statistics import Interval
from raymm.sweep.runs import mean_metrics
from raymm.tracking.epoch_text import WIDTH
from raymm.tracking.metrics import phi_metric, split_metric
from raymm.tracking.of_an_epoch import epoch_seconds
from raymm.training.result import Result

__all__ = ["EpochEvents", "EpochLines", "story", "story_figures"]

Array = npt.NDArray[np.float64]

SECONDS = "seconds a run"
SIDE = 34
"""Width of one method's columns beside the other's."""
GAP = 4
"""Of it, what is left free before them."""


@dataclass
class EpochLines:
    """Prints a line for each epoch that all runs have committed: the means over the runs of each method.

    Parameters
    ----------
    methods
        The runs are those of the first method, then as many of the next.
    modalities, epochs
        Names of the modalities; epochs that each run has.
    echo
        Prints a line.
    """

    methods: Sequence[str]
    modalities: Sequence[str]
    epochs: int
    echo: Callable[[str], None]
    shown: int = field(default=0, init=False)

    def __call__(self, histories: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Print what is new of the histories of all runs."""
        if not self.shown:
            heads = "".join(f" {f'phi {name}':>10}" for name in self.modalities)
            self.echo("\n" + " " * 5 + "".join(f"{f' {name} ':-^{SIDE - GAP}}".rjust(SIDE) for name in self.methods))
            self.echo("epoch" + f"{f'accuracy{heads}':>{SIDE}}" * len(self.methods))
        reached = min(len(history) for history in histories)
        for epoch in range(self.shown, reached):
            self.echo(f"{epoch + 1:>2}/{self.epochs}" + "".join(self._sides(histories, epoch)))
        self.shown = reached

    def _sides(self, histories: Sequence[Sequence[dict[str, Any]]], epoch: int) -> list[str]:
        each = len(histories) // len(self.methods)
        sides = []
        for at in range(len(self.methods)):
            metrics = mean_metrics([history[epoch]["metrics"] for history in histories[at * each : (at + 1) * each]])
            phi = "".join(f" {metrics[phi_metric('val', name)]:>+10.2f}" for name in self.modalities)
            sides.append(f"{metrics[split_metric('val', 'accuracy')]:.3f}{phi}".rjust(SIDE))
        return sides


@dataclass
class EpochEvents:
    """Tells of each epoch that a run has committed, run by run, for programs.

    Parameters
    ----------
    runs
        Names of the runs, in the order of their histories.
    epochs, selection
        Epochs that each run has, and the validation metric that picks its model.
    tell
        Hears of an epoch.
    """

    runs: Sequence[str]
    epochs: int
    selection: str
    tell: Callable[[Epoch], None]
    _shown: dict[str, int] = field(default_factory=dict, init=False)

    def __call__(self, histories: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Tell of what is new of the histories of all runs."""
        for run, history in zip(self.runs, histories, strict=True):
            for entry in history[self._shown.get(run, 0) :]:
                self.tell(Epoch(run, entry["epoch"] + 1, self.epochs, entry["metrics"], self.selection))
            self._shown[run] = len(history)


@dataclass(frozen=True)
class Row:
    """A figure over the seeds of the first and the second method, [S] each, and the truth where it is known."""

    name: str
    first: Array
    second: Array
    digits: int = 3
    truth: float | None = None

    @property
    def change(self) -> Interval:
        """Of the second over the first, paired by seed."""
        return seed_interval(differences(self.second, self.first))

    @property
    def shown(self) -> bool:
        """Whether the interval of the change leaves out zero; equal changes go by sign flips."""
        return p_of_mean(differences(self.second, self.first)) <= LEVEL

    def line(self) -> str:
        """One line of the table."""
        cells = (_cell(seed_interval(values), self.digits) for values in (self.first, self.second))
        truth = "" if self.truth is None else f"{self.truth:>8.{self.digits}f}"
        return (f"{self.name:<14}" + "".join(f"{cell:<17}" for cell in (*cells, self.said())) + truth).rstrip()

    def said(self) -> str:
        """The change with its interval."""
        return _cell(self.change, self.digits, sign="+")


def story(results: Mapping[str, Sequence[Result]], truth: Mapping[str, float]) -> str:
    """The end of the demo.

    Parameters
    ----------
    results
        Of two methods, seed by seed: without and with the remedy.
    truth
        Mean contributions of each modality for an ideal observer.
    """
    (first, plain), (second, remedied) = results.items()
    rows = _rows(plain, remedied, truth)
    head = " " * 14 + "".join(f"{name:<17}" for name in (first, second, "change")) + f"{'truth':>8}"
    told = [
        "",
        "On the test split, read once by each run, with the epoch that validation picked:",
        "",
        head,
        *(row.line() for row in rows.values()),
        "",
        *_paragraphs(first, second, rows, truth),
        "",
    ]
    return "\n".join(told)


def _rows(plain: Sequence[Result], remedied: Sequence[Result], truth: Mapping[str, float]) -> dict[str, Row]:
    measured = {"accuracy": split_metric("test", "accuracy")}
    measured |= {f"{name} alone": split_metric("test", "accuracy", name) for name in truth}
    measured |= {f"phi {name}": phi_metric("test", name) for name in truth}
    known = {f"phi {name}": value for name, value in truth.items()}
    rows = {
        line: Row(line, _over_seeds(plain, name), _over_seeds(remedied, name), truth=known.get(line))
        for line, name in measured.items()
    }
    return rows | {SECONDS: Row(SECONDS, _seconds(plain), _seconds(remedied), digits=1)}


def _over_seeds(results: Sequence[Result], metric: str) -> Array:
    return np.array([result.metrics[metric] for result in results])


def _seconds(results: Sequence[Result]) -> Array:
    return np.array([sum(epoch_seconds(entry["metrics"]) for entry in result.history) for result in results])


def _paragraphs(first: str, second: str, rows: Mapping[str, Row], truth: Mapping[str, float]) -> list[str]:
    """What the figures say, in sentences; what became worse is among them."""
    starved = min(truth, key=lambda name: float(rows[f"phi {name}"].first.mean()) - truth[name])
    phi, alone = rows[f"phi {starved}"].first, rows[f"{starved} alone"].first
    seeds = len(phi)
    legend = (
        f"± is a 95 % interval over {seeds} seeds (Student's t); changes are paired by seed. The truth is the mean "
        "phi of an ideal observer, known because the clips were made."
    )
    trouble = (
        f"Trained by {first}, {starved} is starved: its phi is {phi.mean():.3f} where {truth[starved]:.3f} is there, "
        f"and alone it is right on {alone.mean():.1%} of the clips."
    )
    said = [
        legend,
        trouble,
        f"The remedy, {second}, trains every coalition of modalities on features that are encoded once.",
        *_verdicts(rows.values()),
        "One small collection with a planted imbalance: a demonstration, no study.",
    ]
    return [fill(text, WIDTH) for text in said]


def _verdicts(rows: Iterable[Row]) -> Iterator[str]:
    """Which changes are shown, for better and for worse, and which are not; nearer to the truth is better."""
    groups: dict[str, list[str]] = {"Better": [], "Worse": [], "Not shown to differ": []}
    for row in rows:
        groups[_outcome(row)].append(f"{row.name} {row.said()}")
    return (f"{outcome}: {', '.join(found)}." for outcome, found in groups.items() if found)


def _outcome(row: Row) -> str:
    if not row.shown:
        return "Not shown to differ"
    if row.truth is not None:
        nearer = abs(row.second.mean() - row.truth) < abs(row.first.mean() - row.truth)
        return "Better" if nearer else "Worse"
    return "Better" if (row.change.mean > 0) != (row.name == SECONDS) else "Worse"


def _cell(interval: Interval, digits: int, sign: str = "") -> str:
    margin = "" if isnan(interval.margin) else f" ± {interval.margin:.{digits}f}"
    return f"{interval.mean:{sign}.{digits}f}{margin}"


def story_figures(results: Mapping[str, Sequence[Result]], truth: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """The figures of the end of the demo, for programs: by their name, as in `story`.

    Returns
    -------
    Of each figure its mean by method, the `change` of the second method over the first with the `margin` of its 95 %
    interval over seeds, whether that is `shown` to differ from 0, and the `truth` where it is known, else None.
    """
    (first, plain), (second, remedied) = results.items()
    return {
        name: {
            first: float(row.first.mean()),
            second: float(row.second.mean()),
            "change": row.change.mean,
            "margin": row.change.margin,
            "shown": row.shown,
            "truth": row.truth,
        }
        for name, row in _rows(plain, remedied, truth).items()
    }
