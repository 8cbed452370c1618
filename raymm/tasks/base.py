"""What a task must say: how labels are read and stored, the loss, what counts as right, the metrics.

Shapes: N or B samples, s coalitions, K classes. `outputs` are what the head of the model gives, `[..., K]`; labels
are one row a sample, int64 [N] for classification, bool [N, K] for several labels a sample, and float64 [N, K] for
K numbers.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Float64, Shaped

from raymm.config.base import Settings
from raymm.deferred import Tensor, torch, torch_type
from raymm.errors import SHOWN, ConfigError, Problems, did_you_mean
from raymm.tasks.labels import LabelForm, Labels

__all__ = ["SOFT", "Outputs", "Targets", "Task", "widened"]

Outputs = Float[Tensor, "B s K"]
"""Outputs of the head for s coalitions of each of B samples."""

Targets = Shaped[Tensor, "B ..."]
"""Labels of a batch, of the task's type, on the device of the outputs."""

SOFT = ("probability", "log_probability", "logit", "margin")
"""Utilities that are methods of a task."""

HARD = ("count", "correct")
"""Utilities that need to know which answers are right."""

OF_SCORE = ("soft_count",)
"""Utilities that need the score of an answer, in 0..1."""


class Task(LabelForm):
    """What the labels are, and what follows from it.

    Two tasks with the same class and settings are equal. A task holds no state and no classes: what depends on the
    classes takes their names or their number K.

    Attributes
    ----------
    settings
        An instance of `Settings`.
    name
        What it is called in messages.
    fewest_classes
        Smallest K.
    classes_in_every_split
        Whether validation and test must have samples of every class, as training must.
    hard
        Whether an answer is right or wrong (`correct`, `is_right`): needed by the utilities `count` and `correct`.
    soft
        Utilities among `SOFT` and further names of methods `(outputs, labels) -> float64 [B, s]` that are defined.
    by_argmax
        Whether `correct` is "the largest output is the label's", int64 labels: where outputs are sums over modalities
        the valuation has a quicker way to find that.
    keeps_probabilities
        Whether the valuation table keeps `probabilities` beside the prediction, because `metrics` reads them.
    label_dtype, label_ndim
        Type of a batch of labels: torch.int64 and 1 for [B], torch.bool and 2 for [B, K].
    selection
        Metrics that may pick the epoch, and whether higher is better.
    categorical
        Whether labels are classes, so that outputs have a probability (`probability`, `probabilities`) and means by
        class say something; of a regression `classes` are the names of its targets.
    absent_f1
        F1 score of a class that is neither a label nor an answer: NaN where it counts in no mean over the classes.
    loss_settings
        Settings of `training.loss` that its `losses` read; of a subclass whose own `losses` do not call these: ().
    default_utility, default_selection
        What `valuation.utility` and `training.selection` are where they are not given.
    """

    Settings: ClassVar[type[Settings]] = Settings
    name: ClassVar[str]
    fewest_classes: ClassVar[int] = 1
    classes_in_every_split: ClassVar[bool] = False
    hard: bool = True
    soft: ClassVar[tuple[str, ...]] = SOFT
    by_argmax: ClassVar[bool] = False
    keeps_probabilities: ClassVar[bool] = False
    label_dtype: ClassVar["torch.dtype"] = torch_type("int64")
    label_ndim: ClassVar[int] = 1
    selection: Mapping[str, bool]
    categorical: ClassVar[bool] = True
    absent_f1: ClassVar[float] = math.nan
    loss_settings: ClassVar[tuple[str, ...]] = ()
    default_utility: ClassVar[str] = "count"
    default_selection: ClassVar[str] = "accuracy"

    training_losses: Callable[[Any, Any], Tensor] | None = None
    """Losses of training rows by outputs and labels, where `training.loss` asks for others than the task's own."""

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = self.Settings() if settings is None else settings

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task) or type(self) is not type(other):
            return False
        return (self.settings, self.training_losses) == (other.settings, other.training_losses)

    def __hash__(self) -> int:
        return hash((type(self), self.settings))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings!r})"

    # what it keeps of the training labels

    def fitted(self, labels: Labels) -> "Task":
        """The task with what it keeps of the training labels of a data set, at least one; default: it keeps nothing.

        It is called when a data set is written, and the schema of the data set has what it returns.
        """
        del labels
        return self

    def fitted_as(self, trained: "Task") -> "Task":
        """The task with what another of its class was fitted to: a model answers on the scale that it learned."""
        del trained
        return self

    # training

    def width(self, classes: int) -> int:
        """Outputs of the head."""
        return classes

    def training(self, loss: Any, labels: Labels, classes: Sequence[str]) -> "Task":
        """The task whose `losses` are those of training rows; itself where the settings `training.loss` ask nothing.

        Parameters
        ----------
        loss
            The settings, a `raymm.config.loss.LossConfig`.
        labels, classes
            Labels of the training split, and names of the classes.

        Raises
        ------
        ConfigError
            When the task does not read a setting, or has no such class.
        """
        self.check_loss(loss, classes)
        if loss == type(loss)():
            return self
        trained = copy(self)
        trained.training_losses = self._losses_by(loss, labels, classes)
        return trained

    def check_loss(self, loss: Any, classes: Sequence[str]) -> None:
        """Raise `ConfigError` with all settings of the training loss, or names in it, that are not of this task."""
        problems = Problems("training.loss")
        known = ", ".join(self.loss_settings) or "none of them"
        for name, field in type(loss).model_fields.items():
            value = getattr(loss, name)
            if value != field.default and name not in self.loss_settings:
                problems.add(f"{name} is not read by the task {self.name}, which reads {known}")
            elif isinstance(value, Mapping):
                unknown = sorted(set(value) - set(classes))
                problems.extend(f"{name}: no class '{one}'; {did_you_mean(one, classes)}" for one in unknown[:SHOWN])
                problems.extend(unknown[SHOWN:])  # counted, not shown
        problems.raise_if_any(ConfigError)

    def _losses_by(self, loss: Any, labels: Labels, classes: Sequence[str]) -> Callable[[Any, Any], Tensor]:
        """The losses of outputs and labels by these settings, of which `loss_settings` are read."""
        del loss, labels, classes
        raise ConfigError(
            f"training.loss: the task {self.name} has loss_settings, and no _losses_by that says the losses by them; "
            "add it, or leave loss_settings empty"
        )

    @abstractmethod
    def losses(self, outputs: Float[Tensor, "B K"], labels: Targets) -> Float[Tensor, " B"]:
        """Loss of each sample, in nats for a classifier: in float64 where the outputs are, else in float32."""

    # valuation

    def check_targets(self, labels: Targets) -> None:
        """Raise `TypeError` when a batch of labels is not of this task: comparing it would broadcast silently."""
        if labels.dtype != self.label_dtype or labels.ndim != self.label_ndim:
            raise TypeError(
                f"labels of the task {self.name} are {self.label_dtype} with {self.label_ndim} axes, not "
                f"{labels.dtype} with {labels.ndim}"
            )

    def correct(self, outputs: Outputs, labels: Targets) -> Bool[Tensor, "B s"]:
        """Whether each answer is right; the answer of the empty coalition counts like any other here."""
        del outputs, labels
        raise ConfigError(f"task {self.name} does not say which answers are right")

    def probability(self, outputs: Outputs, labels: Targets) -> Float64[Tensor, "B s"]:
        """Probability that the model gives to the label, in 0..1."""
        del outputs, labels
        raise self._undefined("probability")

    def log_probability(self, outputs: Outputs, labels: Targets) -> Float64[Tensor, "B s"]:
        """Logarithm of `probability`, in nats."""
        return self.probability(outputs, labels).log()

    def logit(self, outputs: Outputs, labels: Targets) -> Float64[Tensor, "B s"]:
        """Evidence for the label: linear in the outputs and 0 where they are 0, so that it adds over modalities."""
        del outputs, labels
        raise self._undefined("logit")

    def margin(self, outputs: Outputs, labels: Targets) -> Float64[Tensor, "B s"]:
        """How far an answer is from turning wrong; negative where it is wrong."""
        del outputs, labels
        raise self._undefined("margin")

    @property
    def utilities(self) -> tuple[str, ...]:
        """Names of all utilities that are defined for these labels."""
        return (*(HARD if self.hard else ()), *self.soft, *(OF_SCORE if "score" in self.soft else ()))

    def check_utility(self, name: str) -> None:
        """Raise `ConfigError` when a built-in utility is not defined for these labels."""
        if name not in self.utilities:
            raise ConfigError(
                f"valuation.utility: '{name}' is not defined for the task {self.name}; "
                f"{did_you_mean(name, self.utilities)}"
            )

    # serving

    def probabilities(self, outputs: Float[Tensor, "B K"]) -> Float64[Tensor, "B K"]:
        """Probability of each class."""
        del outputs
        raise self._undefined("probabilities")

    def defines_probabilities(self, outputs: int) -> bool:
        """Whether `probabilities` has an answer to so many outputs; a task of one's own may leave it out."""
        if not self.categorical:
            return False
        try:
            self.probabilities(torch.zeros(1, outputs))
        except ConfigError:
            return False
        return True

    @abstractmethod
    def predict(self, outputs: Float[Tensor, "B K"]) -> Shaped[Tensor, "B ..."]:
        """The answer to each sample, of the type of labels."""

    def confidence(self, outputs: Float[Tensor, "B K"]) -> Float64[Tensor, " B"]:
        """Probability that the model gives to its own answer."""
        return self.probability(outputs[:, None], self.predict(outputs))[:, 0]

    # evaluation

    def is_right(self, prediction: Labels, labels: Labels) -> Bool[np.ndarray, " N"]:
        """Whether each stored answer is right, as `correct` has it."""
        del prediction, labels
        raise ConfigError(f"task {self.name} does not say which answers are right")

    @abstractmethod
    def metrics(
        self,
        prediction: Labels,
        labels: Labels,
        losses: npt.NDArray[np.float64],
        classes: int,
        probabilities: npt.NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        """Metrics of a split by name: `loss`, the mean of `losses`, and `accuracy` where the task is `hard`.

        Parameters
        ----------
        probabilities
            float64 [N, K], where `keeps_probabilities`; without them the metrics that need them are left out.
        """

    def shows_probabilities(self, classes: int) -> bool:
        """Whether a valuation has `probabilities` in memory, which `final_metrics` needs; files may lack them."""
        del classes
        return self.keeps_probabilities

    def final_metrics(self, labels: Labels, probabilities: npt.NDArray[np.float64]) -> dict[str, float]:
        """Metrics of the test split that need the probability of each class, [N, K]; NaN where not defined."""
        del labels, probabilities
        return {}

    def of_samples(
        self, metric: str, prediction: Labels, labels: Labels
    ) -> npt.NDArray[np.bool_] | npt.NDArray[np.float64] | None:
        """What a metric is the mean of over the samples, [N] (`accuracy`: bool); None where it is no such mean."""
        return self.is_right(prediction, labels) if self.hard and metric == "accuracy" else None

    def check_selection(self, name: str) -> None:
        """Raise `ConfigError` when a metric cannot pick the epoch."""
        if name not in self.selection:
            known = ", ".join(self.selection)
            raise ConfigError(f"training.selection: '{name}' is no metric of the task {self.name}; it has {known}")

    def _undefined(self, what: str) -> ConfigError:
        return ConfigError(f"task {self.name} has no {what}: its outputs are no probabilities of labels")


def widened(outputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """In float32 at least."""
    return outputs if outputs.dtype == torch.float64 else outputs.float()
