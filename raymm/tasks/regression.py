"""One number a sample, or several: squared error of standardised labels, no classes, no probabilities.

The model's outputs are standardised: an output o stands for the answer mean + sd * o in the label's units, where mean
and standard deviation are those of the training labels. They are settings of the task, set when a data set is written
(`Regression.fitted`), so a model, a valuation table and a served predictor carry them. Losses and utilities are of
standardised errors e_k = (answer - label) / sd_k, which targets of different units share; `mae` and `rmse` are in the
label's units.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jaxtyping import Bool, Float, Float64
from pydantic import Field, model_validator

from raymm.config.base import Settings
from raymm.config.loss import LossConfig
from raymm.deferred import Tensor, torch, torch_type
from raymm.errors import DataError
from raymm.tasks.base import Outputs, Task, widened
from raymm.tasks.classification import LISTS, class_name
from raymm.tasks.labels import Labels
from raymm.tasks.regression_metrics import regression_metrics
from raymm.tasks.training_loss import error_losses

__all__ = ["Regression", "RegressionSettings", "reach"]

WHOLE = 2.0**53
"""From here on every float is a whole number."""

BRIEF = 6
"""Numbers of a label that a page shows."""

SLACK, EPS = 1e-9, 2.0**-52
"""Part of `within` that answers may be off by besides, and the relative distance of floats."""

STRATA = 10
"""Groups of like labels, from each of which splits take their share."""

FEWEST = 3
"""Samples of such a group at least: one for each split."""


class RegressionSettings(Settings):
    """Which answers count as right, and the scale of the training labels."""

    within: float | None = Field(
        default=None, gt=0, description="an answer is right that is off by this at most, in the label's units"
    )
    sign: bool = Field(default=False, description="an answer is right that is negative where the label is, else not")
    separator: str = Field(default="|", min_length=1, description="stands between the numbers of a cell")
    mean: tuple[float, ...] = Field(default=(), description="of each target over the training split; set by raymm")
    sd: tuple[float, ...] = Field(default=(), description="standard deviation of each target; set by raymm")

    @model_validator(mode="after")
    def _one_rule_of_what_is_right(self) -> "RegressionSettings":
        if self.sign and self.within is not None:
            raise ValueError("within and sign are two rules of which answers are right; give one of them")
        return self

    @model_validator(mode="after")
    def _scale_of_each_target(self) -> "RegressionSettings":
        if len(self.mean) != len(self.sd) or not all(sd > 0 for sd in self.sd):
            raise ValueError("mean and sd have a number a target each, and those of sd are above 0")
        return self


class Regression(Task):
    """K numbers a sample, called targets; labels are float64 [N, K].

    No answer is right or wrong, unless `within` or `sign` says which are: then there are `accuracy` and the utilities
    `count` and `correct` as of a classification. Of several targets all must be right.
    """

    Settings = RegressionSettings
    name = "regression"
    categorical = False
    label_dtype = torch_type("float64")
    label_ndim = 2
    soft: ClassVar[tuple[str, ...]] = ("score", "error", "squared_error")
    loss_settings = ("error", "huber_delta")
    default_utility = "soft_count"
    default_selection = "loss"
    selection: Mapping[str, bool] = {"loss": False, "mae": False, "rmse": False, "r2": True, "pearson": True}

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.hard = self.settings.sign or self.settings.within is not None
        if self.hard:
            self.selection = {**type(self).selection, "accuracy": True}

    # labels

    @classmethod
    def looks_like(cls, cells: Sequence[Any]) -> bool:
        """Whether all cells are numbers, or lists of them, and one has a fraction or is a float too large for one."""
        flat = [one for cell in cells for one in (cell if isinstance(cell, LISTS) else (cell,))]
        numbers = [_number(cell) for cell in flat if not isinstance(cell, bool) and class_name(cell)]
        known = [number for number in numbers if number is not None and math.isfinite(number)]
        large = any(isinstance(cell, float) and math.isfinite(cell) and abs(cell) >= WHOLE for cell in flat)
        fraction = large or any(number != int(number) for number in known)
        return bool(known) and len(known) == len(numbers) and fraction

    def classes_of(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """Names of the targets: `target`, or of several `target_1`, `target_2`, ..."""
        count = max((len(self._texts(cell)) for cell in cells), default=0)
        return ("target",) if count <= 1 else tuple(f"target_{number + 1}" for number in range(count))

    def parse(self, cell: Any, classes: Sequence[str]) -> tuple[float, ...]:
        """The number in a cell; of several targets a list of them, or a text such as "0.5|-1.25".

        >>> Regression().parse("0.5|-1.25", ["valence", "arousal"])
        (0.5, -1.25)
        """
        texts = self._texts(cell)
        if not texts or "" in texts:
            raise DataError("the label is missing; a regression needs a number for each sample")
        numbers = [None if isinstance(cell, bool) else _number(text) for text in texts]
        wrong = [text for text, number in zip(texts, numbers, strict=True) if number is None]
        if wrong:
            raise DataError(f"label '{wrong[0]}' is no number; the task regression reads numbers")
        label = tuple(float(number) for number in numbers if number is not None)
        if trouble := self.check(label, len(classes)):
            raise DataError(trouble)
        return label

    def arrow_type(self, classes: int) -> pa.DataType:
        """float64; of several targets a list of K of them."""
        return pa.float64() if classes == 1 else pa.list_(pa.float64(), classes)

    def array(self, labels: Sequence[Any], classes: int) -> Labels:
        """float64 [N, K]."""
        return np.asarray(labels, np.float64).reshape(len(labels), classes)

    def to_arrow(self, labels: Labels) -> pa.Array:
        """Numbers, or lists of K of them."""
        flat = pa.array(np.ascontiguousarray(labels, np.float64).reshape(-1))
        return flat if labels.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, labels.shape[1])

    def from_arrow(self, column: pa.Array | pa.ChunkedArray) -> Labels:
        """float64 [N, K]."""
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        several = pa.types.is_fixed_size_list(whole.type)
        flat = (whole.flatten() if several else whole).to_numpy(zero_copy_only=False)
        return np.array(flat, np.float64).reshape(len(whole), whole.type.list_size if several else 1)

    def check(self, label: Any, classes: int) -> str | None:
        """K finite numbers."""
        numbers = np.atleast_1d(np.asarray(label, np.float64)).tolist()
        if len(numbers) != classes:
            return f"the label has {len(numbers)} numbers for {classes} targets"
        wrong = [number for number in numbers if not math.isfinite(number)]
        return f"label {wrong[0]} is not finite" if wrong else None

    def text(self, label: Any, classes: Sequence[str]) -> str:
        """The numbers, with the digits that tell them apart from others, and the separator between them.

        >>> Regression().text([0.25, 1700000123.5, 1 / 3], ["a", "b", "c"])
        '0.25|1700000123.5|0.3333333333333333'
        """
        del classes
        return self.settings.separator.join(_digits(float(number)) for number in label)

    def brief(self, label: Any, classes: Sequence[str]) -> str:
        """`text`, with nine digits where it has more; of more than `BRIEF` numbers the first, with four."""
        del classes
        if len(label) <= BRIEF:
            return self.settings.separator.join(_nine_digits(float(number)) for number in label)
        shown = self.settings.separator.join(f"{float(number):.4g}" for number in label[:BRIEF])
        return f"{shown} ... {len(label) - BRIEF} more"

    def class_membership(self, labels: Labels, classes: int) -> Bool[np.ndarray, "N K"]:
        """Every sample has every target."""
        return np.ones((len(labels), classes), np.bool_)

    def strata(self, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
        """Tenths of the samples by the first target (of few samples, groups of three or more)."""
        del classes
        groups = max(1, min(STRATA, len(labels) // FEWEST))
        rank = np.empty(len(labels), np.int64)
        rank[np.argsort(labels[:, 0], kind="stable")] = np.arange(len(labels))
        return rank * groups // max(1, len(labels))

    def stratum_names(self, classes: Sequence[str]) -> list[str]:
        """The tenths by number."""
        del classes
        return [str(number) for number in range(STRATA)]

    def fitted(self, labels: Labels) -> "Regression":
        """The same task with mean and standard deviation of the training labels, float64 [N, K].

        Raises
        ------
        DataError
            When a target is the same number in all of them, or its standard deviation is beyond all numbers.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, sd = labels.mean(axis=0), labels.std(axis=0)
        same = np.flatnonzero(labels.max(axis=0, initial=-np.inf) <= labels.min(axis=0, initial=np.inf))
        if len(same):
            raise DataError(
                f"target {same[0] + 1} is the same number in all {len(labels)} training samples, so there is nothing "
                "to learn; check the column label and the splits"
            )
        beyond = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(sd) | (sd <= 0))
        if len(beyond):
            size = np.abs(labels[:, beyond[0]]).max()
            raise DataError(
                f"target {beyond[0] + 1} is as large as {size:.3g} in the training samples, so that its standard "
                "deviation is no number that can be computed with; give it in another unit"
            )
        scale = {"mean": tuple(mean.tolist()), "sd": tuple(sd.tolist())}
        return type(self)(self.settings.model_copy(update=scale))

    def fitted_as(self, trained: Task) -> "Regression":
        """The same task with mean and standard deviation of the other."""
        scale = {"mean": trained.settings.mean, "sd": trained.settings.sd}
        return type(self)(self.settings.model_copy(update=scale))

    # training and valuation

    def losses(self, outputs: Float[Tensor, "B K"], labels: Float64[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """Squared standardised error, the mean over the targets; in training the error that its settings choose."""
        if self.training_losses is not None:
            return self.training_losses(outputs, labels)
        return self.standardised_errors(outputs, labels).square().mean(dim=-1)

    def _losses_by(self, loss: LossConfig, labels: Labels, classes: Sequence[str]) -> Callable[[Any, Any], Tensor]:
        del labels, classes
        return lambda outputs, labels: error_losses(self.standardised_errors(outputs, labels), loss)

    def standardised_errors(
        self, outputs: Float[Tensor, "... K"], labels: Float64[Tensor, "... K"]
    ) -> Float[Tensor, "... K"]:
        """(answer - label) / sd: in float64 where the outputs are, else in float32."""
        wide = widened(outputs)
        mean, sd = self._scale(labels)
        return wide - ((labels - mean) / sd).to(wide.dtype)

    def correct(self, outputs: Outputs, labels: Float64[Tensor, "B K"]) -> Bool[Tensor, "B s"]:
        """Whether each answer is off by `within` at most, or has the label's sign."""
        if not self.hard:
            return super().correct(outputs, labels)
        right: Tensor = self._right(self.predict(outputs), labels[:, None])
        return right.all(dim=-1)

    def score(self, outputs: Outputs, labels: Float64[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """exp(-mean over k of |e_k|): 1 for the label itself, 0.37 where it is off by one standard deviation."""
        return self.error(outputs, labels).exp()

    def error(self, outputs: Outputs, labels: Float64[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Minus the mean over the targets of |e_k|."""
        return -self.standardised_errors(outputs.double(), labels[:, None]).abs().mean(dim=-1)

    def squared_error(self, outputs: Outputs, labels: Float64[Tensor, "B K"]) -> Float64[Tensor, "B s"]:
        """Minus the mean over the targets of e_k^2: -loss."""
        return -self.standardised_errors(outputs.double(), labels[:, None]).square().mean(dim=-1)

    # serving and evaluation

    def predict(self, outputs: Float[Tensor, "... K"]) -> Float64[Tensor, "... K"]:
        """The answers in the label's units."""
        wide = outputs.double()
        mean, sd = self._scale(wide)
        return mean + sd * wide

    def is_right(self, prediction: Labels, labels: Labels) -> Bool[np.ndarray, " N"]:
        """Whether each answer is right; raises `ConfigError` where the task has no rule."""
        if not self.hard:
            return super().is_right(prediction, labels)
        right: npt.NDArray[np.bool_] = self._right(prediction, labels)
        return np.asarray(right.all(axis=-1), np.bool_)

    def of_samples(
        self, metric: str, prediction: Labels, labels: Labels
    ) -> npt.NDArray[np.bool_] | npt.NDArray[np.float64] | None:
        """Of `mae` and `loss` the error of each sample."""
        if metric == "mae":
            return np.asarray(np.abs(prediction - labels).mean(axis=1), np.float64)
        if metric == "loss":
            return np.asarray((((prediction - labels) / (self.settings.sd or 1.0)) ** 2).mean(axis=1), np.float64)
        return super().of_samples(metric, prediction, labels)

    def metrics(
        self,
        prediction: Labels,
        labels: Labels,
        losses: npt.NDArray[np.float64],
        classes: int,
        probabilities: npt.NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        """`mae`, `rmse`, `r2`, `pearson` (of several targets their means) and `loss`; `accuracy` where it is defined.

        `r2` and `pearson` are NaN where all labels, or for `pearson` all answers, of a target are the same.
        """
        del classes, probabilities
        accuracy = {"accuracy": float(self.is_right(prediction, labels).mean())} if self.hard else {}
        return {**regression_metrics(prediction, labels), **accuracy, "loss": float(losses.mean())}

    def _scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each target; 0 and 1 before the task is fitted."""
        found = (self.settings.mean or (0.0,), self.settings.sd or (1.0,))
        mean, sd = (torch.tensor(numbers, dtype=torch.float64, device=like.device) for numbers in found)
        return mean, sd

    def _right(self, answers: Any, labels: Any) -> Any:
        """By target, of tensors and arrays alike."""
        if self.settings.sign:
            return (answers < 0) == (labels < 0)
        return abs(answers - labels) <= reach(self.settings.within, abs(answers) + abs(labels))

    def _texts(self, cell: Any) -> list[str]:
        if isinstance(cell, LISTS):
            return [_text(one) for one in cell]
        text = _text(cell)
        return [part.strip() for part in text.split(self.settings.separator)] if text else []


def reach(within: float, size: Any) -> Any:
    """What answer and label may be apart by, so that 0.3 is within 0.1 of 0.4, as people count.

    Parameters
    ----------
    within
        Of the settings.
    size
        What both together are as large as, a number or an array or tensor of them: the larger, the more they, and
        their difference, are rounded.

    Examples
    --------
    >>> abs(0.3 - 0.4) <= 0.1, abs(0.3 - 0.4) <= reach(0.1, 0.3 + 0.4)
    (False, True)
    """
    return within * (1 + SLACK) + 2 * EPS * size


def _text(cell: Any) -> str:
    """A cell as text, numbers with all their digits; empty for a missing value."""
    return "" if cell is None or cell != cell else str(cell).strip()  # noqa: PLR0124  (NaN)


def _digits(number: float) -> str:
    """Nine digits where these read as the same number, or as the same fraction of 32 bits; else as many as it has.

    >>> _digits(0.1), _digits(float(np.float32(0.1))), _digits(0.1 + 0.2)
    ('0.1', '0.100000001', '0.30000000000000004')
    """
    short = f"{number:.9g}"
    with np.errstate(over="ignore"):
        narrow = float(np.float32(number)) == number == float(np.float32(float(short)))
    return short if float(short) == number or (narrow and not number.is_integer()) else repr(number)


def _nine_digits(number: float) -> str:
    """For people: `_digits`, with nine at most where that is shorter.

    >>> _nine_digits(1 / 3), _nine_digits(1700000123.5)
    ('0.333333333', '1700000123.5')
    """
    return min(f"{number:.9g}", _digits(number), key=len)


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
