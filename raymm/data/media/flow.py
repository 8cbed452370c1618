"""Dense optical flow between consecutive frames: OpenCV's DIS, or RAFT where its weights are given.

DIS (Kroeger et al., ECCV 2016) runs at the finest scale, because the stored frames are small. RAFT (Teed and
Deng, ECCV 2020; torchvision's `raft_small`) wants at least 128 pixels; smaller frames are enlarged for it and
the flow is scaled back.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from raymm.data.media.problem import MediaError
from raymm.deferred import torch

__all__ = ["dense_flow"]

RAFT_PIXELS = 128

Frames = npt.NDArray[np.uint8]
Flow = npt.NDArray[np.float16]


def dense_flow(gray: Frames, method: str = "dis", weights: str | None = None) -> Flow:
    """Flow between neighbours of gray frames [T + 1, H, W]: float16 [T, 2, H, W], (x, y) in pixels a frame.

    Parameters
    ----------
    method, weights
        "dis", or "raft" with the file of its weights.
    """
    if method == "raft":
        return _raft_flow(gray, str(weights))
    return _dis_flow(gray)


def _dis_flow(gray: Frames) -> Flow:
    cv2.setNumThreads(1)
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setFinestScale(0)
    try:
        fields = [estimator.calc(first, second, None) for first, second in pairwise(gray)]
    except cv2.error as cause:
        raise MediaError(f"flow by DIS failed on frames of {gray.shape[1]}x{gray.shape[2]} ({cause.err})") from cause
    return np.stack(fields).transpose(0, 3, 1, 2).astype(np.float16)


def _raft_flow(gray: Frames, weights: str) -> Flow:
    height, width = gray.shape[1:]
    frames = torch.from_numpy(gray)[:, None].float().expand(-1, 3, -1, -1) / 127.5 - 1.0
    size = [max(RAFT_PIXELS, -(-height // 8) * 8), max(RAFT_PIXELS, -(-width // 8) * 8)]
    large = torch.nn.functional.interpolate(frames, size=size, mode="bilinear", align_corners=False)
    with torch.inference_mode():
        flow = _raft(weights)(large[:-1], large[1:])[-1]
    small = torch.nn.functional.interpolate(flow, size=[height, width], mode="area")
    scale = torch.tensor([width / size[1], height / size[0]]).view(1, 2, 1, 1)
    return (small * scale).numpy().astype(np.float16)


@lru_cache(maxsize=1)
def _raft(weights: str) -> torch.nn.Module:
    from torchvision.models.optical_flow import raft_small  # noqa: PLC0415  (slow to import)

    model = raft_small(weights=None)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError) as cause:
        raise MediaError(f"flow by RAFT: its weights {weights} cannot be used ({cause})") from cause
    return model.eval()
