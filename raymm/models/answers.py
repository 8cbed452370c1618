"""What a model answers without labels: outputs, answers, probabilities, and what each modality contributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from raymm.models.own.example import example_batch
from raymm.seeds import derive
from raymm.valuation.enumeration import value_source
from raymm.valuation.method import choose_for, encoders_over_fusion
from raymm.valuation.protocol import logit_source, players
from raymm.valuation.sampling.estimator import value_sampled
from raymm.valuation.utilities import Utility, get_utility

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.batch import Batch
    from raymm.data.schema import Schema
    from raymm.models.multimodal import MultimodalModel
    from raymm.tasks.base import Task
    from raymm.tasks.labels import Labels
    from raymm.valuation.logit_sources import LogitSource
    from raymm.valuation.method import ValuationMethod
    from raymm.valuation.sample_values import SampleValues

__all__ = ["PROBABILITY", "Answers", "answers_to", "prediction_method"]

PROBABILITY = "probability"
"""The utility of contributions to a class: the probability of the class that was predicted, which needs no label."""


@dataclass(frozen=True)
class Answers:
    """Answers to N samples of n modalities, by a model of K outputs.

    Attributes
    ----------
    schema
        Of the model.
    outputs
        What the head gives, [N, K]: logits of a classification.
    prediction
        Of the task's type, one row a sample.
    confidence
        Probability that the model gives to its own answer, [N]; None where the task has none.
    probabilities
        Of each class, [N, K]; None where the task has none.
    phi
        Contributions [N, n, T]: Shapley values for the probability of the answer (T = 1); of a regression for the
        answer itself, target by target, in the label's units. NaN where a modality is missing.
    stderr
        Standard errors of phi, of its shape, where contributions are sampled; None where they are exact.
    """

    schema: Schema
    outputs: npt.NDArray[np.float32]
    prediction: Labels
    confidence: npt.NDArray[np.float64] | None
    probabilities: npt.NDArray[np.float64] | None
    phi: npt.NDArray[np.float64]
    stderr: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def texts(self) -> list[str]:
        """The answers for people."""
        return [self.schema.task.text(one, self.schema.classes) for one in self.prediction]

    def columns(self, *, every_class: bool = False) -> dict[str, list[Any]]:
        """Columns as `Predictor.predict` has them; with a probability of every class where that is asked for."""
        if not self.schema.task.categorical:
            return self._numbers()
        answer: dict[str, list[Any]] = {"prediction": self.texts}
        if self.confidence is not None:
            answer["probability"] = self.confidence.tolist()
        if self.probabilities is not None and (every_class or self.schema.task.keeps_probabilities):
            columns = self.probabilities.T.tolist()
            answer |= {f"probability_{name}": one for name, one in zip(self.schema.classes, columns, strict=True)}
        return answer | self._contributions(0, "")

    def _numbers(self) -> dict[str, list[Any]]:
        answer: dict[str, list[Any]] = {}
        for target, name in enumerate(self.schema.classes):
            suffix = "" if len(self.schema.classes) == 1 else f"_{name}"
            answer[f"prediction{suffix}"] = self.prediction[:, target].tolist()
            answer |= self._contributions(target, suffix)
        return answer

    def _contributions(self, target: int, suffix: str) -> dict[str, list[Any]]:
        kinds = {"phi": self.phi} if self.stderr is None else {"phi": self.phi, "stderr": self.stderr}
        return {
            f"{kind}_{name}{suffix}": _with_none(values[:, position, target])
            for kind, values in kinds.items()
            for position, name in enumerate(self.schema.names)
        }

    @staticmethod
    def joined(parts: Sequence[Answers]) -> Answers:
        """Answers to the samples of several batches."""
        first = parts[0]
        if len(parts) == 1:
            return first
        names = ("outputs", "prediction", "confidence", "probabilities", "phi", "stderr")
        fields = {name: [getattr(part, name) for part in parts] for name in names}
        return replace(first, **{name: _joined(values) for name, values in fields.items()})


def answers_to(model: MultimodalModel, schema: Schema, batch: Batch, method: ValuationMethod) -> Answers:
    """Run a model on a batch, and value its answers by what `prediction_method` chose.

    Where they are sampled, the coalitions of a sample are a function of the run's seed and of the modalities that it
    has, so its contributions do not depend on what else is asked.
    """
    task = schema.task
    with torch.inference_mode():
        features = model.encode(batch)
        outputs = model.fuse(features, batch.mask)
        prediction = task.predict(outputs)
        if task.categorical:
            utilities = [get_utility(PROBABILITY, task)]
        else:
            utilities = [_answer_to(target, task) for target in range(len(schema.classes))]
        valued = _Valued(model, features, batch.mask, method)
        found = [valued.by(prediction, one) for one in utilities]
        confidence = task.confidence(outputs).numpy() if task.categorical else None
    return Answers(
        schema,
        outputs.numpy(),
        prediction.numpy(),
        confidence,
        task.probabilities(outputs).numpy() if task.defines_probabilities(outputs.shape[1]) else None,
        torch.stack([one.phi for one in found], dim=-1).numpy(),
        torch.stack([one.stderr for one in found], dim=-1).numpy() if method.name == "sampled" else None,
    )


@dataclass(frozen=True)
class _Valued:
    """Answers to a batch that are to be valued."""

    model: MultimodalModel
    features: torch.Tensor
    mask: torch.Tensor
    method: ValuationMethod

    def by(self, prediction: torch.Tensor, utility: Utility) -> SampleValues:
        """Contributions by a utility of the answers."""
        if self.method.name == "sampled":
            asked = players(self.model, self.mask)
            return value_sampled(self._source, prediction, asked, utility, self.method.sampling(0))
        return value_source(logit_source(self.model, self.features, self.mask), prediction, utility)

    def _source(self, rows: torch.Tensor) -> LogitSource:
        return logit_source(self.model, self.features[rows], self.mask[rows])


@torch.inference_mode()
def prediction_method(model: MultimodalModel, schema: Schema, config: Config) -> ValuationMethod:
    """Exact or sampled, by the settings of the run, as `raymm value` would choose.

    It is found with an example, so that it is one for all samples; that runs the model once.
    """
    example = example_batch(schema)
    asked = config.valuation.model_copy(update={"utility": PROBABILITY, "refine": False})
    source = logit_source(model, model.encode(example), example.mask)
    seed = derive(config.training.seed, "predict")
    return choose_for(source, asked, seed, lambda: encoders_over_fusion(model, example, example.mask))


def _answer_to(target: int, task: Task) -> Utility:
    """The answer to one target as a utility, in the label's units."""
    return Utility("answer", lambda outputs, *_: task.predict(outputs)[..., target], task=task)


def _joined(values: Sequence[Any]) -> Any:
    return None if values[0] is None else np.concatenate(values)


def _with_none(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
