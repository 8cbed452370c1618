"""What methods share, by itself: probabilities of modalities, means, gradients, and what is kept of samples."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from torch import nn
from torch.nn import functional

from raymm.methods.gradients import flat_gradient
from raymm.methods.probabilities import divergence_from_uniform, jensen_shannon, no_classes, no_probability, pairs
from raymm.methods.sample_memory import SampleMemory
from raymm.methods.unimodal import (
    EpochMeans,
    batch_means,
    leave,
    modality_losses,
    modality_outputs,
    of_the_others,
    one_modality,
    own_heads,
    scale_encoders,
    shared_outputs,
)
from raymm.tasks import get_task
from tests.methods.steps import ROWS, step_of

# probabilities


def outputs_of(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_divergences_are_those_of_the_probabilities(classes):
    one, other = outputs_of(4, 5, classes), outputs_of(4, 5, classes, seed=1)
    p, q = softmax(one.double().numpy(), axis=-1), softmax(other.double().numpy(), axis=-1)
    middle = (p + q) / 2
    expected = (entropy(p, middle, axis=-1) + entropy(q, middle, axis=-1)) / 2
    assert jensen_shannon(one, other).numpy() == pytest.approx(expected, abs=1e-5)
    assert jensen_shannon(one.bfloat16(), one.bfloat16()).numpy() == pytest.approx(np.zeros((4, 5)), abs=1e-6)
    even = np.full(classes, 1 / classes)
    of_each = [[entropy(row, even) for row in rows] for rows in p]
    assert divergence_from_uniform(one).numpy() == pytest.approx(np.array(of_each), abs=1e-5)


def test_each_pair_stands_once():
    for n in range(6):
        assert pairs(n) == [(i, j) for i in range(n) for j in range(i + 1, n)]


@pytest.mark.parametrize(
    ("name", "has_classes", "has_probability"),
    [("classification", True, True), ("multilabel", False, True), ("regression", False, False)],
)
def test_tasks_without_classes_or_probabilities_are_refused_in_words(name, has_classes, has_probability):
    context = SimpleNamespace(task=name, utility=SimpleNamespace(task=get_task(name)))
    why = f"the task {name} has no one class a sample, so there is no softmax for this; use method=multitask"
    assert no_classes(context, "this") == ([] if has_classes else [why])
    why = f"labels of the task {name} have no probability, which says how well a modality does; use "
    why += "method=multitask or method=coalition"
    assert no_probability(context) == ([] if has_probability else [why])


# modalities alone


def test_one_modality_cannot_be_compared():
    assert one_modality(SimpleNamespace(modalities=("a", "b"))) == []
    (why,) = one_modality(SimpleNamespace(modalities=("a",)))
    assert why == "'a' is the only modality, so there is none to balance it with; use method=joint"


def test_heads_of_their_own_are_linear_layers_of_the_features():
    context = SimpleNamespace(modalities=("a", "b", "c"), feature_size=6, outputs=3)
    assert own_heads("shared", context) is None
    heads, (step, _) = own_heads("own", context), step_of("joint", 3)
    assert [(one.in_features, one.out_features) for one in heads] == [(6, 3)] * 3
    found = modality_outputs(step, heads)
    for i, head in enumerate(heads):
        assert torch.allclose(found[:, i], step.features[:, i] @ head.weight.T + head.bias, atol=1e-6)
    assert torch.equal(modality_outputs(step, None), step.unimodal_logits())


@pytest.mark.parametrize("fusion", ["concat", "gated"])
@pytest.mark.parametrize("n", [2, 3])
def test_outputs_alone_have_their_share_of_those_of_nothing(n, fusion):
    step, _ = step_of("joint", n, torch.ones(ROWS, n, dtype=torch.bool), fusion=fusion)
    found, nothing = shared_outputs(step), torch.zeros(ROWS, n, dtype=torch.bool)
    for i in range(n):
        alone = nothing.clone()
        alone[:, i] = True
        expected = step.masked_logits(alone) - (n - 1) / n * step.masked_logits(nothing)
        assert torch.allclose(found[:, i], expected, atol=1e-5)


def test_losses_of_a_modality_are_those_of_the_rows_that_have_it():
    step, _ = step_of("joint", 3)
    outputs = outputs_of(ROWS, 3, 3)
    found = modality_losses(step, outputs)
    assert found.shape == (ROWS, 3)
    for row in range(ROWS):
        for i in range(3):
            loss = float(functional.cross_entropy(outputs[row, i], step.labels[row]))
            assert float(found[row, i]) == pytest.approx(loss if step.mask[row, i] else 0.0, rel=1e-5)


def test_means_of_a_batch_are_over_the_rows_of_all_ranks_that_have_the_modality():
    step, _ = step_of("joint", 3)
    values = outputs_of(ROWS, 3)
    own = [values[step.mask[:, i], i] for i in range(3)]
    assert batch_means(step, values).tolist() == pytest.approx([float(one.mean()) for one in own], rel=1e-5)
    sums, counts = [5.0, 0.0, 1.0], [2.0, 0.0, 3.0]  # of another rank
    step.all_reduce = lambda mine: mine + torch.tensor([sums, counts])
    expected = [(float(own[i].sum()) + sums[i]) / (len(own[i]) + counts[i]) for i in range(3)]
    assert batch_means(step, values).tolist() == pytest.approx(expected, rel=1e-5)
    without, _ = step_of("joint", 2, torch.tensor([[True, False]] * 4))
    assert batch_means(without, outputs_of(4, 2)).isnan().tolist() == [False, True]


@pytest.mark.parametrize("values", [[1.0, 2.0, 6.0], [3.0, np.nan, -1.0, 4.0], [5.0, 5.0], [2.0, np.nan]])
def test_the_others_are_all_but_itself_that_are_there(values):
    for how, expected in (("mean", np.mean), ("min", min)):
        others = [[v for j, v in enumerate(values) if j != i and not np.isnan(v)] for i in range(len(values))]
        found = of_the_others(torch.tensor(values), how).tolist()
        assert found == pytest.approx([expected(rest) if rest else np.nan for rest in others], nan_ok=True)


def test_encoders_are_scaled_or_left_one_by_one():
    step, _ = step_of("joint", 3)
    step.total(step.loss_of(step.logits)).backward()
    parameters = [step.encoder_parameters(i) for i in range(3)]
    before = [[one.grad.clone() for one in of_one] for of_one in parameters]
    parameters[1][0].grad = None
    scale_encoders(step, torch.tensor([0.5, 2.0, 0.0]))
    for factor, of_one, plain in zip((0.5, 2.0, 0.0), parameters, before, strict=True):
        for one, gradient in zip(of_one, plain, strict=True):
            assert one.grad is None or torch.equal(one.grad, factor * gradient)
    leave(parameters[0])
    assert all(one.grad is None for one in parameters[0])
    assert all(one.grad is not None for one in parameters[2])


def test_means_of_an_epoch_are_over_the_steps_that_have_the_number():
    means = EpochMeans(("a", "b"))
    assert means.figures() == {}
    for a, b in ((1.0, np.nan), (4.0, 2.0), (np.nan, np.nan)):
        means.add(share=torch.tensor([a, b]), other=torch.tensor([1.0, np.nan]))
    assert means.figures() == {"share_a": 2.5, "share_b": 2.0, "other_a": 1.0}
    means.restart()
    means.add(share=torch.tensor([3.0, 3.0]))
    assert means.figures() == {"share_a": 3.0, "share_b": 3.0}


# gradients


def test_a_flat_gradient_is_that_of_all_parameters_in_their_order():
    weights = [nn.Parameter(outputs_of(2, 3)), nn.Parameter(outputs_of(4)), nn.Parameter(outputs_of(2, 2))]
    loss = (weights[2] * 3).sum() + weights[0].square().sum()
    expected = torch.cat([2 * weights[0].detach().flatten(), torch.zeros(4), torch.full((4,), 3.0)])
    for _ in range(2):
        assert torch.equal(flat_gradient(loss, weights, retain_graph=True), expected)
    flat_gradient(loss, weights)
    with pytest.raises(RuntimeError, match="second time"):
        flat_gradient(loss, weights)


# samples


def test_what_is_kept_of_a_sample_is_the_mean_of_an_epoch_s_notes():
    nan = torch.nan
    memory = SampleMemory(2)
    memory.allocate(4)
    assert memory.rows(torch.arange(4)).isnan().all()
    memory.note(torch.tensor([3, 0]), torch.tensor([[1.0, nan], [2.0, 5.0]]))
    memory.note(torch.tensor([3, 3]), torch.tensor([[4.0, 8.0], [7.0, nan]]))
    memory.keep_notes(lambda sums: sums)
    first = [[2.0, 5.0], [nan, nan], [nan, nan], [4.0, 8.0]]
    assert memory.table.numpy() == pytest.approx(np.array(first), nan_ok=True)
    memory.note(torch.tensor([0, 1]), torch.tensor([[9.0, nan], [6.0, nan]]))
    memory.keep_notes(lambda sums: sums, once=True)
    assert memory.table[:2].numpy() == pytest.approx(np.array([[2.0, 5.0], [6.0, nan]]), nan_ok=True)
    memory.note(torch.tensor([0]), torch.tensor([[9.0, nan]]))
    memory.keep_notes(lambda sums: sums)
    assert memory.rows(torch.tensor([3, 0])).tolist() == [[4.0, 8.0], [9.0, 5.0]]
    memory.note(torch.tensor([0]), torch.tensor([[7.0, 7.0]]))
    memory.allocate(4)  # an epoch that was not finished begins again
    memory.keep_notes(lambda sums: sums)
    assert memory.rows(torch.tensor([3, 0])).tolist() == [[4.0, 8.0], [9.0, 5.0]]
