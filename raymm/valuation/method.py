"""The choice of a valuation method, exact or sampled, from the number of modalities and the cost of a coalition.

It is made once for all rows of a valuation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.valuation.coalitions import MAX_PLAYERS
from raymm.valuation.logit_sources import SumSource
from raymm.valuation.protocol import logit_source
from raymm.valuation.sampling.budget import Sampling
from raymm.valuation.sampling.designs import check_budget

if TYPE_CHECKING:
    from raymm.config.sections import Config, ValuationConfig
    from raymm.valuation.logit_sources import LogitSource
    from raymm.valuation.protocol import SplitModel

__all__ = ["ValuationMethod", "choose_for", "choose_method", "encoders_over_fusion", "flops", "largest_exact"]

EXACT, EXACT_SUMS, EXACT_SUMS_CUDA = 12, 16, 20
"""Largest n for which all coalitions are evaluated by default: of any fusion; of sums of partial logits; of those on
a GPU."""

DEFAULT_BUDGET = 512


@dataclass(frozen=True)
class ValuationMethod:
    """The method by which all samples are valued.

    Attributes
    ----------
    name
        "exact", "sampled" or "closed_form".
    budget
        Coalitions of one sample, where values are sampled.
    refine
        Whether all coalitions of undecided samples are evaluated in a second pass.
    seed
        Of the designs.
    chunk
        Where all coalitions are evaluated and each is expensive: the number of coalitions in the smallest part that
        can be evaluated apart from the others.
    """

    name: str
    budget: int | None = None
    refine: bool = False
    seed: int = 0
    chunk: int | None = None

    def sampling(self, block: int) -> Sampling:
        """The sampling of one block of the samples."""
        assert self.budget is not None
        return Sampling(self.budget, derive(self.seed, "shard", block), self.refine)


def choose_method(
    model: SplitModel, batch: Any, present: torch.Tensor, config: Config, epoch: int | None
) -> ValuationMethod:
    """The method that `config.valuation` asks for, for this model; errors as `choose_for`.

    Parameters
    ----------
    batch, present
        Some samples on the model's device, from which the kind of fusion and the cost of a coalition are found.
    """
    seed = derive(config.training.seed, "valuation", epoch or 0)
    with torch.inference_mode():
        source = logit_source(model, model.encode(batch), present)
        return choose_for(source, config.valuation, seed, lambda: encoders_over_fusion(model, batch, present))


def choose_for(
    source: LogitSource, valuation: ValuationConfig, seed: int, encodings: Callable[[], float]
) -> ValuationMethod:
    """The method that settings ask for, by the logit source of some samples.

    Parameters
    ----------
    seed
        Of the designs, where values are sampled.
    encodings
        The cost of what is run once a batch, in coalitions; called where the budget is a multiple of it.

    Raises
    ------
    ConfigError
        When `exact` is asked for more than 20 modalities, or the budget is too small.
    """
    n = source.present.shape[1]
    linear = isinstance(source, SumSource) and source.head is None
    limit = _limit(source)
    if valuation.method == "exact" and n > MAX_PLAYERS:
        raise ConfigError(f"valuation.method=exact: {n} modalities, and exact values are for at most {MAX_PLAYERS}")
    if valuation.method == "exact" or (valuation.method == "auto" and n <= limit):
        return ValuationMethod("exact", chunk=None if linear else source.chunk)
    if valuation.method == "auto" and linear and valuation.utility == "logit":
        return ValuationMethod("closed_form")
    budget = _budget(n, valuation.budget, encodings)
    check_budget(n, budget, valuation.budget)
    if n <= MAX_PLAYERS and budget >= 2**n:
        return ValuationMethod("exact", chunk=None if linear else source.chunk)
    return ValuationMethod("sampled", budget, valuation.refine and n <= limit, seed)


def largest_exact(*, sums: bool, cuda: bool = False) -> int:
    """Largest number of modalities whose coalitions are all evaluated by default.

    >>> largest_exact(sums=False), largest_exact(sums=True)
    (12, 16)
    """
    if not sums:
        return EXACT
    return EXACT_SUMS_CUDA if cuda else EXACT_SUMS


def _limit(source: LogitSource) -> int:
    if isinstance(source, SumSource):
        return largest_exact(sums=True, cuda=source.partial_logits.is_cuda)
    return largest_exact(sums=False)


def _budget(n: int, asked: int | str | None, encodings: Callable[[], float]) -> int:
    """Number of coalitions: the setting, a multiple of the cost of one forward pass ("1x"), or the default."""
    if asked is None:
        return max(DEFAULT_BUDGET, 32 * n)
    if isinstance(asked, int):
        return asked
    passes = float(asked.removesuffix("x"))
    return min(int(passes * encodings()), 2 ** min(n, MAX_PLAYERS))


def encoders_over_fusion(model: SplitModel, batch: Any, present: torch.Tensor) -> float:
    """Floating-point operations of the encoders, divided by those of one coalition."""
    encoders, features = flops(lambda: model.encode(batch))
    source = logit_source(model, features, present)
    fusion, _ = flops(lambda: source.logits(present[:1]))
    return encoders / max(1, fusion)


def flops(run: Callable[[], Any]) -> tuple[int, Any]:
    """Floating-point operations of a call, and what it returns."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415  (slow to import)

    with FlopCounterMode(display=False) as counter:
        returned = run()
    return counter.get_total_flops(), returned
