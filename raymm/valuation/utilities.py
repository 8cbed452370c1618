"""Utilities v(C): the value of a coalition, from the logits that its members lead to.

`count` is the paper's: the size of the coalition when it predicts the label, else 0 (Wei et al., CVPR 2024).
Hard utilities (`count`, `correct`) are integers, and that of the empty coalition is 0. Soft utilities read the logits
of the empty coalition too, which depend on the baseline alone.

A custom utility is a `Utility` under a name (`register_utility`) or in a module that can be imported
("package.module:NAME"), which valuation actors on other machines can import as well. Its outputs need not be logits
of classes and its targets need not be classes: regression, several labels a sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, Num, Shaped
from torch import Tensor

from raymm.config.registries import UTILITIES
from raymm.errors import ConfigError

__all__ = ["UTILITIES", "Utility", "fair_share_of", "get_utility", "is_correct", "register_utility", "utility"]

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


def is_correct(
    logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
) -> Bool[Tensor, "B s"]:
    """Whether each coalition predicts the label (of equal logits the first class counts); the empty one does not."""
    return (logits.argmax(dim=-1) == labels[:, None]) & (sizes > 0)


def _hard(
    name: str,
    by_size: Callable[[Tensor], Tensor],
    largest_gap: Callable[[int], float],
    fair_share: float | None = None,
) -> Utility:
    def fn(
        logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
    ) -> Int64[Tensor, "B s"]:
        return is_correct(logits, labels, sizes) * by_size(sizes)

    return Utility(name, fn, by_size, fair_share, largest_gap)


def probability(
    logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
) -> Float[Tensor, "B s"]:
    """Softmax probability of the label."""
    del sizes
    return _of_label(logits.double().softmax(dim=-1), labels)


def log_probability(
    logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
) -> Float[Tensor, "B s"]:
    """Logarithm of the probability of the label, in nats."""
    del sizes
    return _of_label(logits.double().log_softmax(dim=-1), labels)


def logit(
    logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
) -> Float[Tensor, "B s"]:
    """Logit of the label; for additive models the contributions follow without evaluating any coalition."""
    del sizes
    return _of_label(logits.double(), labels)


def margin(
    logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
) -> Float[Tensor, "B s"]:
    """Logit of the label minus the largest other logit."""
    del sizes
    wide = logits.double()
    own = _of_label(wide, labels)
    others = wide.scatter(-1, labels[:, None, None].expand(-1, logits.shape[1], 1), -torch.inf)
    return own - others.amax(dim=-1)


def _as_utility(found: Any, where: str) -> Utility:
    if not isinstance(found, Utility):
        raise ConfigError(f"{where} is a {type(found).__name__}, not a Utility")
    return found


UTILITIES.adapt = _as_utility

for _made in (
    _hard("count", lambda sizes: sizes, lambda n: n / 2, fair_share=1.0),
    _hard("correct", torch.ones_like, lambda _: 1.0),
    Utility("probability", probability, largest_gap=lambda _: 1.0),
    Utility("log_probability", log_probability),
    Utility("logit", logit),
    Utility("margin", margin),
):
    UTILITIES.register(_made.name, _made)


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


def get_utility(name: str) -> Utility:
    """The utility of a name, or of "package.module:NAME".

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
        When there is none, with the nearest match.
    """
    found: Utility = UTILITIES.get(name, "valuation.utility")
    return found


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


def _of_label(values: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"]) -> Float[Tensor, "B s"]:
    return values.gather(-1, labels[:, None, None].expand(-1, values.shape[1], 1))[..., 0]
