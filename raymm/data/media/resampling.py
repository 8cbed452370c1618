"""Sound at another sample rate: the windowed sinc of torchaudio (6 zero crossings, rolloff 0.99, Hann), bounded.

torchaudio keeps one filter for each place of an output sample between two input samples. Of 44,100 to 16,000 Hz there
are 160, of 44,101 to 16,000 Hz 16,000, with 44,000 numbers each. Where that is too much, each output sample has its
own filter computed, of only those numbers that are not 0.
"""

import math

import numpy as np
import numpy.typing as npt

__all__ = ["resampled"]

Waveform = npt.NDArray[np.float32]

CROSSINGS = 6
ROLLOFF = 0.99
MOST_WEIGHTS = 2**21
"""Numbers that the filters of torchaudio may have together; those of usual rates have less than half of that."""
MOST_FINER = 100
"""Times by which the wanted rate may be the higher one, since torchaudio resamples also what is not wanted."""
AT_ONCE = 2**19
"""Numbers of filters that are computed together."""


def resampled(waveform: Waveform, source_rate: int, rate: int, count: int) -> Waveform:
    """The first `count` samples at another rate of a waveform [n], or fewer where it is shorter."""
    common = math.gcd(source_rate, rate)
    source, wanted = source_rate // common, rate // common
    if (source + 2 * CROSSINGS) * (wanted + 2 * CROSSINGS) > MOST_WEIGHTS or wanted > MOST_FINER * source:
        return _one_by_one(waveform, source, wanted, min(count, -(-wanted * len(waveform) // source)))
    import torch  # noqa: PLC0415  (slow to import, and sound of the wanted rate does not need it)
    from torchaudio.functional import resample  # noqa: PLC0415

    found: Waveform = resample(torch.from_numpy(waveform), source_rate, rate).numpy()
    return found[:count]


def _one_by_one(waveform: Waveform, source: int, wanted: int, count: int) -> Waveform:
    """`count` samples; sample k stands at `k * source / wanted` of the waveform."""
    cutoff = ROLLOFF * min(1.0, wanted / source)
    reach = math.ceil(CROSSINGS / cutoff)
    padded = np.pad(waveform, reach)
    offsets = np.arange(1 - reach, reach + 1)
    out = np.empty(count, np.float32)
    for first in range(0, count, step := max(1, AT_ONCE // len(offsets))):
        number = np.arange(first, min(first + step, count), dtype=np.int64) * source
        whole, part = number // wanted, (number % wanted) / wanted
        time = np.clip((offsets - part[:, None]) * cutoff, -CROSSINGS, CROSSINGS)
        weights = cutoff * np.sinc(time) * np.cos(time * (np.pi / CROSSINGS / 2)) ** 2
        out[first : first + step] = np.einsum("kn,kn->k", padded[whole[:, None] + offsets + reach], weights)
    return out
