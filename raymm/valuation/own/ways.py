"""The ways to the logits of coalitions: a model in two parts, a function; branch modules are in `branch_way`.

A way takes what `raymm.valuation.own.reading` read of a batch and gives its logit source. On the first batch it
checks that what it does is what the model does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor

from raymm.errors import ConfigError
from raymm.types import Features, Mask
from raymm.valuation.conformance import ModelError, check_repeated, compare_sources, few_coalitions
from raymm.valuation.method import encoders_over_fusion
from raymm.valuation.own.checks import check_predict, say_if_not_logits, say_if_training
from raymm.valuation.own.errors import own_code
from raymm.valuation.own.outputs import Outputs
from raymm.valuation.own.reading import Given
from raymm.valuation.own.sources import Opened, whole_only
from raymm.valuation.protocol import AdditiveModel, SplitModel, logit_source, players
from raymm.valuation.structure import copied, map_leaves, name_of

__all__ = ["FirstPass", "FunctionWay", "SplitWay", "Way"]

FEW = 8
"""Samples on which the `partials` of a model are compared with its `fuse`."""


class FirstPass(Protocol):
    """What reads all batches before any is valued."""

    def add(self, given: Given) -> None:
        """Look at a batch."""

    def finish(self) -> None:
        """All batches were looked at; raises `ConfigError` where they are not enough."""


class Way(ABC):
    """How the logits of the coalitions of a batch are found.

    Attributes
    ----------
    outputs
        Names of the modalities, the task, and how logits are found.
    masking
        What stands in for what is masked, in tables.
    first_pass
        What reads the batches once before they are valued; None where nothing does.
    arguments
        Whether the entries of a batch are arguments of the model.
    """

    outputs: Outputs
    masking: str = "the model's own"
    first_pass: FirstPass | None = None
    arguments: bool = False

    @abstractmethod
    def open(self, given: Given, *, first: bool) -> Opened:
        """Run what is run once a batch; the first is checked as well, which runs more."""

    @abstractmethod
    def encodings(self, given: Given) -> float:
        """Floating-point operations of what is run once a batch, in those of one coalition."""


class SplitWay(Way):
    """A model with `encode` and `fuse`, and with `partials` where it has them."""

    def __init__(self, model: SplitModel, outputs: Outputs, coalitions: int | None) -> None:
        self.model, self.outputs, self.coalitions = model, outputs, coalitions
        self.masking = str(getattr(model, "masking", type(self).masking))

    def open(self, given: Given, *, first: bool) -> Opened:
        """Encode, once."""
        again = copied(given.batch) if first else None
        features = self._encode(given, given.batch)
        if first:
            check_repeated(self._encode(given, again), features, players(self.model, given.present))
            self._check(features, given.present)
        whole = logit_source(self.model, features, given.present)
        if self.coalitions is not None:
            whole.step = self.coalitions
        return Opened(whole, lambda rows: logit_source(self.model, features[rows], given.present[rows]))

    def encodings(self, given: Given) -> float:
        """Encoders over fusion."""
        return encoders_over_fusion(self.model, given.batch, given.present)

    def _encode(self, given: Given, batch: Any) -> Features:
        with own_code("encode", batch):
            features = self.model.encode(batch)
        shape = (len(given), len(self.outputs.names))
        if not isinstance(features, Tensor) or features.ndim != 3 or tuple(features.shape[:2]) != shape:
            got = list(features.shape) if isinstance(features, Tensor) else f"a {type(features).__name__}"
            raise ModelError(
                f"encode returns {got}; expected features [samples, modalities, size] = [{shape[0]}, {shape[1]}, "
                f"...] of {', '.join(self.outputs.names)} in one tensor (features of other forms are valued by "
                "modalities={name: module}, or by predict=)"
            )
        return features

    def _check(self, features: Features, present: Mask) -> None:
        """Finite logits of the right width by a function of features and mask, and `partials` that agree with it."""
        few, there = features[:FEW], present[:FEW]

        def fused(mask: Mask) -> Float[Tensor, "B K"]:
            with own_code("fuse", few):
                returned: object = self.model.fuse(few.clone(), mask.clone())
            if not isinstance(returned, Tensor):
                kind = type(returned).__name__
                raise ModelError(f"fuse returns a {kind}; it must return logits [samples, classes] in one tensor")
            return self.outputs.logits(returned, len(few))

        self.outputs.finite(fused(there), there)
        say_if_not_logits(check_predict(fused, there, "fuse"), self.outputs.task)
        if isinstance(self.model, AdditiveModel) and getattr(self.model, "additive", True):
            names = self.outputs.names
            compare_sources(self.model, few, there, names=names, coalitions=few_coalitions(len(names)))


class FunctionWay(Way):
    """A function `predict(batch, mask) -> logits`, mask bool [B, n], which is called once a coalition."""

    def __init__(self, predict: Callable[[Any, Mask], Any], outputs: Outputs) -> None:
        self.predict, self.outputs = predict, outputs
        self.masking = name_of(predict)

    def open(self, given: Given, *, first: bool) -> Opened:
        """Nothing is run before the coalitions."""

        def predict(mask: Mask) -> Float[Tensor, "B K"]:
            batch = map_leaves(lambda leaf: leaf, given.batch)
            with own_code("predict", batch):
                returned = self.predict(batch, mask.clone())
            return self.outputs.finite(self.outputs.logits(returned, len(given)), mask)

        if first:
            say_if_training(self.predict)
            say_if_not_logits(check_predict(predict, given.present, "predict"), self.outputs.task)
        return whole_only(predict, given.present)

    def encodings(self, given: Given) -> float:
        """Not known: nothing tells the parts of a function apart."""
        del given
        raise ConfigError("budget: a multiple ('1x') needs encoders that run apart from the rest; give a number")
