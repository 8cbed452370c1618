"""The manifest of a collection: one row a sample, checked as a whole before any file is opened.

A table (`raymm.data.tabular.read`) with `label`, and `file` or one column a modality; `sample_id` and `split` are
optional. An empty cell is a missing modality, and so is NaN. Without `sample_id`, a sample is called after its file.
Without `split`, files are assigned to splits by label (70/15/15), all samples of one file into the same split.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.groups import assign_grouped_splits, torn_groups_note, units_of
from raymm.data.kinds.base import kind_of
from raymm.data.labels import (
    choose_task,
    doubtful_classes,
    parse_labels,
    refuse_absent_classes,
    refuse_rare_labels,
    refuse_unfit,
)
from raymm.data.manifest_rows import Rows, read_rows
from raymm.data.media.root import MediaRoot
from raymm.data.outside import place_of_row, resolved_files
from raymm.data.record import Record, shortened
from raymm.data.recordings import refuse_shared, shared_note
from raymm.data.sample_ids import name_samples, refuse_repeated_ids
from raymm.data.schema import SPLITS
from raymm.data.splits import assign_splits, read_splits, strata_of
from raymm.data.tabular.read import Table
from raymm.errors import DataError, Problems
from raymm.tasks.base import Task
from raymm.tasks.classification import Classification

__all__ = ["Kinds", "Manifest", "load_manifest"]

Kinds = dict[str, str]
"""Kinds of modality by name, in schema order."""

LONGEST_PATH = 4_096
"""Bytes of a path, at most: no file system takes more, and each folder of one is looked at."""


@dataclass(frozen=True)
class Manifest:
    """All samples of a manifest, the classes and the task; `notes` say what was guessed or renamed."""

    records: tuple[Record, ...]
    classes: tuple[str, ...]
    task: Task = field(default_factory=Classification)
    notes: tuple[str, ...] = ()


def load_manifest(
    path: Path,
    media_root: MediaRoot,
    kinds: Kinds,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    task: Task | None = None,
    embedded: Path | None = None,
    allow_outside: bool = False,
    group: str | None = None,
    table: Table | None = None,
) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    path
        A table, see `raymm.data.tabular.read`.
    media_root
        Folder that paths in the manifest are relative to; nothing outside of it is read, unless that is allowed. Or
        an archive, which has no outside.
    kinds
        Modalities and their kinds.
    classes
        Label names in order; default: the sorted labels of the manifest.
    seed
        Decides the splits where the manifest names none.
    task
        What the labels are; default: what they look like.
    embedded
        Folder for the files of a manifest that holds files itself (`{bytes, path}`, or bytes); default: refuse them.
    allow_outside
        Whether paths, and symbolic links in the media root, may lead out of it.
    group
        The column of what must stay in one split (speakers, patients); default: `group`, where there is one.
    table
        The columns, where they were read before.

    Raises
    ------
    DataError
        With every mistake at once: absent or repeated columns, columns of another type, empty or unknown labels,
        duplicate ids, unknown splits, a file in two splits, a split without some class, paths that leave the media
        root.
    """
    specs = {name: kind_of(kind, "kinds") for name, kind in kinds.items()}
    rows = read_rows(path, specs, embedded, group, table)
    problems = Problems(str(path))
    if rows.labels and all(label is None for label in rows.labels):
        problems.add("column 'label' is empty in every row; write what each sample is")
        problems.raise_if_any(DataError)
    different = _different(rows.labels)
    task, note = _choose_task(path, different, task, classes or ())
    names = tuple(classes) if classes else task.classes_of(different)
    if not classes or table is None:
        refuse_rare_labels(rows.labels, task, names, problems, path.stat().st_size if classes else None)
        problems.raise_if_any(DataError)
    ids = name_samples(rows)
    labels = parse_labels(rows.labels, lambda row: place_of_row(row, ids), task, names, problems)
    _refuse_impossible_paths(rows, ids, problems)
    resolved = resolved_files(rows, ids, media_root, allow_outside, problems)
    problems.raise_if_any(DataError)
    array = task.array(labels, len(names))
    splits, renamed = _splits(rows, ids, array, task, names, seed, resolved, problems)
    refuse_repeated_ids(rows, ids, problems)
    refuse_absent_classes(array, splits, task, names, problems)
    refuse_unfit(array, splits, task, problems)
    doubts = doubtful_classes(array, task, names)
    problems.extend(doubts if problems.items else [])
    problems.raise_if_any(DataError)
    shared = shared_note([_recordings_in(files)[1:] for files in rows.files], splits, resolved)
    torn = torn_groups_note(rows.groups or [], splits) if rows.groups else ""
    notes = (*rows.notes, *filter(None, (note, renamed, *doubts, shared, torn)))
    return Manifest(_records(rows, ids, splits, labels), names, task, notes)


