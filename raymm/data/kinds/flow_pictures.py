"""Optical flow that was computed before, from folders of grey pictures (TV-L1)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.data.kinds.frames import FrameSpec
from raymm.data.kinds.inputs import Probe, SampleFiles
from raymm.data.media.problem import MediaError
from raymm.data.media.remarks import of_length

__all__ = ["FlowPicturesSpec"]

LOOKED_AT = 200
"""Clips of which the pictures are counted for the window."""

LONGEST = 10.0


class FlowPicturesSpec(FrameSpec):
    """Saved flow, float16 [frames, 2, height, width], in pixels of the stored size from one frame to the next.

    A cell is the path of the first picture of the flow in x (`raymm.data.media.flow_pictures`). Pictures lie
    `picture_rate` a second; `fps` of them are taken, each the one that is current then.
    """

    is_timed: ClassVar[bool] = False
    flips_sign: ClassVar[bool] = True

    kind: str = "flow_pictures"
    fps: float = Field(default=12.5, gt=0)
    frames: int = Field(default=8, ge=1)
    height: int = Field(default=48, ge=12)
    width: int = Field(default=48, ge=12)
    bound: float = Field(default=20.0, gt=0, description="pixels a frame that white stands for")
    picture_rate: float = Field(default=25.0, gt=0, description="pictures a second")

    @classmethod
    def settable(cls) -> set[str]:
        """A folder has no streams."""
        return super().settable() - {"stream"}

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """As many frames as cover the window of the other modalities, or else the longest of the first clips."""
        seconds = probe.seconds or _longest(probe, probe.settings.get("picture_rate", 25.0))
        fps = probe.settings.get("fps", cls.model_fields["fps"].default)
        if seconds is None or not isinstance(fps, int | float):
            return {}
        return {"frames": max(1, math.ceil(fps * seconds - 1e-6))}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 2, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float16)

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.float16]:
        """The saved flow at `fps` from the first picture on; a length that is not that of the window is remarked."""
        from raymm.data.media.flow_pictures import read_flow_pictures, x_pictures

        first, root = files.path(cell), _root_of(files.path(cell), cell)
        for remark in of_length(len(x_pictures(first, root)) / self.picture_rate, self.window):
            files.remark(remark)
        return read_flow_pictures(first, root, self._indices(), self.bound, self.height, self.width, self.fit)

    def _indices(self) -> Sequence[int]:
        """Number of the picture that is current at the beginning of each interval."""
        return [math.floor(number * self.picture_rate / self.fps + 1e-6) for number in range(self.frames)]


def _root_of(path: Path, cell: str) -> Path:
    """The media root, from a path below it."""
    return path.parents[len(Path(cell).parts) - 1]


def _longest(probe: Probe, rate: Any) -> float | None:
    """Seconds of the longest of the first clips, up to ten; None where none can be counted."""
    from raymm.data.media.flow_pictures import x_pictures

    if not isinstance(rate, int | float) or rate <= 0:
        return None
    counts = []
    for cell in probe.cells[:LOOKED_AT]:
        try:
            counts.append(len(x_pictures(probe.media_root / cell, probe.media_root)))
        except (OSError, MediaError):
            continue
    longest = max(counts, default=0) / rate
    return min(LONGEST, math.ceil(longest * 10 - 1e-6) / 10) or None
