"""Any module whose modalities have branches: branches run once a batch, the rest of `forward` once a coalition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.likeness import close
from raymm.valuation.method import flops
from raymm.valuation.own.axes import settle_axes
from raymm.valuation.own.baselines import Baseline, Means, OwnBaseline, Zeros
from raymm.valuation.own.branches import Branch, compiled_around, masked_rows, recording, replaced, uncompiled
from raymm.valuation.own.checks import check_predict, same_rows_when_all_is_masked, say_if_not_logits
from raymm.valuation.own.errors import own_code
from raymm.valuation.own.outputs import Outputs
from raymm.valuation.own.reading import Given
from raymm.valuation.own.sources import Opened, whole_only
from raymm.valuation.own.ways import Way
from raymm.valuation.structure import copied, map_leaves, tensors_of

__all__ = ["BranchWay", "call_model"]

Forward = Callable[[nn.Module, Any], Any]
"""`(model, batch) -> what the model returns`."""


@dataclass(frozen=True)
class _Recorded:
    """What the model returned for a batch, the output of each branch, and its baseline; both by name."""

    returned: Any
    outputs: Mapping[str, Any]
    baselines: Mapping[str, list[Tensor]]


class BranchWay(Way):
    """A module, its branches, and what stands in for their outputs.

    Parameters
    ----------
    forward
        How the model is called with a batch; None: with its inputs, as `call_model` does.
    """

    def __init__(
        self,
        model: nn.Module,
        branches: list[Branch],
        outputs: Outputs,
        baseline: Baseline,
        forward: Forward | None = None,
    ) -> None:
        self.model, self.branches, self.outputs, self.baseline = model, branches, outputs, baseline
        self.forward, self._compiled = forward, compiled_around(model, branches)
        self.masking, self.arguments = baseline.name, forward is None
        if isinstance(baseline, Means):
            self.first_pass = _Averaging(self._record, branches, baseline)

    def open(self, given: Given, *, first: bool) -> Opened:
        """Run the model once, and record its branches."""
        outputs, returned = self._record(given)
        recorded = _Recorded(returned, outputs, self._stand_ins(self.baseline, outputs))

        def predict(mask: Mask) -> Float[Tensor, "B K"]:
            return self.outputs.finite(self._replay(given, recorded, mask), mask)

        if first:
            self._check(given, recorded)
            say_if_not_logits(check_predict(predict, given.present, "the model"), self.outputs.task)
        self._see_model_apart(given, recorded, predict)
        if first and not isinstance(self.baseline, OwnBaseline):
            same_rows_when_all_is_masked(predict(torch.zeros_like(given.present)))
        return whole_only(predict, given.present)

    def _see_model_apart(
        self, given: Given, recorded: _Recorded, predict: Callable[[Mask], Float[Tensor, "B K"]]
    ) -> None:
        if self._apart:  # what follows is for the first batches alone
            return

        def run(shown: Any, _: Mask) -> Float[Tensor, "B K"]:
            return self.outputs.logits(self._run(replace(given, batch=shown, inputs=shown)), len(given))

        shown = given.inputs if self.forward is None else given.batch
        own = self.outputs.logits(recorded.returned, len(given))
        between = [one for output in recorded.outputs.values() for one in tensors_of(output)]
        self._see_apart("the model", shown, given.present, predict, run, own, between)

    def encodings(self, given: Given) -> float:
        """Branches over the rest."""
        outputs, returned = self._record(given)
        recorded = _Recorded(returned, outputs, self._stand_ins(Zeros(), outputs))
        rest, _ = flops(lambda: self._replay(given, recorded, given.present))
        whole, _ = flops(lambda: self._run(given))
        return max(0, whole - rest) / max(1, rest)

    def _branch(self, name: str) -> Branch:
        return next(branch for branch in self.branches if branch.name == name)

    def _stand_ins(self, baseline: Baseline, outputs: Mapping[str, Any]) -> dict[str, list[Tensor]]:
        return {name: baseline.of(self._branch(name), output) for name, output in outputs.items()}

    def _run(self, given: Given) -> Any:
        """What the model returns; it gets new containers, so that it may take them apart."""
        batch, inputs = map_leaves(lambda leaf: leaf, given.batch), map_leaves(lambda leaf: leaf, given.inputs)
        with uncompiled(self._compiled):
            if self.forward is not None:
                with own_code("forward=", batch):
                    return self.forward(self.model, batch)
            with own_code("the forward of the model (see forward=, label=, ids=, source=)", inputs):
                return call_model(self.model, inputs)

    def _record(self, given: Given) -> tuple[dict[str, Any], Any]:
        """The output of each branch, in the order of the calls, and what the model returned."""
        with recording(self.branches) as calls:
            returned = self._run(given)
        for position, branch in enumerate(self.branches):
            times = len(calls.get(branch.name, ()))
            if times > 1 or (times == 0 and given.present[:, position].any()):
                raise ModelError(_not_once(branch, times))
        outputs = {name: found[0] for name, found in calls.items()}
        for name, output in outputs.items():
            self._branch(name).check(output, len(given))
        self._settle_axes(given, outputs, returned)
        return outputs, returned

    def _settle_axes(self, given: Given, outputs: Mapping[str, Any], returned: Any) -> None:
        """Try which axis of an output is the samples where the batch is as long as two."""
        if all(len(fits) == 1 for branch in self.branches for fits in branch.fits or ()):
            return

        def replay(instead: Mapping[str, Any]) -> Float[Tensor, "B K"]:
            shown = {**outputs, **instead}
            return self._logits_with(given, {name: partial(copied, output) for name, output in shown.items()})

        settle_axes(self.branches, outputs, self.outputs.logits(returned, len(given)), replay)

    def _replay(self, given: Given, recorded: _Recorded, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits with the masked rows of each branch replaced; mask [B, n]."""
        gives: dict[str, Callable[[], Any]] = {}
        for position, branch in enumerate(self.branches):
            if branch.name in recorded.outputs:
                gives[branch.name] = self._give(branch, recorded, mask[:, position])
        return self._logits_with(given, gives)

    def _logits_with(self, given: Given, gives: Mapping[str, Callable[[], Any]]) -> Float[Tensor, "B K"]:
        """Logits of the rest of the model, with what some functions give in the place of the branches."""
        with replaced(gives, self.branches):
            returned = self._run(given)
        return self.outputs.logits(returned, len(given))

    def _give(self, branch: Branch, recorded: _Recorded, keep: Tensor) -> Callable[[], Any]:
        output, baselines = recorded.outputs[branch.name], recorded.baselines[branch.name]
        return lambda: masked_rows(branch, output, keep, baselines)

    def _check(self, given: Given, recorded: _Recorded) -> None:
        """The replay of the grand coalition must be the model's own answer, and branches see one modality alone."""
        own = self.outputs.logits(recorded.returned, len(given))
        again = self._replay(given, recorded, torch.ones_like(given.present))
        if not close(again, own):
            raise ModelError(
                "with the recorded outputs of its branches the model gives other logits than by itself (largest "
                f"difference {float((again - own).abs().nan_to_num().max()):.3g}): it draws at random in evaluation "
                "mode, changes its inputs in place, or reads more of a branch than its output"
            )
        self._check_branches(given, recorded)

    def _check_branches(self, given: Given, recorded: _Recorded) -> None:
        """Run the model once more with every branch masked: what the branches give must stay as it is."""
        nothing = torch.zeros_like(given.present[:, 0])

        def masked(branch: Branch, output: Any) -> Any:
            if branch.name not in recorded.outputs:
                return output
            return masked_rows(branch, output, nothing, recorded.baselines[branch.name])

        with recording(self.branches, masked) as calls:
            self._run(given)
        first = next(iter(calls), None)
        for name, found in calls.items():
            before = recorded.outputs.get(name)
            if not _alike(found[0], before):
                raise ModelError(_reads_another(name) if name != first else _restless(name))


