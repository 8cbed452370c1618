"""The labels of a manifest: the task that they are of, and what is wrong with them."""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.counts import counted
from raymm.data.schema import SPLITS
from raymm.data.words import composed
from raymm.errors import SHOWN as MOST_SHOWN
from raymm.errors import ConfigError, DataError, Problems
from raymm.tasks.base import Task
from raymm.tasks.classification import class_name
from raymm.tasks.labels import Labels
from raymm.tasks.registry import DEFAULT, get_task, guess_task

__all__ = [
    "choose_task",
    "doubtful_classes",
    "name_some",
    "parse_labels",
    "parse_task",
    "refuse_absent_classes",
    "refuse_rare_labels",
    "refuse_unfit",
]

SHOWN = 5
"""Names that a message lists; the rest are counted."""

MANY = 10
"""Classes from which on it is odd that most have one sample."""

REFUSED = 100
"""Different labels that are wrong, after which no more are looked at."""

MARKS = 200_000_000
"""Samples times labels from which on labels that few samples have are refused: each is a byte, held several times."""

MARKS_A_BYTE = 200
"""Of a manifest for which labels are named: it may have more of them."""

FEW = 50
"""Samples a label, on average, that are few among so many labels."""

INTEGER = re.compile(r"[-+]?\d+")


def choose_task(cells: Sequence[Any], task: Task | None = None, classes: Sequence[str] = ()) -> tuple[Task, str]:
    """The task of some label cells, and a sentence on how it was guessed; empty where there is nothing to say.

    Parameters
    ----------
    cells
        Labels as the manifest has them.
    task
        The task that was asked for; None guesses.
    classes
        Classes that were asked for: numbers are labels of these, unless each sample has as many.

    Examples
    --------
    >>> choose_task(["happy|loud", "calm"])[0].name
    'multilabel'
    >>> choose_task(["-1", "0", "2"])[1]
    'labels are whole numbers: taken as 3 classes without an order (-1, 0, 2); --task regression reads numbers'
    >>> choose_task(["-1", "0.5"])[1]
    'labels look continuous (-1, 0.5): taken as regression; --task classification takes each number as a class'
    """
    if task is not None:
        return task, ""
    guessed = get_task(guess_task(cells))
    if guessed.name == "regression" and classes and len(classes) != len(guessed.classes_of(cells)):
        return get_task(DEFAULT), ""
    names = {class_name(cell) for cell in cells if isinstance(cell, str | int | float)} - {""}
    numbers = bool(names) and all(map(_is_number, names))
    shown = name_some(sorted(names, key=lambda name: (float(name), name))) if numbers else ""
    if guessed.name == "regression":
        return guessed, (
            f"labels look continuous ({shown or _first(cells)}): taken as {guessed.name}; "
            f"--task {DEFAULT} takes each number as a class"
        )
    if guessed != get_task(DEFAULT):
        return guessed, (
            f"labels look like several a sample ({_first(cells, guessed)}): taken as {guessed.name}; "
            f"--task {DEFAULT} takes each different text as a class"
        )
    if not numbers or not all(map(INTEGER.fullmatch, names)):
        return guessed, ""
    return guessed, (
        f"labels are whole numbers: taken as {len(names)} classes without an order ({shown}); "
        "--task regression reads numbers"
    )


def _first(cells: Sequence[Any], task: Task | None = None) -> Any:
    """The first cell that shows the task."""
    return next(cell for cell in cells if task is None or task.looks_like([cell]))


def parse_task(name: str | None, settings: Sequence[str]) -> Task | None:
    """The task of `--task NAME --task-setting FIELD=VALUE`; None where none is named.

    Raises
    ------
    ConfigError
        When there is no such task, or a setting is none of it.

    Examples
    --------
    >>> parse_task("multilabel", ["separator=;"]).parse("a;c", ["a", "b", "c"]).tolist()
    [True, False, True]
    """
    problems = Problems("--task-setting")
    if settings and name is None:
        problems.add("settings are those of a task: name it by --task")
    for setting in settings:
        if "=" not in setting:
            problems.add(f"'{setting}': write it as field=value, for example separator=;")
    problems.raise_if_any(ConfigError)
    return None if name is None else get_task(name, dict(setting.split("=", 1) for setting in settings))


class ClassNames(tuple[str, ...]):  # noqa: SLOT001  (it keeps the places of its names)
    """Names of classes, among which one is found as fast as among few, however many they are.

    >>> ClassNames(["b", "a", "b"]).index("b"), "c" in ClassNames(["a"])
    (0, False)
    """

    def __contains__(self, name: object) -> bool:
        """Whether there is such a class."""
        return name in self._places

    def index(self, name: str, *within: Any) -> int:
        """Number of a class, of equal ones of the first; ValueError where there is none."""
        if within or name not in self._places:
            return super().index(name, *within)
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in reversed([*enumerate(self)])}


