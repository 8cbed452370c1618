"""The graph of a trained model: a module from values as they are stored, and a mask, to answers.

It is the model with what raymm does around it: values are standardised by the statistics of the training data and
transformed as for evaluation, features masked, outputs calibrated, and answered as the task answers. Every row is
given a value of every modality; where the mask is False it is not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from raymm.models.by_modality import found_by_attribute
from raymm.models.graph.form import form_of_graph, takes_stored

if TYPE_CHECKING:
    from raymm.data.kinds.base import ModalitySpec
    from raymm.models.export import Exported
    from raymm.models.graph.form import GraphForm

__all__ = ["WholeModel"]


class WholeModel(nn.Module):
    """A trained model in operations of torch alone.

    Parameters
    ----------
    exported
        The model and what its inputs mean; it is put into evaluation mode.

    Attributes
    ----------
    form
        Names, types and shapes of what it is given and gives.
    """

    def __init__(self, exported: Exported) -> None:
        super().__init__()
        self.model = found_by_attribute(exported.model.eval())
        self._schema, self._statistics = exported.schema, exported.statistics
        self._view = exported.config.view
        calibration = self.model.calibration
        self._calibrated = calibration is not None and calibration.fitted
        shown = self._schema.task.defines_probabilities(self._schema.outputs)
        outputs = ("outputs", "prediction", *(("probabilities",) if shown else ()))
        self.form: GraphForm = form_of_graph(self._schema, self.model.read, outputs)

    def forward(self, inputs: dict[str, Tensor], mask: Tensor) -> tuple[Tensor, ...]:
        """Answers to rows.

        Parameters
        ----------
        inputs
            By modality, in the order of the form: [B, *shape].
        mask
            Which modalities a row has, bool [B, n], a column an input.
        """
        read = {one.name: self._prepared(one.spec, inputs[one.name]) for one in self.form.inputs}
        present = self._of_all(mask)
        features = self.model.encode_whole(read)
        outputs = self.model.fuse_as_trained(features, present)
        if self._calibrated and self.model.calibration is not None:
            outputs = self.model.calibration.correct(outputs, self.model.fuse_as_trained, features, present)
        return self.answers(outputs)

    def answers(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """What the task makes of outputs [B, K], in the order of the form."""
        task = self._schema.task
        prediction = task.predict(outputs)
        if prediction.is_floating_point():
            prediction = prediction.float()
        if len(self.form.outputs) == 2:
            return outputs, prediction
        return outputs, prediction, task.probabilities(outputs).float()

    def _prepared(self, spec: ModalitySpec, values: Tensor) -> Tensor:
        """What the encoder is given."""
        if not takes_stored(spec):
            return values
        return spec.transform(spec.standardise(values, self._statistics.get(spec.name)), None, self._view)

    def _of_all(self, mask: Tensor) -> Tensor:
        """The mask of all modalities, False in those that are not read."""
        columns = {one.name: mask[:, position] for position, one in enumerate(self.form.inputs)}
        none = torch.zeros_like(mask[:, 0])
        return torch.stack([columns.get(name, none) for name in self._schema.names], dim=1)
