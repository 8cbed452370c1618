"""Pixels of pictures and of optical flow: fewer of them, side by side, and flow as colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["GAP", "at_most", "colours_of_flow", "strip"]

GAP = 2
"""Pixels between the pictures of a strip, which are grey."""

GREY = 128

Pixels = npt.NDArray[np.uint8]


def at_most(pixels: Pixels, side: int) -> Pixels:
    """A picture [height, width] or [height, width, 3] whose longer side has at most `side` pixels."""
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BOX))


def strip(pictures: Sequence[Pixels]) -> Pixels:
    """Pictures [height, width, 3] of one size in a row, `GAP` pixels apart."""
    gap = np.full((pictures[0].shape[0], GAP, 3), GREY, np.uint8)
    row = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(row[1:], axis=1)


def colours_of_flow(flow: npt.NDArray[np.float32]) -> Pixels:
    """Flow [frames, 2, height, width] as colours [frames, height, width, 3] of the wheel of Baker et al. (IJCV 2011).

    The hue is the direction, and white is rest; the fastest pixel of all frames has full colour.
    """
    import torch  # noqa: PLC0415  (slow to import, as is torchvision)
    from torchvision.utils import flow_to_image  # noqa: PLC0415

    moving = torch.from_numpy(np.array(flow, np.float32))
    if not moving.any():  # which torchvision would divide by
        return np.full((len(flow), *flow.shape[2:], 3), 255, np.uint8)
    colours: Pixels = flow_to_image(moving).permute(0, 2, 3, 1).contiguous().numpy()
    return colours
