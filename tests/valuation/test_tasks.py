"""Values of several labels a sample: every way to compute them against the definition, coalition by coalition."""

import numpy as np
import pytest
import torch

from raymm.errors import ConfigError
from raymm.tasks import get_task
from raymm.valuation import Utility, get_utility, read_table, shapley_values, value_samples, write_table
from raymm.valuation.enumeration import combine, evaluate_coalitions, grand_prediction, value_source
from raymm.valuation.logit_sources import CallableSource, FusionSource, SumSource
from raymm.valuation.sampling.estimator import Sampling, value_closed_form, value_sampled
from raymm.valuation.table import TableInfo, ValuationTable
from raymm.valuation.utilities import UTILITIES, log_probability, logit, margin, probability

TASKS = [get_task("multilabel"), get_task("multilabel", {"match": 0.5, "threshold": 0.4})]
TASK = TASKS[0]


def _game(n=4, classes=3, rows=23, seed=0):
    """Partial logits, a bias, labels, and who is there: sums of them are the logits of a coalition."""
    generator = torch.Generator().manual_seed(seed)
    deltas = 2 * torch.randn(rows, n, classes, generator=generator)
    bias = 0.3 * torch.randn(classes, generator=generator)
    present = torch.rand(rows, n, generator=generator) < 0.8
    present[:, 0] = True
    return deltas, bias, torch.rand(rows, classes, generator=generator) < 0.5, present


def _predict(bias):
    return lambda features, mask: bias + (features * mask[..., None]).sum(dim=1)


def _by_definition(deltas, bias, labels, present, task, name):
    """Values of all coalitions of each sample by plain loops, and its contributions among those it has."""
    rows, n, _ = deltas.shape
    values = torch.zeros(rows, 2**n, dtype=torch.float64)
    correct = torch.zeros(rows, 2**n, dtype=torch.bool)
    for row in range(rows):
        for code in range(2**n):
            members = [i for i in range(n) if code >> i & 1 and present[row, i]]
            logits = (bias + deltas[row, members].sum(dim=0)).double().numpy()
            probability = 1 / (1 + np.exp(-logits))
            own = labels[row].numpy()
            said = probability > task.settings.threshold
            union = (said | own).sum()
            similarity = (said & own).sum() / union if union else 1.0
            right = similarity >= task.settings.match and len(members) > 0
            correct[row, code] = bool(right)
            values[row, code] = {
                "count": len(members) * right,
                "correct": float(right),
                "score": similarity,
                "probability": np.prod(np.where(own, probability, 1 - probability)) ** (1 / len(own)),
                "logit": np.where(own, logits, -logits).mean(),
            }[name]
    return correct, shapley_values(values).masked_fill(~present, torch.nan)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["count", "correct", "score", "probability", "logit"])
def test_enumeration_is_the_definition_however_logits_are_made(task, name):
    deltas, bias, labels, present = _game()
    correct, phi = _by_definition(deltas, bias, labels, present, task, name)
    predict, utility = _predict(bias), get_utility(name, task)
    for source in (
        SumSource(deltas, bias, present),
        FusionSource(predict, deltas, present),
        CallableSource(predict, deltas, present),
    ):
        found = value_source(source, labels, utility)
        torch.testing.assert_close(found.phi, phi, rtol=1e-5, atol=1e-6, equal_nan=True)
        assert torch.equal(found.correct, correct)
        assert torch.equal(found.unimodal_correct, correct[:, [1 << i for i in range(4)]])
    assert 0.05 < correct.float().mean() < 0.9


def test_value_samples_takes_a_task():
    deltas, bias, labels, present = _game()
    _, phi = _by_definition(deltas, bias, labels, present, TASK, "count")
    predict = _predict(bias)
    found = value_samples(predict, deltas, labels, present=present, task=TASK)
    torch.testing.assert_close(found.phi, phi, equal_nan=True)
    logits = predict(deltas, present)
    assert torch.equal(found.prediction, logits > 0)
    torch.testing.assert_close(found.probabilities, logits.double().sigmoid())
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
    torch.testing.assert_close(found.loss, losses.mean(dim=1).double())
    total = found.phi.nan_to_num().sum(dim=1)
    grand = (logits > 0).eq(labels).all(dim=1) * present.sum(dim=1)
    torch.testing.assert_close(total, grand.double())  # v(empty) is 0


@pytest.mark.parametrize("classes", [1, 6])
@pytest.mark.parametrize("name", ["count", "probability"])
def test_contributions_sum_to_the_value_of_all_less_that_of_none(classes, name):
    deltas, bias, labels, present = _game(classes=classes)
    utility = get_utility(name, TASK)
    found = value_source(SumSource(deltas, bias, present), labels, utility)
    outputs = torch.stack([bias.expand(23, -1), _predict(bias)(deltas, present)], dim=1)
    sizes = torch.stack([torch.zeros(23, dtype=torch.int64), present.sum(dim=1)], dim=1)
    none, grand = utility.fn(outputs, labels, sizes).double().unbind(dim=1)
    torch.testing.assert_close(found.phi.nansum(dim=1), grand - none)
    assert found.phi.abs().nansum() > 0


def test_parts_of_a_batch_make_the_whole():
    deltas, bias, labels, present = _game(n=10, rows=5)
    source, utility = SumSource(deltas, bias, present), get_utility("count", TASK)
    whole = value_source(source, labels, utility)
    edge = source.chunk if source.chunk < 1024 else 512
    parts = [evaluate_coalitions(source, labels, codes, utility) for codes in (range(edge), range(edge, 1024))]
    joined = combine(parts, present, grand_prediction(source, labels, TASK))
    for name in ("outcomes", "prediction", "loss", "probabilities"):
        assert torch.equal(getattr(joined, name), getattr(whole, name)), name
    torch.testing.assert_close(joined.phi, whole.phi, rtol=0, atol=0, equal_nan=True)


