"""A kind and an encoder as another package would bring them: depth pictures from text files of numbers."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from raymm.data import ModalitySpec
from raymm.data.media.problem import MediaError


class Depth(ModalitySpec):
    """Distances in metres, float32 [1, size, size]."""

    default_encoder: ClassVar[str] = "cnn"
    is_media: ClassVar[bool] = True

    kind: str = "depth"
    size: int = Field(default=8, ge=8)

    @property
    def shape(self):
        return (1, self.size, self.size)

    def decode(self, cell: Any, files):
        try:
            return np.loadtxt(files.path(cell), dtype=np.float32)[None]
        except ValueError as cause:
            raise MediaError(f"is no table of numbers ({cause})") from cause


not_a_kind = 5
