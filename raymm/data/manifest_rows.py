"""The rows of a manifest: for each column that is used, cells of the type that it must have, and what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from raymm.data.kinds.base import ModalitySpec
from raymm.data.media.suffixes import split_start
from raymm.data.record import LONGEST_ID, shortened
from raymm.data.tabular.columns import (
    arrays_of,
    holds_numbers,
    is_bytes,
    is_list,
    is_text,
    kind_in_words,
    plain,
    values_of,
    why_no_files,
)
from raymm.data.tabular.embedded import Embedded
from raymm.data.tabular.read import Table, read_table
from raymm.errors import DataError, Problems, did_you_mean
from raymm.tasks.classification import class_name

__all__ = ["Rows", "Specs", "read_rows", "refuse_long"]

Specs = Mapping[str, type[ModalitySpec]]
"""Classes of the kinds of modality, by the modality's name."""


@dataclass(frozen=True)
class Rows:
    """The cells of a manifest, by column; all lists have one item a row.

    Attributes
    ----------
    labels
        As the manifest has them: texts, numbers or lists; None where missing.
    ids, splits
        Texts; empty where the cell is. `splits` is None without such a column.
    groups
        What samples belong to that must stay in one split, as text; empty where the cell is. None without a column.
    file
        The column of that name; None where a cell is empty, or there is no such column.
    cells
        By modality: a path, a text, or numbers; None where the modality is missing.
    embedded
        Files that the manifest held itself, by where they lie now: what they were called.
    notes
        Sentences on what was guessed.
    """

    labels: list[Any]
    ids: list[str]
    splits: list[str] | None
    file: list[str | None]
    cells: dict[str, list[Any]]
    specs: Specs
    embedded: Mapping[str, str]
    notes: tuple[str, ...]
    groups: list[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def files(self) -> list[tuple[str, ...]]:
        """The files that each row names, each once; the first one identifies the recording."""
        files = [[split_start(cell)[0]] if cell else [] for cell in self.file]
        for name, spec in self.specs.items():
            for found, cell in zip(files, self.cells[name], strict=True):
                if cell is not None and (file := spec.file_of(cell)):
                    found.append(file)
        return [tuple(dict.fromkeys(found)) for found in files]

    def named_cells(self, row: int) -> list[tuple[type[ModalitySpec], str]]:
        """The cells of a row that name files of the media root, and the kinds that read them."""
        cells = ((spec, self.cells[name][row]) for name, spec in self.specs.items() if not spec.is_text)
        return [(spec, cell) for spec, cell in cells if isinstance(cell, str) and cell not in self.embedded]

    @cached_property
    def sources(self) -> list[str]:
        """The file that identifies the recording of each sample; empty where there is none."""
        return [files[0] if files else "" for files in self.files]

    def called(self, file: str) -> str:
        """What a file is called in the manifest."""
        return self.embedded.get(file, file)


GROUP = "group"
"""The column of groups, where no other is named."""


def read_rows(
    path: Path, specs: Specs, embedded: Path | None = None, group: str | None = None, table: Table | None = None
) -> Rows:
    """Read the columns of a manifest that are needed.

    Parameters
    ----------
    embedded
        Where files are written that the manifest holds itself.
    group
        The column of groups; default: `group`, where there is one that is no modality.
    table
        The columns, where they were read before; `path` is then what messages call them.

    Raises
    ------
    DataError
        When the file cannot be read, has no rows, or columns are absent or of a type that they must not have.
    """
    media = [name for name, spec in specs.items() if spec.is_media]
    files = Embedded(["file", *media], embedded)
    table = read_table(path, files) if table is None else table
    named = zip(table.columns.column_names, table.columns.columns, strict=True)
    columns = {name: plain(column) for name, column in named if name}
    problems = Problems(str(path))
    if not len(table.columns):
        problems.add("has no rows")
    _check_columns(list(columns), specs, problems)
    grouped = GROUP if group is None and GROUP in columns and GROUP not in specs else group
    if grouped is not None and grouped not in columns:
        problems.add(f"no column '{grouped}' for --group; {did_you_mean(grouped, columns)}")
    problems.raise_if_any(DataError)
    missing = pa.chunked_array([pa.nulls(len(table.columns))])
    used = _Columns(columns, missing, problems)
    labels, ids, splits = used.read("label", _labels), used.read("sample_id", _texts), used.read("split", _texts)
    refuse_long("id", ids, problems)
    refuse_long("split", splits, problems)
    problems.raise_if_any(DataError)
    groups = None if grouped is None else used.read(grouped, _texts)
    file = used.read("file", _paths)
    cells = {name: _own(name, spec, used, file) for name, spec in specs.items()}
    problems.raise_if_any(DataError)
    ids, splits = ([cell or "" for cell in cells] for cells in (ids, splits))
    return Rows(
        labels,
        ids,
        splits if "split" in columns else None,
        file,
        cells,
        specs,
        {**files.names, **table.names},
        table.notes,
        None if groups is None else [(cell or "").strip() for cell in groups],
    )


def refuse_long(what: str, cells: Sequence[str | None], problems: Problems) -> None:
    """Name the rows with a cell that is too long, before each is copied: a dictionary holds it once for all rows."""
    for row, cell in enumerate(cells, start=1):
        if cell is not None and len(cell) > LONGEST_ID:
            problems.add(
                f"row {row}: its {what} has {len(cell)} letters ({shortened(cell)}), at most {LONGEST_ID} may be; "
                "shorten it"
            )


class _Columns:
    """Columns by name, each read in one way; what is wrong goes to `problems`."""

    def __init__(self, columns: dict[str, pa.ChunkedArray], missing: pa.ChunkedArray, problems: Problems) -> None:
        self.columns = columns
        self._missing = missing
        self._problems = problems

    def read(self, name: str, read: Callable[[pa.ChunkedArray], list[Any]]) -> list[Any]:
        """Cells of a column; None where it is not there or cannot be read."""
        column = self.columns.get(name, self._missing)
        try:
            return read(column)
        except _WrongTypeError as cause:
            self._problems.add(f"column '{name}' holds {kind_in_words(column.type)}; {cause}")
        except UnicodeDecodeError:
            self._problems.add(f"column '{name}' holds bytes that are not text (UTF-8); write it as text")
        return [None] * len(column)


class _WrongTypeError(Exception):
    """A column has another type than it must have; says what it must hold."""


def _own(name: str, spec: type[ModalitySpec], used: _Columns, file: list[str | None]) -> list[Any]:
    """Cells of a modality: of its own column, of media else those of the column `file`."""
    if name not in used.columns:
        return list(file)
    if spec.is_text:
        return used.read(name, _texts)
    return used.read(name, _paths if spec.is_media else _values)


def _check_columns(columns: Sequence[str], specs: Specs, problems: Problems) -> None:
    if "label" not in columns:
        problems.add(f"no column 'label'; {did_you_mean('label', columns)}")
    for name, spec in specs.items():
        if name in columns or (spec.is_media and "file" in columns):
            continue
        either = "no column 'file' and no" if spec.is_media else "no"
        problems.add(f"{either} column '{name}' for the modality; {did_you_mean(name, columns)}")


def _labels(column: pa.ChunkedArray) -> list[Any]:
    inner = column.type.value_type if is_list(column.type) else column.type
    if pa.types.is_nested(inner):
        raise _WrongTypeError("a label is a text, a number or a list of them")
    return values_of(column)


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """Cells as text; None where there is nothing but blanks."""
    if pa.types.is_nested(column.type):
        raise _WrongTypeError("it must hold one text a row")
    cells = values_of(column)
    if not (is_text(column.type) or is_bytes(column.type)):
        cells = [class_name(cell) for cell in cells]
    return [None if cell is None or not cell.strip() else cell for cell in cells]


def _paths(column: pa.ChunkedArray) -> list[str | None]:
    if not (is_text(column.type) or is_bytes(column.type)):
        why = f"; {why_no_files(column.type)}" if pa.types.is_struct(column.type) else ""
        raise _WrongTypeError(f"it must hold paths of files, as texts{why}")
    return [None if cell is None or not cell.strip() else cell.strip() for cell in values_of(column)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Paths of arrays, or numbers."""
    if is_text(column.type) or is_bytes(column.type):
        return _paths(column)
    return arrays_of(column) if holds_numbers(column.type) else values_of(column)
