"""The manifest of a collection: one row a sample, checked as a whole before any file is opened.

CSV or Parquet with `label`, and `file` or one column a modality; `sample_id` and `split` are optional. An empty
cell is a missing modality. Without `split`, files are dealt into splits by label (70/15/15), all samples of one
file into the same split.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from raymm.data.format import SPLITS
from raymm.data.kinds import ModalitySpec, kind_of
from raymm.errors import DataError, Problems, did_you_mean
from raymm.seeds import derive

__all__ = ["Kinds", "Manifest", "Record", "load_manifest"]

Kinds = dict[str, str]
"""Kinds of modality by name, in schema order."""

Specs = dict[str, type[ModalitySpec]]
"""Classes of these kinds."""

SHARES = (0.70, 0.85)


@dataclass(frozen=True)
class Record:
    """One sample as the manifest has it: where each modality comes from (a path, a text or numbers)."""

    sample_id: str
    split: str
    label: int
    source: str
    cells: dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """All samples of a manifest, and the classes."""

    records: tuple[Record, ...]
    classes: tuple[str, ...]


def load_manifest(
    path: Path, media_root: Path, kinds: Kinds, classes: Sequence[str] | None = None, seed: int = 0
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
    labels = [_text(row.get("label")) for row in rows]
    names = tuple(classes) if classes else tuple(sorted({label for label in labels if label}))
    _check_labels(rows, specs, labels, names, problems)
    _check_paths(rows, specs, media_root, problems)
    problems.raise_if_any(DataError)
    splits = [_text(row.get("split")) for row in rows] if "split" in rows[0] else _deal(rows, specs, labels, seed)
    records = [
        Record(_sample_id(row, specs, number), split, names.index(label), source_of(row, specs), _cells(row, specs))
        for number, (row, label, split) in enumerate(zip(rows, labels, splits, strict=True), start=1)
    ]
    _check_records(records, names, specs, problems)
    problems.raise_if_any(DataError)
    return Manifest(tuple(records), names)


def source_of(row: dict[str, Any], specs: Specs) -> str:
    """The file that tells samples of one recording: the `file` cell, or the first cell that names a file."""
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
        problems.add(f"column '{name}' stands {columns.count(name)} times; rename or remove all but one")
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


def _check_labels(
    rows: list[dict[str, Any]], specs: Specs, labels: list[str], names: tuple[str, ...], problems: Problems
) -> None:
    for number, (row, label) in enumerate(zip(rows, labels, strict=True), start=1):
        where = f"row {number}, sample '{_sample_id(row, specs, number)}'"
        if not label:
            problems.add(f"{where}: the label is empty")
        elif label not in names:
            problems.add(f"{where}: label '{label}' is outside the classes; {did_you_mean(label, names)}")
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(f"class '{name}' stands twice in --classes")
    if len(names) < 2:
        problems.add(f"{len(names)} classes ({', '.join(names)}); a classifier needs two")


def _check_paths(rows: list[dict[str, Any]], specs: Specs, root: Path, problems: Problems) -> None:
    if not root.is_dir():
        problems.add(f"the media root {root} is no folder")
    for number, row in enumerate(rows, start=1):
        for file in _files(row, specs):
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts:
                where = f"row {number}, sample '{_sample_id(row, specs, number)}'"
                problems.add(f"{where}: '{file}' leaves the media root; write paths relative to it")


def _check_records(records: list[Record], names: tuple[str, ...], specs: Specs, problems: Problems) -> None:
    ids: dict[str, int] = defaultdict(int)
    seen: dict[str, set[str]] = defaultdict(set)
    present: dict[str, set[int]] = {split: set() for split in SPLITS}
    for record in records:
        ids[record.sample_id] += 1
        if record.split not in SPLITS:
            problems.add(f"sample '{record.sample_id}': split '{record.split}' is not one of {', '.join(SPLITS)}")
            continue
        present[record.split].add(record.label)
        if record.source:
            seen[record.source].add(record.split)
    for sample_id, count in ids.items():
        if count > 1:
            problems.add(f"sample '{sample_id}': its id stands {count} times")
    for source, splits in seen.items():
        if len(splits) > 1 and _is_own_file(source, specs):
            problems.add(f"file '{source}' is in two splits: {', '.join(sorted(splits))}")
    for split in SPLITS:
        absent = [name for number, name in enumerate(names) if number not in present[split]]
        if absent:
            problems.add(f"split '{split}' has no sample of class {', '.join(absent)}")


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


def _recording(row: dict[str, Any], specs: Specs) -> str:
    """The file whose samples belong together; empty when it is an .npz of many samples."""
    source = source_of(row, specs)
    return source if _is_own_file(source, specs) else ""


def _deal(rows: list[dict[str, Any]], specs: Specs, labels: list[str], seed: int) -> list[str]:
    """Splits by label, 70/15/15, every file in one split."""
    files = [_recording(row, specs) or f"row {number}" for number, row in enumerate(rows)]
    label_of = dict(zip(files, labels, strict=True))
    generator = np.random.default_rng(derive(seed, "splits"))
    split_of: dict[str, str] = {}
    for label in sorted(set(labels)):
        mine = [file for file in sorted(label_of) if label_of[file] == label]
        order = [mine[position] for position in generator.permutation(len(mine))]
        edges = [round(share * len(order)) for share in SHARES]
        parts = (order[: edges[0]], order[edges[0] : edges[1]], order[edges[1] :])
        for split, part in zip(SPLITS, parts, strict=True):
            split_of.update(dict.fromkeys(part, split))
    return [split_of[file] for file in files]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
