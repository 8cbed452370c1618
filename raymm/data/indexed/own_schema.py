"""The schema of items of one's own: kinds by the shapes and types of the first ones, or as they are named.

| value | kind |
|---|---|
| a text | text |
| numbers [D] | vector |
| numbers [channels, length] | sequence |
| numbers [length, D] of several lengths | embedding |
| uint8 [3, H, W] | image |
| uint8 [F, 3, H, W] | rgb |
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raymm.data.kinds.base import ModalitySpec, kind_of
from raymm.data.kinds.inputs import Probe
from raymm.data.manifest import Kinds
from raymm.data.schema_inference import made_specs, parse_settings
from raymm.errors import ConfigError, DataError, Problems

__all__ = ["infer_kinds", "specs_of_values"]

PICTURES = {3: "image", 4: "rgb"}
FIELDS = {"image": ("height", "width"), "rgb": ("frames", "height", "width"), "flow": ("frames", "height", "width")}
"""Sizes of kinds that stand in a shape, from the front, with the axis of channels left out."""

NAME_THEM = "name what is meant by modalities=NAME:KIND,..."


def infer_kinds(items: Sequence[Mapping[str, Any]], where: str) -> Kinds:
    """Names and kinds of the modalities of some items, by their values.

    Raises
    ------
    DataError
        Naming each key whose values have no kind of their own, with what to do.
    """
    problems = Problems(where)
    kinds: Kinds = {}
    for name in dict.fromkeys(name for item in items for name in item):
        values = [item[name] for item in items if item.get(name) is not None]
        if values:
            kinds[name] = _kind(name, values, problems)
    if not kinds:
        problems.add(f"items hold no values beside the label; {NAME_THEM}")
    problems.raise_if_any(DataError)
    return kinds


def _kind(name: str, values: Sequence[Any], problems: Problems) -> str:
    """The kind of a modality; "", and a problem, where there is none."""
    if all(isinstance(value, str) for value in values):
        return "text"
    if any(isinstance(value, str) for value in values):
        problems.add(f"'{name}' is a text in one item and numbers in another")
        return ""
    shapes = {value.shape for value in values}
    axes = {len(shape) for shape in shapes}
    if len(axes) != 1:
        problems.add(f"'{name}' has {' and '.join(map(str, sorted(axes)))} axes in different items; give it one form")
        return ""
    kind, trouble = _of_shape(values, shapes, axes.pop())
    if trouble:
        problems.add(f"'{name}' {trouble}")
    return kind


def _of_shape(values: Sequence[Any], shapes: set[tuple[int, ...]], axes: int) -> tuple[str, str]:
    """The kind of arrays of one number of axes, and what is wrong with them."""
    example = list(next(iter(sorted(shapes))))
    if axes == 0:
        return "", f"is a single number; make it a vector of one, or {NAME_THEM}"
    if axes == 1:
        return "vector", ""
    if axes == 2:
        return _of_table(shapes, example)
    if axes in PICTURES and all(value.dtype == np.uint8 for value in values) and example[-3] == 3:
        return PICTURES[axes], ""
    return "", (
        f"is {values[0].dtype} {example}, which is of no kind by itself: pictures are uint8 [3, H, W], frames uint8 "
        f"[F, 3, H, W], 0 to 255; {NAME_THEM}, also one of your own (docs/extending.md)"
    )


def _of_table(shapes: set[tuple[int, ...]], example: list[int]) -> tuple[str, str]:
    if len(shapes) > 1:
        return "embedding", ""
    if example[0] <= example[1]:
        return "sequence", ""
    return "", (
        f"is {example}, more rows than columns: a sequence is [channels, length], so transpose it if its rows are "
        f"steps of time; or {NAME_THEM}: sequence takes it as it is, embedding as vectors one after the other"
    )


def specs_of_values(
    kinds: Kinds, items: Sequence[Mapping[str, Any]], settings: Sequence[str], where: str
) -> tuple[ModalitySpec, ...]:
    """The specs of modalities, what is not set read from the values of some items.

    Parameters
    ----------
    settings
        `modality.field=value`.

    Raises
    ------
    ConfigError, DataError
        With every setting that is wrong, or a modality that no item has.
    """
    types = {name: kind_of(kind, "modalities") for name, kind in kinds.items()}
    chosen = parse_settings({name: spec.settable() for name, spec in types.items()}, settings)
    problems = Problems(where)
    specs: list[ModalitySpec] = []
    for name, spec in types.items():
        values = [item[name] for item in items if item.get(name) is not None]
        if not values:
            problems.add(f"modality '{name}': none of the first {len(items)} items has it")
            continue
        found = {**_probed(name, spec, values, chosen[name]), **chosen[name]}
        specs += made_specs(spec, {"name": name, "kind": kinds[name], **found}, problems)
    problems.raise_if_any(ConfigError)
    return tuple(specs)


def _probed(name: str, spec: type[ModalitySpec], values: Sequence[Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that follow from values: sizes, and the window of sound from its length."""
    kind = spec.model_fields["kind"].default
    if kind in FIELDS:
        sizes = list(values[0].shape)
        if len(sizes) == len(FIELDS[kind]) + 1:
            del sizes[-3]  # channels
            return dict(zip(FIELDS[kind], sizes, strict=True))
        return {}
    seconds = None
    if kind == "audio":
        rate = chosen.get("rate", spec.model_fields["rate"].default)
        seconds = max(len(value) for value in values) / rate if isinstance(rate, int | float) and rate else None
    return dict(spec.probe(Probe(name, values, Path(), chosen, seconds)))
