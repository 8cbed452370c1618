"""The manifest of a collection: one row a sample, checked as a whole before any file is opened.

CSV or Parquet with `label`, and `file` or one column a modality; `sample_id` and `split` are optional. An empty
cell is a missing modality. Without `split`, files are assigned to splits by label (70/15/15), all samples of one
file into the same split.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from raymm.data.kinds.base import ModalitySpec, kind_of
from raymm.data.labels import assign_splits, choose_task, parse_labels, refuse_absent_classes
from raymm.data.schema import SPLITS
from raymm.errors import DataError, Problems, did_you_mean
from raymm.tasks.base import Task
from raymm.tasks.classification import Classification

__all__ = ["Kinds", "Manifest", "Record", "load_manifest"]

Kinds = dict[str, str]
"""Kinds of modality by name, in schema order."""

Specs = dict[str, type[ModalitySpec]]
"""Classes of these kinds."""


@dataclass(frozen=True)
class Record:
    """One sample as the manifest has it: where each modality comes from (a path, a text or numbers).

    The label is an int, or a tuple of bools, see `raymm.tasks`.
    """

    sample_id: str
    split: str
    label: Any
    source: str
    cells: dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """All samples of a manifest, the classes and the task; `note` says how a task was guessed that is not certain."""

    records: tuple[Record, ...]
    classes: tuple[str, ...]
    task: Task = field(default_factory=Classification)
    note: str = ""


def load_manifest(
    path: Path,
    media_root: Path,
    kinds: Kinds,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    task: Task | None = None,
) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    path
        CSV or Parquet.
    media_root
        Folder that paths in the manifest are relative to; nothing outside of it is read.
    kinds
        Modalities and their kinds.
    classes
        Label names in order; default: the sorted labels of the manifest.
    seed
        Decides the splits where the manifest names none.
    task
        What the labels are; default: what they look like.

    Raises
    ------
    DataError
        With every mistake at once: absent or repeated columns, empty or unknown labels, duplicate ids, unknown
        splits, a file in two splits, a split without some class, paths that leave the media root.
    """
    rows = _read_rows(path)
    problems = Problems(str(path))
    specs = {name: kind_of(kind, "kinds") for name, kind in kinds.items()}
    if not rows:
        problems.add("has no rows")
    _check_columns(rows, specs, problems)
    problems.raise_if_any(DataError)
    cells = [row.get("label") for row in rows]
    task, note = _choose_task(path, cells, task)
    names = tuple(classes) if classes else task.classes_of(cells)
    labels = parse_labels(cells, _places(rows, specs), task, names, problems)
    _check_paths(rows, specs, media_root, problems)
    problems.raise_if_any(DataError)
    array = task.array(labels, len(names))
    if "split" in rows[0]:
        splits = [_text(row.get("split")) for row in rows]
    else:
        splits = assign_splits(array, _recordings(rows, specs), task, names, seed)
    records = [
        Record(_sample_id(row, specs, number), split, label, source_of(row, specs), _cells(row, specs))
        for number, (row, label, split) in enumerate(zip(rows, labels, splits, strict=True), start=1)
    ]
    _check_records(records, specs, problems)
    refuse_absent_classes(array, splits, task, names, problems)
    problems.raise_if_any(DataError)
    return Manifest(tuple(records), names, task, note)


def source_of(row: dict[str, Any], specs: Specs) -> str:
    """The file that identifies the recording of a sample: the `file` cell, or the first cell that names a file."""
    return next(iter(_files(row, specs)), "")


def cell_of(row: dict[str, Any], name: str, spec: type[ModalitySpec]) -> Any:
    """What a modality of a row comes from; None when it is missing."""
    cell = row[name] if name in row else row.get("file") if spec.is_media else None
    return None if cell is None or (isinstance(cell, str) and not cell.strip()) else cell


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        return (_read_parquet(path) if path.suffix in {".parquet", ".pq"} else _read_csv(path)).to_pylist()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DataError(f"{path}: not readable as {path.suffix or 'CSV'} ({cause})") from cause


def _read_parquet(path: Path) -> pa.Table:
    _refuse_repeated(path, pq.read_schema(path).names)
    return pq.read_table(path)


