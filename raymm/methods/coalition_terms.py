"""Which coalitions of a row are trained beside all its modalities, with what shares, and their losses.

A row has p present modalities P. Its coalitions are the proper, non-empty subsets of P whose size is asked for; a
modality that the row lacks is in none of them, so each coalition stands once. They share a total of 1 by size, and
within a size evenly:

| weights | share of size s |
|---|---|
| `size` | the same for every size: the prefixes of a random order of the modalities |
| `uniform` | proportional to binom(p, s): the same for every coalition |
| `shapley` | proportional to 1 / (s (p - s)): the Shapley kernel (Lundberg and Lee, NeurIPS 2017) |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor

from raymm.valuation.bits import masks_of

if TYPE_CHECKING:
    from raymm.tasks.base import Task
    from raymm.types import Mask

__all__ = ["MOST", "Coalitions", "FusedRows", "Terms", "Weights"]

Weights = Literal["size", "uniform", "shapley"]

MOST = 255
"""Coalitions (all modalities together among them) up to which all of them are fused where nothing else is asked."""


class FusedRows(Protocol):
    """What is needed of rows that were encoded: a `raymm.methods.Step`, or rows of a split."""

    mask: Mask

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]), [B, S, K]."""

    def masked_logits(self, mask: Mask) -> Tensor:
        """Outputs of each row with a mask of its own, [B, K]."""

    def uniform(self, purpose: str, count: int) -> Tensor:
        """Uniform numbers [B, count] keyed by row."""

    def losses_by(self, task: Task, outputs: Tensor) -> Tensor:
        """The task's losses of outputs [B, S, K], [B, S]."""


@dataclass(frozen=True)
class Terms:
    """Losses of some rows.

    Attributes
    ----------
    full
        Loss with all modalities that a row has, [B].
    parts
        Losses of coalitions, [B, S].
    share
        Their shares, [B, S]: 0 where a coalition is none of the row's; they add up to 1, or to 0 where it has none.
    members
        Members of the coalitions, bool [S, n], or [B, S, n] where each row has its own.
    logits
        Outputs of the coalitions, [B, S, K].
    """

    full: Tensor
    parts: Tensor
    share: Tensor
    members: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Coalitions:
    """The coalitions of rows of up to n modalities.

    Attributes
    ----------
    n
        Number of modalities.
    sizes
        Sizes that are trained; None: all from 1 to p - 1.
    weights
        How sizes share; see above.
    draw
        Coalitions that are drawn of each row and step; None: all of them, or n drawn ones where there are more than
        `MOST`.

    Examples
    --------
    >>> Coalitions(3).shares[3].tolist()  # of sizes 0 to 3 in a row with three modalities
    [0.0, 0.5, 0.5, 0.0]
    >>> Coalitions(3).members.int().tolist()
    [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]]
    """

    n: int
    sizes: tuple[int, ...] | None = None
    weights: Weights = "size"
    draw: int | None = None

    def sizes_of(self, p: int) -> list[int]:
        """Sizes of the coalitions of a row with p modalities, ascending."""
        return [s for s in range(1, p) if self.sizes is None or s in self.sizes]

    @cached_property
    def drawn(self) -> int | None:
        """Coalitions that are drawn of a row; None where all are fused."""
        if self.draw is not None:
            return self.draw
        return self.n if 1 + sum(comb(self.n, s) for s in self.sizes_of(self.n)) > MOST else None

    @cached_property
    def shares(self) -> Tensor:
        """Share of the coalitions of size s in a row with p modalities, float64 [n + 1, n + 1] by p and s."""
        table = torch.zeros(self.n + 1, self.n + 1, dtype=torch.float64)
        for p in range(self.n + 1):
            for s in self.sizes_of(p):
                table[p, s] = {"size": 1.0, "uniform": comb(p, s), "shapley": 1 / (s * (p - s))}[self.weights]
        return table / table.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)

    @cached_property
    def amounts(self) -> Tensor:
        """Share of all coalitions where each size counts as much as all modalities, which count twice, [n + 1] by p.

        m / (m + 2) with m sizes below p: 1/3 at two modalities, 1/2 at three.
        """
        count = torch.tensor([float(len(self.sizes_of(p))) for p in range(self.n + 1)])
        return count / (count + 2)

    @cached_property
    def members(self) -> Tensor:
        """All coalitions of a row that lacks nothing, bool [S, n], in the order of their codes."""
        chosen = (members for s in self.sizes_of(self.n) for members in combinations(range(self.n), s))
        codes = sorted(sum(1 << i for i in members) for members in chosen)
        return masks_of(torch.tensor(codes, dtype=torch.int64), self.n)

    def terms(self, rows: FusedRows, task: Task) -> Terms:
        """Losses of rows, of all their coalitions or of drawn ones."""
        return self._all(rows, task) if self.drawn is None else self._drawn(rows, task, self.drawn)

    def share_of_each(self, present: Mask) -> Tensor:
        """Share of each of `members` in rows that have some modalities (bool [B, n]), float32 [B, S]."""
        members = self.members.to(present.device)
        inside = ~(members.float() @ (~present).float().T).bool().T
        return self._share_by_count.to(present.device)[present.sum(dim=1)] * inside

    @cached_property
    def _share_by_count(self) -> Tensor:
        """Share of each of `members` in a row with p modalities that has all of its members, float32 [n + 1, S]."""
        alike = torch.tensor([[comb(p, s) or 1 for s in range(self.n + 1)] for p in range(self.n + 1)])
        return (self.shares / alike).float()[:, self.members.sum(dim=1)]

    def draw_masks(self, present: Mask, uniform: Tensor) -> Mask:
        """Coalitions drawn of each row: a size by its share, then a subset of that size, all alike.

        Parameters
        ----------
        present
            Modalities of the rows, bool [B, n].
        uniform
            Numbers in (0, 1], [B, k, n + 1].

        Returns
        -------
        bool [B, k, n]; all modalities of the row where it has no coalition of the sizes.
        """
        below = self.shares.cumsum(dim=1).to(present.device, torch.float32)[present.sum(dim=1)]  # [B, n + 1]
        size = (uniform[..., :1] > below[:, None]).sum(dim=-1)
        order = torch.where(present[:, None], uniform[..., 1:], 2.0).argsort(dim=-1, stable=True).argsort(dim=-1)
        return (order < size[..., None]) & present[:, None]

    def _all(self, rows: FusedRows, task: Task) -> Terms:
        members = self.members.to(rows.mask.device)
        everything = torch.ones(1, self.n, dtype=torch.bool, device=members.device)
        logits = rows.coalition_logits(torch.cat([members, everything]))
        losses = rows.losses_by(task, logits.float())
        return Terms(losses[:, -1], losses[:, :-1], self.share_of_each(rows.mask), members, logits[:, :-1])

    def _drawn(self, rows: FusedRows, task: Task, count: int) -> Terms:
        uniform = rows.uniform("coalitions", count * (self.n + 1)).unflatten(1, (count, self.n + 1))
        masks = self.draw_masks(rows.mask, uniform)
        logits = torch.stack([rows.masked_logits(mask) for mask in (rows.mask, *masks.unbind(dim=1))], dim=1)
        losses = rows.losses_by(task, logits.float())
        any_size = self.shares.any(dim=1).to(rows.mask.device)[rows.mask.sum(dim=1)]
        share = any_size[:, None].float().expand(-1, count) / count
        return Terms(losses[:, 0], losses[:, 1:], share, masks, logits[:, 1:])