def _splits(
    rows: Rows,
    ids: Sequence[str],
    labels: npt.NDArray[Any],
    task: Task,
    classes: Sequence[str],
    seed: int,
    resolved: dict[str, str],
    problems: Problems,
) -> tuple[list[str], str]:
    """The split of each row, named or assigned, and a sentence on names that were understood."""
    own = [next(iter(_recordings_in(files)), "") for files in rows.files]
    if rows.splits is None:
        files = [resolved.get(file) for file in own]
        if rows.groups is not None:
            units = units_of(files, [group or None for group in rows.groups])
            return assign_grouped_splits(labels, units, ids, task, classes, seed, problems), ""
        units = units_of(files)
        if not _are_of_one_class(units, strata_of(labels, ids, task, classes)):
            return assign_grouped_splits(labels, units, ids, task, classes, seed, problems, "files"), ""
        return assign_splits(labels, _recordings(own, resolved), task, classes, seed, problems), ""
    splits, renamed = read_splits([split.strip() for split in rows.splits], ids, problems)
    known = [file if split in SPLITS else "" for file, split in zip(own, splits, strict=True)]
    refuse_shared(known, splits, resolved, problems)
    return splits, renamed


def _recordings(own: Sequence[str], resolved: dict[str, str]) -> list[str]:
    """What the samples that belong together have in common, of each row: the first name of their file."""
    first: dict[str, str] = {}
    return [first.setdefault(resolved[file], file) if file else f"row {number}" for number, file in enumerate(own)]


def _records(rows: Rows, ids: Sequence[str], splits: Sequence[str], labels: Sequence[Any]) -> tuple[Record, ...]:
    names = list(rows.cells)
    cells = zip(*rows.cells.values(), strict=True)
    groups = rows.groups or [""] * len(rows)
    return tuple(
        Record(sample_id, split, label, rows.called(source), dict(zip(names, own, strict=True)), group)
        for sample_id, split, label, source, own, group in zip(
            ids, splits, labels, rows.sources, cells, groups, strict=True
        )
    )


def _different(cells: Sequence[Any]) -> Sequence[Any]:
    """Each cell once; lists as they are."""
    return list(dict.fromkeys(cells)) if all(isinstance(cell, Hashable) for cell in cells) else cells


def _choose_task(path: Path, cells: Sequence[Any], task: Task | None, classes: Sequence[str]) -> tuple[Task, str]:
    try:
        return choose_task(cells, task, classes)
    except DataError as cause:
        raise DataError(f"{path}: {cause}") from None


def _refuse_impossible_paths(rows: Rows, ids: Sequence[str], problems: Problems) -> None:
    """Refuse paths that no file system takes, before one is asked."""
    for number, files in enumerate(rows.files):
        for file in files:
            if len(file.encode()) > LONGEST_PATH:
                problems.add(
                    f"row {number + 1}: the path '{shortened(file)}' has {len(file.encode())} bytes, a file "
                    f"system takes {LONGEST_PATH}; write the path of a file"
                )
            elif "\0" in file:
                problems.add(f"{place_of_row(number, ids)}: {file!r} has a null character in it; write the path anew")
    problems.raise_if_any(DataError)


def _recordings_in(files: Sequence[str]) -> tuple[str, ...]:
    """Files of a sample that are one recording each; an .npz holds arrays of many samples.

    >>> _recordings_in(["poses.npz", "a.wav"]), _recordings_in(["poses.npz"])
    (('a.wav',), ())
    """
    return tuple(file for file in files if not file.lower().endswith(".npz"))


def _are_of_one_class(units: npt.NDArray[np.int64], strata: npt.NDArray[np.int64]) -> bool:
    """Whether all samples of each unit are of one class."""
    return len(set(zip(units.tolist(), strata.tolist(), strict=True))) == len(np.unique(units))
