"""From a decoded frame to the pixels that are stored: turned as its file says, in true proportions where asked for.

A file may say that its picture is shown turned or mirrored (a display matrix, or the EXIF orientation of a still),
and that its pixels are not square (the sample aspect ratio). `fit` says how the picture that is shown comes to
the stored height and width: "squash" stretches it, "crop" fills them and cuts what stands over on two sides, "pad"
shows all of it between black bars.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from raymm.data.media.container import Frame, Input
from raymm.data.media.problem import MediaError

__all__ = [
    "Fit",
    "Orientation",
    "Picture",
    "fitted_size",
    "frame_orientation",
    "place",
    "still_orientation",
    "to_gray",
    "to_rgb",
]

Fit = Literal["squash", "crop", "pad"]
Pixels = npt.NDArray[np.uint8]

EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Orientation:
    """Rows and columns are exchanged first, then columns and rows are reversed."""

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def apply(self, pixels: Pixels) -> Pixels:
        """Pixels [H, W, ...] as they are shown."""
        shown = pixels.swapaxes(0, 1) if self.transposed else pixels
        shown = shown[:, ::-1] if self.mirrored else shown
        return shown[::-1] if self.upside_down else shown


EXIF = {
    2: Orientation(mirrored=True),
    3: Orientation(mirrored=True, upside_down=True),
    4: Orientation(upside_down=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, mirrored=True),
    7: Orientation(transposed=True, mirrored=True, upside_down=True),
    8: Orientation(transposed=True, upside_down=True),
}
"""By the value of the EXIF tag; 1 is upright."""

TURNS = {
    0: Orientation(),
    90: Orientation(transposed=True, upside_down=True),
    180: Orientation(mirrored=True, upside_down=True),
    270: Orientation(transposed=True, mirrored=True),
}
"""By degrees counter-clockwise."""


@dataclass(frozen=True)
class Picture:
    """A decoded frame (PyAV), its orientation, and the width of its pixels over their height."""

    frame: Frame
    orientation: Orientation = Orientation()
    pixel_aspect: Fraction = Fraction(1)

    @property
    def shown_size(self) -> tuple[Fraction, Fraction]:
        """Width and height of what is shown, in square pixels."""
        size = self.frame.width * self.pixel_aspect, Fraction(self.frame.height)
        return size[::-1] if self.orientation.transposed else size

    def pixels(self, form: str, height: int, width: int, fit: Fit) -> Pixels:
        """uint8 [height, width, ...] in a pixel format of FFmpeg."""
        wide, high = fitted_size(self.shown_size, (width, height), fit)
        stored = (high, wide) if self.orientation.transposed else (wide, high)
        scaled = self.frame.to_ndarray(format=form, width=stored[0], height=stored[1], interpolation="AREA")
        return place(self.orientation.apply(scaled), height, width)


def to_rgb(pictures: Sequence[Picture], height: int, width: int, fit: Fit = "squash") -> Pixels:
    """uint8 [T, 3, height, width]."""
    return np.stack([picture.pixels("rgb24", height, width, fit) for picture in pictures]).transpose(0, 3, 1, 2)


def to_gray(pictures: Sequence[Picture], height: int, width: int, fit: Fit = "squash") -> Pixels:
    """uint8 [T, height, width]."""
    return np.stack([picture.pixels("gray", height, width, fit) for picture in pictures])


def fitted_size(shown: tuple[Fraction | int, Fraction | int], wanted: tuple[int, int], fit: Fit) -> tuple[int, int]:
    """Width and height to scale a picture to, before it is cut or padded to the wanted ones.

    Examples
    --------
    >>> fitted_size((200, 100), (50, 50), "pad"), fitted_size((200, 100), (50, 50), "crop")
    ((50, 25), (100, 50))
    """
    if fit == "squash":
        return wanted
    scales = [Fraction(want) / have for want, have in zip(wanted, shown, strict=True)]
    scale = min(scales) if fit == "pad" else max(scales)
    wide, high = (max(1, round(side * scale)) for side in shown)
    return wide, high


def place(pixels: Pixels, height: int, width: int) -> Pixels:
    """The middle of pixels [H, W, ...], cut and padded with black to [height, width, ...].

    Examples
    --------
    >>> place(np.array([[1, 2, 3]], np.uint8), 3, 1).tolist()
    [[0], [2], [0]]
    """
    top, left = (max(0, have - want) // 2 for have, want in zip(pixels.shape, (height, width), strict=False))
    cut = pixels[top : top + height, left : left + width]
    if cut.shape[:2] == (height, width):
        return cut
    out = np.zeros((height, width, *pixels.shape[2:]), np.uint8)
    top, left = (height - cut.shape[0]) // 2, (width - cut.shape[1]) // 2
    out[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return out


def still_orientation(container: Input) -> Orientation | None:
    """How a still is shown; None for a video, whose frames say it themselves (`frame_orientation`)."""
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        return _orientation_of_still(Path(container.name.removeprefix("file:")))
    return None


NO_FRAME = av.VideoFrame(2, 2, "gray")
"""In the place of a frame in its own data: as they refer to each other, no frame would be freed when it has been
passed over, but only when Python looks for cycles, some hundred frames later (1.4 GB in 4K)."""


def frame_orientation(frame: Frame) -> Orientation | None:
    """How a frame and those after it are shown; None where it does not say so, and what was said before holds on.

    Raises
    ------
    MediaError
        When it is turned by something else than quarter turns.
    """
    try:
        data = frame.side_data
    except ValueError:  # a frame with data of a type that PyAV does not know; the angle it does tell
        return _turn(frame.rotation)
    found = data.get("DISPLAYMATRIX")
    matrix = None if found is None else struct.unpack("<9i", bytes(found))
    type(data).__init__(data, NO_FRAME)  # so that it refers to the frame no more, see `NO_FRAME`
    return None if matrix is None else _of_matrix(matrix)


def _of_matrix(matrix: Sequence[int]) -> Orientation:
    """From (a, b, u, c, d, v, ...): a pixel (x, y) is shown at (a x + c y, b x + d y)."""
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if not any((a, b, c, d)):
        return Orientation()
    if a == d == 0:
        return Orientation(transposed=True, mirrored=c < 0, upside_down=b < 0)
    if b == c == 0:
        return Orientation(mirrored=a < 0, upside_down=d < 0)
    raise MediaError("has a picture that is turned by something else than quarter turns")


def _turn(degrees: int) -> Orientation:
    if degrees % 90:
        raise MediaError(f"has a picture that is turned by {degrees} degrees; quarter turns are read")
    return TURNS[degrees % 360]


def _refuse_animation(opened: Image.Image) -> None:
    """FFmpeg reads only WebP of one picture; it reads the moving GIF and PNG as videos."""
    count = getattr(opened, "n_frames", 1) if opened.format == "WEBP" else 1
    if count > 1:
        raise MediaError(f"is a WebP of {count} pictures, of which FFmpeg reads none; convert it to MP4 or GIF")


def _orientation_of_still(path: Path) -> Orientation:
    """By its Exif; raises MediaError for a picture that moves, or is too large."""
    try:
        with Image.open(path) as opened:
            _refuse_animation(opened)
            return EXIF.get(opened.getexif().get(EXIF_ORIENTATION, 1), Orientation())
    except Image.DecompressionBombError as cause:
        raise MediaError(f"is too large a picture ({cause}); make it smaller") from cause
    except (OSError, ValueError, SyntaxError):  # a picture that only FFmpeg reads
        return Orientation()
