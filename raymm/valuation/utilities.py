"""Utilities: what a coalition is worth, given the logits it leads to.

`count` is the paper's: the size of the coalition when it predicts the label, else 0 (Wei et al., CVPR 2024).
Hard utilities (`count`, `correct`) are integers, and the empty coalition is worth 0. Soft ones read the
logits of the empty coalition too, which come from the baseline alone.

A utility of one's own is a `Utility` under a name (`register_utility`) or in a module that can be imported
("package.module:NAME"), which valuation actors on other machines find as well. It may read outputs that are
no logits of classes and targets that are no classes: regression, several labels a sample.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, Num, Shaped
from torch import Tensor

from raymm.config.plugins import load_object
from raymm.errors import ConfigError, did_you_mean

__all__ = ["UTILITIES", "Utility", "fair_share_of", "is_right", "register_utility", "utility"]

Worth = Callable[[Float[Tensor, "B s K"], Shaped[Tensor, "B ..."], Int64[Tensor, "B s"]], Num[Tensor, "B s"]]
"""`(logits, targets, sizes) -> values`; `sizes` counts the present members of each coalition."""


@dataclass(frozen=True)
class Utility:
    """What a coalition is worth.

    Attributes
    ----------
    name
        As it stands in settings and tables.
    worth
        `(logits, targets, sizes) -> values`.
    by_size
        For hard utilities, which are worth `by_size(|C|)` where the coalition is right and 0 elsewhere: whole
        numbers, so that contributions are exact. None for soft ones.
    fair_share
        Contribution of a modality that does its part in a right answer, or None where there is no such number.
    largest_gap
        From the number of modalities n to the largest difference of two mean contributions, or None where there is
        no bound.
    """

    name: str
    worth: Worth
    by_size: Callable[[Int64[Tensor, "..."]], Int64[Tensor, "..."]] | None = None
    fair_share: float | None = None
    largest_gap: Callable[[int], float] | None = None


def is_right(
    logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
) -> Bool[Tensor, "B s"]:
    """Whether each coalition predicts the label (of equal logits the first class counts); an empty one does not."""
    return (logits.argmax(dim=-1) == labels[:, None]) & (sizes > 0)


def _hard(
    name: str,
    by_size: Callable[[Tensor], Tensor],
    largest_gap: Callable[[int], float],
    fair_share: float | None = None,
) -> Utility:
    def worth(
        logits: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"], sizes: Int64[Tensor, "B s"]
    ) -> Int64[Tensor, "B s"]:
        return is_right(logits, labels, sizes) * by_size(sizes)

    return Utility(name, worth, by_size, fair_share, largest_gap)


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
    """Logit of the label; for additive models the contributions are known without playing any coalition."""
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


UTILITIES: dict[str, Utility] = {
    made.name: made
    for made in (
        _hard("count", lambda sizes: sizes, lambda n: n / 2, fair_share=1.0),
        _hard("correct", torch.ones_like, lambda _: 1.0),
        Utility("probability", probability, largest_gap=lambda _: 1.0),
        Utility("log_probability", log_probability),
        Utility("logit", logit),
        Utility("margin", margin),
    )
}


def register_utility(made: Utility) -> Utility:
    """Make a utility known by its name, in this process; returns it."""
    UTILITIES[made.name] = made
    return made


def utility(name: str) -> Utility:
    """The utility of a name, or of "package.module:NAME".

    Raises
    ------
    ConfigError
        When there is none, with the nearest match.
    """
    if ":" in name:
        found = load_object(name, "valuation.utility")
        if not isinstance(found, Utility):
            raise ConfigError(f"valuation.utility: '{name}' is a {type(found).__name__}, not a Utility")
        return found
    if name not in UTILITIES:
        raise ConfigError(f"valuation.utility: no utility '{name}'; {did_you_mean(name, UTILITIES)}")
    return UTILITIES[name]


def fair_share_of(name: str) -> float | None:
    """The fair share of a utility by its name.

    None where the utility has none, or is not known here: a table may have been made with one that is not installed.
    """
    try:
        return utility(name).fair_share
    except ConfigError:
        return None


def _of_label(values: Float[Tensor, "B s K"], labels: Int64[Tensor, " B"]) -> Float[Tensor, "B s"]:
    return values.gather(-1, labels[:, None, None].expand(-1, values.shape[1], 1))[..., 0]
