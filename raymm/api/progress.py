"""What a long call tells of its progress, and the class that is told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from raymm.tracking.epoch_text import WIDTH, epoch_line, short_name, short_number
from raymm.tracking.metrics import TRAIN_SECONDS, split_metric
from raymm.tracking.of_an_epoch import epoch_seconds

if TYPE_CHECKING:
    from raymm.training.heading import Heading
    from raymm.training.live import RunProgress

__all__ = [
    "Epoch",
    "JobEvent",
    "Progress",
    "Running",
    "clock",
    "cut",
    "one_line_of",
    "pace_of",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Epoch:
    """An epoch that a run has committed.

    Attributes
    ----------
    run
        Name of the run.
    number, epochs
        Which one it is, from 1, and how many there will be.
    metrics
        As in the history: `train/loss`, `val/accuracy`, ...
    selection
        The validation metric that picks the model.
    """

    run: str
    number: int
    epochs: int
    metrics: Mapping[str, float]
    selection: str

    def __str__(self) -> str:
        """One line for people, of at most 80 columns."""
        return epoch_line(self.number, self.epochs, self.metrics, self.selection)

    def score(self) -> str:
        """The validation metric that picks the model, with its name; one that was not finite is NaN."""
        value = self.metrics.get(split_metric("val", self.selection), math.nan)
        return f"val {self.selection} {short_number(value)}"

    @property
    def seconds(self) -> float | None:
        """Seconds of training and valuation; None where they are not known."""
        return epoch_seconds(self.metrics) if TRAIN_SECONDS in self.metrics else None


@dataclass(frozen=True)
class JobEvent:
    """A trial of a sweep, or a run of a study, that begins or has ended.

    Attributes
    ----------
    kind
        "trial"; or of a study "run", "pilot", "trial" or "warm-up".
    name
        The name of the trial; or data set, arm and seed.
    state
        "begins", "finished", "stopped" by the scheduler, or "failed".
    epochs, score, selection
        Epochs that were trained, and the best value of the validation metric; None where they are not known.
    seconds
        How long it took; None where that is not known.
    cause
        Why it failed.
    """

    kind: str
    name: str
    state: str
    epochs: int | None = None
    score: float | None = None
    selection: str = ""
    seconds: float | None = None
    cause: str = ""


@dataclass(frozen=True)
class Running:
    """A run that is trained at this moment, alone or as a part of a sweep or study.

    Attributes
    ----------
    name
        What it is called there: the name of a run, a trial, or data set, arm and seed.
    state
        How far it is.
    """

    name: str
    state: RunProgress

    def __str__(self) -> str:
        """One line for people: the epoch, the share of its rows, rows a second and the time left."""
        state = self.state
        epoch = f"{short_name(self.name, 34)}  epoch {state.epoch}/{state.epochs}"
        return f"{epoch}  {pace_of(state)}"


def pace_of(state: RunProgress) -> str:
    """How far an epoch is, and how fast: "41%  345 rows/s  0:12 left"; of a valuation "valuing 41%  ..."."""
    left = "" if state.seconds_left is None else f"  {clock(state.seconds_left)} left"
    if state.phase == "training":
        return f"{state.share:.0%}  {state.rows_per_second:.0f} rows/s{left}"
    if not state.values:
        return state.phase
    return f"{state.phase} {state.valued / state.to_value:.0%}  {state.valued_per_second:.0f} rows/s{left}"


def one_line_of(running: Sequence[Running]) -> str:
    """What is trained at this moment in one line: one run as it is told by itself, several by their epochs."""
    if len(running) == 1:
        return str(running[0])
    return "trained now: " + ", ".join(f"{run.name} {run.state.epoch}/{run.state.epochs}" for run in running)


def cut(line: str) -> str:
    """A line of at most 80 columns; of a longer one the beginning."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, or hours too.

    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Receives what a call tells of its progress. A subclass overrides what it wants to hear of.

    The methods are called by the process that made the call, some of them from another thread of it.

    Attributes
    ----------
    live
        Whether it shows the runs of `on_running` at any moment, so that nobody needs lines about them.

    Examples
    --------
    >>> class Losses(Progress):
    ...     def on_epoch(self, epoch):
    ...         print(epoch.number, epoch.metrics["train/loss"])
    >>> Losses().on_epoch(Epoch("sample", 3, 30, {"train/loss": 0.25}, "accuracy"))
    3 0.25
    """

    live = False

    def begin(self) -> None:
        """The call begins."""

    def on_start(self, heading: Heading) -> None:
        """Hear of a run that is about to be trained, or is read."""

    def on_running(self, running: Sequence[Running]) -> None:
        """Hear what is trained at this moment, about once a second, in the order in which it began."""

    def on_job(self, job: JobEvent) -> None:
        """Hear of a trial of a sweep or a run of a study that begins or has ended."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Hear of an epoch that was committed, also of those that an earlier call trained."""

    def on_line(self, line: str) -> None:
        """Hear of a step of a sweep or study, in a line for people: a trial that begins, a run that ended."""

    def on_note(self, words: str) -> None:
        """Hear of what is good to know, as about a window that was chosen."""

    def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Pass on items as they come; `total` of them are expected, and `what` says what is done."""
        del total, what
        yield from items

    def close(self) -> None:
        """The call has ended, well or not."""
