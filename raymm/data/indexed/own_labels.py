"""Labels of items of one's own as the cells of a manifest: numbers of classes get their names."""

from collections.abc import Sequence
from typing import Any

from raymm.tasks.base import Task

__all__ = ["label_cells", "one_hot_note"]


def label_cells(labels: Sequence[Any], classes: Sequence[str] | None) -> tuple[list[Any], list[str] | None]:
    """Labels as texts, numbers or lists of texts, and the names of the classes where they are known.

    A number is that of a class where classes are known and are not such numbers themselves. A list of 0 and 1 for
    every class says which of them a sample has.

    Examples
    --------
    >>> label_cells([0, 1, 0], ["cat", "dog"])
    (['cat', 'dog', 'cat'], ['cat', 'dog'])
    >>> label_cells([[1, 0], [1, 1]], None)
    ([['0'], ['0', '1']], ['0', '1'])
    >>> label_cells(["cat", "dog"], None)
    (['cat', 'dog'], None)
    """
    names = list(classes) if classes else None
    width = _width(labels)
    if width and (names is None or len(names) == width):
        known = names or [str(number) for number in range(width)]
        return [[name for name, on in zip(known, label, strict=True) if on] for label in labels], known
    if names is None:
        return list(labels), None
    return [_named(label, names) for label in labels], names


def one_hot_note(cells: Sequence[Any], task: Task) -> str:
    """A remark where every sample of a task of several labels has exactly one; else nothing.

    >>> from raymm.tasks import get_task
    >>> one_hot_note([["0"], ["1"]], get_task("multilabel"))[:42]
    'every sample has exactly one label, so the'
    >>> one_hot_note([["0"], ["0", "1"]], get_task("multilabel"))
    ''
    """
    if task.label_ndim != 2 or not task.categorical or not all(isinstance(cell, list) for cell in cells):
        return ""
    if any(len(cell) != 1 for cell in cells):
        return ""
    return (
        "every sample has exactly one label, so they look like one-hot labels of a classification, and are taken as "
        "sets of labels; where one class is meant, give its number (label.argmax())"
    )


def _named(label: Any, names: Sequence[str]) -> Any:
    """The name of the class of a number; any other label as it is."""
    is_number = isinstance(label, int) and not isinstance(label, bool)
    return names[label] if is_number and 0 <= label < len(names) and str(label) not in names else label


def _width(labels: Sequence[Any]) -> int:
    """Length of labels that are all lists of 0 and 1; 0 where some are not."""
    if not all(isinstance(label, list) and label for label in labels):
        return 0
    lengths = {len(label) for label in labels}
    marks = all(entry in (0, 1) and not isinstance(entry, str) for label in labels for entry in label)
    return lengths.pop() if len(lengths) == 1 and marks else 0
