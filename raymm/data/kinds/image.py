"""Still pictures: PNG, JPEG, WebP and whatever else Pillow reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.view import ViewConfig
from raymm.data.augmentation import crop_and_flip_at_random, randaugment
from raymm.data.display import Display, Frames
from raymm.data.kinds.base import Keys, ModalitySpec
from raymm.data.kinds.inputs import SampleFiles
from raymm.data.media.problem import MediaError, refuse_pointer
from raymm.data.media.suffixes import holds
from raymm.deferred import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

Fit = Literal["squash", "crop", "pad"]

__all__ = ["ImageSpec", "read_picture"]

MOST_BYTES = 2**30
"""Memory that a picture may take, however small its file is."""
DECODING = {"BMP": 9, "GIF": 9, "JPEG": 9, "MPO": 9, "PNG": 9, "TIFF": 9, "WEBP": 16, "JPEG2000": 25}
"""Bytes a pixel that Pillow takes at most to decode and to turn a picture, by format."""
DECODING_OTHERS = 12
"""As `DECODING`; also for progressive JPEG, all of whose coefficients are kept."""
MOST_FITTED = 2**26
"""Pixels of a picture that has its new width or its new height."""
BAND = 2**20
"""Pixels that are put on white together."""
GREY_16_BIT = ("I;16", "I;16B", "I;16L", "I;16N")


class ImageSpec(ModalitySpec):
    """A picture, uint8 [3, height, width], turned as its EXIF data say, on white where it is transparent."""

    default_encoder: ClassVar[str] = "cnn"
    is_media: ClassVar[bool] = True
    later_settings: ClassVar[frozenset[str]] = frozenset({"fit"})

    kind: str = "image"
    height: int = Field(default=64, ge=8)
    width: int = Field(default=64, ge=8)
    fit: Fit = Field(default="squash", description="what becomes of other proportions")

    @classmethod
    def reads(cls, file: str) -> bool:
        return holds(file, "picture")

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.uint8]:
        """The (first) picture of a file, resized with antialiasing as `fit` says."""
        return read_picture(files.path(cell), self.height, self.width, self.fit)

    def display(self, value: Any) -> Sequence[Display]:
        """The picture."""
        return [Frames(value[None])]

    def augment_stored(self, stored: Any, keys: Keys, config: ViewConfig) -> Any:
        """RandAugment, where `view.randaugment` asks for it."""
        return randaugment(stored, keys, config.randaugment)

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:
        """Pictures [b, 3, H, W], moved and mirrored where keys are given."""
        return crop_and_flip_at_random(values[:, None], keys, config.crop, config.flip, signed=False)[:, 0]


def read_picture(path: Path, height: int, width: int, fit: Fit) -> npt.NDArray[np.uint8]:
    """The (first) picture of a file, uint8 [3, height, width]; raises `MediaError` when it cannot be read."""
    from PIL import Image, ImageOps

    from raymm.data.media.geometry import fitted_size, place

    try:
        with Image.open(path) as opened:
            _check_size(opened)
            ImageOps.exif_transpose(opened, in_place=True)
            size = fitted_size(opened.size, (width, height), fit)
            resized = _resized(opened, size)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as cause:
        refuse_pointer(path)
        raise MediaError(f"cannot be read as a picture ({cause})") from cause
    return np.ascontiguousarray(place(np.asarray(resized), height, width).transpose(2, 0, 1))


def _check_size(picture: "Image") -> None:
    """Refuse a picture that would take too much memory, before it is decoded."""
    form = picture.format or ""
    each = DECODING_OTHERS if "progressive" in picture.info else DECODING.get(form, DECODING_OTHERS)
    if picture.width * picture.height > MOST_BYTES // each:
        raise MediaError(
            f"is a picture of {picture.width} x {picture.height} pixels; at most {MOST_BYTES // each:,} pixels are "
            f"read of {form} of its kind; make it smaller"
        )


def _resized(picture: "Image", size: tuple[int, int]) -> "Image":
    """The picture on white, which is done in bands, at another size."""
    from PIL import Image

    wide, high = size
    if max(wide, picture.width) * high > MOST_FITTED or wide * picture.height > MOST_FITTED:
        raise MediaError(
            f"is a picture of {picture.width} x {picture.height} pixels, too far from the wanted proportions; cut it"
        )
    white, rows = Image.new("RGB", picture.size), max(1, BAND // picture.width)
    for top in range(0, picture.height, rows):
        white.paste(_on_white(picture.crop((0, top, picture.width, min(top + rows, picture.height)))), (0, top))
    return white.resize(size, Image.Resampling.BILINEAR)


def _on_white(picture: "Image") -> "Image":
    """A picture as 8-bit RGB."""
    from PIL import Image

    if picture.mode in GREY_16_BIT:  # `convert` would cut the numbers at 255
        return Image.fromarray((np.asarray(picture).astype(np.float32) / 257).round().astype(np.uint8)).convert("RGB")
    if picture.mode in {"I", "F"}:
        raise ValueError(f"its pixels are 32-bit numbers (mode {picture.mode}), which have no fixed white")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    with_alpha = picture.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(white, with_alpha).convert("RGB")
