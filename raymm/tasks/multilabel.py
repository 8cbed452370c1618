"""Any number of labels a sample, none included: a sigmoid a label, binary cross-entropy.

Everything that is one number a sample is a mean over the labels, as in `torch.nn.BCEWithLogitsLoss`: the loss, and so
the logarithm of the probability of a label set, which is -loss as it is in classification. The probability is
thereby the geometric mean over the labels of the probability of each label's state. The product would be the
probability of the whole set if labels were independent, but chance level falls as 2**-K: with 50 labels all
contributions would be close to 0. The geometric mean has chance level 1/2 for every K, and is the product for K = 1.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jaxtyping import Bool, Float, Float64
from pydantic import Field

from raymm.config.base import Settings
from raymm.config.loss import LossConfig
from raymm.deferred import Tensor, torch, torch_type
from raymm.errors import DataError, did_you_mean
from raymm.tasks.base import SOFT, Outputs, Task, widened
from raymm.tasks.classification import LISTS, class_name, in_order
from raymm.tasks.final_metrics import calibration_error, f1_score, macro_f1, mean_auc, mean_average_precision
from raymm.tasks.labels import Labels
from raymm.tasks.training_loss import balanced_class_weights, balanced_pos_weights, label_losses, weights_of

__all__ = ["MultiLabel", "MultiLabelSettings"]

BRIEF = 12
"""Labels of a set that a page shows."""


class MultiLabelSettings(Settings):
    """When a label is predicted, and when a predicted set is right."""

    threshold: float = Field(default=0.5, gt=0, lt=1, description="a label with a higher probability is predicted")
    match: float = Field(
        default=1.0, gt=0, le=1, description="Jaccard similarity to the true labels from which on a set is right"
    )
    separator: str = Field(default="|", min_length=1, description="stands between the labels of a cell")


class MultiLabel(Task):
    """A set of the K labels a sample; labels are bool [N, K].

    A predicted set is right where its Jaccard similarity to the true one, |A and B| / |A or B| (1 where both are
    empty), is at least `match`; at 1, where the sets are equal.
    """

    Settings = MultiLabelSettings
    name = "multilabel"
    keeps_probabilities = True
    label_dtype = torch_type("bool")
    label_ndim = 2
    absent_f1 = 0.0
    soft = (*SOFT, "score")
    loss_settings = ("label_smoothing", "class_weights", "pos_weight", "focal")
    selection: Mapping[str, bool] = {
        "accuracy": True,
        "micro_f1": True,
        "macro_f1": True,
        "mAP": True,
        "loss": False,
    }

    @classmethod
    def looks_like(cls, cells: Sequence[Any]) -> bool:
        """Whether a cell is a list (of other things than numbers with fractions), or has the default separator."""
        separator = MultiLabelSettings().separator
        if any(isinstance(cell, LISTS) and any(_is_fraction(one) for one in cell) for cell in cells):
            return False
        return any(
            isinstance(cell, LISTS) or (isinstance(cell, str) and len(_split(cell, separator)) > 1) for cell in cells
        )

    def classes_of(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """All different labels, sorted; where all are whole numbers, by their value."""
        return in_order({name for cell in cells for name in self._names(cell)})

    def parse(self, cell: Any, classes: Sequence[str]) -> Bool[np.ndarray, " K"]:
        """Which labels stand in a cell: a text such as "happy|loud", or a list; an empty one is a sample without any.

        >>> MultiLabel().parse("happy|loud", ["calm", "happy", "loud"])
        array([False,  True,  True])
        """
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            raise DataError("the label is missing; a sample without labels has an empty list or text")
        if isinstance(cell, LISTS) and any(class_name(one) == "" for one in cell):
            raise DataError(f"the list of labels {list(cell)} has an empty one; leave it out of the list")
        names = self._names(cell)
        unknown = [
            f"'{one}' is outside the classes; {did_you_mean(one, classes)}" for one in names if one not in classes
        ]
        if unknown:
            raise DataError(f"label {', label '.join(sorted(unknown))}")
        marks = np.zeros(len(classes), np.bool_)  # a tuple of K would take eight times the memory
        marks[[classes.index(name) for name in names]] = True
        return marks

    def arrow_type(self, classes: int) -> pa.DataType:
        """K booleans."""
        return pa.list_(pa.bool_(), classes)

    def array(self, labels: Sequence[Any], classes: int) -> Labels:
        """bool [N, K]."""
        return np.asarray(labels, np.bool_).reshape(len(labels), classes)

    def to_arrow(self, labels: Labels) -> pa.Array:
        """Lists of K booleans."""
        flat = pa.array(np.ascontiguousarray(labels).reshape(-1), pa.bool_())
        return pa.FixedSizeListArray.from_arrays(flat, labels.shape[1])

    def from_arrow(self, column: pa.Array | pa.ChunkedArray) -> Labels:
        """bool [N, K]."""
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        flat = whole.flatten().to_numpy(zero_copy_only=False)
        return np.array(flat, np.bool_).reshape(len(whole), whole.type.list_size)

    def check(self, label: Any, classes: int) -> str | None:
        """One bool a class."""
        return None if len(label) == classes else f"the label has {len(label)} entries for {classes} classes"

    def text(self, label: Any, classes: Sequence[str]) -> str:
        """The labels with the separator between them; empty where there is none."""
        return self.settings.separator.join(name for name, on in zip(classes, label, strict=True) if on)

    def brief(self, label: Any, classes: Sequence[str]) -> str:
        """`text`; of a set of more than `BRIEF` labels the first of them."""
        names = [name for name, on in zip(classes, label, strict=True) if on]
        more = f" ... {len(names) - BRIEF} more" if len(names) > BRIEF else ""
        return self.settings.separator.join(names[:BRIEF]) + more

    def class_membership(self, labels: Labels, classes: int) -> Bool[np.ndarray, "N K"]:
        """The labels."""
        del classes
        return labels.astype(np.bool_, copy=False)

    def losses(self, outputs: Float[Tensor, "B K"], labels: Bool[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """Binary cross-entropy in nats, the mean over the labels; in training as the settings of its loss have it."""
        wide = widened(outputs)
        if self.training_losses is not None:
            return self.training_losses(wide, labels)
        return torch.nn.functional.binary_cross_entropy_with_logits(
            wide, labels.to(wide.dtype), reduction="none"
        ).mean(dim=-1)

    def _losses_by(self, loss: LossConfig, labels: Labels, classes: Sequence[str]) -> Callable[[Any, Any], Tensor]:
        weights = weights_of(loss.class_weights, classes, balanced_class_weights(labels.sum(axis=0)))
        pos_weight = weights_of(loss.pos_weight, classes, balanced_pos_weights(labels))
        return partial(label_losses, loss=loss, weights=weights, pos_weight=pos_weight)

    def correct(self, outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Bool[Tensor, "B s"]:
        """Whether the predicted set is right."""
        if self.settings.match == 1.0:
            return (self._predicted(outputs) == labels[:, None]).all(dim=-1)
        return self.score(outputs, labels) >= self.settings.match

    def score(self, outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Jaccard similarity of the predicted and the true set."""
        return _jaccard(self._predicted(outputs), labels[:, None])

    def probability(self, outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Geometric mean over the labels of the probability of their states."""
        return self.log_probability(outputs, labels).exp()

    def log_probability(self, outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Mean over the labels of the logarithm of the probability of their states, in nats: -loss."""
        return torch.nn.functional.logsigmoid(_signed(outputs, labels)).mean(dim=-1)

    def logit(self, outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Mean over the labels of the output, negated for the labels that the sample has not."""
        return _signed(outputs, labels).mean(dim=-1)

    def margin(self, outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Signed distance from the threshold, in logits, of the label that is worst off.

        It is positive where the predicted set equals the true one (and 0 where a label lies on the threshold).
        """
        return _signed(outputs.double() - self._cut, labels).amin(dim=-1)

    def probabilities(self, outputs: Float[Tensor, "B K"]) -> Float64[Tensor, "B K"]:
        """Sigmoid."""
        return outputs.double().sigmoid()

    def predict(self, outputs: Float[Tensor, "B K"]) -> Bool[Tensor, "B K"]:
        """The labels whose probability is above the threshold."""
        return self._predicted(outputs)

    def is_right(self, prediction: Labels, labels: Labels) -> Bool[np.ndarray, " N"]:
        """Whether each predicted set is right."""
        return _jaccard(torch.tensor(prediction), torch.tensor(labels)).numpy() >= self.settings.match

    def final_metrics(self, labels: Labels, probabilities: npt.NDArray[np.float64]) -> dict[str, float]:
        """`auc`, the mean over the labels, and `ece` of the states of all labels of all samples."""
        cut = 1 / (1 + math.exp(-self._cut))
        confidence = np.where(probabilities > cut, probabilities, 1 - probabilities)
        right = (probabilities > cut) == labels
        return {"auc": mean_auc(probabilities, labels), "ece": calibration_error(confidence.ravel(), right.ravel())}

    def metrics(
        self,
        prediction: Labels,
        labels: Labels,
        losses: npt.NDArray[np.float64],
        classes: int,
        probabilities: npt.NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        """`accuracy`, `micro_f1`, `macro_f1`, `mAP` and `loss`.

        `accuracy` is the share of right sets: subset accuracy, where `match` is 1. `macro_f1` is the mean over all
        labels (0 for one that neither occurs nor is predicted); `mAP`, the mean average precision, over those that
        occur.
        """
        del classes
        samples, answered, hits = (
            marks.sum(axis=0, dtype=np.int64) for marks in (labels, prediction, labels & prediction)
        )
        f1 = {
            "micro_f1": f1_score(int(samples.sum()), int(answered.sum()), int(hits.sum())),
            "macro_f1": macro_f1(samples, answered, hits, self.absent_f1),
        }
        ranked = {} if probabilities is None else {"mAP": mean_average_precision(probabilities, labels)}
        return {
            "accuracy": float(self.is_right(prediction, labels).mean()),
            **f1,
            **ranked,
            "loss": float(losses.mean()),
        }

    @cached_property
    def _cut(self) -> float:
        """The output at the threshold, a float32 number: outputs of either precision are compared with the same."""
        return float(np.float32(math.log(self.settings.threshold) - math.log1p(-self.settings.threshold)))

    def _predicted(self, outputs: Float[Tensor, "... K"]) -> Bool[Tensor, "... K"]:
        return widened(outputs) > self._cut

    def _names(self, cell: Any) -> set[str]:
        if isinstance(cell, LISTS):
            return {class_name(name) for name in cell} - {""}
        return set(_split(class_name(cell), self.settings.separator))


def _split(cell: str, separator: str) -> list[str]:
    return [name.strip() for name in cell.split(separator) if name.strip()]


def _is_fraction(entry: Any) -> bool:
    return isinstance(entry, float | np.floating) and bool(math.isfinite(entry) and entry != int(entry))


def _signed(outputs: Outputs, labels: Bool[Tensor, "B K"]) -> Float64[Tensor, "B s K"]:
    """Evidence for the true state of each label: the output, negated where the label is off."""
    return torch.where(labels[:, None], outputs.double(), -outputs.double())


def _jaccard(predicted: Bool[Tensor, "... K"], true: Bool[Tensor, "... K"]) -> Float64[Tensor, "..."]:
    """Of the predicted and the true set; 1 where both are empty."""
    shared, either = (predicted & true).sum(dim=-1).double(), (predicted | true).sum(dim=-1).double()
    return torch.where(either == 0, 1.0, shared / either.clamp(min=1))
