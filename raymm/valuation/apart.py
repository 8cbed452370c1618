"""Whether samples of a batch mix: the second half of it becomes copies of one sample, and the first must not care.

The batch keeps its size, so that no sum is rounded in another way and half precision gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from raymm.data.batch import Batch
from raymm.types import Mask
from raymm.valuation.likeness import changed_rows, close, tolerance_of
from raymm.valuation.structure import map_fields, map_leaves, tensors_of

__all__ = ["mixed_in_words", "mixed_sample"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), type, np.generic, torch.device, torch.dtype, torch.Size)
"""What belongs to a batch as a whole."""

Places = tuple[int | None, ...]
"""Where the samples of a part of a batch may stand, the likeliest first: an axis, or None where it holds none."""


def mixed_sample(
    run: Callable[[Any, Mask], Float[Tensor, "B K"]],
    batch: Any,
    present: Mask,
    own: Float[Tensor, "B K"],
    between: Iterable[Tensor] = (),
) -> int | None:
    """The first sample whose logits change with others of its batch; None where there is none, or nobody can tell.

    A batch can be cut where each tensor or array in it has an axis (of the first two) as long as the batch, and
    everything else is lists of so many entries, texts and numbers, or a batch of raymm. Where several axes or parts
    are as long, samples are taken to mix only if they do however the batch is cut.

    Parameters
    ----------
    run
        `(batch, present) -> logits`.
    own
        The logits of the batch.
    between
        Other numbers that the model computes, whose type may be less exact than that of the logits.

    Examples
    --------
    >>> x, present = torch.tensor([[1.0], [2.0], [4.0]]), torch.ones(3, 1, dtype=torch.bool)
    >>> mixed_sample(lambda batch, _: batch["x"] * 2, {"x": x}, present, x * 2) is None
    True
    >>> mixed_sample(lambda batch, _: batch["x"] - batch["x"].mean(0), {"x": x}, present, x - x.mean(0))
    0
    """
    if len(own) < 2:
        return None
    kept = (len(own) + 1) // 2
    order = torch.arange(len(own), device=own.device).clamp(max=kept - 1)
    tolerance = tolerance_of(own, *tensors_of(batch), *between)
    first: int | None = None
    for number, other in enumerate(_reordered(batch, order)):
        found: Tensor | None = None
        with suppress(Exception):  # somebody's code, given what may be no batch of it
            found = run(other, present[order.to(present.device)])
        if number == 0:
            changed = [] if found is None else changed_rows(found[:kept], own[:kept], tolerance)
            if not changed:
                return None
            first = changed[0]
        elif found is not None and close(found, own[order], tolerance):
            return None
    return first


def mixed_in_words(sample: int) -> str:
    """What is wrong with a model of which `mixed_sample` found one."""
    return (
        f"the logits of sample {sample} of the batch change with the other samples beside it; samples of a batch "
        "must not mix (a mean, a normalisation or an attention over them? such layers need fixed statistics)"
    )


def _reordered(batch: Any, order: Int64[Tensor, " B"]) -> Iterator[Any]:
    """The batch of other samples, cut in the likeliest way, then in others; nothing where it cannot be cut."""
    rows = len(order)
    parts: list[Places | None] = []
    _map_parts(lambda part: parts.append(_places_in(part, rows)), batch, rows)
    found = [places for places in parts if places is not None]
    if len(found) < len(parts):
        return
    for choice in _choices(found):
        places = iter(choice)
        yield _map_parts(partial(_next_taken, places, order), batch, rows)


def _choices(found: list[Places]) -> Iterator[Places]:
    """The likeliest place of each part; one other place at a time; and the last axis that fits, of all at once."""
    likeliest = tuple(places[0] for places in found)
    yield likeliest
    for position, places in enumerate(found):
        for place in places[1:]:
            yield (*likeliest[:position], place, *likeliest[position + 1 :])
    if sum(1 in places[1:] for places in found) > 1:
        yield tuple(1 if 1 in places else places[0] for places in found)


def _map_parts(change: Callable[[Any], Any], batch: Any, rows: int) -> Any:
    """`change(part)` in the place of each tensor, array, list of samples, batch of raymm, and all else."""

    def is_column(value: Any) -> bool:
        return _is_column(value, rows)

    def changed(leaf: Any) -> Any:
        own = is_dataclass(leaf) and not isinstance(leaf, Batch | type)
        return map_fields(changed, leaf, is_column) if own else change(leaf)

    return map_leaves(changed, batch, is_column)


def _is_column(value: Any, rows: int) -> bool:
    """Whether a list or tuple has an entry a sample, and not as many entries that are of all samples."""
    if not isinstance(value, list | tuple) or hasattr(value, "_fields") or len(value) != rows:
        return False
    return not all(_axes_of(one, rows) or (isinstance(one, list | tuple) and len(one) == rows) for one in value)


def _axes_of(part: Any, rows: int) -> tuple[int, ...]:
    if not isinstance(part, Tensor | np.ndarray):
        return ()
    if isinstance(part, Tensor) and (part.is_nested or part.layout != torch.strided):
        return ()
    return tuple(axis for axis in range(min(2, part.ndim)) if part.shape[axis] == rows)


def _places_in(part: Any, rows: int) -> Places | None:
    """Where the samples of a part may stand; None where it cannot be told."""
    if isinstance(part, Batch):
        return (0,) if part.mixed is None and len(part) == rows else None
    if isinstance(part, PLAIN):
        return (None,)
    if isinstance(part, list | tuple):
        return (0,)
    if axes := _axes_of(part, rows):
        return (*axes, None)
    single = isinstance(part, Tensor | np.ndarray) and not part.ndim
    return (None,) if single else None


def _next_taken(places: Iterator[int | None], order: Int64[Tensor, " B"], part: Any) -> Any:
    return _taken(part, next(places), order)


def _taken(part: Any, axis: int | None, order: Int64[Tensor, " B"]) -> Any:
    """The samples of a part in another order."""
    if axis is None:
        return part
    if isinstance(part, Batch):
        return _of_batch(part, order)
    if isinstance(part, Tensor):
        return part.index_select(axis, order.to(part.device))
    if isinstance(part, np.ndarray):
        return part.take(order.cpu().numpy(), axis=axis)
    return type(part)(part[row] for row in order.tolist())


def _of_batch(batch: Batch, order: Int64[Tensor, " B"]) -> Batch:
    """Rows of a batch of raymm, whose inputs are of those rows that have them."""
    order = order.to(batch.mask.device)
    mask, place = batch.mask[order], (batch.mask.long().cumsum(dim=0) - 1)[order]
    inputs = {
        name: values[place[mask[:, position], position].to(values.device)]
        for position, (name, values) in enumerate(batch.inputs.items())
    }
    return Batch(inputs, mask, batch.labels[order.to(batch.labels.device)], batch.index[order.to(batch.index.device)])
