"""Sums over the members of all coalitions, one addition each: tables over the low and the high bits of a code.

sum(C) = low[C mod 2**l] + high[C div 2**l], where the tables themselves grow by doubling (each new bit adds
its term to a copy of what is there). Every sum is formed in one order, whatever the batch or the block, so its
bits do not depend on how the work is cut.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["right_by_sums", "sums_of_halves"]

LOW_BITS = 8
"""256 sums for each class of 64 samples stay in the cache of a core."""


def sums_of_halves(
    deltas: Float[Tensor, "B n H"], base: Float[Tensor, "H"], codes: range
) -> Iterator[Float[Tensor, "B s H"]]:
    """Sums of consecutive coalitions, at most 256 at a time."""
    bits = min(deltas.shape[1], LOW_BITS)
    low = _table(deltas[:, :bits], base.expand(len(deltas), -1))
    high = _table(deltas[:, bits:], torch.zeros_like(low[:, 0]))
    for number, inner in _within(codes, 2**bits):
        yield low[:, inner.start : inner.stop] + high[:, number, None]


def right_by_sums(
    deltas: Float[Tensor, "B n K"], base: Float[Tensor, "K"], labels: Int64[Tensor, "B"], codes: range
) -> Bool[Tensor, "B s"]:
    """Whether the largest of the summed logits is the label's, for consecutive coalitions.

    Of equal logits the first class counts, as in `argmax`; ties are rare, so they are looked at one by one.
    """
    rows = torch.arange(len(deltas), device=deltas.device)
    bits = min(deltas.shape[1], LOW_BITS)
    low = _table(deltas[:, :bits], base.expand(len(deltas), -1)).transpose(1, 2).contiguous()
    high = _table(deltas[:, bits:], torch.zeros_like(low[:, :, 0])).transpose(1, 2).contiguous()
    own_low, own_high = low[rows, labels], high[rows, labels]
    others = low.index_put((rows, labels), low.new_tensor(-torch.inf))
    answer = []
    for number, inner in _within(codes, 2**bits):
        top = (others + high[:, :, number, None]).amax(dim=1)
        own = own_low + own_high[:, number, None]
        right, tied = own > top, own == top
        if tied.any():
            sample, column = tied.nonzero(as_tuple=True)
            logits = low[sample, :, column] + high[sample, :, number]
            right[sample, column] = logits.argmax(dim=1) == labels[sample]
        answer.append(right[:, inner.start : inner.stop])
    return torch.cat(answer, dim=1)


def _within(codes: range, width: int) -> Iterator[tuple[int, range]]:
    """The part of `codes` in each aligned window: number of the window, and the codes counted from its start."""
    for number in range(codes.start // width, -(-codes.stop // width)):
        first = number * width
        yield number, range(max(codes.start - first, 0), min(codes.stop - first, width))


def _table(deltas: Float[Tensor, "B k H"], start: Float[Tensor, "B H"]) -> Float[Tensor, "B t H"]:
    """Start plus the sum over the members, of all 2**k coalitions of k players."""
    table = start[:, None]
    for player in range(deltas.shape[1]):
        table = torch.cat([table, table + deltas[:, player, None]], dim=1)
    return table
