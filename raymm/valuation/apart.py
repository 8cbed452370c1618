"""Whether samples of a batch mix: the second half of it becomes copies of one sample, and the first must not care.

The batch keeps its size, so that no sum is rounded in another way and half precision gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from functools import partial
from itertools import chain, combinations, islice, product
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from raymm.data.batch import Batch
from raymm.types import Mask
from raymm.valuation.likeness import changed_rows, close, tolerance_of
from raymm.valuation.structure import leaves_of, map_fields, map_leaves, tensors_of

__all__ = ["mixed_in_words", "mixed_sample"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), type, np.generic, torch.device, torch.dtype, torch.Size)
"""What belongs to a batch as a whole."""

MOST = 256
"""Ways to cut a batch that are tried before samples are said to mix."""

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
    everything else is lists of so many entries, texts and numbers, or a batch of raymm; not where a list could as
    well hold what belongs to all samples as one entry a sample. Where several axes or parts are as long, samples are
    taken to mix only if they do in each of the ways to cut the batch that are tried.

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
    parts: list[_Part] = []
    _map_parts(lambda part: parts.append(_Part(_form(part), _places_in(part, rows))), batch, rows)
    if any(part.places is None for part in parts):
        return
    for choice in islice(_choices(parts), MOST):
        places = iter(choice)
        yield _map_parts(partial(_next_taken, places, order), batch, rows)


class _Part(NamedTuple):
    """A part of a batch: what others that are cut alike have in common with it, and where its samples may stand."""

    form: Hashable
    places: Places | None


def _form(part: Any) -> Hashable:
    shape = len(part) if isinstance(part, list | tuple) else tuple(getattr(part, "shape", ()))
    return type(part), shape


def _choices(parts: Sequence[_Part]) -> Iterator[Places]:
    """The likeliest place of each part; others for the parts of one or two forms; the last axis of all that have one.

    >>> wide, long = _Part("wide", (0, None)), _Part("long", (0, 1))
    >>> list(_choices([wide, wide, long]))[:4]
    [(0, 0, 0), (0, 0, 1), (None, None, 0), (0, 0, 1)]
    """
    likeliest = [(part.places or (None,))[0] for part in parts]
    yield tuple(likeliest)
    moves: list[dict[int, int | None]] = [
        {number: 1 for number, part in enumerate(parts) if 1 in (part.places or ())}
    ]
    for form, places in dict.fromkeys(parts):
        own = [number for number, part in enumerate(parts) if part.form == form]
        moves += [dict.fromkeys(own, place) for place in (places or ())[1:]]
    single = [{number: place} for number, part in enumerate(parts) for place in part.places or ()]
    for first, second in chain(((move, {}) for move in moves), combinations(moves, 2), product(moves, single)):
        moved = first | second
        yield tuple(moved.get(number, place) for number, place in enumerate(likeliest))


def _map_parts(change: Callable[[Any], Any], batch: Any, rows: int) -> Any:
    """`change(part)` in the place of each tensor, array, list of as many entries, batch of raymm, and all else."""

    def as_long(value: Any) -> bool:
        return isinstance(value, list | tuple) and not hasattr(value, "_fields") and len(value) == rows

    def changed(leaf: Any) -> Any:
        own = is_dataclass(leaf) and not isinstance(leaf, Batch | type)
        return map_fields(changed, leaf, as_long) if own else change(leaf)

    return map_leaves(changed, batch, as_long)


def _is_column(values: Sequence[Any], rows: int) -> bool:
    """Whether a list of as many entries as samples can only have one a sample, or be of the batch as a whole."""
    if any(_axes_of(leaf, rows) for leaf in leaves_of(values)):
        return False
    lists = (one for one in values if isinstance(one, list | tuple) and len(one) == rows)
    return not any(all(isinstance(entry, PLAIN) for entry in one) for one in lists)


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
        return (0, None) if _is_column(part, rows) else None
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
