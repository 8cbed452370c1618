"""What kinds that are made of video frames share: their times, their statistics by channel, their augmentation."""

import math
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from raymm.config.view import ViewConfig
from raymm.data.augmentation import crop_and_flip_at_random
from raymm.data.kinds.base import Keys, ModalitySpec
from raymm.data.kinds.inputs import Probe, SampleFiles
from raymm.data.media.remarks import of_length

__all__ = ["FrameSpec"]


class FrameSpec(ModalitySpec):
    """Frames [frames, channels, height, width] that are taken `fps` times a second from the start of the window."""

    default_encoder: ClassVar[str] = "cnn"
    is_media: ClassVar[bool] = True
    is_timed: ClassVar[bool] = True
    statistics_axis: ClassVar[int | None] = 1
    flips_sign: ClassVar[bool] = False
    """Whether mirroring changes the sign of the first channel."""

    later_settings: ClassVar[frozenset[str]] = frozenset({"fit", "stream"})

    fps: float
    frames: int
    height: int
    width: int
    fit: Literal["squash", "crop", "pad"] = Field(default="squash", description="what becomes of other proportions")
    stream: int | None = Field(default=None, ge=0, description="number among the file's video streams, from 0 on")

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """As many frames as cover the window."""
        fps = probe.settings.get("fps", cls.model_fields["fps"].default)
        if probe.seconds is None or not isinstance(fps, int | float):
            return {}
        return {"frames": max(1, math.ceil(fps * probe.seconds - 1e-6))}

    @property
    def window(self) -> float:
        """Seconds that the frames cover."""
        return self.frames / self.fps

    def pictures(self, cell: Any, files: SampleFiles) -> list[Any]:
        """What the video shows at `frame_times`; a length that is not that of the window is remarked."""
        shown = files.frames(cell, self.frame_times, self.stream)
        for remark in of_length(files.video_seconds(cell, self.stream), self.window):
            files.remark(remark)
        return shown

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:
        """Frames [b, T, C, H, W], moved and mirrored where keys are given."""
        return crop_and_flip_at_random(values, keys, config.crop, config.flip, self.flips_sign)
