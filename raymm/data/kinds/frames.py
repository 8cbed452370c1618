"""What kinds that are made of video frames share: their times, their statistics by channel, their augmentation."""

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from raymm.config.view import ViewConfig
from raymm.data.augmentation import crop_and_flip_at_random
from raymm.data.kinds.base import Keys, ModalitySpec
from raymm.data.kinds.inputs import Probe, SampleFiles
from raymm.data.media.problem import MediaError
from raymm.data.media.remarks import of_length
from raymm.data.media.suffixes import holds, split_start
from raymm.deferred import Tensor

__all__ = ["FrameSpec"]


class FrameSpec(ModalitySpec):
    """Frames [frames, channels, height, width] that are taken `fps` times a second from the start of the window."""

    default_encoder: ClassVar[str] = "cnn"
    is_media: ClassVar[bool] = True
    is_timed: ClassVar[bool] = True
    media_stream: ClassVar[str] = "video"
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

    @classmethod
    def file_of(cls, cell: Any) -> str:
        """The file, without the second (`#t=4.6`) at which the window begins."""
        return split_start(cell)[0] if isinstance(cell, str) else ""

    @classmethod
    def reads(cls, file: str) -> bool:
        return holds(file, "video")

    @property
    def window(self) -> float:
        """Seconds that the frames cover."""
        return self.frames / self.fps

    @property
    def interval_times(self) -> tuple[float, ...]:
        """The second at which each frame's interval begins, from the start of the window."""
        return tuple(number / self.fps for number in range(self.frames))

    def pictures(self, cell: Any, files: SampleFiles) -> list[Any]:
        """What the video shows at `frame_times`; a length that is not that of the window is remarked."""
        file, start = split_start(cell)
        if file != cell:
            return self._later_pictures(file, start, files)
        shown = files.frames(cell, self.frame_times, self.stream)
        for remark in of_length(files.video_seconds(cell, self.stream), self.window):
            files.remark(remark)
        return shown

    def _later_pictures(self, file: str, start: float, files: SampleFiles) -> list[Any]:
        """What the video shows at `frame_times` after `start` seconds; only an end within the window is remarked."""
        from raymm.data.media.video import read_frames

        shown = read_frames(files.path(file), [start + time for time in self.frame_times], self.stream)
        if shown.seconds <= start:
            raise MediaError(f"begins at {start:g} s, and the video has {shown.seconds:.2f} s")
        for remark in of_length(min(shown.seconds - start, self.window), self.window):
            files.remark(remark)
        return shown.pictures

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:
        """Frames [b, T, C, H, W], moved and mirrored where keys are given."""
        return crop_and_flip_at_random(values, keys, config.crop, config.flip, self.flips_sign)
