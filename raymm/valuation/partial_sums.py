"""Sums over the members of all coalitions, one addition each, from tables over the low and the high bits of a code.

    sum(C) = low[C mod 2**l] + high[C div 2**l]

The tables grow by doubling: for each further player, its term is added to a copy of the table so far. Every sum is
formed in one order of additions, whatever the batch or the block, so its bits do not depend on how the work is split.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["correct_by_sums", "grand_sum", "sums_of_halves"]

LOW_BITS = 8
"""Bits of the low table: 256 sums for each class of 64 samples stay in the cache of a core."""

CACHED_SUMS = 2**19
FEWEST_ROWS = 64
"""Sums of all classes and samples that are held at one time; and the least number of samples, for any K."""


def sums_of_halves(
    partial_logits: Float[Tensor, "B n H"], bias: Float[Tensor, " H"], codes: range
) -> Iterator[Float[Tensor, "B s H"]]:
    """Sums of consecutive coalitions, at most 256 at a time."""
    bits = min(partial_logits.shape[1], LOW_BITS)
    low = _table(partial_logits[:, :bits], bias.expand(len(partial_logits), -1))
    high = _table(partial_logits[:, bits:], torch.zeros_like(low[:, 0]))
    for window, inner in _windows(codes, 2**bits):
        yield low[:, inner.start : inner.stop] + high[:, window, None]


def grand_sum(partial_logits: Float[Tensor, "B n H"], bias: Float[Tensor, " H"]) -> Float[Tensor, "B H"]:
    """The sum of the grand coalition, by the additions that `sums_of_halves` makes for it."""
    low = bias.expand(len(partial_logits), -1)
    for player in range(min(partial_logits.shape[1], LOW_BITS)):
        low = low + partial_logits[:, player]
    if partial_logits.shape[1] <= LOW_BITS:
        return low
    high = partial_logits[:, LOW_BITS]
    for player in range(LOW_BITS + 1, partial_logits.shape[1]):
        high = high + partial_logits[:, player]
    return low + high


def correct_by_sums(
    partial_logits: Float[Tensor, "B n K"], bias: Float[Tensor, " K"], labels: Int64[Tensor, " B"], codes: range
) -> Bool[Tensor, "B s"]:
    """Whether the largest of the summed logits is the label's, for consecutive coalitions; the empty one never is.

    Of equal logits the first class counts, as in `argmax`; ties are rare and are resolved one by one. In memory the
    classes come first and the samples last, so that every operation runs along the samples; samples are taken in
    parts whose sums fit the cache.
    """
    bits = min(partial_logits.shape[1], LOW_BITS)
    step = len(partial_logits)
    if partial_logits.device.type == "cpu":
        step = max(FEWEST_ROWS, CACHED_SUMS // (partial_logits.shape[2] << bits))
    parts = zip(partial_logits.detach().split(max(1, step)), labels.split(max(1, step)), strict=True)
    correct = [_correct(part.permute(2, 1, 0).contiguous(), bias.detach(), own, codes, bits) for part, own in parts]
    return torch.cat(correct, dim=1).T


def _correct(
    partial_logits: Float[Tensor, "K n B"],
    bias: Float[Tensor, " K"],
    labels: Int64[Tensor, " B"],
    codes: range,
    bits: int,
) -> Bool[Tensor, "s B"]:
    rows = torch.arange(len(labels), device=labels.device)
    # the label's own sums are kept apart, so that the maximum over `others` is that of the wrong classes
    others = _table_of_classes(partial_logits[:, :bits], bias[:, None])
    own = others[labels, :, rows].T
    others[labels, :, rows] = -torch.inf
    if bits == partial_logits.shape[1]:
        return _label_wins(own, others, labels, 0)[codes.start : codes.stop]
    high = _table_of_classes(partial_logits[:, bits:], torch.zeros_like(partial_logits[:, 0]))
    own_high = high[labels, :, rows].T
    sums = torch.empty_like(others)
    correct = []
    for window, inner in _windows(codes, 2**bits):
        torch.add(others, high[:, window, None], out=sums)
        correct.append(_label_wins(own + own_high[window], sums, labels, window)[inner.start : inner.stop])
    return torch.cat(correct)


def _label_wins(
    own: Float[Tensor, "s B"], others: Float[Tensor, "K s B"], labels: Int64[Tensor, " B"], window: int
) -> Bool[Tensor, "s B"]:
    """Whether the label's sum is the first of the largest; among `others` the label has -inf."""
    top = others.amax(dim=0)
    correct, tied = own > top, own == top
    if window == 0:  # where the bias is 0, all logits of the empty coalition are equal
        correct[0] = tied[0] = False
    if tied.any():
        coalition, sample = tied.nonzero(as_tuple=True)
        correct[coalition, sample] = labels[sample] <= others.permute(1, 2, 0)[coalition, sample].argmax(dim=1)
    return correct


def _table_of_classes(
    partial_logits: Float[Tensor, "K k B"], start: Float[Tensor, " K #B"]
) -> Float[Tensor, "K t B"]:
    """As `_table`, the same additions in the same order, with classes first and samples last."""
    classes, players, samples = partial_logits.shape
    table = partial_logits.new_empty(classes, 2**players, samples)
    table[:, 0] = start
    for player in range(players):
        known = 2**player
        torch.add(table[:, :known], partial_logits[:, player, None], out=table[:, known : 2 * known])
    return table


def _windows(codes: range, width: int) -> Iterator[tuple[int, range]]:
    """The part of `codes` in each aligned window of `width` codes: number of the window, and codes from its start."""
    for number in range(codes.start // width, -(-codes.stop // width)):
        first = number * width
        yield number, range(max(codes.start - first, 0), min(codes.stop - first, width))


def _table(partial_logits: Float[Tensor, "B k H"], start: Float[Tensor, "B H"]) -> Float[Tensor, "B t H"]:
    """`start` plus the sum over the members, of all 2**k coalitions of k players."""
    table = start[:, None]
    for player in range(partial_logits.shape[1]):
        table = torch.cat([table, table + partial_logits[:, player, None]], dim=1)
    return table
