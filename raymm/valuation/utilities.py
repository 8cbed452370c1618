"""Utilities v(C): the value of a coalition, from the logits that its members lead to.

`count` is the paper's: the size of the coalition when it predicts the label, else 0 (Wei et al., CVPR 2024).
`soft_count` is |C| times the task's score of the answer in 0..1 instead: as `count` where a score is 0 or 1, with the
same fair share and, since it is linear in the scores, the same largest gap.
Hard utilities (`count`, `correct`) are integers, and that of the empty coalition is 0. Soft utilities read the logits
of the empty coalition too, which depend on the baseline alone. What is correct, and the formulas of the soft
utilities, are those of the task (`raymm.tasks`).

A custom utility is a `Utility` under a name (`register_utility`) or in a module that can be imported
("package.module:NAME"), which valuation actors on other machines can import as well. Its outputs need not be logits
of classes and its targets need not be classes: regression, several labels a sample.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, Num, Shaped
from torch import Tensor

from raymm.config.registries import UTILITIES
from raymm.counts import counted
from raymm.errors import ConfigError, RaymmError, TrainingError, in_one_line, is_of_the_machine
from raymm.tasks.base import SOFT, Task
from raymm.tasks.classification import Classification
from raymm.valuation.likeness import TOLERANCE

__all__ = ["UTILITIES", "Utility", "fair_share_of", "get_utility", "is_correct", "register_utility", "utility"]

CLASSIFICATION = Classification()

UtilityFn = Callable[[Float[Tensor, "B s K"], Shaped[Tensor, "B ..."], Int64[Tensor, "B s"]], Num[Tensor, "B s"]]
"""`(logits, targets, sizes) -> values`; `sizes` counts the present members of each coalition."""


@dataclass(frozen=True)
class Utility:
    """The utility v(C) of a coalition.

    Attributes
    ----------
    name
        Its name in settings and tables.
    fn
        `(logits [B, s, K], targets [B, ...], sizes [B, s]) -> values [B, s]`.
    by_size
        Of hard utilities, whose value is `by_size(|C|)` where the coalition is correct and 0 elsewhere: integers, so
        that contributions are exact. None for soft utilities.
    fair_share
        Contribution of a modality that does its part in a correct answer, or None where there is no such number.
    largest_gap
        From the number of modalities n to the largest difference of a modality's mean contribution from the mean of
        the others', or None where there is no bound.
    task
        The task whose labels it reads: it says which coalitions are correct.
    for_task
        Makes `fn` for a task, of the utilities that every task defines for its labels; None for one that reads
        outputs and targets by itself.

    Examples
    --------
    The negative absolute error of a regression:

    >>> error = Utility("error", lambda outputs, targets, sizes: -(outputs[..., 0] - targets[:, None]).abs())
    >>> error.fn(torch.tensor([[[1.0], [3.0]]]), torch.tensor([2.5]), torch.tensor([[1, 2]]))
    tensor([[-1.5000, -0.5000]])
    """

    name: str
    fn: UtilityFn
    by_size: Callable[[Int64[Tensor, "..."]], Int64[Tensor, "..."]] | None = None
    fair_share: float | None = None
    largest_gap: Callable[[int], float] | None = None
    task: Task = CLASSIFICATION
    for_task: Callable[[Task], UtilityFn] | None = None

    def values(
        self, logits: Float[Tensor, "B s K"], targets: Shaped[Tensor, "B ..."], sizes: Int64[Tensor, "B s"]
    ) -> Num[Tensor, "B s"]:
        """The values that `fn` gives, checked: a NaN would pass for a missing modality in what follows.

        Raises
        ------
        TrainingError
            When it raises something, or they have another shape, or are complex or not finite.
        """
        found: object = self._called("fn", self.fn, logits, targets, sizes)
        if not isinstance(found, Tensor) or found.shape != sizes.shape:
            got = list(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise TrainingError(
                f"utility '{self.name}' returns {got}; expected [samples, coalitions] = {list(sizes.shape)}"
            )
        if found.is_complex():
            raise TrainingError(f"utility '{self.name}' returns {found.dtype}; its values must be real numbers")
        if found.is_floating_point() and not torch.isfinite(found).all():
            row, column = torch.nonzero(~torch.isfinite(found))[0].tolist()
            raise TrainingError(
                f"utility '{self.name}' is {found[row, column].item()} for sample {row} of a batch and a coalition "
                f"of {int(sizes[row, column])} modalities; it must be finite for every coalition, the empty one too"
            )
        return found

    def check_by_size(
        self,
        logits: Float[Tensor, "B s K"],
        targets: Shaped[Tensor, "B ..."],
        sizes: Int64[Tensor, "B s"],
        correct: Bool[Tensor, "B s"],
    ) -> None:
        """Raise `TrainingError` where `fn` gives other values than `by_size` where coalitions are correct.

        A task of somebody's own has a say of its own in what is correct: there `fn` may call others so.
        """
        assert self.by_size is not None
        found = self.values(logits, targets, sizes).double()
        worth: object = self._called("by_size", self.by_size, sizes)
        if not isinstance(worth, Tensor) or worth.shape != sizes.shape or worth.is_complex():
            raise TrainingError(
                f"utility '{self.name}': by_size must give a whole number for each size, in one tensor"
            )
        right = correct if type(self.task).__module__.startswith("raymm.") else found != 0
        expected = (right * worth).double()
        apart = ((found - expected).abs() > TOLERANCE * expected.abs().clamp(min=1)).nonzero().tolist()
        if apart:
            row, column = apart[0]
            answer = "right" if right[row, column] else "wrong"
            raise TrainingError(
                f"utility '{self.name}': for sample {row} of a batch and a coalition of "
                f"{counted(int(sizes[row, column]), 'modality')}, whose answer is {answer}, fn gives "
                f"{found[row, column].item():g} and by_size leads to {expected[row, column].item():g}; they must "
                "agree (0 where it is wrong), or leave by_size out"
            )

    def _called(self, part: str, function: Callable[..., Any], *given: Tensor) -> Any:
        """What a part of it gives; an exception of somebody's own is said with its name."""
        try:
            return function(*given)
        except RaymmError:
            raise
        except Exception as cause:
            if self.for_task is not None or is_of_the_machine(cause):
                raise
            raise TrainingError(f"utility '{self.name}': {part} raises {in_one_line(cause)}") from cause

    def of(self, task: Task) -> "Utility":
        """The same utility for the labels of a task.

        Raises
        ------
        ConfigError
            When it is not defined for these labels.
        """
        if self.for_task is None:
            if self.by_size is not None and not task.hard:
                task.check_utility(self.name)
            return replace(self, task=task)
        task.check_utility(self.name)
        return replace(self, task=task, fn=self.for_task(task))


