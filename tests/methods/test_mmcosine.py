"""MMCosine is joint training with the fusion of cosines, and says so where another is chosen."""

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from tests.methods.updates import backward, begin, encoder_grads, part_of, trainer_of


@pytest.mark.parametrize("n", [2, 3])
def test_the_loss_is_that_of_scaled_cosines(n):
    trainer = trainer_of("mmcosine", n, {"name": "cosine", "scale": 12.0})
    part = part_of(trainer, lacking=[(1, 0)])
    features, weight = trainer.model.encode(part.batch), trainer.model.fusion.weight
    logits = torch.zeros(8, 3)
    for row in range(8):
        for i in range(n):
            if part.batch.mask[row, i]:
                cosines = functional.cosine_similarity(features[row, i][:, None], weight[i], dim=0)
                logits[row] = logits[row] + 12.0 * cosines
    loss = functional.cross_entropy(logits, part.batch.labels)
    plain = encoder_grads(trainer, loss)
    begin(trainer)
    step = backward(trainer, part)
    assert float(step.loss) == pytest.approx(8 * float(loss.detach()), rel=1e-5)
    for i in range(n):
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
            assert torch.allclose(parameter.grad, gradient, atol=1e-5)


def test_other_fusions_are_refused_with_the_remedy():
    with pytest.raises(ConfigError, match=r"model.fusion=concat is another; set model.fusion=cosine"):
        trainer_of("mmcosine", 2)
