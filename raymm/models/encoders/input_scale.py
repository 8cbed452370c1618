"""From pictures at mean 0 and deviation 1 over the training split to the mean and deviation that weights know."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["InputScale"]

LARGEST = 255.0
"""Of a stored pixel; libraries give mean and deviation of pixels from 0 to 1."""


class InputScale(nn.Module):
    """`a * x + b` of each channel of `[..., C, H, W]`.

    With x = (pixel - m) / s by the statistics of the data, and mean and deviation wm and ws of the weights, it gives
    (pixel / 255 - wm) / ws, as the library's own transform does. Until it is told the statistics of the data it gives
    NaN, and no wrong number.

    Parameters
    ----------
    mean, std
        Of the weights, of pixels from 0 to 1, [C] each.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self._mean = torch.tensor(mean, dtype=torch.float64)
        self._std = torch.tensor(std, dtype=torch.float64)
        for name in ("factor", "offset"):
            self.register_buffer(name, torch.full((len(mean), 1, 1), torch.nan))

    def set_statistics(self, statistics: Mapping[str, Sequence[float]] | None) -> None:
        """Take the statistics of the data, `mean` and `std` [C] in pixels; None where pixels come as they are."""
        known = statistics or {"mean": [0.0] * len(self._mean), "std": [1.0] * len(self._mean)}
        mean, std = (torch.tensor(known[key], dtype=torch.float64) for key in ("mean", "std"))
        self.factor.copy_((std / LARGEST / self._std)[:, None, None])
        self.offset.copy_(((mean / LARGEST - self._mean) / self._std)[:, None, None])

    def forward(self, x: Float[Tensor, "*b C H W"]) -> Float[Tensor, "*b C H W"]:
        """Rescale the channels."""
        return x * self.factor + self.offset
