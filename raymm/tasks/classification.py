"""One class a sample: softmax, cross-entropy, right where the largest output is the label's."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jaxtyping import Bool, Float, Float64, Int64

from raymm.config.loss import LossConfig
from raymm.counts import counted
from raymm.deferred import Tensor, torch
from raymm.errors import ConfigError, DataError, did_you_mean
from raymm.tasks.base import Outputs, Task, widened
from raymm.tasks.final_metrics import calibration_error, macro_f1, mean_auc
from raymm.tasks.labels import Labels
from raymm.tasks.training_loss import balanced_class_weights, class_losses, weights_of

__all__ = ["LISTS", "Classification", "class_name", "in_order"]

INTEGER = re.compile(r"[-+]?[0-9]{1,4000}")
"""Python makes no number of more digits out of a text."""

MOST_CLASSES = 128
"""Classes up to which the probabilities of all of them are kept in memory."""

LISTS = (list, tuple, set, frozenset, np.ndarray)
"""What a cell with several labels may be."""


class Classification(Task):
    """One of K classes a sample; labels are int64 [N], of equal outputs the first class is the answer."""

    name = "classification"
    fewest_classes = 2
    classes_in_every_split = True
    by_argmax = True
    loss_settings = ("label_smoothing", "class_weights", "focal")
    selection: Mapping[str, bool] = {"accuracy": True, "macro_f1": True, "loss": False}

    def classes_of(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """All different texts, sorted; where all are whole numbers, by their value."""
        return in_order({class_name(cell) for cell in cells if not isinstance(cell, LISTS)} - {""})

    def parse(self, cell: Any, classes: Sequence[str]) -> int:
        """Number of the class."""
        if isinstance(cell, LISTS):
            raise DataError(f"the label is a list, {list(cell)}; use the task multilabel for several labels a sample")
        name = class_name(cell)
        if not name:
            raise DataError("the label is empty")
        if name not in classes:
            raise DataError(f"label '{name}' is outside the classes; {did_you_mean(name, classes)}")
        return classes.index(name)

    def arrow_type(self, classes: int) -> pa.DataType:
        """int32, the number of the class."""
        del classes
        return pa.int32()

    def array(self, labels: Sequence[Any], classes: int) -> Labels:
        """int64 [N]."""
        del classes
        return np.asarray(labels, np.int64)

    def from_arrow(self, column: pa.Array | pa.ChunkedArray) -> Labels:
        """int64 [N]."""
        return np.asarray(column.to_numpy()).astype(np.int64)

    def check(self, label: Any, classes: int) -> str | None:
        """Labels are 0..K-1."""
        return None if 0 <= label < classes else f"label {label} is outside the {classes} classes"

    def text(self, label: Any, classes: Sequence[str]) -> str:
        """Name of the class."""
        return classes[int(label)]

    def class_membership(self, labels: Labels, classes: int) -> Bool[np.ndarray, "N K"]:
        """One class each."""
        return labels[:, None] == np.arange(classes)

    def class_counts(self, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
        """Samples of each class."""
        return np.bincount(labels, minlength=classes)

    def strata(self, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
        """The classes themselves."""
        del classes
        return labels

    def losses(self, outputs: Float[Tensor, "B K"], labels: Int64[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Cross-entropy in nats, in training as the settings of its loss have it."""
        if self.training_losses is not None:
            return self.training_losses(widened(outputs), labels)
        if outputs.dtype == torch.float64:  # classes first: the sums run along the samples
            return -outputs.T.contiguous().log_softmax(dim=0).gather(0, labels[None])[0]
        return torch.nn.functional.cross_entropy(outputs.float(), labels, reduction="none")

    def _losses_by(self, loss: LossConfig, labels: Labels, classes: Sequence[str]) -> Callable[[Any, Any], Tensor]:
        balanced = balanced_class_weights(self.class_counts(labels, len(classes)))
        return partial(class_losses, loss=loss, weights=weights_of(loss.class_weights, classes, balanced))

    def correct(self, outputs: Outputs, labels: Int64[Tensor, " B"]) -> Bool[Tensor, "B s"]:
        """Whether the largest output is the label's."""
        return outputs.argmax(dim=-1) == labels[:, None]

    def probability(self, outputs: Outputs, labels: Int64[Tensor, " B"]) -> Float64[Tensor, "B s"]:
        """Softmax probability of the label."""
        return _of_label(outputs.double().softmax(dim=-1), labels)

    def log_probability(self, outputs: Outputs, labels: Int64[Tensor, " B"]) -> Float64[Tensor, "B s"]:
        """Logarithm of the softmax probability of the label, in nats."""
        return _of_label(outputs.double().log_softmax(dim=-1), labels)

    def logit(self, outputs: Outputs, labels: Int64[Tensor, " B"]) -> Float64[Tensor, "B s"]:
        """Output of the label."""
        return _of_label(outputs.double(), labels)

    def margin(self, outputs: Outputs, labels: Int64[Tensor, " B"]) -> Float64[Tensor, "B s"]:
        """Output of the label minus the largest other output; raises `ConfigError` where there is no other."""
        if outputs.shape[-1] < 2:
            raise ConfigError(
                "valuation.utility: 'margin' is the output of the label minus the largest other output, and the "
                f"model has {counted(outputs.shape[-1], 'output')}: one class has no margin; give an output of each "
                "of two classes or more (of one logit of yes: 0 and the logit), or take utility 'logit'"
            )
        wide = outputs.double()
        own = _of_label(wide, labels)
        others = wide.scatter(-1, labels[:, None, None].expand(-1, outputs.shape[1], 1), -torch.inf)
        return own - others.amax(dim=-1)

    def probabilities(self, outputs: Float[Tensor, "B K"]) -> Float64[Tensor, "B K"]:
        """Softmax."""
        return outputs.double().softmax(dim=-1)

    def predict(self, outputs: Float[Tensor, "B K"]) -> Int64[Tensor, " B"]:
        """Class of the largest output."""
        return outputs.argmax(dim=-1)

    def is_right(self, prediction: Labels, labels: Labels) -> Bool[np.ndarray, " N"]:
        """Whether the predicted class is the label."""
        return prediction == labels

    def shows_probabilities(self, classes: int) -> bool:
        """Up to 128 classes: those of all samples are in memory."""
        return classes <= MOST_CLASSES

    def final_metrics(self, labels: Labels, probabilities: npt.NDArray[np.float64]) -> dict[str, float]:
        """`auc`, each class against the rest, and `ece`, the expected calibration error."""
        right = probabilities.argmax(axis=1) == labels
        return {
            "auc": mean_auc(probabilities, self.class_membership(labels, probabilities.shape[1])),
            "ece": calibration_error(probabilities.max(axis=1), right),
        }

    def metrics(
        self,
        prediction: Labels,
        labels: Labels,
        losses: npt.NDArray[np.float64],
        classes: int,
        probabilities: npt.NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        """`accuracy`, `macro_f1` (over the classes that occur as label or prediction) and `loss`."""
        del probabilities
        right = prediction == labels
        samples, answered, hits = (
            np.bincount(each, minlength=classes) for each in (labels, prediction, labels[right])
        )
        return {
            "accuracy": float(right.mean()),
            "macro_f1": macro_f1(samples, answered, hits, self.absent_f1),
            "loss": float(losses.mean()),
        }


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes, sorted: as numbers where all are whole ones, else as text.

    >>> in_order(["10", "9", "-1"]), in_order(["10", "9", "b"])
    (('-1', '9', '10'), ('10', '9', 'b'))
    """
    names = sorted(names)
    whole = all(INTEGER.fullmatch(name) for name in names)
    return tuple(sorted(names, key=int) if whole else names)


def class_name(cell: Any) -> str:
    """The class in a cell, as text; empty for a missing value. Whole floats, which a gap in a column of integers
    leaves behind, are named as integers.

    >>> class_name(" dog "), class_name(3.0), class_name(float("nan")), class_name(None)
    ('dog', '3', '', '')
    """
    if isinstance(cell, float) and math.isfinite(cell):
        return str(int(cell)) if cell == int(cell) else str(cell)
    return "" if cell is None or cell != cell else str(cell).strip()  # noqa: PLR0124  (NaN)


def _of_label(values: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"]) -> Float[Tensor, "B s"]:
    return values.gather(-1, labels[:, None, None].expand(-1, values.shape[1], 1))[..., 0]
