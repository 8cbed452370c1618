"""How a stored value is shown to people: a kind of modality says what it is, and pages, plots and records draw it.

`ModalitySpec.display` returns these, which hold the value itself in a form that an eye or an ear can take. None of
them knows of HTML; `raymm.reports.gallery` draws each of them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Bars", "Display", "Facts", "FlowFrames", "Frames", "Heatmap", "Sound", "Traces", "Words", "facts_of"]


@dataclass(frozen=True)
class Sound:
    """Something to listen to: a mono waveform [samples] from -1 to 1, at `rate` samples a second."""

    waveform: npt.NDArray[np.float32]
    rate: int


@dataclass(frozen=True)
class Heatmap:
    """Numbers [height, width] as colours, the first row at the bottom.

    Attributes
    ----------
    what, across, up
        What the numbers are, and what the two axes are, in words: "log-mel", "0 to 1.50 s", "0 to 8000 Hz".
    """

    values: npt.NDArray[np.float32]
    what: str
    across: str
    up: str


@dataclass(frozen=True)
class Frames:
    """Colour pictures uint8 [frames, 3, height, width], and the second of each where it is known."""

    pictures: npt.NDArray[np.uint8]
    times: tuple[float, ...] = ()


@dataclass(frozen=True)
class FlowFrames:
    """Optical flow [frames, 2, height, width]: to the right and downwards, in pixels a frame."""

    flow: npt.NDArray[np.float32]
    times: tuple[float, ...] = ()


@dataclass(frozen=True)
class Traces:
    """Series [channels, length], at `rate` samples a second where that is known."""

    series: npt.NDArray[np.float32]
    rate: float | None = None


@dataclass(frozen=True)
class Bars:
    """Numbers [size] in an order that means something, such as a feature vector."""

    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Words:
    """A text, the tokens that the encoder is given of it, and whether it was cut for that."""

    text: str
    tokens: tuple[str, ...]
    cut: bool = False


@dataclass(frozen=True)
class Facts:
    """A value in a sentence, where nothing better is known of it."""

    text: str


Display = Sound | Heatmap | Frames | FlowFrames | Traces | Bars | Words | Facts


def facts_of(value: npt.NDArray[np.generic] | str) -> Facts:
    """Shape, range and mean of an array.

    >>> facts_of(np.array([[1.0, 3.0]])).text
    '1 x 2 numbers from 1 to 3, mean 2'
    """
    if isinstance(value, str):
        return Facts(value)
    size = " x ".join(map(str, value.shape)) or "1"
    if not value.size:
        return Facts(f"{size} numbers")
    numbers = value.astype(np.float64)
    return Facts(f"{size} numbers from {numbers.min():g} to {numbers.max():g}, mean {numbers.mean():.4g}")
