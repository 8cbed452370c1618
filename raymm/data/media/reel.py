"""Decoded samples of one audio stream, laid one after the other."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from raymm.data.media.clock import COUNTED
from raymm.data.media.container import Input
from raymm.data.media.problem import MediaError

__all__ = ["Reel"]

Waveform = npt.NDArray[np.float32]
NOWHERE = Fraction(0)

MOST_RATES = 8
"""Sample rates that one stream may have, one after the other."""
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
        Samples a second of the first ones, and how many of those there are from time 0 on: a whole number, unless the
        rate has changed.
    """

    container: Input
    zero: Fraction
    early: int = 0
    rate: int = 0
    end: Fraction = NOWHERE
    _pieces: dict[int, list[tuple[int, Waveform]]] = field(default_factory=dict)
    _longest: Fraction = NOWHERE
    _last: Fraction = NOWHERE
    _begun: Fraction = NOWHERE
    _next: Fraction = NOWHERE

    def add(self, samples: Waveform, rate: int, pts: int | None, tick: Fraction | None) -> None:
        """Append samples [n] that have a timestamp in ticks (or none).

        Raises
        ------
        MediaError
            When the sample rate has changed too often.
        """
        self.rate = self.rate or rate
        scale = Fraction(rate, self.rate)
        self._longest = max(self._longest, len(samples) / scale)
        first = floor(self._start(pts, tick) * scale + Fraction(1, 2))
        self._last, self._next = first / scale, (first + len(samples)) / scale
        kept = samples[max(0, floor((self.end - self._last) * scale)) if self._pieces else 0 :]
        if len(kept):
            begun = first + len(samples) - len(kept)
            self._pieces.setdefault(rate, []).append((begun, kept))
            self._begun, self.end = begun / scale, self._next
        if len(self._pieces) > MOST_RATES:
            raise MediaError(f"changes its sample rate to more than {MOST_RATES} rates; convert it to one rate")

    @property
    def seconds(self) -> float:
        """How long the sound is from time 0 on."""
        return float(self.end / max(self.rate, 1))

    def _start(self, pts: int | None, tick: Fraction | None) -> Fraction:
        """Where samples go: on from the last ones, unless their timestamp is off by more than a packet."""
        if pts is None or tick is None:
            return self._next - (0 if self._pieces else self.early)
        stamped = Fraction(round((pts * Fraction(tick) - self.zero) * self.rate) - self.early)
        if not self._pieces:
            return stamped
        if self.container.format.name in COUNTED:
            return self._next
        near = max(float(self._longest), float(TICKS * tick * self.rate))
        return self._next if abs(stamped - self._next) <= near else stamped

    def starts_after(self, seconds: float) -> bool:
        """Whether the last samples begin after some time, so that nothing more is needed before it."""
        return bool(self._pieces) and self._begun >= seconds * self.rate

    def cut(self, seconds: Fraction) -> None:
        """Drop what comes after some time."""
        self.end = min(self.end, Fraction(max(0, round(seconds * self.rate))))

    def waveforms(self, seconds: float) -> dict[int, Waveform]:
        """By sample rate, the samples of that rate from time 0 on, with silence where there are none.

        What comes after a pause that reaches beyond `seconds` is left out, however long the pause is.
        """
        return {rate: self._laid(rate, pieces, seconds) for rate, pieces in self._pieces.items()}

    def _laid(self, rate: int, pieces: list[tuple[int, Waveform]], seconds: float) -> Waveform:
        end, reach = ceil(self.end * rate / self.rate), ceil(seconds * rate)
        for start, samples in pieces:
            reach = max(reach, start + len(samples)) if start <= reach else reach
        out = np.zeros(max(0, min(end, reach)), np.float32)
        for start, samples in pieces:
            first = max(start, 0)
            kept = samples[first - start : max(0, len(out) - start)]
            out[first : first + len(kept)] = kept
        return out
