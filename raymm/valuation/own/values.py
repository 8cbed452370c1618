"""Values of one's own model on one's own batches, in memory: no data set of raymm, no Ray, nothing on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raymm.errors import ConfigError, DataError, RaymmError, in_one_line
from raymm.tasks.base import Task
from raymm.tasks.registry import as_task
from raymm.types import Mask
from raymm.valuation.own.errors import BatchError
from raymm.valuation.own.labels import say_if_no_scale
from raymm.valuation.own.numbers import numbers_of
from raymm.valuation.own.reading import Reading, Where
from raymm.valuation.own.valuer import Game, Valuer
from raymm.valuation.own.ways import FirstPass
from raymm.valuation.own.ways_in import Model, way_of
from raymm.valuation.protocol import evaluating
from raymm.valuation.table import ValuationTable, join_tables
from raymm.valuation.utilities import Utility

__all__ = ["Follow", "value_batches"]

log = logging.getLogger(__name__)


Follow = Callable[[Iterable[Any], int], Iterable[Any]]


def value_batches(
    model: Any,
    batches: Iterable[Any],
    *,
    modalities: Mapping[str, nn.Module | str] | Sequence[str] | None = None,
    predict: Callable[[Any, Mask], Any] | None = None,
    forward: Callable[[nn.Module, Any], Any] | None = None,
    outputs: Callable[[Any], Tensor] | None = None,
    label: Where | None = None,
    ids: Where | None = None,
    source: Where | None = None,
    present: Where | Mapping[str, Where] | None = None,
    mask: str | Callable[[str, Any], Any] | None = None,
    reference: Iterable[Any] | None = None,
    utility: str | Utility | None = None,
    task: str | Task = "classification",
    classes: int | Sequence[str] | None = None,
    method: str = "auto",
    budget: int | str | None = None,
    refine: bool = True,
    seed: int = 0,
    chunk: int | None = None,
    split: str = "",
    follow: Follow | None = None,
) -> ValuationTable:
    """Shapley values of the modalities of every sample, of any model on any batches.

    The model is valued in evaluation mode without gradients, also where an object, a method or the closure of a
    function holds it, and afterwards each of its parts has the mode from before; random numbers of torch that are
    drawn meanwhile are not missed later.

    Parameters
    ----------
    model
        One of: a module whose `modalities` are branch modules; an object with `encode(batch)` and `fuse(features,
        mask)`, see `raymm.valuation.SplitModel`; a function `(batch, mask) -> logits`.
    batches
        Mappings, tuples, lists or other objects; tensors in them are moved to the model's device.
    modalities
        By name the module that sees this modality alone, itself or by its dotted name: it is run once a batch, the
        rest of `forward` once a coalition with its output masked. Or the names alone, in the order of the mask.
    predict
        A function `(batch, mask) -> logits`, mask bool [B, n], which is called once a coalition.
    forward
        `(model, batch) -> what it returns`, for branches. Default: entries of a mapping as keywords, those of a tuple
        as arguments, without what `label`, `ids`, `source` and `present` name; anything else as the one argument.
    outputs
        From what the model returns to logits [B, K]; default: a tensor, or its `logits`.
    label, ids, source
        Key, position, attribute, or function of the batch. Default label: the one key or attribute of label, labels,
        target, targets, y; the last entry of a tuple. Default ids: running numbers.
    present
        Where it stands which modalities a sample has: [B, n], or a mapping of names to [B]; or by name where each [B]
        stands. Default: all.
    mask
        What stands in for the output of a masked branch: "zeros" (default), "mean" over the samples (one more pass
        over the batches), or a function `(name, output) -> stand-in` of the same structure.
    reference
        Batches over which the mean is taken instead.
    utility, task, classes
        The utility v(C), by default the task's (`count`), what labels are, and number or names of the classes.
    method, budget, refine, seed
        As the settings `valuation.method`, `budget` and `refine`, and the seed of designs: exact to 12 modalities.
    chunk
        Coalitions of a batch in memory at one time, for `encode` and `fuse`; other models take one.
    split
        The split that the table says of all samples.
    follow
        `(batches, their number) -> batches`, which passes them on, such as a bar; used where their number is known.

    Examples
    --------
    Two branches of different width. What they give is added by a head that looks at audio only:

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.a, self.v = nn.Linear(2, 2, bias=False), nn.Linear(3, 5)
    ...         torch.nn.init.eye_(self.a.weight)
    ...     def forward(self, audio, video):
    ...         return self.a(audio) + 0 * self.v(video).sum(1, keepdim=True) + torch.tensor([0.0, 0.5])
    >>> batch = {"audio": torch.eye(2), "video": torch.ones(2, 3), "label": [0, 1], "clip": ["x.mp4", "y.mp4"]}
    >>> net = Net()
    >>> table = value_batches(net, [batch], modalities={"audio": net.a, "video": "v"}, ids="clip")
    >>> table.sample_id.tolist(), table.phi.tolist()
    (['x.mp4', 'y.mp4'], [[1.5, 0.5], [1.0, 1.0]])

    Raises
    ------
    ConfigError
        When arguments do not fit each other or the model.
    BatchError
        When a batch cannot be valued: its number, what is wrong, and the values before it.
    """
    kind = as_task(task)
    _check_iterable("data", batches)
    _check_iterable("reference=", [] if reference is None else reference)
    what = Model(model, modalities, predict, forward, outputs, mask, reference, chunk)
    way = way_of(what, kind)
    game = Game.of(utility, kind, classes, method, budget, refine, seed, split)
    reading = Reading(way.outputs.names, kind, what.device, label, ids, source, present, way.arguments)
    if way.first_pass is not None and reference is None and iter(batches) is batches:
        raise ConfigError(
            "mask='mean' reads the batches twice, and these can be read once only; give a list or a DataLoader, or "
            "other batches as reference="
        )
    numbers = numbers_of(batches) if ids is None else None
    with _undisturbed((model, predict, forward, outputs, mask), what.device):
        if way.first_pass is not None:
            _read_first(way.first_pass, reading, batches if reference is None else reference)
        return _value_all(Valuer(way, game, model, numbers), reading, batches, follow)


def _check_iterable(name: str, batches: object) -> None:
    if isinstance(batches, Mapping | Tensor | str):
        raise ConfigError(f"{name} is a {type(batches).__name__}; give batches in a list, or a DataLoader")
    if not (isinstance(batches, Iterable) or hasattr(batches, "__getitem__")):
        raise ConfigError(f"{name} is {batches!r}, which holds no batches; give a list of them, or a DataLoader")


def _read_first(first_pass: FirstPass, reading: Reading, batches: Iterable[Any]) -> None:
    number = 0
    try:
        for batch in batches:
            first_pass.add(reading.read(batch))
            number += 1
    except Exception as cause:
        raise BatchError(number, f"while the mean is taken: {_words(cause)}") from cause
    first_pass.finish()


def _value_all(
    valuer: Valuer,
    reading: Reading,
    batches: Iterable[Any],
    follow: Follow | None,
) -> ValuationTable:
    tables: list[ValuationTable] = []
    total = _number_of(batches)
    followed = batches if follow is None or total is None else follow(batches, total)
    try:
        tables.extend(valuer.value(reading.read(batch)) for batch in followed)
    except Exception as cause:
        raise BatchError(len(tables), _words(cause), join_tables(tables) if tables else None) from cause
    if not tables:
        raise DataError("there are no batches to value (an iterator that was read before is empty)")
    table = _said_of_ids(join_tables(tables))
    say_if_no_scale(table.label, valuer.game.task, valuer.game.utility.name)
    return table


def _said_of_ids(table: ValuationTable) -> ValuationTable:
    names, times = np.unique(table.sample_id, return_counts=True)
    if (times > 1).any():
        log.warning(
            "%d of %d samples have the id of an earlier one, first '%s'; each of them is a row of its own",
            len(table) - len(names),
            len(table),
            names[times > 1][0],
        )
    return table


def _number_of(batches: Any) -> int | None:
    try:
        return len(batches)
    except TypeError:
        return None


def _words(cause: Exception) -> str:
    return str(cause) if isinstance(cause, RaymmError) else in_one_line(cause)


@contextmanager
def _undisturbed(models: object, device: torch.device | None) -> Iterator[None]:
    """Evaluation mode and no gradients inside; afterwards modes and random numbers go on as if nothing had been.

    Not inference mode: what a model caches of such tensors could not take part in a later training.
    """
    devices = [device] if device is not None and device.type == "cuda" else []
    with evaluating(models), torch.no_grad(), torch.random.fork_rng(devices=devices):
        yield