def is_correct(
    logits: Float[Tensor, "B s K"],
    labels: Shaped[Tensor, "B ..."],
    sizes: Int64[Tensor, "B s"],
    task: Task = CLASSIFICATION,
) -> Bool[Tensor, "B s"]:
    """Whether each coalition predicts the label, as the task has it; the empty one does not."""
    task.check_targets(labels)
    return task.correct(logits, labels) & (sizes > 0)


def _hard(
    name: str,
    by_size: Callable[[Tensor], Tensor],
    largest_gap: Callable[[int], float],
    fair_share: float | None = None,
) -> Utility:
    def for_task(task: Task) -> UtilityFn:
        return lambda logits, labels, sizes: is_correct(logits, labels, sizes, task) * by_size(sizes)

    return Utility(name, for_task(CLASSIFICATION), by_size, fair_share, largest_gap, for_task=for_task)


def _soft(name: str, largest_gap: Callable[[int], float] | None = None) -> Utility:
    def for_task(task: Task) -> UtilityFn:
        return lambda logits, labels, _: getattr(task, name)(logits, labels)

    return Utility(name, for_task(CLASSIFICATION), largest_gap=largest_gap, for_task=for_task)


def _soft_count() -> Utility:
    def for_task(task: Task) -> UtilityFn:
        return lambda logits, labels, sizes: sizes * task.score(logits, labels)  # type: ignore[attr-defined]

    return Utility("soft_count", for_task(CLASSIFICATION), None, 1.0, lambda n: n / 2, for_task=for_task)


def _as_utility(found: Any, where: str) -> Utility:
    if not isinstance(found, Utility):
        raise ConfigError(f"{where} is a {type(found).__name__}, not a Utility")
    return found


UTILITIES.adapt = _as_utility

for _made in (
    _hard("count", lambda sizes: sizes, lambda n: n / 2, fair_share=1.0),
    _hard("correct", torch.ones_like, lambda _: 1.0),
    _soft("probability", lambda _: 1.0),
    _soft("log_probability"),
    _soft("logit"),
    _soft("margin"),
    _soft("score", lambda _: 1.0),
    _soft("error"),
    _soft("squared_error"),
    _soft_count(),
):
    UTILITIES.register(_made.name, _made)

probability, log_probability, logit, margin = (_soft(name).fn for name in SOFT)
"""The soft utilities of classification as functions `(logits, labels, sizes) -> values`, for custom utilities."""


def register_utility(utility: Utility) -> Utility:
    """Make a utility known by its name, in this process; returns it.

    Examples
    --------
    >>> def half(logits, labels, sizes):
    ...     return 0.5 * is_correct(logits, labels, sizes)
    >>> made = register_utility(Utility("half", half))
    >>> get_utility("half") is made
    True
    """
    registered: Utility = UTILITIES.register(utility.name, utility)
    return registered


def get_utility(name: str, task: Task | None = None) -> Utility:
    """The utility of a name, or of "package.module:NAME", for the labels of a task (default: classification).

    Examples
    --------
    >>> count = get_utility("count")
    >>> logits = torch.tensor([[[0.0, 0.0], [2.0, 1.0], [0.0, 3.0]]])  # of the empty coalition, {0} and {0, 1}
    >>> count.fn(logits, torch.tensor([1]), torch.tensor([[0, 1, 2]]))
    tensor([[0, 0, 2]])
    >>> count.fair_share
    1.0

    Raises
    ------
    ConfigError
        When there is none, with the nearest match, or when it is not defined for these labels.
    """
    found: Utility = UTILITIES.get(name, "valuation.utility")
    if task is None:
        return found
    return found.of(task)


utility = get_utility
"""The former name of `get_utility`."""


def fair_share_of(name: str) -> float | None:
    """The fair share of a utility by its name.

    None where the utility has none, or is not known here: a table may have been made with one that is not installed.

    Examples
    --------
    >>> fair_share_of("count")
    1.0
    >>> fair_share_of("probability") is None
    True
    """
    try:
        return get_utility(name).fair_share
    except ConfigError:
        return None
