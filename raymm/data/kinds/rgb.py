"""Colour frames of a video."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.view import ViewConfig
from raymm.data.augmentation import randaugment
from raymm.data.display import Display, Frames
from raymm.data.kinds.base import Keys
from raymm.data.kinds.frames import FrameSpec
from raymm.data.kinds.inputs import SampleFiles

__all__ = ["RgbSpec"]


class RgbSpec(FrameSpec):
    """Frames, uint8 [frames, 3, height, width], sampled at `fps` from the start of the window."""

    kind: str = "rgb"
    fps: float = Field(default=5.0, gt=0)
    frames: int = Field(default=4, ge=1)
    height: int = Field(default=48, ge=8)
    width: int = Field(default=48, ge=8)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 3, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def frame_times(self) -> list[float]:
        """The middle of each interval."""
        return [(number + 0.5) / self.fps for number in range(self.frames)]

    def display(self, value: Any) -> Sequence[Display]:
        """The frames."""
        return [Frames(value, tuple(self.frame_times))]

    def augment_stored(self, stored: Any, keys: Keys, config: ViewConfig) -> Any:
        """RandAugment, where `view.randaugment` asks for it."""
        return randaugment(stored, keys, config.randaugment)

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.uint8]:
        """What is shown at `frame_times`, resized."""
        from raymm.data.media.geometry import to_rgb

        return to_rgb(self.pictures(cell, files), self.height, self.width, self.fit)