def parse_labels(
    cells: Sequence[Any], place: Callable[[int], str], task: Task, classes: Sequence[str], problems: Problems
) -> list[Any]:
    """Labels as `task` has them; what is wrong with cells and classes goes to `problems`, after its place.

    Where very many different labels are wrong, the rest are not looked at: each is compared with all classes.
    """
    labels: list[Any] = []
    known: dict[Any, Any] = {}
    refused: dict[Any, str] = {}
    wrong: list[str] = []
    named = ClassNames(classes)
    for row, cell in enumerate(cells):
        key = (type(cell), cell) if isinstance(cell, Hashable) else row
        if key not in known and key not in refused:
            try:
                known[key] = task.parse(cell, named)
            except DataError as cause:
                refused[key] = str(cause)
        if key in known:
            labels.append(known[key])
        else:
            wrong.append(f"{place(row)}: {refused[key] if len(wrong) < MOST_SHOWN else 'its label is wrong'}")
        if len(refused) == REFUSED:
            problems.add(f"{REFUSED} different labels are wrong; those behind {place(row)} were not looked at")
            break
    problems.extend(wrong)
    for name in sorted(name for name, count in Counter(classes).items() if count > 1):
        problems.add(f"class '{name}' appears twice in --classes")
    if len(classes) < task.fewest_classes:
        problems.add(
            f"{len(classes)} classes ({', '.join(classes)}); {task.name} needs {task.fewest_classes} or more"
        )
    return labels


def refuse_rare_labels(
    cells: Sequence[Any], task: Task, classes: Sequence[str], problems: Problems, named_in: int | None = None
) -> None:
    """Refuse labels of which there are very many, for few samples each: one mark a sample and label fills the memory.

    Parameters
    ----------
    cells
        Labels of all samples, as the manifest has them.
    classes
        All different labels in them, or those that were asked for.
    named_in
        Where they were asked for, how many bytes the manifest has: a large one may have more.
    """
    marks = len(cells) * len(classes)
    most = MARKS if named_in is None else max(MARKS, MARKS_A_BYTE * named_in)
    if task.label_ndim == 1 or not task.categorical or marks <= most:
        return
    if named_in is not None:
        problems.add(
            f"{counted(len(classes), 'label')} of --classes for {counted(len(cells), 'sample')} in {named_in} bytes: "
            f"marks of all labels of all samples would take {marks / 1e9:.1f} GB, several times; name fewer labels"
        )
        return
    samples = sum(len(task.classes_of([cell])) for cell in cells) / len(classes)
    if samples < FEW:
        problems.add(
            f"{counted(len(classes), 'different label')} in {counted(len(cells), 'sample')}, {samples:.1f} samples a "
            f"label on average: marks of all labels of all samples would take {marks / 1e9:.1f} GB, several times; "
            "leave out labels of few samples, or, where all are meant, name them by --classes; is 'label' the column "
            "of the labels?"
        )


def refuse_absent_classes(
    labels: Labels, splits: Sequence[str], task: Task, classes: Sequence[str], problems: Problems, when: str = ""
) -> None:
    """Name the classes that a split lacks: every split of a task that needs them there, else the training split.

    Parameters
    ----------
    labels, splits
        Of N samples.
    when
        What the message begins with.
    """
    for split in SPLITS if task.classes_in_every_split else SPLITS[:1]:
        counts = task.class_counts(labels[_in_split(splits, split)], len(classes))
        absent = [classes[number] for number in np.flatnonzero(counts == 0).tolist()]
        if absent:
            problems.add(
                f"{when}split '{split}' has no sample of class {name_some(absent)}; put some there (column split) "
                "or leave these classes out"
            )


def doubtful_classes(labels: Labels, task: Task, classes: Sequence[str]) -> list[str]:
    r"""Sentences on classes that look like one, and on most classes having one sample only; none of a regression.

    Examples
    --------
    >>> doubtful_classes(np.array([0, 1, 0]), get_task(), ["cafe", "cafe\u200b"])  # doctest: +ELLIPSIS
    ["classes look alike: 'cafe' (2 samples) and 'cafe\\u200b' (1 sample); ..."]
    """
    if not task.categorical:
        return []
    counts = task.class_counts(labels, len(classes)).tolist()
    looks: dict[str, list[str]] = defaultdict(list)
    for name, count in zip(classes, counts, strict=True):
        looks[_look(name)].append(f"{name!a} ({counted(count, 'sample')})")
    alike = [" and ".join(names) for names in looks.values() if len(names) > 1]
    single = counts.count(1)
    said = [f"classes look alike: {name_some(alike)}; give each one spelling"] if alike else []
    if len(classes) >= MANY and 2 * single > len(classes):
        said.append(
            f"{single} of {len(classes)} classes have one sample only; is 'label' the column of the classes, and are "
            "cells that hold a separator in quotes?"
        )
    return said


def _look(name: str) -> str:
    """A name as it is seen: without invisible characters, each letter in one form, blanks as one."""
    if name.isascii():
        return " ".join(name.split())
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(composed(seen).split())


def refuse_unfit(labels: Labels, splits: Sequence[str], task: Task, problems: Problems) -> None:
    """Say what keeps the task from being fitted to the training labels (`Task.fitted`), before any file is read."""
    train = labels[_in_split(splits, SPLITS[0])]
    if len(train):
        try:
            task.fitted(train)
        except DataError as cause:
            problems.add(str(cause))


def _in_split(splits: Sequence[str], split: str) -> npt.NDArray[np.bool_]:
    """Which samples are in a split; as strings of numpy, all would take the memory of the longest cell."""
    return np.fromiter((own == split for own in splits), np.bool_, len(splits))


def name_some(names: Sequence[str]) -> str:
    """Some names, and how many more there are.

    Examples
    --------
    >>> name_some(["a", "b"]), name_some(list("abcdefgh"))
    ('a, b', 'a, b, c, d, e and 3 more')
    """
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
