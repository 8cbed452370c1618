"""Splits: the names that a manifest may give them, and how samples are assigned where it gives none."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from raymm.data.labels import name_some
from raymm.data.schema import SPLITS
from raymm.errors import Problems
from raymm.seeds import derive
from raymm.tasks.base import Task
from raymm.tasks.labels import Labels

__all__ = ["SHARES", "assign_splits", "read_splits", "refuse_rare", "split_called", "strata_of"]

SHARES = (0.70, 0.85)
"""Where train and val end."""

NAMES = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev", "devel", "development"),
    "test": ("test", "testing", "tst"),
}
"""What each split is called in published collections, in small letters."""

UNCLEAR = {"eval": "val or test", "evaluation": "val or test", "holdout": "val or test"}
"""Names that are used for more than one split."""


def read_splits(cells: Sequence[str], ids: Sequence[str], problems: Problems) -> tuple[list[str], str]:
    """The split that each cell names, and a sentence on names that are not raymm's own; empty where there are none.

    Parameters
    ----------
    cells
        Of the column `split`, without blanks around them.
    ids
        Of the samples, for the messages in `problems`.

    Examples
    --------
    >>> read_splits(["Train", "dev", "TEST"], ["a", "b", "c"], Problems("m.csv"))
    (['train', 'val', 'test'], "splits 'Train', 'dev', 'TEST' are taken as train, val, test")
    """
    split_of = {alias: split for split, aliases in NAMES.items() for alias in aliases}
    spelt: dict[str, set[str]] = defaultdict(set)
    for cell, sample_id in zip(cells, ids, strict=True):
        split = split_of.get(cell.lower(), "")
        if split:
            spelt[split].add(cell.lower())
        else:
            problems.add(f"sample '{sample_id}': {_unknown(cell)}")
    for split, names in spelt.items():
        if len(names) > 1:
            problems.add(
                f"splits {' and '.join(map(repr, sorted(names)))} would both be {split}; give them one name, or "
                "leave the rows of one out"
            )
    renamed = {cell: split_of[cell.lower()] for cell in dict.fromkeys(cells) if cell.lower() in split_of}
    renamed = {cell: split for cell, split in renamed.items() if cell != split}
    note = f"splits {', '.join(map(repr, renamed))} are taken as {', '.join(renamed.values())}" if renamed else ""
    return [split_of.get(cell.lower(), cell) for cell in cells], note


def split_called(name: str) -> str:
    """The split that a name of the field means; empty where it means none.

    >>> split_called("Validation"), split_called("eval")
    ('val', '')
    """
    return next((split for split, names in NAMES.items() if name.strip().lower() in names), "")


def _unknown(cell: str) -> str:
    if not cell:
        return f"its split is empty; write one of {', '.join(SPLITS)}, or leave the column out"
    unclear = UNCLEAR.get(cell.lower())
    hint = f"; it may mean {unclear}: write which" if unclear else ""
    return f"split '{cell}' is not one of {', '.join(SPLITS)}{hint}"


def strata_of(labels: Labels, names: Sequence[str], task: Task, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """The groups of samples that the task says, [N]; names decide among equal labels, and not the order of rows."""
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    strata = np.empty(len(names), np.int64)
    strata[order] = task.strata(labels[order], len(classes))
    return strata


def assign_splits(
    labels: Labels, files: Sequence[str], task: Task, classes: Sequence[str], seed: int, problems: Problems
) -> list[str]:
    """Splits by label, 70/15/15, all samples of one file in one split.

    A class with as many files as there are splits, or more, has one at least in each. A class with fewer goes to
    `problems` where the task needs every class in every split.

    Parameters
    ----------
    labels, files
        Of N samples.
    seed
        With the labels and names of files, decides the splits.
    """
    groups = task.stratum_names(classes)
    group_of = dict(zip(files, (groups[number] for number in strata_of(labels, files, task, classes)), strict=True))
    members: dict[str, list[str]] = defaultdict(list)
    for file in sorted(group_of):
        members[group_of[file]].append(file)
    if task.classes_in_every_split:
        refuse_rare({name: len(mine) for name, mine in members.items() if name}, "files", problems)
    generator = np.random.default_rng(derive(seed, "splits"))
    split_of: dict[str, str] = {}
    for group in sorted(members):
        mine = members[group]
        order = [mine[position] for position in generator.permutation(len(mine))]
        first, second = _edges(len(order))
        parts = (order[:first], order[first:second], order[second:])
        for split, part in zip(SPLITS, parts, strict=True):
            split_of.update(dict.fromkeys(part, split))
    return [split_of[file] for file in files]


def _edges(count: int) -> tuple[int, int]:
    """Where train and val end among some files: by shares, with one file at least in each split where they suffice.

    >>> [_edges(count) for count in (1, 2, 3, 4, 5, 20)]
    [(1, 1), (1, 2), (1, 2), (2, 3), (3, 4), (14, 17)]
    """
    first, second = (round(share * count) for share in SHARES)
    if count < len(SPLITS):
        return first, second
    second = min(second, count - 1)
    return min(first, second - 1), second


def refuse_rare(counts: dict[str, int], units: str, problems: Problems) -> None:
    """Name the classes that have fewer "files" or "groups", `units`, than there are splits."""
    rare = {name: count for name, count in counts.items() if count < len(SPLITS)}
    if rare:
        shown = name_some([f"{name} ({count})" for name, count in sorted(rare.items())])
        problems.add(
            f"{len(rare)} of {len(counts)} classes have fewer {units} than there are splits ({len(SPLITS)}): {shown}"
            f"; add {units}, give these classes one common name, or leave their rows out"
        )
