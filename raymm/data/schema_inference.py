"""From `--modalities audio,rgb,flow` and `--set rgb.height=64` to the specs of a schema.

What the user leaves open is read from the data: the window from the longest of the first media files, the size of
vectors and sequences from the first array, the size of encoded texts from their encoder.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from raymm.data.manifest import Kinds, Listing
from raymm.data.media.arrays import array_file, read_array
from raymm.data.media.problem import MediaError
from raymm.data.media.text_embeddings import Encoders
from raymm.data.media.video import video_seconds
from raymm.data.schema import (
    AudioSpec,
    FlowSpec,
    ModalitySpec,
    RgbSpec,
    Schema,
    SequenceSpec,
    TextSpec,
    VectorSpec,
)
from raymm.errors import ConfigError, DataError, Problems, did_you_mean

__all__ = ["build_schema", "parse_kinds"]

SPECS: dict[str, type[BaseModel]] = {
    spec.model_fields["kind"].default: spec
    for spec in (AudioSpec, RgbSpec, FlowSpec, TextSpec, VectorSpec, SequenceSpec)
}
FIELDS = {kind: set(spec.model_fields) - {"name", "kind", "encoder"} for kind, spec in SPECS.items()}
PROBED = 32
LONGEST = 10.0
"""Seconds; a longer window must be asked for."""

Settings = dict[str, dict[str, Any]]


def parse_kinds(modalities: str) -> Kinds:
    """`audio,lips:rgb` to `{"audio": "audio", "lips": "rgb"}`; raises `ConfigError` with every mistake."""
    kinds: Kinds = {}
    problems = Problems("--modalities")
    for item in modalities.split(","):
        name, _, kind = item.strip().partition(":")
        kind = kind or name
        if kind not in SPECS:
            problems.add(f"'{item.strip()}': no kind '{kind}'; {did_you_mean(kind, SPECS)}; write name:kind")
        elif name in kinds:
            problems.add(f"'{name}' stands twice")
        kinds[name] = kind
    problems.raise_if_any(ConfigError)
    return kinds


def build_schema(
    kinds: Kinds,
    listing: Listing,
    media_root: Path,
    settings: Sequence[str] = (),
    encoders: Encoders | None = None,
) -> Schema:
    """The schema of a collection.

    Parameters
    ----------
    kinds, listing, media_root
        What is to be prepared.
    settings
        `modality.field=value`, over the defaults of `raymm.data.schema`.
    encoders
        Sentence encoders of text modalities, which the data set then holds as vectors.

    Raises
    ------
    ConfigError
        When a setting names no modality or field, or has a wrong value; or an encoder cannot be loaded.
    DataError
        When the size of an array cannot be found out.
    """
    encoders = encoders or {}
    fields = {name: set() if name in encoders else FIELDS[kind] for name, kind in kinds.items()}
    chosen = _parse_settings(fields, settings)
    seconds = _given_window(chosen) or _window(kinds, listing, media_root)
    specs = []
    problems = Problems("--set")
    for name, kind in kinds.items():
        if name in encoders:
            found = {"kind": "vector", "size": encoders[name].size, "encoder": encoders[name].name}
        else:
            found = {**_found_out(name, kind, listing, media_root, seconds, chosen[name]), **chosen[name]}
        try:
            specs.append(TypeAdapter[Any](ModalitySpec).validate_python({"name": name, "kind": kind, **found}))
        except ValidationError as cause:
            for error in cause.errors():
                field = ".".join(str(part) for part in error["loc"][1:])
                problems.add(f"{name}.{field}: {error['msg']} (got {error['input']!r})")
    problems.items += [
        f"{spec.name}.weights: there is no file {spec.weights}"
        for spec in specs
        if isinstance(spec, FlowSpec) and spec.weights is not None and not Path(spec.weights).is_file()
    ]
    problems.raise_if_any(ConfigError)
    try:
        return Schema(modalities=tuple(specs), classes=listing.classes)
    except ValidationError as cause:
        raise ConfigError("; ".join(error["msg"] for error in cause.errors())) from cause


def _parse_settings(fields: dict[str, set[str]], settings: Sequence[str]) -> Settings:
    """Settings by modality; `fields` are those that each modality has."""
    chosen: Settings = {name: {} for name in fields}
    problems = Problems("--set")
    for setting in settings:
        key, equals, text = setting.partition("=")
        name, dot, field = key.partition(".")
        if not equals or not dot:
            problems.add(f"'{setting}': write it as modality.field=value, for example rgb.height=64")
        elif name not in fields:
            problems.add(f"'{setting}': no modality '{name}'; {did_you_mean(name, fields)}")
        elif field not in fields[name]:
            problems.add(f"'{setting}': no field '{field}'; {did_you_mean(field, fields[name])}")
        else:
            chosen[name][field] = _value(text)
    problems.raise_if_any(ConfigError)
    return chosen


def _value(text: str) -> Any:
    """A YAML scalar; what is no YAML stays the text that it is, and the schema says what is wrong with it."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _given_window(chosen: Settings) -> float | None:
    """The longest window that the settings name; all modalities then cover it."""
    given = [values.get("seconds") for values in chosen.values()]
    return max((float(seconds) for seconds in given if isinstance(seconds, int | float)), default=None)


def _window(kinds: Kinds, listing: Listing, media_root: Path) -> float | None:
    """The longest of the first media files, rounded up to a tenth of a second; None without media."""
    media = [name for name, kind in kinds.items() if kind in {"audio", "rgb", "flow"}]
    files = [str(record.cells[name]) for record in listing.records for name in media if record.cells[name]]
    lengths = [video_seconds(media_root / file) for file in list(dict.fromkeys(files))[:PROBED]]
    known = [length for length in lengths if length]
    return min(LONGEST, math.ceil(max(known) * 10 - 1e-6) / 10) if known else None


def _found_out(
    name: str, kind: str, listing: Listing, media_root: Path, seconds: float | None, chosen: dict[str, Any]
) -> dict[str, Any]:
    if kind == "audio":
        return {} if seconds is None else {"seconds": seconds}
    if kind in {"rgb", "flow"}:
        fps = chosen.get("fps", SPECS[kind].model_fields["fps"].default)
        known = seconds is not None and isinstance(fps, int | float)
        return {"frames": max(1, math.ceil(fps * seconds - 1e-6))} if known else {}
    if kind in {"vector", "sequence"}:
        shape = _first_shape(name, listing, media_root, 1 if kind == "vector" else 2)
        return {"size": shape[0]} if kind == "vector" else {"channels": shape[0], "length": shape[1]}
    return {}


def _first_shape(name: str, listing: Listing, media_root: Path, axes: int) -> tuple[int, ...]:
    """Shape of the first array of a modality that can be read."""
    for record in listing.records:
        cell = record.cells[name]
        try:
            if isinstance(cell, str):
                shape = read_array(cell, media_root / array_file(cell)).shape
            elif cell is not None:
                shape = _nested_shape(cell)
            else:
                continue
        except MediaError:
            continue
        if len(shape) == axes:
            return shape
    wanted = "[size]" if axes == 1 else "[channels, length]"
    raise DataError(f"modality '{name}': no sample has an array of shape {wanted}; check the column '{name}'")


def _nested_shape(cell: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    while isinstance(cell, list):
        shape = (*shape, len(cell))
        cell = cell[0] if cell else None
    return shape
