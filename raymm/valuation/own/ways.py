"""The ways to the logits of coalitions: a model in two parts, a function; branch modules are in `branch_way`.

A way takes what `raymm.valuation.own.reading` read of a batch and gives its logit source. On the first batch it
checks that what it does is what the model does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor

from raymm.errors import ConfigError
from raymm.types import Features, Mask
from raymm.valuation.apart import mixed_in_words, mixed_sample
from raymm.valuation.conformance import ModelError, check_repeated, compare_sources, few_coalitions
from raymm.valuation.method import encoders_over_fusion
from raymm.valuation.own.checks import check_apart, check_predict, say_if_not_logits, say_if_training
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
    _apart: bool = False

    @abstractmethod
    def open(self, given: Given, *, first: bool) -> Opened:
        """Run what is run once a batch; the first is checked as well, which runs more."""

    @abstractmethod
    def encodings(self, given: Given) -> float:
        """Floating-point operations of what is run once a batch, in those of one coalition."""

    def _see_apart(
        self,
        what: str,
        shown: Any,
        present: Mask,
        predict: Callable[[Mask], Float[Tensor, "B K"]],
        run: Callable[[Any, Mask], Float[Tensor, "B K"]],
        own: Float[Tensor, "B K"] | None = None,
        between: Iterable[Tensor] = (),
    ) -> None:
        """Refuse a model that mixes samples, by the first batch that can show it.

        Parameters
        ----------
        what
            What is called, for the message.
        shown
            What it is called with of a batch.
        predict, run
            Logits of this batch with a mask; and of another from its inputs on, as far as `shown` goes.
        own, between
            See `mixed_sample`; default: what `predict` gives.
        """
        if self._apart or len(present) < 2 or not present.any():
            return
        whole = predict(present)
        check_apart(predict, whole, present, what)
        mixed = mixed_sample(run, shown, present, whole if own is None else own, between)
        if mixed is not None:
            raise ModelError(f"{what}: {mixed_in_words(mixed)}")
        self._apart = True


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
        self._see_encode_apart(given, features)
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
        self.outputs.finite(self._fused(few, there), there)
        say_if_not_logits(check_predict(partial(self._fused, few), there, "fuse"), self.outputs.task)
        if isinstance(self.model, AdditiveModel) and getattr(self.model, "additive", True):
            names = self.outputs.names
            compare_sources(self.model, few, there, names=names, coalitions=few_coalitions(len(names)))

    def _see_encode_apart(self, given: Given, features: Features) -> None:
        def run(batch: Any, present: Mask) -> Float[Tensor, "B K"]:
            return self._fused(self._encode(given, batch), present)

        predict = partial(self._fused, features)
        self._see_apart("encode and fuse", given.batch, given.present, predict, run, between=[features])

    def _fused(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        with own_code("fuse", features):
            returned: object = self.model.fuse(features.clone(), mask.clone())
        if not isinstance(returned, Tensor):
            kind = type(returned).__name__
            raise ModelError(f"fuse returns a {kind}; it must return logits [samples, classes] in one tensor")
        return self.outputs.logits(returned, len(features))


class FunctionWay(Way):
    """A function `predict(batch, mask) -> logits`, mask bool [B, n], which is called once a coalition."""

    def __init__(self, predict: Callable[[Any, Mask], Any], outputs: Outputs) -> None:
        self.predict, self.outputs = predict, outputs
        self.masking = name_of(predict)

    def open(self, given: Given, *, first: bool) -> Opened:
        """Nothing is run before the coalitions."""

        def run(whole: Any, mask: Mask) -> Float[Tensor, "B K"]:
            batch = map_leaves(lambda leaf: leaf, whole)
            with own_code("predict", batch):
                returned = self.predict(batch, mask.clone())
            return self.outputs.finite(self.outputs.logits(returned, len(given)), mask)

        predict = partial(run, given.batch)
        if first:
            say_if_training(self.predict)
            say_if_not_logits(check_predict(predict, given.present, "predict"), self.outputs.task)
        self._see_apart("predict", given.batch, given.present, predict, run)
        return whole_only(predict, given.present)

    def encodings(self, given: Given) -> float:
        """Not known: nothing tells the parts of a function apart."""
        del given
        raise ConfigError("budget: a multiple ('1x') needs encoders that run apart from the rest; give a number")
