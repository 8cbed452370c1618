"""Decoded samples of one audio stream, laid one after the other."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from raymm.data.media.clock import is_jump
from raymm.data.media.container import Input

__all__ = ["Reel"]

Waveform = npt.NDArray[np.float32]

TICKS = 2
"""Ticks by which two timestamps may be off together, each by rounding and by a coarse duration."""


@dataclass
class Reel:
    """Samples of a file in the order in which they are decoded, from time 0 on.

    Attributes
    ----------
    container, zero, early
        The file, its time 0, and the number of samples before it that the timestamps do not show.
    rate, end
        Samples a second, and how many there are from time 0 on.
    """

    container: Input
    zero: Fraction
    early: int = 0
    rate: int = 0
    end: int = 0
    _pieces: list[tuple[int, Waveform]] = field(default_factory=list)
    _longest: int = 0
    _next: int = 0
    _moved: int = 0

    def add(self, samples: Waveform, rate: int, pts: int | None, tick: Fraction | None) -> None:
        """Append samples [n] that have a timestamp in ticks (or none)."""
        self.rate = rate
        self._longest = max(self._longest, len(samples))
        start = self._start(pts, tick)
        self._next = start + len(samples)
        kept = samples[max(0, self.end - start) if self._pieces else 0 :]
        if len(kept):
            self._pieces.append((self._next - len(kept), kept))
            self.end = self._next

    def _start(self, pts: int | None, tick: Fraction | None) -> int:
        """Where samples go: on from the last ones, unless their timestamp is off by more than a packet."""
        if pts is None or tick is None:
            return self._next - (0 if self._pieces else self.early)
        stamped = round((pts * Fraction(tick) - self.zero) * self.rate) - self.early
        if not self._pieces:
            return stamped
        step = stamped + self._moved - self._next
        if is_jump(self.container, step / self.rate):
            self._moved -= step
            return self._next
        if abs(step) <= max(float(self._longest), float(TICKS * tick * self.rate)):
            return self._next
        return stamped + self._moved

    def starts_after(self, seconds: float) -> bool:
        """Whether the last samples begin after some time, so that nothing more is needed before it."""
        return bool(self._pieces) and self._pieces[-1][0] >= seconds * self.rate

    def cut(self, seconds: Fraction) -> None:
        """Drop what comes after some time."""
        self.end = min(self.end, max(0, round(seconds * self.rate)))

    def waveform(self) -> Waveform:
        """Samples [end] from time 0 on, with silence where there are none."""
        out = np.zeros(max(0, self.end), np.float32)
        for start, samples in self._pieces:
            first = max(start, 0)
            kept = samples[first - start : max(0, self.end - start)]
            out[first : first + len(kept)] = kept
        return out
