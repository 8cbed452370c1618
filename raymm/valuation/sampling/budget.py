"""How much of a game is evaluated where its values are sampled."""

from dataclasses import dataclass

__all__ = ["Sampling"]


@dataclass(frozen=True)
class Sampling:
    """Settings of a sampled valuation.

    Attributes
    ----------
    budget
        Coalitions of one sample, at most.
    seed
        Seed of the design; another one a block of samples, so that the mean over a data set averages over designs.
    refine
        Whether to evaluate all coalitions of samples with a contribution that may lie on either side of the fair
        share.

    Examples
    --------
    >>> Sampling(budget=512, seed=0)
    Sampling(budget=512, seed=0, refine=False)
    """

    budget: int
    seed: int
    refine: bool = False
