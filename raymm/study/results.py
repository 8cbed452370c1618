"""What a study has found: its finished runs, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["RunRecord", "StudyResults"]


@dataclass(frozen=True)
class RunRecord:
    """One finished run of a study.

    Attributes
    ----------
    data
        Short name of the data set, unique in the study.
    arm, seed
        What was trained, and from which seed; a study has at most one run of a data set, arm and seed.
    path
        Folder of the run; its test table is what `raymm.valuation.table_file.read_test_table` reads.
    metrics
        Of the result: `best/...` on validation, `test/...` and `phi/...` of the picked epoch, and the costs.
    history
        The entries of the epochs: `epoch`, counted from 0, and its `metrics`.
    cost
        Totals of training, with the valuation of the training split: `rows`, `encodings` (encoder rows), `fusions`,
        `backwards`, `seconds`, `cpu_seconds` and `memory` (bytes); 0 where it is not known.
    """

    data: str
    arm: str
    seed: int
    path: Path
    metrics: Mapping[str, float]
    history: Sequence[Mapping[str, Any]]
    cost: Mapping[str, float]


@dataclass(frozen=True)
class StudyResults:
    """The finished runs of a study, and what they are compared by.

    Attributes
    ----------
    title
        For people.
    metric
        The figure that is compared, such as "accuracy"; it was measured on test.
    higher
        Whether more of it is better.
    reference
        The arm whose costs are 1 in tables: "joint" where it is one of the arms.
    runs
        In any order.
    pending
        Runs that are not finished; reports say so.
    about
        What is said of an arm beside its name, such as "matched by seconds: 0.98 of the budget".
    failed
        A line for each run, pilot or trial that failed, and for an arm that cannot be run: which, and why.
    failed_runs
        Runs that are not finished since they failed; they are not among `pending`.
    facts
        What else a report says, in its order, such as the command, how arms were matched and tuned, the version.
    """

    title: str
    metric: str
    higher: bool
    reference: str
    runs: tuple[RunRecord, ...]
    pending: int
    about: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    failed_runs: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
