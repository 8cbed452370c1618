"""InfoReg: the pull on an encoder, the Fisher traces and the window, against the same by hand."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from tests.methods.updates import backward, begin, encoder_grads, fused, part_of, trainer_of


def outputs_by_hand(trainer, part, heads):
    n = len(trainer.model.names)
    if heads == "shared":
        return [fused(trainer, part, i) for i in range(n)]
    features = trainer.model.encode(part.batch)
    return [trainer.method.module[i](features[:, i]) for i in range(n)]


def losses_by_hand(trainer, part, heads):
    """The whole loss over the rows, and the summed probabilities of the labels a modality."""
    labels, mask = part.batch.labels, part.batch.mask
    loss = functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="sum")
    scores = []
    for i, outputs in enumerate(outputs_by_hand(trainer, part, heads)):
        loss = loss + functional.cross_entropy(outputs[mask[:, i]], labels[mask[:, i]], reduction="sum")
        of_label = outputs.softmax(dim=1)[torch.arange(len(labels)), labels][mask[:, i]]
        scores.append(float(of_label.mean().detach()) * len(labels))
    return loss / len(labels), scores


@pytest.mark.parametrize("heads", ["own", "shared"])
@pytest.mark.parametrize("n", [2, 3])
def test_the_encoder_that_is_ahead_is_pulled_back_to_the_start_of_the_epoch(n, heads):
    trainer = trainer_of("inforeg", n, beta=0.6, heads=heads)
    begin(trainer)
    starts = [[p.detach().clone() for p in trainer.model.encoders[name].parameters()] for name in trainer.model.names]
    traces = np.zeros(n)
    for number in range(3):
        part = part_of(trainer, rows=9, seed=number, number=number, lacking=[(2, 0)])
        loss, scores = losses_by_hand(trainer, part, heads)
        plain = encoder_grads(trainer, loss)
        step = backward(trainer, part)
        assert float(step.loss) == pytest.approx(9 * float(loss.detach()), rel=1e-5)
        pulled = 0
        for i in range(n):
            gap = scores[i] - np.mean([scores[j] for j in range(n) if j != i])
            strength = 0.6 * math.exp(math.tanh(gap)) if gap > 0 else 0.0
            pulled += strength > 0
            rows = zip(step.encoder_parameters(i), plain[i], starts[i], strict=True)
            for parameter, gradient, start in rows:
                expected = gradient + strength * (parameter.detach() - start)
                assert torch.allclose(parameter.grad, expected, atol=1e-5)
                traces[i] += float(gradient.square().mean()) * (gradient.ndim > 1)
        assert 1 <= pulled < n
        trainer.optimizer.step()
    trainer.method.after_steps(lambda values: values)
    assert np.allclose(trainer.method.state_dict()["traces"].numpy(), [traces], rtol=1e-4)
    assert trainer.method.figures()["fisher_trace_m0"] == pytest.approx(traces[0], rel=1e-4)


def test_a_step_whose_gradients_are_not_finite_leaves_the_trace_as_it_is():
    trainer = trainer_of("inforeg", 2)
    begin(trainer)
    step = backward(trainer, part_of(trainer))
    before = trainer.method.figures()["fisher_trace_m0"], trainer.method.figures()["fisher_trace_m1"]
    for parameter in step.encoder_parameters(0):
        parameter.grad.fill_(torch.inf)
    trainer.method.on_gradients(step)
    after = trainer.method.figures()["fisher_trace_m0"], trainer.method.figures()["fisher_trace_m1"]
    assert after[0] == before[0] > 0
    assert after[1] > before[1] > 0


def early_by_hand(traces, span, growth):
    """Missing epochs count as 0, as in a division of shorter sums by the whole span."""
    padded = [0.0] * (span + 1) + list(traces)
    now, before = np.mean(padded[-span:]), np.mean(padded[-span - 1 : -1])
    return (now - before) / now > growth


def test_learning_is_early_while_the_mean_trace_grows():
    trainer = trainer_of("inforeg", 2, span=3, growth=0.1)
    generator = np.random.default_rng(0)
    history = np.exp(generator.normal(size=(12, 2))) * np.linspace(3, 0.2, 12)[:, None]
    seen = set()
    for epochs in range(1, 13):
        trainer.method.load_state_dict({"traces": torch.from_numpy(history[:epochs])})
        begin(trainer, epochs)
        expected = [early_by_hand(history[:epochs, i], 3, 0.1) for i in range(2)]
        figures = trainer.method.figures()
        assert [figures["early_m0"], figures["early_m1"]] == [float(one) for one in expected]
        seen.update(expected)
    assert seen == {True, False}


def test_nothing_is_pulled_once_learning_is_no_longer_early():
    trainer = trainer_of("inforeg", 2, span=1)
    trainer.method.load_state_dict({"traces": torch.tensor([[2.0, 2.0], [1.0, 1.0]], dtype=torch.float64)})
    begin(trainer, 2)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.add_(0.3)
    part = part_of(trainer, epoch=2)
    loss, _ = losses_by_hand(trainer, part, "own")
    plain = encoder_grads(trainer, loss)
    step = backward(trainer, part)
    for i in range(2):
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
            assert torch.allclose(parameter.grad, gradient, atol=1e-6)


def test_one_modality_is_refused():
    with pytest.raises(ConfigError, match="'m0' is the only modality"):
        trainer_of("inforeg", 1)
