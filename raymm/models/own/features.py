"""Features of any form as one tensor [B, n, D], which raymm masks, averages and selects rows of, and back.

An own `encode` may return a tensor [B, n, ...], or a mapping from modalities to tensors of any widths, or to tuples
or mappings of these; a modality has all rows of the batch, or those rows that have it, in order. Each modality's
numbers are laid side by side, and zeros fill up to the widest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from raymm.models.explained import in_words
from raymm.valuation.conformance import ModelError

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.types import Features

__all__ = ["FeatureForm", "form_of"]

FORMS = (
    "return a tensor [B, n, D], or a mapping from each modality to a tensor [B, ...] (or to a tuple or mapping of "
    "such tensors), floating-point or bool"
)

Nest = Any
"""A tensor, or a tuple, list or mapping of nests."""


@dataclass(frozen=True)
class FeatureForm:
    """How features of one model look.

    Attributes
    ----------
    names
        Modalities in schema order.
    nests
        Of each modality (or of the one tensor): tensors without rows, [0, ...], in their tuples and mappings.
    whole
        Whether features are one tensor, whose second axis are the modalities.
    """

    names: tuple[str, ...]
    nests: tuple[Nest, ...]
    whole: bool

    @property
    def size(self) -> int:
        """D: numbers of the widest modality."""
        if self.whole:
            return math.prod(self.nests[0].shape[2:])
        return max(sum(_width(leaf) for leaf in _leaves(nest)) for nest in self.nests)

    def pack(self, found: Any, batch: Batch, read: frozenset[str]) -> Features:
        """Features as one tensor, float32 [B, n, D].

        Raises
        ------
        ModelError
            When they have another form than those of the example.
        """
        here = form_of(found, self.names, len(batch), [len(batch.inputs[name]) for name in self.names])
        if _shapes(here) != _shapes(self):
            raise ModelError(
                f"encode returned {in_words(found)}, and for the example {_in_words(self)}; but "
                "for the number of rows, features must have one form in every batch"
            )
        if self.whole:
            features: Features = found.flatten(2).float()
            return features
        none = torch.zeros(len(batch), self.size, device=batch.mask.device)
        columns = [
            self._column(found[name], batch, position) if name in read else none
            for position, name in enumerate(self.names)
        ]
        return torch.stack(columns, dim=1)

    def pack_whole(self, found: Any, read: frozenset[str]) -> Features:
        """What `pack` gives of rows that all have what is read, without looking at it: for a graph."""
        if self.whole:
            features: Features = found.flatten(2).float()
            return features
        columns = {name: self._flat(found[name]) for name in self.names if name in read}
        none = torch.zeros_like(next(iter(columns.values())))
        return torch.stack([columns.get(name, none) for name in self.names], dim=1)

    def unpack(self, features: Features) -> Any:
        """What `pack` took, from one tensor."""
        if self.whole:
            return _with_type(features.unflatten(2, self.nests[0].shape[2:]), self.nests[0])
        return {
            name: _rebuilt(nest, _split(features[:, position], nest))
            for position, (name, nest) in enumerate(zip(self.names, self.nests, strict=True))
        }

    def _column(self, nest: Nest, batch: Batch, position: int) -> Tensor:
        """Numbers of a modality, [B, D]; zeros in rows without it where it came without these."""
        having = len(batch.inputs[self.names[position]])
        flat = self._flat(nest)
        if len(flat) == len(batch):
            return flat
        rows = torch.nonzero_static(batch.mask[:, position], size=having)[:, 0]
        return flat.new_zeros(len(batch), self.size).index_copy(0, rows, flat)

    def _flat(self, nest: Nest) -> Tensor:
        """Numbers of rows that have a modality, [b, D]."""
        flat = torch.cat([leaf.flatten(1).float() for leaf in _leaves(nest)], dim=1)
        return torch.nn.functional.pad(flat, (0, self.size - flat.shape[1]))


def form_of(found: Any, names: tuple[str, ...], rows: int, having: Sequence[int] | None = None) -> FeatureForm:
    """The form of features that `encode` returned for so many rows.

    Parameters
    ----------
    having
        How many of the rows have each modality; default: all.

    Raises
    ------
    ModelError
        When they have none that can be laid out.
    """
    if isinstance(found, Tensor):
        if found.ndim < 3 or found.shape[:2] != (rows, len(names)) or not found.is_floating_point():
            raise ModelError(
                f"encode returned features {in_words(found)} for {rows} rows; expected [samples, modalities, size] = "
                f"[{rows}, {len(names)}, ...] of floating-point numbers"
            )
        return FeatureForm(names, (found.detach()[:0],), whole=True)
    if not isinstance(found, Mapping):
        raise ModelError(f"encode returned {in_words(found)}; {FORMS}")
    if set(found) != set(names):
        raise ModelError(f"encode returned features of {', '.join(map(str, found))}; expected {', '.join(names)}")
    for name, count in zip(names, having or [rows] * len(names), strict=True):
        _check(found[name], name, {rows, count})
    return FeatureForm(names, tuple(_without_rows(found[name]) for name in names), whole=False)


def _check(nest: Nest, name: str, rows: set[int]) -> None:
    """Refuse what is no nest of tensors with an axis of rows."""
    leaves = list(_leaves(nest))
    counts = {len(leaf) if isinstance(leaf, Tensor) and leaf.ndim else -1 for leaf in leaves}
    if not leaves or -1 in counts or not all(leaf.is_floating_point() or leaf.dtype == torch.bool for leaf in leaves):
        raise ModelError(f"encode returned {in_words(nest)} for '{name}'; {FORMS}")
    if len(counts) != 1 or not counts <= rows:
        expected = " (or, of those that have it alone, ".join(str(count) for count in sorted(rows, reverse=True))
        raise ModelError(
            f"encode returned {in_words(nest)} for '{name}'; expected {expected}{')' * (len(rows) - 1)} rows"
        )


def _leaves(nest: Nest) -> Iterator[Any]:
    if isinstance(nest, Mapping):
        for value in nest.values():
            yield from _leaves(value)
    elif isinstance(nest, (tuple, list)):
        for value in nest:
            yield from _leaves(value)
    else:
        yield nest


def _without_rows(nest: Nest) -> Nest:
    return _rebuilt(nest, (leaf.detach()[:0] for leaf in _leaves(nest)))


def _rebuilt(nest: Nest, leaves: Iterator[Tensor]) -> Nest:
    """The same tuples and mappings with other tensors in them."""
    if isinstance(nest, Mapping):
        return {key: _rebuilt(value, leaves) for key, value in nest.items()}
    if isinstance(nest, (tuple, list)):
        return tuple(_rebuilt(value, leaves) for value in nest)
    return next(leaves)


def _split(column: Tensor, nest: Nest) -> Iterator[Tensor]:
    """Tensors [B, ...] from the numbers of a modality [B, D]."""
    start = 0
    for leaf in _leaves(nest):
        part = column[:, start : start + _width(leaf)].reshape(column.shape[0], *leaf.shape[1:])
        start += _width(leaf)
        yield _with_type(part, leaf)


def _with_type(values: Tensor, like: Tensor) -> Tensor:
    return values > 0.5 if like.dtype == torch.bool else values


def _width(leaf: Tensor) -> int:
    return math.prod(leaf.shape[1:])


def _shapes(form: FeatureForm) -> list[Any]:
    return [(list(leaf.shape[1:]), leaf.dtype == torch.bool) for nest in form.nests for leaf in _leaves(nest)]


def _in_words(form: FeatureForm) -> str:
    if form.whole:
        return in_words(form.nests[0])
    return in_words(dict(zip(form.names, form.nests, strict=True)))
