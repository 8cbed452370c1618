"""Valuation tables of planted or random outcomes, for the tests of what pages say of them."""

from dataclasses import fields, replace
from math import factorial

import numpy as np

from raymm.tasks import get_task
from raymm.tasks.registry import task_fields
from raymm.valuation.bits import pack_bits
from raymm.valuation.table import TableInfo, ValuationTable

NAMES = ("audio", "rgb", "flow")


def random_table(samples, names=NAMES, classes=4, seed=0, missing=0.2, task="classification", strength=None):
    """A table whose coalitions are right by chance, the larger ones more often.

    Parameters
    ----------
    missing
        Share of modalities that samples lack; every sample keeps one.
    strength
        Chance that each modality is right by itself, [n]; a coalition is right where one of its members is.
    """
    generator = np.random.default_rng(seed)
    n = len(names)
    label = generator.integers(0, classes, samples)
    present = generator.random((samples, n)) >= missing
    present[np.arange(samples), generator.integers(0, n, samples)] = True
    members = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 > 0
    if strength is None:
        right = generator.random((samples, 2**n)) < 0.2 + 0.6 * members.sum(axis=1) / n
    else:
        alone = generator.random((samples, n)) < np.asarray(strength)
        right = (alone[:, None] & members).any(axis=2)
    codes = (members & present[:, None]) @ (1 << np.arange(n))  # a coalition is that of its present members
    right = np.take_along_axis(right, codes, axis=1)
    grand = right[:, -1]
    wrong = (label + 1 + generator.integers(0, max(1, classes - 1), samples)) % classes
    prediction = np.where(grand, label, np.where(wrong == label, (label + 1) % classes, wrong))
    sizes = (members & present[:, None]).sum(axis=2)
    phi = _shapley(right * sizes, n)
    if task == "multilabel":
        label, prediction = (np.eye(classes, dtype=bool)[each] for each in (label, prediction))
        label[:, 0] |= generator.random(samples) < 0.3
        prediction = np.where(grand[:, None], label, prediction & ~label)
    return ValuationTable(
        info=TableInfo(
            tuple(names),
            "count",
            "zeros",
            "0" * 16,
            task=task_fields(get_task(task)),
            classes=classes,
            class_names=tuple(f"class {number}" for number in range(classes)),
        ),
        sample_id=np.array([f"s{number:07d}" for number in range(samples)]),
        split=np.full(samples, "test"),
        label=label,
        prediction=prediction,
        phi=np.where(present, phi, np.nan),
        outcomes=pack_bits(right),
        loss=np.zeros(samples),
        stderr=np.where(present, 0.0, np.nan),
        unimodal_correct=right[:, 1 << np.arange(n)],
    )


def rows_of(table, rows):
    """Some rows of a table: whatever selects rows of an array."""
    columns = {one.name: getattr(table, one.name) for one in fields(table)}
    arrays = {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}
    return replace(table, **{name: column[rows] for name, column in arrays.items()})


def _shapley(values, n):
    """Shapley values of games [N, 2**n], from the definition."""
    phi = np.zeros((len(values), n))
    for i in range(n):
        for code in range(2**n):
            if not code >> i & 1:
                size = code.bit_count()
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                phi[:, i] += weight * (values[:, code | 1 << i] - values[:, code])
    return phi
