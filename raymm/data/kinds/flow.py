"""Dense optical flow between the frames of a video."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from raymm.data.display import Display, FlowFrames
from raymm.data.kinds.frames import FrameSpec
from raymm.data.kinds.inputs import SampleFiles

__all__ = ["FlowSpec"]


class FlowSpec(FrameSpec):
    """Dense optical flow, float16 [frames, 2, height, width], in pixels a frame of the stored size."""

    flips_sign: ClassVar[bool] = True

    kind: str = "flow"
    fps: float = Field(default=12.5, gt=0)
    frames: int = Field(default=8, ge=1)
    height: int = Field(default=48, ge=12)
    width: int = Field(default=48, ge=12)
    method: Literal["dis", "raft"] = "dis"
    weights: str | None = Field(default=None, description="file with RAFT weights, for method 'raft'")

    @model_validator(mode="after")
    def _raft_needs_weights(self) -> "FlowSpec":
        if self.method == "raft" and self.weights is None:
            raise ValueError("method 'raft' needs `weights`: a file with RAFT weights (none is downloaded)")
        return self

    def problems(self) -> list[str]:
        """Weights that are not there."""
        if self.weights is None or Path(self.weights).is_file():
            return []
        return [f"weights: there is no file {self.weights}"]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 2, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float16)

    @property
    def frame_times(self) -> list[float]:
        """Both ends of each interval: one more frame than there are fields."""
        return [number / self.fps for number in range(self.frames + 1)]

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.float16]:
        """Flow between frames that are resized first."""
        from raymm.data.media.flow import dense_flow
        from raymm.data.media.geometry import to_gray

        gray = to_gray(self.pictures(cell, files), self.height, self.width, self.fit)
        return dense_flow(gray, self.method, self.weights)

    def display(self, value: Any) -> Sequence[Display]:
        """The flow; its time is that at which an interval begins."""
        return [FlowFrames(value.astype(np.float32), self.interval_times)]