def _read_csv(path: Path) -> pa.Table:
    """All cells as text, whatever they look like."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    _refuse_repeated(path, names)
    strings = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    lines = pa_csv.ParseOptions(newlines_in_values=True)
    return pa_csv.read_csv(path, parse_options=lines, convert_options=strings)


def _refuse_repeated(path: Path, columns: list[str]) -> None:
    problems = Problems(str(path))
    for name in dict.fromkeys(name for name in columns if columns.count(name) > 1):
        problems.add(f"column '{name}' appears {columns.count(name)} times; rename or remove all but one")
    problems.raise_if_any(DataError)


def _check_columns(rows: list[dict[str, Any]], specs: Specs, problems: Problems) -> None:
    columns = list(rows[0]) if rows else []
    if "label" not in columns:
        problems.add(f"no column 'label'; {did_you_mean('label', columns)}")
    for name, spec in specs.items():
        if name in columns or (spec.is_media and "file" in columns):
            continue
        either = "no column 'file' and no" if spec.is_media else "no"
        problems.add(f"{either} column '{name}' for the modality; {did_you_mean(name, columns)}")


def _choose_task(path: Path, cells: Sequence[Any], task: Task | None) -> tuple[Task, str]:
    try:
        return choose_task(cells, task)
    except DataError as cause:
        raise DataError(f"{path}: {cause}") from None


def _places(rows: list[dict[str, Any]], specs: Specs) -> Iterator[str]:
    return (f"row {number}, sample '{_sample_id(row, specs, number)}'" for number, row in enumerate(rows, start=1))


def _check_paths(rows: list[dict[str, Any]], specs: Specs, root: Path, problems: Problems) -> None:
    if not root.is_dir():
        problems.add(f"the media root {root} is no folder")
    for number, row in enumerate(rows, start=1):
        for file in _files(row, specs):
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts:
                where = f"row {number}, sample '{_sample_id(row, specs, number)}'"
                problems.add(f"{where}: '{file}' leaves the media root; write paths relative to it")


def _check_records(records: list[Record], specs: Specs, problems: Problems) -> None:
    ids: dict[str, int] = defaultdict(int)
    seen: dict[str, set[str]] = defaultdict(set)
    for record in records:
        ids[record.sample_id] += 1
        if record.split not in SPLITS:
            problems.add(f"sample '{record.sample_id}': split '{record.split}' is not one of {', '.join(SPLITS)}")
        elif record.source:
            seen[record.source].add(record.split)
    for sample_id, count in ids.items():
        if count > 1:
            problems.add(f"sample '{sample_id}': its id appears {count} times")
    for source, splits in seen.items():
        if len(splits) > 1 and _is_own_file(source, specs):
            problems.add(f"file '{source}' is in two splits: {', '.join(sorted(splits))}")


def _is_own_file(source: str, specs: Specs) -> bool:
    """Whether a source is one recording; an .npz of many samples is not."""
    return any(spec.is_media for spec in specs.values()) or not source.endswith(".npz")


def _sample_id(row: dict[str, Any], specs: Specs, number: int) -> str:
    """The id that the manifest gives, else the stem of the file, else the number of the row."""
    return _text(row.get("sample_id")) or PurePosixPath(source_of(row, specs)).stem or f"row-{number:06d}"


def _cells(row: dict[str, Any], specs: Specs) -> dict[str, Any]:
    return {name: cell_of(row, name, spec) for name, spec in specs.items()}


def _files(row: dict[str, Any], specs: Specs) -> Iterator[str]:
    """Files that a row names, each once."""
    found = [row["file"]] if _text(row.get("file")) else []
    found += [spec.file_of(cell_of(row, name, spec)) for name, spec in specs.items()]
    yield from dict.fromkeys(file for file in found if file)


def _recordings(rows: list[dict[str, Any]], specs: Specs) -> list[str]:
    """The file whose samples belong together, of each row; that of many samples is not one recording."""
    sources = [source_of(row, specs) for row in rows]
    own = [source if _is_own_file(source, specs) else "" for source in sources]
    return [source or f"row {number}" for number, source in enumerate(own)]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