def test_sampled_values_cover_the_exact_ones():
    deltas, bias, labels, present = _game(n=10, rows=200)
    present[:] = True
    utility = get_utility("count", TASK)
    exact = value_source(SumSource(deltas, bias, present), labels, utility)
    found = value_sampled(
        lambda rows: SumSource(deltas[rows], bias, present[rows]), labels, present, utility, Sampling(256, seed=1)
    )
    assert torch.equal(found.unimodal_correct, exact.unimodal_correct)
    assert torch.equal(found.prediction, exact.prediction)
    assert torch.equal(found.probabilities, exact.probabilities)
    inside = (found.phi - exact.phi).abs() <= 3 * found.stderr
    assert inside.double().mean() > 0.95
    assert (found.phi - exact.phi).abs().mean() < 0.2
    small = value_sampled(
        lambda rows: SumSource(deltas[rows], bias, present[rows]), labels, present, utility, Sampling(1024, seed=1)
    )
    torch.testing.assert_close(small.phi, exact.phi)


def test_the_closed_form_is_the_enumerated_logit():
    deltas, bias, labels, present = _game()
    source = SumSource(deltas, bias, present)
    closed = value_closed_form(source, labels, TASK)
    exact = value_source(source, labels, get_utility("logit", TASK))
    torch.testing.assert_close(closed.phi, exact.phi, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert torch.equal(closed.unimodal_correct, exact.unimodal_correct)
    assert torch.equal(closed.prediction, exact.prediction)


def test_labels_of_another_task_are_refused_and_not_broadcast():
    deltas, bias, labels, present = _game()
    source = SumSource(deltas, bias, present)
    for name in ("count", "probability"):
        with pytest.raises(TypeError, match=r"labels of the task classification are torch.int64 with 1 axes, not"):
            value_source(source, labels, get_utility(name))
        with pytest.raises(TypeError, match=r"labels of the task multilabel are torch.bool with 2 axes, not"):
            value_source(source, labels[:, 0].long(), get_utility(name, TASK))
    with pytest.raises(TypeError):
        value_sampled(lambda _: source, labels, present, get_utility("count"), Sampling(64, seed=0))


def test_a_utility_that_a_task_lacks_is_refused():
    with pytest.raises(ConfigError) as caught:
        get_utility("score", get_task())
    assert str(caught.value).startswith("valuation.utility: 'score' is not defined for the task classification;")
    for name in UTILITIES:
        if name in TASK.utilities:
            assert get_utility(name, TASK).task == TASK
            assert get_utility(name, TASK).fair_share == get_utility(name).fair_share


def test_a_utility_of_ones_own_reads_label_sets():
    missed = Utility("missed", lambda outputs, targets, sizes: -((outputs > 0) != targets[:, None]).sum(-1).double())
    deltas, bias, labels, present = _game()
    source = SumSource(deltas, bias, present)
    found = value_source(source, labels, missed.of(TASK))
    wrong = ((_predict(bias)(deltas, present) > 0) != labels).sum(dim=1)
    torch.testing.assert_close(found.phi.nansum(dim=1), ((bias > 0) != labels).sum(dim=1).double() - wrong)
    assert torch.equal(found.correct, value_source(source, labels, get_utility("count", TASK)).correct)


def _table(values, labels, info):
    rows = len(labels)
    return ValuationTable(
        info=info,
        sample_id=np.array([f"clip-{row}" for row in range(rows)]),
        split=np.full(rows, "test"),
        label=labels.numpy(),
        **{
            name: getattr(values, name).numpy()
            for name in ("phi", "stderr", "outcomes", "unimodal_correct", "prediction", "loss", "probabilities")
        },
    )


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("method", ["exact", "closed_form"])
def test_a_table_keeps_label_sets(tmp_path, classes, method):
    deltas, bias, labels, present = _game(classes=classes)
    source, fields = SumSource(deltas, bias, present), {"name": "multilabel", **TASKS[1].settings.model_dump()}
    values = (
        value_source(source, labels, get_utility("logit", TASKS[1]))
        if method == "exact"
        else value_closed_form(source, labels, TASKS[1])
    )
    info = TableInfo(tuple("abcd"), "logit", "zeros", "0" * 16, method=method, task=fields, classes=classes)
    table = _table(values, labels, info)
    write_table(tmp_path / "t.parquet", table)
    again = read_table(tmp_path / "t.parquet")
    assert again.info == info
    assert again.task == TASKS[1]
    for name in ("label", "prediction", "probabilities", "unimodal_correct"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name))
    np.testing.assert_array_equal(again.phi, table.phi)
    grand = TASKS[1].correct(source.grand_logits()[:, None], labels)[:, 0]
    np.testing.assert_array_equal(again.grand_correct, grand.numpy())
    if method == "exact":
        np.testing.assert_array_equal(again.grand_correct, again.correct()[:, -1])


def test_custom_utilities_build_on_the_functions_of_classification():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(5, 3, 4, generator=generator), torch.tensor([0, 1, 2, 3, 0])
    sizes = torch.ones(5, 3, dtype=torch.int64)
    for function in (probability, log_probability, logit, margin):
        assert not torch.equal(function(logits, labels, sizes), function(logits, 3 - labels, sizes))
    assert torch.equal(probability(logits, labels, sizes), get_task().probability(logits, labels))
    assert torch.equal(margin(logits, labels, sizes), get_task().margin(logits, labels))
