"""Optical flow that was computed before and saved as grey pictures, one for x and one for y a frame (TV-L1 folders).

A pixel p of 0 to 255 stands for p / 255 * 2 * bound - bound pixels a frame; tools cut flow at a bound of 20 pixels.
Layouts differ in where x and y are: in the name (`flow_x_00001.jpg`, `flow_y_00001.jpg`) or in a folder (`u/.../`,
`v/.../`; `x/`, `y/`; `flow_x/`, `flow_y/`).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from raymm.data.media.geometry import Fit, fitted_size
from raymm.data.media.picture_files import SUFFIXES, numbered
from raymm.data.media.problem import MediaError, refuse_pointer

__all__ = ["PAIRS", "first_x_picture", "is_flow", "read_flow_pictures", "x_pictures", "y_picture", "y_places"]

Flow = npt.NDArray[np.float16]

PAIRS = {"u": "v", "x": "y", "flow_x": "flow_y"}
"""Folders of x, and those of y."""

IN_NAME = re.compile(r"flow_x(?=[_.\d])")
FLOW = re.compile(r"flow_[xy](?=[_.\d])")


def is_flow(picture: Path) -> bool:
    """Whether the name of a picture says that it is flow.

    >>> is_flow(Path("a/flow_y_00001.jpg")), is_flow(Path("flow_x/img_00001.jpg"))
    (True, False)
    """
    return FLOW.search(picture.name) is not None


def first_x_picture(folder: Path, root: Path) -> Path | None:
    """The first picture of the flow in x in a folder, or in a folder for x within it; None where there is none.

    Only folders below `root` say what is x.
    """
    for place in (folder, *(folder / name for name in PAIRS)):
        found = _x_of(place, root) if place.is_dir() else []
        if found:
            return found[0]
    return None


def x_pictures(first: Path, root: Path) -> list[Path]:
    """The pictures of the flow in x of the clip that begins with `first`, in the order of their numbers.

    Raises
    ------
    MediaError
        When neither names nor folders below `root` say that the pictures are x.
    """
    found = _listed(str(first.parent), str(root), first.parent.stat().st_mtime_ns)
    if first not in found:
        raise MediaError(
            f"is no picture of flow in x: its name must hold flow_x, or a folder must be called {', '.join(PAIRS)}"
        )
    return list(found[found.index(first) :])


def y_picture(x: Path, root: Path) -> Path:
    """Where the flow in y lies that belongs to a picture of x: the name says so, or a folder, or both.

    Examples
    --------
    >>> y_picture(Path("v_Bowling_g01_c01/flow_x_00001.jpg"), Path()).as_posix()
    'v_Bowling_g01_c01/flow_y_00001.jpg'
    >>> y_picture(Path("tvl1_flow/u/v_Bowling_g01_c01/frame000001.jpg"), Path()).as_posix()
    'tvl1_flow/v/v_Bowling_g01_c01/frame000001.jpg'
    """
    *before, last = y_places(x, root)
    return next((place for place in before if place.is_file()), last)


def y_places(x: Path, root: Path) -> list[Path]:
    """Where it may lie, the first place first; it does in the last one where it does in no other.

    >>> [place.as_posix() for place in y_places(Path("u/a/flow_x_1.jpg"), Path())]
    ['u/a/flow_y_1.jpg', 'v/a/flow_y_1.jpg']
    """
    parts = list(x.relative_to(root).parts[:-1])
    name = IN_NAME.sub("flow_y", x.name)
    place = next((place for place in reversed(range(len(parts))) if parts[place] in PAIRS), None)
    if place is None:
        return [x.with_name(name)]
    parts[place] = PAIRS[parts[place]]
    across = root.joinpath(*parts, name)
    return [x.with_name(name), across] if name != x.name else [across]


def read_flow_pictures(
    first: Path, root: Path, indices: Sequence[int], bound: float, height: int, width: int, fit: Fit
) -> Flow:
    """Flow of some frames of a clip, float16 [T, 2, height, width], (x, y) in pixels a frame of the size given.

    Parameters
    ----------
    first, root
        The first picture of x, and the folder below which names of folders count.
    indices
        Numbers of frames from 0 on; after the last picture nothing moves.
    bound
        Pixels that white stands for, and black with a minus.

    Raises
    ------
    MediaError
        When `first` is no picture of x, a picture of y is not there, or a picture cannot be read, is no 8-bit grey,
        or differs in size.
    """
    pictures = x_pictures(first, root)
    out = np.zeros((len(indices), 2, height, width), np.float16)
    for place, index in enumerate(indices):
        if index < len(pictures):
            out[place] = _field(pictures[index], y_picture(pictures[index], root), bound, height, width, fit)
    return out


def _field(x: Path, y: Path, bound: float, height: int, width: int, fit: Fit) -> npt.NDArray[np.float32]:
    """Flow of one frame, [2, height, width]."""
    both = [_grey(x), _grey(y)]
    if both[0].size != both[1].size:
        raise MediaError(f"{x.name} is {both[0].size[0]} x {both[0].size[1]} pixels, its y has another size")
    size = fitted_size(both[0].size, (width, height), fit)
    resized = [np.asarray(grey.resize(size, Image.Resampling.BILINEAR), np.float64) for grey in both]
    scaled = [pixels * (2 * bound / 255) - bound for pixels in resized]
    stretch = np.array([size[0] / both[0].size[0], size[1] / both[0].size[1]])
    return _placed(np.stack(scaled) * stretch[:, None, None], height, width)


def _grey(path: Path) -> Image.Image:
    """A picture of one channel, as float numbers."""
    try:
        with Image.open(path) as opened:
            if opened.mode not in {"L", "RGB"}:
                raise MediaError(f"{path.name} has the mode {opened.mode}; flow is saved as 8-bit grey")
            return opened.convert("L").convert("F")
    except FileNotFoundError:
        raise MediaError(f"there is no picture {path.parent.name}/{path.name}") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as cause:
        _refuse_pointer(path)
        raise MediaError(f"{path.name} cannot be read as a picture ({cause})") from cause


def _refuse_pointer(path: Path) -> None:
    try:
        refuse_pointer(path)
    except MediaError as cause:
        raise MediaError(f"{path.name} {cause}") from cause


def _placed(field: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.float32]:
    """The middle of a field [2, H, W], cut, and padded with no movement, [2, height, width]."""
    top, left = (max(0, have - want) // 2 for have, want in zip(field.shape[1:], (height, width), strict=True))
    cut = field[:, top : top + height, left : left + width]
    out = np.zeros((2, height, width), np.float32)
    top, left = (height - cut.shape[1]) // 2, (width - cut.shape[2]) // 2
    out[:, top : top + cut.shape[1], left : left + cut.shape[2]] = cut
    return out


@lru_cache(maxsize=4)
def _listed(folder: str, root: str, changed: int) -> tuple[Path, ...]:
    """Pictures of x in a folder, cached until it changes."""
    del changed
    return tuple(_x_of(Path(folder), Path(root)))


def _x_of(folder: Path, root: Path) -> list[Path]:
    """Pictures of x: those whose name says so, else all, where the folder or one above it, below root, says so."""
    pictures = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    named = [path for path in pictures if IN_NAME.search(path.name)]
    chosen = named or (pictures if set(folder.relative_to(root).parts) & set(PAIRS) else [])
    return numbered(chosen)
