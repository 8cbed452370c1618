"""How exactly a model is valued: decided once, from the number of modalities and from what a coalition costs."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from raymm.config import Config
from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.valuation.coalitions import MAX_PLAYERS
from raymm.valuation.logit_sources import Source, SumSource
from raymm.valuation.protocol import SplitModel, logit_source
from raymm.valuation.sampling.designs import smallest_budget
from raymm.valuation.sampling.estimator import Sampling

__all__ = ["Method", "choose_method"]

EXACT, EXACT_SUMS, EXACT_SUMS_CUDA = 12, 16, 20
"""Modalities to which all coalitions are played: of any fusion, where logits follow from sums, and there on a GPU."""

DEFAULT_BUDGET = 512


@dataclass(frozen=True)
class Method:
    """How every sample is valued.

    Attributes
    ----------
    name
        "exact", "sampled" or "closed_form".
    budget
        Coalitions of one sample where it is sampled.
    refine
        Whether undecided samples are played out.
    seed
        Of the designs.
    chunk
        Where all coalitions are played and that is dear: how many of them may be played apart from the others.
    """

    name: str
    budget: int | None = None
    refine: bool = False
    seed: int = 0
    chunk: int | None = None

    def sampling(self, shard: int) -> Sampling:
        """The sampling of one shard of the samples."""
        assert self.budget is not None
        return Sampling(self.budget, derive(self.seed, "shard", shard), self.refine)


def choose_method(model: SplitModel, batch: Any, present: torch.Tensor, config: Config, epoch: int | None) -> Method:
    """How `config.valuation` asks for this model to be valued.

    Parameters
    ----------
    batch, present
        Some samples on the model's device, to see what the fusion offers and what it costs.

    Raises
    ------
    ConfigError
        When `exact` is asked for more than 20 modalities, or the budget is too small.
    """
    valuation, n = config.valuation, present.shape[1]
    with torch.inference_mode():
        features = model.encode(batch)
        source = logit_source(model, features, present)
    linear = isinstance(source, SumSource) and source.finish is None
    limit = _limit(source)
    if valuation.method == "exact" and n > MAX_PLAYERS:
        raise ConfigError(f"valuation.method=exact: {n} modalities, and exact values are for at most {MAX_PLAYERS}")
    if valuation.method == "exact" or (valuation.method == "auto" and n <= limit):
        return Method("exact", chunk=None if linear else source.chunk)
    if valuation.method == "auto" and linear and valuation.utility == "logit":
        return Method("closed_form")
    budget = _budget(model, batch, present, valuation.budget)
    if budget < smallest_budget(n):
        raise ConfigError(
            f"valuation.budget={valuation.budget}: {budget} coalitions are too few to tell {n} modalities apart; the "
            f"smallest budget that works is {smallest_budget(n)}"
        )
    if n <= MAX_PLAYERS and budget >= 2**n:
        return Method("exact", chunk=None if linear else source.chunk)
    seed = derive(config.training.seed, "valuation", epoch or 0)
    return Method("sampled", budget, valuation.refine and n <= limit, seed)


def _limit(source: Source) -> int:
    if not isinstance(source, SumSource):
        return EXACT
    return EXACT_SUMS_CUDA if source.deltas.is_cuda else EXACT_SUMS


def _budget(model: SplitModel, batch: Any, present: torch.Tensor, asked: int | str | None) -> int:
    n = present.shape[1]
    if asked is None:
        return max(DEFAULT_BUDGET, 32 * n)
    if isinstance(asked, int):
        return asked
    passes = float(asked.removesuffix("x"))
    return min(int(passes * _forward_over_fusion(model, batch, present)), 2 ** min(n, MAX_PLAYERS))


def _forward_over_fusion(model: SplitModel, batch: Any, present: torch.Tensor) -> float:
    """Floating-point operations of the encoders over those of one coalition."""
    with torch.inference_mode():
        with FlopCounterMode(display=False) as encoders:
            features = model.encode(batch)
        source = logit_source(model, features, present)
        with FlopCounterMode(display=False) as fusion:
            source.logits(present[:1])
    return encoders.get_total_flops() / max(1, fusion.get_total_flops())
