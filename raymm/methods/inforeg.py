"""InfoReg: early in training, the encoder of the modality that is ahead is held near where the epoch found it.

Source: Huang et al., "Adaptive Unimodal Regulation for Balanced Multimodal Information Acquisition", CVPR 2025.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.probabilities import no_probability
from raymm.methods.unimodal import (
    EpochMeans,
    Heads,
    batch_means,
    modality_losses,
    modality_outputs,
    of_the_others,
    one_modality,
    own_heads,
)

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["InfoReg", "InfoRegSettings"]


class InfoRegSettings(Settings):
    """Settings of `inforeg`."""

    beta: float = Field(default=0.95, ge=0, description="strength of the pull to the weights of the epoch's start")
    growth: float = Field(default=0.04, ge=0, lt=1, description="growth of the Fisher trace above which it is early")
    span: int = Field(default=10, ge=1, description="epochs whose mean Fisher trace is compared")
    heads: Heads = Field(
        default="own", description="outputs of a modality alone: a layer of its own, or shared with the fusion"
    )


class InfoReg(Method):
    """L = L(z) + sum_i L(z_i), and while learning is early the modality that is ahead is slowed down.

    The gradient of encoder i becomes g_i + beta * exp(tanh(d_i)) * (theta_i - theta_i at the epoch's start) where
    d_i = s_i - (mean of the others' s_j) > 0; s_i is the sum over the batch of the probability p(z_i)[y], where rows
    that lack the modality count with its mean. Learning is early (the prime learning window) while
    (T - T') / T > `growth`: T is the mean over the last `span` epochs of encoder i's Fisher trace, T' that of the
    `span` epochs one earlier, epochs before the first counting as 0; the trace of an epoch is the sum over steps and
    weight matrices of the mean squared gradient of L. The first epoch is early.

    The published code adds the pull before it sums the trace, which then has it as well. It looks at one modality's
    trace and slows down that modality alone (beta 0.95; its branch for the other is never reached). Here each
    modality has its own window, and all have one beta; the mean of the others is this package's form for more than
    two modalities. Defined for two or more modalities, every fusion, and every task whose labels have a probability.
    """

    Settings = InfoRegSettings
    reads_encoders = True
    reads_labels = True
    source = "Huang et al., CVPR 2025, section 3"
    cost = "n linear layers (heads=own) or n fusions more, and a copy of the encoders' weights; no further pass"
    tuned = (("beta", (0.3, 0.95, 3.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.module = own_heads(settings.heads, context)
        n = len(context.modalities)
        self.traces = torch.zeros(0, n, dtype=torch.float64)
        self._trace = torch.zeros(n, dtype=torch.float64)
        self._early = torch.ones(n, dtype=torch.bool)
        self._strength = torch.zeros(n)
        self._start: list[list[Tensor]] = []
        self._means = EpochMeans(context.modalities)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and labels without a probability."""
        del settings
        return one_modality(context) + no_probability(context)

    def before_epoch(self, start: EpochStart) -> None:
        """Keep the encoders' weights, and look at the traces of the epochs so far."""
        encoders = [start.model.encoders[name] for name in self.context.modalities]
        self._start = [
            [one.detach().clone() for one in encoder.parameters() if one.requires_grad] for encoder in encoders
        ]
        self._early = self._learning_is_early()
        self._trace = torch.zeros_like(self._trace)
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """The joint loss and those of all modalities alone."""
        outputs = modality_outputs(step, self.module)
        scores = batch_means(step, self.context.utility.task.probability(outputs.detach(), step.labels)) * step.rows
        gap = scores - of_the_others(scores)
        held = self._early.to(gap.device) & (gap > 0)
        self._strength = torch.where(held, self.settings.beta * gap.tanh().exp(), 0.0)
        alone = modality_losses(step, outputs).sum(dim=1)
        return step.total(step.loss_of(step.logits) + alone)

    def on_gradients(self, step: Step) -> None:
        """Take in the Fisher traces, and pull back the encoders that are ahead."""
        traces = []
        for position, (strength, start) in enumerate(zip(self._strength, self._start, strict=True)):
            trace = torch.zeros_like(strength)
            for parameter, before in zip(step.encoder_parameters(position), start, strict=True):
                gradient = parameter.grad
                if gradient is None:
                    continue
                if gradient.ndim > 1:
                    trace = trace + gradient.double().square().mean()
                gradient.add_(strength * (parameter.detach() - before))
            traces.append(trace)
        found = torch.stack(traces)  # of a step that overflows in float16 and is passed over: not finite
        self._trace = self._trace.to(found.device) + torch.where(found.isfinite(), found, 0.0)
        self._means.add(pull=self._strength)

    def after_steps(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """Remember the traces of the epoch, which are those of all workers: their gradients were summed."""
        del reduce
        self.traces = torch.cat([self.traces.to(self._trace.device), self._trace[None]])

    def figures(self) -> dict[str, float]:
        """Fisher traces, whether learning was early, and the mean strength of the pull, a modality."""
        names = self.context.modalities
        traces = zip(names, self._trace.tolist(), strict=True)
        early = zip(names, self._early.tolist(), strict=True)
        found = {f"fisher_trace_{name}": trace for name, trace in traces}
        return found | {f"early_{name}": float(value) for name, value in early} | self._means.figures()

    def state_dict(self) -> dict[str, Tensor]:
        """Fisher traces of all epochs so far, [epochs, n]."""
        return {"traces": self.traces}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.traces = state["traces"]

    def _learning_is_early(self) -> Tensor:
        """Whether each modality is in its prime learning window, bool [n]."""
        if not len(self.traces):
            return torch.ones_like(self._early)
        span = self.settings.span
        now = self.traces[-span:].sum(dim=0)
        before = self.traces[-span - 1 : -1].sum(dim=0)
        return (now - before) / now > self.settings.growth


METHODS.register("inforeg", InfoReg)