@dataclass(frozen=True)
class _Averaging:
    """Takes the means of the branches from what `record` gives."""

    record: Callable[[Given], tuple[dict[str, Any], Any]]
    branches: Sequence[Branch]
    means: Means

    def add(self, given: Given) -> None:
        outputs, _ = self.record(given)
        for position, branch in enumerate(self.branches):
            if branch.name in outputs:
                self.means.add(branch, outputs[branch.name], given.present[:, position])

    def finish(self) -> None:
        self.means.check(self.branches)


def call_model(model: nn.Module, inputs: Any) -> Any:
    """Call a model with the entries of a mapping as keywords, of a tuple as arguments, or with anything else."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    if isinstance(inputs, list | tuple) and not hasattr(inputs, "_fields"):
        return model(*inputs)
    return model(inputs)


def _alike(found: Any, before: Any) -> bool:
    pairs = zip(tensors_of(found), tensors_of(before), strict=False)
    return len(tensors_of(found)) == len(tensors_of(before)) and all(close(one, other) for one, other in pairs)


def _not_once(branch: Branch, times: int) -> str:
    if times:
        return (
            f"branch '{branch.name}' is called {times} times in one forward pass, so that it is not known which call "
            "is of this modality; name a module that is called once, or wrap this one"
        )
    return (
        f"branch '{branch.name}' is not called in the forward pass, though there are samples that have it (a module "
        "is seen where it is called as a module, not by one of its methods, nor inside of compiled or scripted code)"
    )


def _reads_another(name: str) -> str:
    return (
        f"what branch '{name}' gives changes when the branches before it are masked: it sees more than one modality, "
        "or its inputs are changed in place; name modules that see one alone, or give a function (batch, mask) -> "
        "logits"
    )


def _restless(name: str) -> str:
    return (
        f"branch '{name}' gives something else when it is run again: it draws at random in evaluation mode, or "
        "changes its inputs in place"
    )
