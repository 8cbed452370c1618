"""Sound that was recorded too loud: it stays at full scale for several samples on end."""

import numpy as np
import numpy.typing as npt

__all__ = ["is_clipped"]

FULL = 32_766 / 32_768
"""Full scale of 16 bits, less one step, since encoders of sound round."""
RUN = 3
"""Samples on end at full scale, of one sign, that no peak of a wave has."""
SHARE = 1e-3
"""Part of the samples that lie in such runs, at least, for a sound to be called clipped."""


def is_clipped(waveform: npt.NDArray[np.float32]) -> bool:
    """Whether a waveform [samples] of full scale 1 is clipped.

    Float samples beyond full scale are not: nothing of them was cut. Neither is sound that was lossily encoded after
    it was cut, since its flat parts are no longer flat.

    Examples
    --------
    >>> wave = np.sin(np.arange(1000, dtype=np.float32) / 10)
    >>> is_clipped(wave), is_clipped(np.clip(2 * wave, -1, 1)), is_clipped(2 * wave)
    (False, True, False)
    """
    found = np.zeros(len(waveform), bool)
    for sign in (1, -1):
        full = (sign * waveform >= FULL) & (sign * waveform <= 1)
        starts = np.flatnonzero(full[2:] & full[1:-1] & full[:-2])
        for later in range(RUN):
            found[starts + later] = True
    return bool(found.sum() > SHARE * len(waveform))
