"""The plan of an epoch and the contributions that it was made from, as one file of arrays: plan.safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from raymm.errors import CheckpointError, Problems
from raymm.methods.plan import Plan, code_type
from raymm.storage.tensors import save_arrays

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from raymm.data.dataset import Dataset

__all__ = ["read_plan", "save_plan"]

FORMS = {
    "index": ("i", 1),
    "keep": ("i", 1),
    "weight": ("f", 1),
    "group": ("i", 1),
    "base": ("i", 1),
    "phi": ("f", 2),
    "online": ("f", 2),
}
"""Kind of the numbers (i: whole, f: real) and axes of each array."""

KINDS = {"i": "whole", "f": "real"}


def save_plan(
    path: Path,
    plan: Plan,
    phi: npt.NDArray[np.float64] | None,
    online: npt.NDArray[np.float64] | None,
) -> None:
    """Write a plan with the contributions of the training split (`raymm.training.checkpoint.Checkpoint`)."""
    base = None if plan.base is None else np.array([plan.base], np.int64)
    arrays: dict[str, npt.NDArray[Any] | None] = {
        "index": plan.index,
        "keep": plan.keep.astype(np.int64),
        "weight": plan.weight,
        "group": plan.group,
    }
    arrays |= {"base": base, "phi": phi, "online": online}
    save_arrays({name: array for name, array in arrays.items() if array is not None}, path)


def read_plan(
    path: Path, dropped: int, dataset: Dataset | None
) -> tuple[Plan, npt.NDArray[np.float64] | None, npt.NDArray[np.float64] | None]:
    """The plan, and the contributions `phi` and `online`.

    Parameters
    ----------
    dropped
        Of the plan, which the file does not hold.
    dataset
        The data that the plan must be of; None where that is not known.

    Raises
    ------
    CheckpointError
        When the file cannot be read, or its arrays are no plan of this data; with everything that is wrong.
    """
    try:
        arrays = load_file(path)
    except (OSError, KeyError, ValueError, SafetensorError) as cause:
        raise CheckpointError(f"{path.parent}: cannot be read ({cause})") from cause
    problems = Problems(f"{path}: is no plan of this run")
    problems.extend(_wrong_forms(arrays))
    if not problems.items:
        problems.extend(_wrong_rows(arrays))
    if not problems.items and dataset is not None:
        problems.extend(_of_other_data(arrays, dataset.rows("train"), len(dataset.schema.names)))
    problems.raise_if_any(CheckpointError, note="bring back a good copy of the run")
    keep, base = arrays["keep"], arrays.get("base")
    keep = keep.astype(code_type(int(keep.max(initial=1)).bit_length()))
    plan = Plan(
        arrays["index"],
        keep,
        dropped,
        arrays.get("weight"),
        arrays.get("group"),
        None if base is None else int(base[0]),
    )
    return plan, arrays.get("phi"), arrays.get("online")


def _wrong_forms(arrays: dict[str, npt.NDArray[Any]]) -> list[str]:
    """Arrays that are missing, or of another type or number of axes."""
    missing = [f"{name} is missing" for name in ("index", "keep") if name not in arrays]
    return missing + [
        f"{name} is {arrays[name].dtype} {list(arrays[name].shape)}, not {KINDS[kind]} numbers with {axes} axes"
        for name, (kind, axes) in FORMS.items()
        if name in arrays and (arrays[name].dtype.kind != kind or arrays[name].ndim != axes)
    ]


def _wrong_rows(arrays: dict[str, npt.NDArray[Any]]) -> list[str]:
    """What cannot be of any plan: lengths that differ, weights and codes that are none."""
    rows = len(arrays["index"])
    wrong = [
        f"{name} has {len(arrays[name])} rows, index has {rows}"
        for name in ("keep", "weight", "group")
        if name in arrays and len(arrays[name]) != rows
    ]
    if (arrays["keep"] < 0).any():
        wrong.append(f"keep has codes below 0, such as {arrays['keep'].min()}")
    if "weight" in arrays and not (np.isfinite(arrays["weight"]) & (arrays["weight"] >= 0)).all():
        wrong.append("weight holds something else than finite numbers from 0 on")
    if "base" in arrays and not (arrays["base"].shape == (1,) and 0 <= arrays["base"][0] <= rows):
        wrong.append(f"base is {arrays['base'].tolist()}, not one number from 0 to {rows}")
    return wrong


def _of_other_data(arrays: dict[str, npt.NDArray[Any]], train: npt.NDArray[np.int64], n: int) -> list[str]:
    """What cannot be of the training split `train`, the sample numbers in order, with `n` modalities."""
    index, form = arrays["index"], (len(train), n)
    wrong = [
        f"{name} is {list(arrays[name].shape)}, not {list(form)}"
        for name in ("phi", "online")
        if name in arrays and arrays[name].shape != form
    ]
    place = np.searchsorted(train, index)
    known = train[np.minimum(place, len(train) - 1)] == index
    if not known.all():
        wrong.append(f"index has samples that are not of the training split, such as number {index[~known][0]}")
    if arrays["keep"].max(initial=0) >= 2**n:
        wrong.append(f"keep has codes above {2**n - 1}, such as {arrays['keep'].max()}")
    return wrong
