"""Sums over the members of all coalitions, one addition each: tables over the low and the high bits of a code.

sum(C) = low[C mod 2**l] + high[C div 2**l], where the tables themselves grow by doubling (each new bit adds
its term to a copy of what is there). Every sum is formed in one order, whatever the batch or the block, so its
bits do not depend on how the work is cut.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["right_by_sums", "sum_of_all", "sums_of_halves"]

LOW_BITS = 8
"""256 sums for each class of 64 samples stay in the cache of a core."""

CACHED_SUMS = 2**19
FEWEST_ROWS = 64
"""Sums of all classes and samples that are held at one time, and the samples that are taken however many classes."""


def sums_of_halves(
    deltas: Float[Tensor, "B n H"], base: Float[Tensor, " H"], codes: range
) -> Iterator[Float[Tensor, "B s H"]]:
    """Sums of consecutive coalitions, at most 256 at a time."""
    bits = min(deltas.shape[1], LOW_BITS)
    low = _table(deltas[:, :bits], base.expand(len(deltas), -1))
    high = _table(deltas[:, bits:], torch.zeros_like(low[:, 0]))
    for number, inner in _within(codes, 2**bits):
        yield low[:, inner.start : inner.stop] + high[:, number, None]


def sum_of_all(deltas: Float[Tensor, "B n H"], base: Float[Tensor, " H"]) -> Float[Tensor, "B H"]:
    """The sum of the last coalition, by the additions that `sums_of_halves` makes for it."""
    low = base.expand(len(deltas), -1)
    for player in range(min(deltas.shape[1], LOW_BITS)):
        low = low + deltas[:, player]
    if deltas.shape[1] <= LOW_BITS:
        return low
    high = deltas[:, LOW_BITS]
    for player in range(LOW_BITS + 1, deltas.shape[1]):
        high = high + deltas[:, player]
    return low + high


def right_by_sums(
    deltas: Float[Tensor, "B n K"], base: Float[Tensor, " K"], labels: Int64[Tensor, " B"], codes: range
) -> Bool[Tensor, "B s"]:
    """Whether the largest of the summed logits is the label's, for consecutive coalitions; of nobody it never is.

    Of equal logits the first class counts, as in `argmax`; ties are rare, so they are looked at one by one. Classes
    come first and samples last in memory, so that every step runs along the samples; some samples at a time, so that
    their sums stay in the cache.
    """
    bits = min(deltas.shape[1], LOW_BITS)
    step = max(FEWEST_ROWS, CACHED_SUMS // (deltas.shape[2] << bits)) if deltas.device.type == "cpu" else len(deltas)
    parts = zip(deltas.detach().split(max(1, step)), labels.split(max(1, step)), strict=True)
    right = [_right(part.permute(2, 1, 0).contiguous(), base.detach(), own, codes, bits) for part, own in parts]
    return torch.cat(right, dim=1).T


def _right(
    deltas: Float[Tensor, "K n B"], base: Float[Tensor, " K"], labels: Int64[Tensor, " B"], codes: range, bits: int
) -> Bool[Tensor, "s B"]:
    rows = torch.arange(len(labels), device=labels.device)
    others = _table_of_classes(deltas[:, :bits], base[:, None])
    own = others[labels, :, rows].T
    others[labels, :, rows] = -torch.inf
    if bits == deltas.shape[1]:
        return _wins(own, others, labels, 0)[codes.start : codes.stop]
    high = _table_of_classes(deltas[:, bits:], torch.zeros_like(deltas[:, 0]))
    own_high = high[labels, :, rows].T
    sums = torch.empty_like(others)
    answer = []
    for number, inner in _within(codes, 2**bits):
        torch.add(others, high[:, number, None], out=sums)
        answer.append(_wins(own + own_high[number], sums, labels, number)[inner.start : inner.stop])
    return torch.cat(answer)


def _wins(
    own: Float[Tensor, "s B"], others: Float[Tensor, "K s B"], labels: Int64[Tensor, " B"], window: int
) -> Bool[Tensor, "s B"]:
    """Whether the label's sum is the first of the largest; it stands as -inf among the others."""
    top = others.amax(dim=0)
    right, tied = own > top, own == top
    if window == 0:  # where the base is 0, all logits of the empty coalition are equal
        right[0] = tied[0] = False
    if tied.any():
        coalition, sample = tied.nonzero(as_tuple=True)
        right[coalition, sample] = labels[sample] <= others.permute(1, 2, 0)[coalition, sample].argmax(dim=1)
    return right


def _table_of_classes(deltas: Float[Tensor, "K k B"], start: Float[Tensor, " K #B"]) -> Float[Tensor, "K t B"]:
    """As `_table`, the same additions in the same order, with classes first and samples last."""
    classes, players, samples = deltas.shape
    table = deltas.new_empty(classes, 2**players, samples)
    table[:, 0] = start
    for player in range(players):
        known = 2**player
        torch.add(table[:, :known], deltas[:, player, None], out=table[:, known : 2 * known])
    return table


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
