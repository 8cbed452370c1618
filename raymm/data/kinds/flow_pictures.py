"""Optical flow that was computed before, from folders of grey pictures (TV-L1)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.data.display import Display, FlowFrames
from raymm.data.kinds.inputs import SampleFiles
from raymm.data.kinds.picture_folder import PictureFolderSpec
from raymm.data.media.remarks import of_length

__all__ = ["FlowPicturesSpec"]


class FlowPicturesSpec(PictureFolderSpec):
    """Saved flow, float16 [frames, 2, height, width], in pixels of the stored size from one picture to the next.

    A cell is the path of the first picture of the flow in x (`raymm.data.media.flow_pictures`).
    """

    flips_sign: ClassVar[bool] = True

    kind: str = "flow_pictures"
    fps: float = Field(default=12.5, gt=0)
    frames: int = Field(default=8, ge=1)
    height: int = Field(default=48, ge=12)
    width: int = Field(default=48, ge=12)
    bound: float = Field(default=20.0, gt=0, description="pixels a picture that white stands for")
    picture_rate: float = Field(default=25.0, gt=0, description="pictures a second")

    @classmethod
    def pictures_from(cls, first: Path, root: Path) -> list[Path]:
        from raymm.data.media.flow_pictures import x_pictures

        return x_pictures(first, root)

    @classmethod
    def folders_of(cls, cell: Any) -> list[str]:
        """That of the first picture, and that of the pictures of y."""
        from raymm.data.media.flow_pictures import y_places

        places = y_places(Path(cell), Path()) if isinstance(cell, str) else []
        return list(dict.fromkeys([*super().folders_of(cell), *(str(place.parent) for place in places)]))

    @classmethod
    def unnamed_files(cls, cell: Any, media_root: Path) -> list[str]:
        """All pictures of the clip, of x and of y."""
        from raymm.data.media.flow_pictures import y_picture

        pictures = super().unnamed_files(cell, media_root)
        return [*pictures, *(str(y_picture(media_root / x, media_root).relative_to(media_root)) for x in pictures)]

    def taken(self, first: Path, root: Path) -> list[Path]:
        """The pictures of x at the beginning of each interval, as far as there are, and those of y."""
        from raymm.data.media.flow_pictures import y_picture

        pictures = self.pictures_from(first, root)
        chosen = [pictures[index] for index in self.indices(0.0) if index < len(pictures)]
        return [*chosen, *(y_picture(path, root) for path in chosen)]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 2, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float16)

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.float16]:
        """The saved flow at the beginning of each interval; a length that is not that of the window is remarked."""
        from raymm.data.media.flow_pictures import read_flow_pictures

        first = files.path(cell)
        root = self.root_of(first, cell)
        for remark in of_length(len(self.pictures_from(first, root)) / self.picture_rate, self.window):
            files.remark(remark)
        return read_flow_pictures(first, root, self.indices(0.0), self.bound, self.height, self.width, self.fit)

    def display(self, value: Any) -> Sequence[Display]:
        """The flow; its time is that at which an interval begins."""
        return [FlowFrames(value.astype(np.float32), self.interval_times)]
