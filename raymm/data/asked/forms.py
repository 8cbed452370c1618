"""The forms in which samples are given: a file, values by modality, columns of them, a table, or a list of those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.data.plain_text import plain_text, plain_texts
from raymm.errors import DataError, Problems, did_you_mean

if TYPE_CHECKING:
    from raymm.data.kinds.base import ModalitySpec
    from raymm.data.schema import Schema

__all__ = ["FILE", "Asked", "columns_as_samples", "samples_of"]

FILE = "file"
"""The key of a file of which the modalities are taken that are not given themselves."""

TEXTS = (str, bytes, bytearray, Path)
"""Types of a text, or of the name of a file."""

ADVICE = "give a file, a mapping from modality to file or values, or a list of those"


@dataclass(frozen=True)
class Asked:
    """One sample as it was given.

    Attributes
    ----------
    file
        Whose modalities are found by its suffix; None where there is none.
    cells
        Files, texts and arrays by modality; None where one is missing.
    """

    file: str | None = None
    cells: Mapping[str, Any] = field(default_factory=dict)


def samples_of(given: Any, schema: Schema) -> list[Asked]:
    """The samples in whatever a person gave.

    Parameters
    ----------
    given
        A path; a mapping from modalities (or `file`) to paths, texts or arrays; a mapping to columns of those, or a
        data frame; an array where the model has one modality; or a list of these.

    Raises
    ------
    DataError
        When it has none of these forms, names a modality that the model lacks, or columns are of several lengths.

    Examples
    --------
    >>> from raymm.data.schema import Schema
    >>> schema = Schema(modalities=[{"name": "pose", "kind": "vector", "size": 2}], classes=["sit", "stand"])
    >>> samples_of(["a.npy", {"pose": [1.0, 2.0]}], schema)
    [Asked(file='a.npy', cells={}), Asked(file=None, cells={'pose': [1.0, 2.0]})]
    >>> len(samples_of({"pose": [[1.0, 2.0], [3.0, 4.0], None]}, schema))
    3
    """
    given = _texts_in(given)
    if isinstance(given, str | Path):
        return [Asked(str(given))]
    if isinstance(given, Mapping):
        return _of_mapping(given, schema)
    if hasattr(given, "columns") and hasattr(given, "to_dict"):  # a data frame
        return columns_as_samples({str(name): _plain(given[name]) for name in given.columns}, schema)
    if _is_array(given) and len(schema.names) == 1:
        return _of_mapping({schema.names[0]: given}, schema)
    if _is_array(given) or not isinstance(given, Iterable):
        raise DataError(f"input: a {type(given).__name__} is of no modality; {ADVICE}")
    return [sample for one in given for sample in samples_of(one, schema)]


def _of_mapping(given: Mapping[str, Any], schema: Schema) -> list[Asked]:
    """One sample, or columns of several."""
    _refuse_unknown(given, schema)
    specs = {spec.name: spec for spec in schema.modalities}
    values = {name: _plain(value) for name, value in given.items()}
    columns = {name for name, value in values.items() if _is_column(value, specs.get(name))}
    single = {name for name, value in values.items() if value is not None} - columns
    if columns and single:
        raise DataError(
            f"input: {', '.join(sorted(single))} is of one sample and {', '.join(sorted(columns))} a column of "
            "several; give one sample, or columns of one length"
        )
    if columns:
        return columns_as_samples({name: value for name, value in values.items() if value is not None}, schema)
    return [_sample(values, schema)]


def columns_as_samples(columns: Mapping[str, Sequence[Any]], schema: Schema) -> list[Asked]:
    """One sample a row of columns; errors as `samples_of`."""
    _refuse_unknown(columns, schema)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items()) or "none"
        raise DataError(f"input: columns must be of one length, and they are: {told}")
    rows = zip(*columns.values(), strict=True)
    return [_sample(dict(zip(columns, row, strict=True)), schema) for row in rows]


def _sample(values: Mapping[str, Any], schema: Schema) -> Asked:
    given = {name: None if _is_missing(value) else _text(name, value) for name, value in values.items()}
    file = given.pop(FILE, None) if FILE not in schema.names else None
    return Asked(None if file is None else str(file), given)


def _text(name: str, value: Any) -> Any:
    """A path, or bytes, as a text; anything else as it is."""
    if not isinstance(value, bytes | bytearray):
        return str(value) if isinstance(value, Path) else value
    try:
        return plain_text(value)
    except ValueError as cause:
        raise DataError(f"input: {name} {cause}") from cause


def _refuse_unknown(given: Iterable[str], schema: Schema) -> None:
    problems = Problems("input")
    for name in given:
        if name not in (*schema.names, FILE):
            problems.add(f"no modality '{name}'; {did_you_mean(str(name), schema.names)}")
    problems.raise_if_any(DataError)


def _is_column(value: Any, spec: ModalitySpec | None) -> bool:
    """Whether a value holds one value a sample, by its axes; of texts and files, a list does."""
    if value is None or isinstance(value, TEXTS):
        return False
    if isinstance(value, list | tuple):
        there = [one for one in value if one is not None]
        if not there or any(isinstance(one, TEXTS) for one in there):
            return True
        axes = 1 + max(_axes(one) for one in there)
    else:
        axes = _axes(value)
    return axes > (len(spec.shape) if spec is not None else 0)


def _axes(value: Any) -> int:
    """Axes of an array or of nested lists, of which the first is looked at."""
    if isinstance(value, list | tuple):
        return 1 + (_axes(value[0]) if value else 0)
    return int(getattr(value, "ndim", 0))


def _plain(value: Any) -> Any:
    """Columns of objects, as of a data frame or of Arrow, as lists."""
    if hasattr(value, "to_pylist"):
        return value.to_pylist()
    if str(getattr(value, "dtype", "")) == "object" or hasattr(value, "iloc"):
        return list(value)
    return _texts_in_array(value)


def _texts_in(given: Any) -> Any:
    """An array or column of texts as a list, and one of a single text as it; anything else as it is."""
    found = given.to_pylist() if hasattr(given, "to_pylist") else list(given) if _is_of_objects(given) else ()
    return found if found and all(isinstance(one, str | Path) for one in found) else _texts_in_array(given)


def _texts_in_array(given: Any) -> Any:
    """`_texts_in` of the types of NumPy for texts."""
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    if kind in {"U", "T"}:
        return given.tolist()
    if kind == "S":
        return plain_texts(given.tolist(), "input") if given.ndim == 1 else plain_text(given.item())
    return given


def _is_of_objects(given: Any) -> bool:
    """Whether it is an array or a column, as of a data frame, of Python's objects; of pandas also of its texts."""
    return getattr(given, "ndim", 0) == 1 and str(getattr(given, "dtype", "")) in {"object", "str", "string"}


def _is_array(given: Any) -> bool:
    return hasattr(given, "__array__") or hasattr(given, "ndim")


def _is_missing(value: Any) -> bool:
    """None, a text of blanks, or the NaN that a data frame has where nothing is."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
