"""Time two things in turn, so that a drift of the machine's speed reaches both alike."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Measured", "seconds_of", "side_by_side"]


@dataclass(frozen=True)
class Measured:
    """A ratio, the bar it is held against ("<=" or ">="), and the figures behind it."""

    what: str
    ratio: float
    sign: str
    bar: float
    details: dict[str, Any]

    @property
    def reached(self) -> bool:
        """Whether the ratio keeps to the bar."""
        return self.ratio <= self.bar if self.sign == "<=" else self.ratio >= self.bar

    def line(self) -> str:
        """The result in one line."""
        verdict = "reached" if self.reached else "NOT reached"
        return f"{self.what}: {self.ratio:.3f} (bar {self.sign} {self.bar}: {verdict})  {self.details}"

    def record(self) -> dict[str, Any]:
        """The result for a file."""
        return {**asdict(self), "reached": self.reached}


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def side_by_side(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, list[float]]:
    """Median over rounds of seconds(first) / seconds(second), after one warm-up each; and all the ratios."""
    first(), second()
    ratios = [seconds_of(first) / seconds_of(second) for _ in range(rounds)]
    return statistics.median(ratios), ratios
