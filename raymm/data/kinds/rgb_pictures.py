"""Colour frames of a video that were saved as pictures before, such as one a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.view import ViewConfig
from raymm.data.augmentation import randaugment
from raymm.data.display import Display, Frames
from raymm.data.kinds.base import Keys
from raymm.data.kinds.image import read_picture
from raymm.data.kinds.inputs import SampleFiles
from raymm.data.kinds.picture_folder import PictureFolderSpec
from raymm.data.media.problem import MediaError
from raymm.data.media.remarks import of_length

__all__ = ["RgbPicturesSpec"]


class RgbPicturesSpec(PictureFolderSpec):
    """Saved frames, uint8 [frames, 3, height, width]; a cell is the path of the first picture of a clip."""

    kind: str = "rgb_pictures"
    fps: float = Field(default=1.0, gt=0)
    frames: int = Field(default=4, ge=1)
    height: int = Field(default=48, ge=8)
    width: int = Field(default=48, ge=8)
    picture_rate: float = Field(default=1.0, gt=0, description="pictures a second")

    @classmethod
    def pictures_from(cls, first: Path, root: Path) -> list[Path]:
        from raymm.data.media.picture_files import frame_pictures

        del root
        return frame_pictures(first)

    def taken(self, first: Path, root: Path) -> list[Path]:
        """The picture of the middle of each interval; the last one stands for all later times."""
        return self._chosen(self.pictures_from(first, root))

    def _chosen(self, pictures: Sequence[Path]) -> list[Path]:
        return [pictures[min(index, len(pictures) - 1)] for index in self.indices(0.5)]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 3, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def display(self, value: Any) -> Sequence[Display]:
        """The frames."""
        return [Frames(value, self.interval_times)]

    def augment_stored(self, stored: Any, keys: Keys, config: ViewConfig) -> Any:
        """RandAugment, where `view.randaugment` asks for it."""
        return randaugment(stored, keys, config.randaugment)

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.uint8]:
        """The picture of the middle of each interval; the last one stands for all later times, which is remarked."""
        first = files.path(cell)
        pictures = self.pictures_from(first, self.root_of(first, cell))
        for remark in of_length(len(pictures) / self.picture_rate, self.window):
            files.remark(remark)
        chosen = self._chosen(pictures)
        read = {path: self._read(path) for path in dict.fromkeys(chosen)}
        return np.stack([read[path] for path in chosen])

    def _read(self, path: Path) -> npt.NDArray[np.uint8]:
        try:
            return read_picture(path, self.height, self.width, self.fit)
        except MediaError as cause:
            raise MediaError(f"{path.name} {cause}") from cause
