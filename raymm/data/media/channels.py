"""From the channels of a recording to one."""

from functools import lru_cache
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from raymm.data.media.problem import MediaError

__all__ = ["Cancelling", "Channel", "to_mono"]

Channel = Literal["downmix", "mean", "left", "right"]
Samples = npt.NDArray[np.float32]

SIDES = {"left": "FL", "right": "FR"}
NAMELESS = "NONE"
"""FFmpeg's name of a channel that has none."""
USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's layouts of channels that have no names, by their number."""
SILENT = 1e-8
"""Power below which a channel is silence."""
CANCELLED = 0.01
"""Part of the power of its channels that the mean of stereo keeps, at most, when they are in anti-phase (-20 dB)."""


def to_mono(samples: Samples, layout: "av.AudioLayout", channel: Channel) -> Samples:
    """Samples [channels, n] as one channel [n].

    "downmix" is the mean of stereo. More channels are weighed as ITU-R BS.775 says (front 0.71 and 0.71, centre 1,
    surround 0.5 and 0.5, without the low-frequency channel; the weights come from FFmpeg's swresample) and the
    weights are scaled to sum 1, so that nothing clips. "mean" is that of all channels, "left" and "right" are one.
    Channels without names are taken for those of FFmpeg's usual layout of their number.

    Raises
    ------
    MediaError
        When there is no such channel, or no down-mix.
    """
    if channel == "mean" or (channel == "downmix" and len(samples) <= 2):
        return samples.mean(axis=0)
    layout = _named(layout, len(samples))
    if channel == "downmix":
        return np.asarray(_weights(layout.name, len(samples)) @ samples, np.float32)
    return samples[_side(layout, SIDES[channel])]


class Cancelling:
    """Whether the two channels of stereo cancel, so that their mean is nearly silent (anti-phase)."""

    def __init__(self) -> None:
        self._channels = self._mean = 0.0
        self._count = 0

    def add(self, samples: Samples) -> None:
        """Samples [channels, n]."""
        if len(samples) == 2 and samples.size:
            self._channels += float(np.square(samples).mean(axis=0).sum())
            self._mean += float(np.square(samples.mean(axis=0)).sum())
            self._count += samples.shape[1]

    @property
    def found(self) -> bool:
        """Whether the mean keeps less than a hundredth of the power of two channels that are not silent."""
        return self._channels > SILENT * self._count and self._mean < CANCELLED * self._channels


def _named(layout: "av.AudioLayout", count: int) -> "av.AudioLayout":
    """A layout whose channels have names."""
    if all(channel.name != NAMELESS for channel in layout.channels):
        return layout
    if count not in USUAL:
        raise MediaError(f"has {count} channels without names; set `channel` to mean")
    return av.AudioLayout(USUAL[count])


def _side(layout: "av.AudioLayout", wanted: str) -> int:
    names = [channel.name for channel in layout.channels]
    if len(names) == 1:
        return 0
    if wanted not in names:
        raise MediaError(f"has no channel {wanted} (it has {', '.join(names)}); choose another `channel`")
    return names.index(wanted)


@lru_cache(maxsize=32)
def _weights(layout: str, count: int) -> npt.NDArray[np.float32]:
    """Weights [channels] of the down-mix of a layout to mono: what comes out of one impulse a channel."""
    try:
        impulses = np.eye(count, dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(impulses, format="flt", layout=layout)
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(format="flt", layout="mono")
        found = [part.to_ndarray()[0] for part in [*resampler.resample(frame), *resampler.resample(None)]]
    except (av.FFmpegError, ValueError):
        found = []
    weights: npt.NDArray[np.float32] = np.concatenate([*found, np.zeros(0, np.float32)])
    if len(weights) != count or not weights.sum() > 0:
        raise MediaError(f"has {count} channels ({layout}), for which there is no down-mix; set `channel` to mean")
    return weights / weights.sum()
