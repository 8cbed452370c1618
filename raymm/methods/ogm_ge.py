"""OGM-GE: the encoder of the modality that is ahead learns slower, and noise is added to the gradients.

Source: Peng et al., "Balanced Multimodal Learning via On-the-fly Gradient Modulation", CVPR 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.probabilities import no_probability
from raymm.methods.unimodal import (
    EpochMeans,
    batch_means,
    of_the_others,
    one_modality,
    scale_encoders,
    shared_outputs,
)
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["OgmGe", "OgmGeSettings"]


class OgmGeSettings(Settings):
    """Settings of `ogm_ge`."""

    alpha: float = Field(default=0.3, ge=0, description="how much the modality that is ahead is slowed down")
    others: Literal["mean", "min"] = Field(
        default="mean", description="what a modality is compared with: the mean or the lowest of the others"
    )
    ge: bool = Field(default=True, description="add noise of the gradients' own size to those of weights")
    first_epoch: int = Field(default=0, ge=0, description="epoch from which gradients are changed, from 0")
    last_epoch: int | None = Field(default=50, ge=0, description="last epoch in which they are; null: all")


class OgmGe(Method):
    """The gradient of encoder i is multiplied by k_i = 1 - tanh(alpha * rho_i) where rho_i > 1, else by 1.

    rho_i = s_i / s_j of two modalities, where s_i is the mean over the batch of the probability p(z_i)[y] that the
    outputs of modality i alone give to the label. With more than two modalities s_j is the mean or the lowest of the
    others (`others`); the paper defines two. The formula has rho where rho - 1 might be expected: k falls from 1 to
    1 - tanh(alpha) as soon as a modality is ahead.

    With `ge` normal noise is added to the gradient of every weight (not of biases and norms), as wide as the standard
    deviation of that gradient before it was scaled; also where k is 1. It is a function of seed, epoch, step and
    parameter, equal on all workers. The published code does so for convolutions only.

    z_i = fuse({i}) - (1 - 1/n) fuse({}), the terms W_i f_i + b/n of the paper for late fusions; other fusions, for
    which the paper has none, take the same. Defined for every task whose labels have a probability.
    """

    Settings = OgmGeSettings
    reads_encoders = True
    reads_labels = True
    source = "Peng et al., CVPR 2022, equations 8 to 12"
    cost = "n + 1 fusions more; no further pass"
    tuned = (("alpha", (0.1, 0.3, 1.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self._means = EpochMeans(context.modalities)
        self._ahead = torch.ones(len(context.modalities))

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, labels without a probability, and an empty window of epochs."""
        found = one_modality(context) + no_probability(context)
        if settings.last_epoch is not None and settings.last_epoch < settings.first_epoch:
            found.append(
                f"method.settings.last_epoch={settings.last_epoch} is before first_epoch={settings.first_epoch}, so "
                "that no gradient would ever be changed"
            )
        return found

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the means of the epoch."""
        del start
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """The joint loss; how far each modality is ahead is measured on the way."""
        if self._acts(step):
            outputs = shared_outputs(step).detach()
            scores = batch_means(step, self.context.utility.task.probability(outputs, step.labels))
            self._ahead = scores / of_the_others(scores, self.settings.others)
        return super().loss(step)

    def on_gradients(self, step: Step) -> None:
        """Scale the gradients of the encoders, and add the noise."""
        if not self._acts(step):
            return
        factors = torch.where(self._ahead > 1, 1 - torch.tanh(self.settings.alpha * self._ahead), 1.0)
        noise = self._noise(step) if self.settings.ge else []
        scale_encoders(step, factors)
        for gradient, values in noise:
            gradient.add_(values)
        self._means.add(factor=factors, ahead=self._ahead)

    def figures(self) -> dict[str, float]:
        """Mean factor of each encoder's gradient, and mean ratio of its modality to the others."""
        return self._means.figures()

    def _acts(self, step: Step) -> bool:
        last = self.settings.last_epoch
        return self.settings.first_epoch <= step.epoch and (last is None or step.epoch <= last)

    def _noise(self, step: Step) -> list[tuple[Tensor, Tensor]]:
        """Gradients of weights, and the noise for each, from the gradients as they are."""
        found = []
        for position, name in enumerate(self.context.modalities):
            for number, parameter in enumerate(step.encoder_parameters(position)):
                gradient = parameter.grad
                if gradient is None or gradient.ndim < 2 or gradient.numel() < 2:  # one number has no deviation
                    continue
                generator = torch.Generator(gradient.device)
                generator.manual_seed(derive(self.context.seed, "ogm_ge", step.epoch, step.number, name, number))
                drawn = torch.randn(gradient.shape, generator=generator, device=gradient.device)
                found.append((gradient, drawn.to(gradient.dtype) * gradient.std()))
        return found


METHODS.register("ogm_ge", OgmGe)
