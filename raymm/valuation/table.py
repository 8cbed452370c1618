"""The valuation table in memory: one row a sample. `raymm.valuation.table_file` writes and reads it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.errors import DataError
from raymm.tasks.base import Task
from raymm.tasks.labels import Labels
from raymm.tasks.registry import DEFAULT, read_task
from raymm.valuation.bits import unpack_bits
from raymm.valuation.utilities import fair_share_of

__all__ = ["TableInfo", "ValuationTable", "join_tables", "regrouped"]

LETTERS = 2**26
"""Of an array of texts of one length; more are references to the names."""


@dataclass(frozen=True)
class TableInfo:
    """The game and the model whose values a table holds.

    Attributes
    ----------
    modalities
        Names, in the order of the players.
    utility, masking
        The utility v(C), and the baseline in the place of masked features.
    fingerprint
        Of the weights, see `raymm.valuation.protocol.fingerprint`.
    epoch
        Epoch of the training after which the model was valued.
    method
        "exact", "sampled", or "closed_form" (additive models, utility `logit`).
    budget
        Coalitions evaluated of each sample where values are sampled.
    task
        The task of the labels: its name and settings, as `raymm.tasks.task_fields` gives them.
    classes
        Number of classes K; 0 in tables of version 0.1.0, which are of classification and do not need it.
    class_names
        Names of the classes by position; empty where the table does not say, as in those of 0.1.0.

    Examples
    --------
    >>> TableInfo(("audio", "rgb"), utility="count", masking="zeros", fingerprint="0123456789abcdef").fair_share
    1.0
    """

    modalities: tuple[str, ...]
    utility: str
    masking: str
    fingerprint: str
    epoch: int | None = None
    method: str = "exact"
    budget: int | None = None
    task: Mapping[str, Any] = field(default_factory=lambda: {"name": DEFAULT})
    classes: int = 0
    class_names: tuple[str, ...] = ()

    @property
    def fair_share(self) -> float | None:
        """The fair share of the utility; None where it has none, or is not known here."""
        return fair_share_of(self.utility)


@dataclass(frozen=True)
class ValuationTable:
    """Valuations of samples; all arrays have one row a sample.

    Attributes
    ----------
    sample_id, split
        Strings [N].
    label, prediction
        Of the task's type: int64 [N], bool [N, K] for several labels a sample, or float64 [N, K] for numbers.
    phi
        float64 [N, n]; NaN where a modality is missing.
    outcomes
        uint8 [N, ceil(2**n / 8)]: bit c of the little-endian bytes is 1 when coalition c is correct; no columns where
        not all coalitions were evaluated.
    loss
        float64 [N], the task's loss of the prediction (cross-entropy in nats); NaN when read from a file, which does
        not contain it.
    stderr
        float64 [N, n], standard errors of phi: 0 where it is exact, NaN where a modality is missing.
    unimodal_correct
        bool [N, n]: whether each modality is correct by itself.
    probabilities
        float64 [N, K]: probability of each class; None or no columns where the task does not keep them.
    source
        Strings [N]: the file of each sample as the manifest named it, empty where it has none; None where the table
        does not say.

    Examples
    --------
    Two samples of two modalities; the second is correct with modality 0 alone and lacks modality 1.

    >>> correct = np.array([[False, True, True, True], [False, True, False, True]])  # of {}, {0}, {1}, {0, 1}
    >>> from raymm.valuation.bits import pack_bits
    >>> table = ValuationTable(
    ...     info=TableInfo(("audio", "rgb"), "count", "zeros", "0123456789abcdef"),
    ...     sample_id=np.array(["a", "b"]),
    ...     split=np.array(["test", "test"]),
    ...     label=np.array([0, 1]),
    ...     prediction=np.array([0, 1]),
    ...     phi=np.array([[1.0, 1.0], [1.0, np.nan]]),
    ...     outcomes=pack_bits(correct),
    ...     loss=np.array([0.1, 0.2]),
    ...     stderr=np.array([[0.0, 0.0], [0.0, np.nan]]),
    ...     unimodal_correct=correct[:, [1, 2]],
    ... )
    >>> len(table), table.enumerated
    (2, True)
    >>> bool((table.correct() == correct).all())
    True
    """

    info: TableInfo
    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    label: Labels
    prediction: Labels
    phi: npt.NDArray[np.float64]
    outcomes: npt.NDArray[np.uint8]
    loss: npt.NDArray[np.float64]
    stderr: npt.NDArray[np.float64]
    unimodal_correct: npt.NDArray[np.bool_]
    probabilities: npt.NDArray[np.float64] | None = None
    source: npt.NDArray[np.str_] | None = None

    @property
    def task(self) -> Task:
        """The task that labels and predictions are of."""
        return read_task(self.info.task)

    @property
    def grand_correct(self) -> npt.NDArray[np.bool_]:
        """bool [N]: whether the grand coalition predicts the label."""
        correct: npt.NDArray[np.bool_] = self.task.is_right(self.prediction, self.label)
        return correct

    def text(self, labels: Labels) -> npt.NDArray[np.str_] | None:
        """Labels or predictions (of rows of this table) as their names, strings [N]; None without `class_names`.

        Where a name is so long that they would take more than `LETTERS`, they are references (dtype object).
        """
        names, task = self.info.class_names, self.task
        if not names:
            return None
        if labels.ndim > 1:
            return _texts([task.text(label, names) for label in labels], len(labels))
        known, places = np.unique(labels, return_inverse=True)
        return _texts([task.text(label, names) for label in known], len(labels))[places]

    def membership(self, classes: int) -> npt.NDArray[np.bool_]:
        """bool [N, K]: the classes that each sample belongs to by its label."""
        member: npt.NDArray[np.bool_] = self.task.class_membership(self.label, classes)
        return member

    @property
    def shows_right(self) -> bool:
        """Whether the task says which answers are right, so that `grand_correct` and `unimodal_correct` mean it."""
        return self.task.hard

    @property
    def shows_outcomes(self) -> bool:
        """Whether it is known of every coalition whether it is right."""
        return self.enumerated and self.task.hard

    @property
    def enumerated(self) -> bool:
        """Whether all coalitions were evaluated."""
        return self.info.method == "exact"

    def __len__(self) -> int:
        return len(self.label)

    def part(self, start: int, stop: int) -> "ValuationTable":
        """The table of the rows from `start` to before `stop`; its arrays are views."""
        columns = {name: getattr(self, name) for name in _columns()}
        cut: dict[str, Any] = {name: None if whole is None else whole[start:stop] for name, whole in columns.items()}
        return replace(self, **cut)

    def correct(self) -> npt.NDArray[np.bool_]:
        """bool [N, 2**n]: whether each coalition is correct.

        Raises
        ------
        DataError
            Where not all coalitions were evaluated, or the task does not say which answers are right.
        """
        if not self.task.hard:
            raise DataError(f"the task {self.task.name} does not say which answers are right")
        if not self.enumerated:
            raise DataError(
                f"the values are {self.info.method}: not all coalitions were evaluated; use valuation.method=exact"
            )
        return unpack_bits(self.outcomes, 2 ** len(self.info.modalities))


def join_tables(tables: Iterable[ValuationTable], rows: int | None = None) -> ValuationTable:
    """One table of the rows of several, in order; all must stem from one valuation.

    Parameters
    ----------
    tables
        At least one.
    rows
        How many rows they have together; with it, tables of an iterator are not kept in memory one beside another.

    Examples
    --------
    >>> from raymm.valuation.bits import pack_bits
    >>> table = ValuationTable(
    ...     info=TableInfo(("audio",), "count", "zeros", "0123456789abcdef"),
    ...     sample_id=np.array(["a"]),
    ...     split=np.array(["test"]),
    ...     label=np.array([0]),
    ...     prediction=np.array([0]),
    ...     phi=np.array([[1.0]]),
    ...     outcomes=pack_bits(np.array([[False, True]])),
    ...     loss=np.array([0.1]),
    ...     stderr=np.array([[0.0]]),
    ...     unimodal_correct=np.array([[True]]),
    ... )
    >>> len(join_tables([table, table]))
    2
    """
    if rows is None:
        tables = list(tables)
        rows = sum(len(table) for table in tables)
    columns: dict[str, Any] = dict.fromkeys(_columns(), ())
    start, info = 0, None
    for table in tables:
        for name, column in columns.items():
            columns[name] = _filled(column, getattr(table, name), start, rows)
        start, info = start + len(table), table.info if info is None else info
    assert info is not None
    assert start == rows
    return ValuationTable(info=info, **columns)


def regrouped(tables: Iterable[ValuationTable], rows: int) -> Iterator[ValuationTable]:
    """The rows of consecutive tables of one valuation in tables of `rows` rows each; the last may have fewer.

    Each comes as soon as its rows are there; the arrays of one whose rows all stem from one table are views.
    """
    waiting: list[ValuationTable] = []
    for table in tables:
        start = 0
        for stop in range(rows - sum(len(part) for part in waiting), len(table) + 1, rows):
            yield _joined([*waiting, table.part(start, stop)])
            start, waiting = stop, []
        if start < len(table):
            waiting.append(table.part(start, len(table)))
    if waiting:
        yield _joined(waiting)


def _texts(texts: list[str], rows: int) -> npt.NDArray[Any]:
    """Texts as an array, of references where one of so many rows would have too many letters."""
    return np.array(texts, object if max(map(len, texts), default=0) * rows > LETTERS else np.str_)


def _columns() -> list[str]:
    """Names of the columns: of all fields but the first, `info`."""
    return [column.name for column in fields(ValuationTable)[1:]]


def _joined(tables: list[ValuationTable]) -> ValuationTable:
    first, *others = tables
    return join_tables(tables) if others else first


def _filled(whole: Any, part: npt.NDArray[Any] | None, start: int, rows: int) -> npt.NDArray[Any] | None:
    """A column with the rows of a part from `start` on; () before the first part, None where a part has none."""
    if whole is None or part is None:
        return None
    if isinstance(whole, tuple):
        whole = np.empty((rows, *part.shape[1:]), part.dtype)
    wide = np.promote_types(whole.dtype, part.dtype)  # longer strings than those before
    filled: npt.NDArray[Any] = whole.astype(wide, copy=False)
    filled[start : start + len(part)] = part
    return filled
