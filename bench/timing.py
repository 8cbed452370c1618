"""Time two things in turn, so that a drift of the machine's speed reaches both alike."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "Bar",
    "Measured",
    "peak_mib",
    "processor_seconds_of",
    "processor_seconds_of_raymm",
    "said_by_process",
    "seconds_of",
    "side_by_side",
]


@dataclass(frozen=True)
class Bar:
    """A figure and what it is held against ("<=" or ">=")."""

    value: float
    sign: str
    bar: float

    @property
    def reached(self) -> bool:
        """Whether the figure keeps to the bar."""
        return self.value <= self.bar if self.sign == "<=" else self.value >= self.bar


@dataclass(frozen=True)
class Measured:
    """A ratio, the bar it is held against, the figures behind it, and other figures with bars of their own."""

    what: str
    ratio: float
    sign: str
    bar: float
    details: dict[str, Any]
    bars: dict[str, Bar] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether every bar is kept to."""
        return all(bar.reached for bar in (Bar(self.ratio, self.sign, self.bar), *self.bars.values()))

    def line(self) -> str:
        """The result in one line, and one for each other bar."""
        figures = {self.what: Bar(self.ratio, self.sign, self.bar)} | self.bars
        lines = [
            f"{what}: {one.value:.3f} (bar {one.sign} {one.bar}: {'reached' if one.reached else 'NOT reached'})"
            for what, one in figures.items()
        ]
        return f"{chr(10).join(lines)}  {self.details}"

    def record(self) -> dict[str, Any]:
        """The result for a file."""
        bars = {what: asdict(one) | {"reached": one.reached} for what, one in self.bars.items()}
        return {**asdict(self), "bars": bars, "reached": self.reached}


def peak_mib() -> float:
    """Peak resident memory of this process. `ru_maxrss` would carry over the parent's peak through fork and exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_seconds_of(work: Callable[[], object]) -> float:
    """Processor time of one call in this process, all threads together: what other work does not lengthen."""
    start = time.process_time()
    work()
    return time.process_time() - start


def said_by_process(module: str, *words: str) -> Any:
    """What the last line of a module says in JSON, run in a process of its own."""
    done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def processor_seconds_of_raymm(words: Sequence[str], **options: Any) -> float:
    """Processor time of a command of raymm in its own process, its start included; `options` of `subprocess.run`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "raymm", *words], check=True, capture_output=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def side_by_side(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, list[float]]:
    """Median over rounds of seconds(first) / seconds(second), after one warm-up each; and all the ratios."""
    first(), second()
    ratios = [seconds_of(first) / seconds_of(second) for _ in range(rounds)]
    return statistics.median(ratios), ratios
