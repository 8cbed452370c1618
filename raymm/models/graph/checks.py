"""Whether a graph answers as raymm does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch

from raymm.errors import ExportError
from raymm.models.graph.tracing import reason_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from raymm.models.graph.files import Arrays, Run
    from raymm.models.graph.module import WholeModel
    from raymm.models.graph.samples import Question

__all__ = ["LARGEST_DIFFERENCE", "check_alike"]

LARGEST_DIFFERENCE = 1e-4
"""Of outputs and probabilities, as a part of the largest output where that is above 1."""


def check_alike(run: Run, whole: WholeModel, asked: Iterable[Question], where: str) -> float:
    """Compare the answers of a graph with those of raymm; the largest difference.

    Raises
    ------
    ExportError
        Naming the sample and its modalities, when answers differ or the graph cannot be run.
    """
    largest = 0.0
    for question in asked:
        try:
            found = run(question.inputs, question.mask)
        except Exception as cause:
            raise ExportError(
                f"export: {where} cannot be run on {len(question.names)} samples: {reason_of(cause)}"
            ) from cause
        largest = max(largest, _largest_of(found, _expected(whole, question), whole, question, where))
    return largest


def _expected(whole: WholeModel, question: Question) -> Tensor:
    with torch.inference_mode():
        outputs: Tensor = whole.model(question.batch)
    return outputs


def _largest_of(found: Arrays, outputs: Tensor, whole: WholeModel, question: Question, where: str) -> float:
    """The largest difference between one batch's answers."""
    largest, scale = 0.0, max(1.0, float(outputs.abs().max()))
    for name, given, wanted in zip(whole.form.outputs, found, whole.answers(outputs), strict=True):
        if given.dtype != wanted.numpy().dtype or given.shape != wanted.shape:
            raise ExportError(
                f"export: {where} gives {name} {given.dtype} {list(given.shape)}; raymm gives "
                f"{wanted.numpy().dtype} {list(wanted.shape)}"
            )
        if given.dtype.kind != "f":
            _check_choices(given, found[0], whole, question, where)
            continue
        apart = _apart(given, wanted.numpy(), scale if name == whole.form.outputs[0] else 1.0)
        row = int(apart.argmax())
        if not apart[row] <= LARGEST_DIFFERENCE:  # NaN is no small difference
            raise ExportError(_differ(where, name, question, row, apart[row]))
        largest = max(largest, float(apart[row]))
    return largest


def _apart(given: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float64]:
    """Largest difference of each row; of large numbers, such as of a regression in the label's units, relative."""
    wide = wanted.reshape(len(wanted), -1).astype(np.float64)
    differences = np.abs(given.reshape(wide.shape) - wide) / np.maximum(scale, np.abs(wide))
    found: npt.NDArray[np.float64] = differences.max(axis=1)
    return found


def _check_choices(
    given: npt.NDArray[np.generic],
    outputs: npt.NDArray[np.float32],
    whole: WholeModel,
    question: Question,
    where: str,
) -> None:
    """Answers that are no numbers are those to the graph's own outputs, of which two may be nearly equal."""
    wanted = whole.answers(torch.from_numpy(outputs))[1].numpy()
    wrong = (given != wanted).reshape(len(wanted), -1).any(axis=1)
    if wrong.any():
        raise ExportError(_differ(where, whole.form.outputs[1], question, int(wrong.argmax()), None))


def _differ(where: str, output: str, question: Question, row: int, by: float | None) -> str:
    have = [name for name, there in zip(question.inputs, question.mask[row].tolist(), strict=True) if there]
    return (
        f"export: {where} was not written: its {output} of sample {question.names[row]} with "
        f"{', '.join(have) or 'no modality'} differ from raymm's"
        + (f" by {by:.2g}; the largest that is allowed is {LARGEST_DIFFERENCE:g}" if by is not None else "")
    )
