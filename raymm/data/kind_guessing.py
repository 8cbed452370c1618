"""Which kinds of modality the columns of a table look like, where none are named."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from raymm.data.media.arrays import shape_of
from raymm.data.media.container import open_media
from raymm.data.media.problem import MediaError
from raymm.data.media.root import MediaRoot
from raymm.data.media.suffixes import holds
from raymm.data.tabular.columns import arrays_of, holds_numbers, is_text, plain, values_of
from raymm.errors import DataError

__all__ = ["HELD", "guess_kinds"]

HELD = {"audio": "sound", "rgb": "video", "image": "picture", "array": "array"}
"""What files of a column hold, by the kind that it is then."""

TOLD = ("label", "sample_id", "split", "group", "source")
"""Columns that are no modality."""

LOOKED_AT = 200
"""Cells of a column that are looked at."""

WORDS = 3
"""Words that the cells of a text have on average; a column of shorter ones is taken for what it says of a sample."""


def guess_kinds(columns: pa.Table, media_root: MediaRoot) -> tuple[dict[str, str], list[str]]:
    """Names and kinds of the modalities that some columns look like, and the columns that look like none.

    A video in the column `file` is frames, and sound where the first one has any.

    Raises
    ------
    DataError
        When no column looks like a modality.
    """
    kinds: dict[str, str] = {}
    others = []
    for name, column in zip(columns.column_names, columns.columns, strict=True):
        if not name or name in TOLD:
            continue
        found = _kinds_of(name, plain(column), media_root)
        kinds |= found
        others += [] if found else [name]
    if not kinds:
        raise DataError(f"no column looks like a modality ({', '.join(others) or 'there are no others'}); name them")
    return kinds, others


def _kinds_of(name: str, column: pa.ChunkedArray, media_root: MediaRoot) -> Mapping[str, str]:
    if holds_numbers(column.type):
        cells = [cell for cell in arrays_of(column.slice(0, LOOKED_AT)) if cell is not None]
        return _of_shapes(name, [shape_of(cell, media_root) for cell in cells])
    if not is_text(column.type):
        return {}
    cells = [cell.strip() for cell in values_of(column.slice(0, LOOKED_AT)) if cell and cell.strip()]
    kind = _by_suffix(cells)
    if kind == "array":
        return _of_shapes(name, _shapes(cells, media_root))
    if kind is not None:
        return _of_media(name, kind, media_root / cells[0])
    words = sum(len(cell.split()) for cell in cells)
    return {name: "text"} if cells and words >= WORDS * len(cells) else {}


def _by_suffix(cells: Sequence[str]) -> str | None:
    """The kind of files whose suffix all cells have."""
    return next((kind for kind, held in HELD.items() if cells and all(holds(cell, held) for cell in cells)), None)


def _of_media(name: str, kind: str, first: Path) -> Mapping[str, str]:
    if name != "file":
        return {name: kind}
    return {"audio": "audio", "rgb": "rgb"} if kind == "rgb" and _has_sound(first) else {kind: kind}


def _has_sound(path: Path) -> bool:
    try:
        with open_media(path) as container:
            return bool(container.streams.audio)
    except MediaError:
        return False


def _shapes(cells: Sequence[Any], media_root: MediaRoot) -> list[tuple[int, ...]]:
    shapes = []
    for cell in cells:
        try:
            shapes.append(shape_of(cell, media_root))
        except MediaError:
            continue
    return shapes


def _of_shapes(name: str, shapes: Sequence[tuple[int, ...]]) -> Mapping[str, str]:
    """By axes; series of several lengths are vectors one after the other."""
    axes = {len(shape) for shape in shapes}
    if axes == {1}:
        return {name: "vector"}
    if axes == {2}:
        return {name: "sequence" if len(set(shapes)) == 1 else "embedding"}
    return {}
