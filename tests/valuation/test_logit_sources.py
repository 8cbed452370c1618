"""Sources of logits: sums by halves, heads after a sum, whole models; all tell the same."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymm.errors import ConfigError, TrainingError
from raymm.valuation import Utility, contributions, get_utility, shapley_values
from raymm.valuation.bits import masks_of
from raymm.valuation.coalitions import coalition_masks, coalition_sizes
from raymm.valuation.enumeration import value_source
from raymm.valuation.logit_sources import CallableSource, FusionSource, SumSource
from raymm.valuation.partial_sums import correct_by_sums, sums_of_halves
from raymm.valuation.utilities import fair_share_of

K = 4


def correct_by_argmax(sums, labels):
    """What `correct_by_sums` is to say of the logits of all coalitions: the empty one is never right."""
    right = sums.argmax(dim=-1) == labels[:, None]
    right[:, 0] = False
    return right


def batch(n, samples=7, width=K, seed=0):
    generator = torch.Generator().manual_seed(seed)
    partial_logits = torch.randn(samples, n, width, generator=generator)
    bias = torch.randn(width, generator=generator)
    labels = torch.randint(K, (samples,), generator=generator)
    return partial_logits, bias, labels, torch.rand(samples, n, generator=generator) < 0.8


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9, 11])
def test_sums_by_halves_are_the_sums_of_the_members(n):
    partial_logits, bias, labels, _ = batch(n)
    sums = torch.cat(list(sums_of_halves(partial_logits, bias, range(2**n))), dim=1)
    expected = bias.double() + coalition_masks(n).double() @ partial_logits.double()
    assert torch.allclose(sums.double(), expected, atol=1e-5)
    right = correct_by_sums(partial_logits, bias, labels, range(2**n))
    assert torch.equal(right, correct_by_argmax(sums, labels))
    assert 0 < right.float().mean() < 1


@given(n=st.integers(1, 10), start=st.integers(0, 1000), length=st.integers(1, 1024), samples=st.integers(1, 9))
def test_any_part_of_the_coalitions_has_the_bits_of_the_whole(n, start, length, samples):
    partial_logits, bias, labels, _ = batch(n, samples)
    codes = range(min(start, 2**n - 1), min(start + length, 2**n))
    whole = torch.cat(list(sums_of_halves(partial_logits, bias, range(2**n))), dim=1)
    part = torch.cat(list(sums_of_halves(partial_logits[:1], bias, codes)), dim=1)
    assert torch.equal(part, whole[:1, codes.start : codes.stop])
    right = correct_by_sums(partial_logits, bias, labels, codes)
    assert torch.equal(right, correct_by_sums(partial_logits, bias, labels, range(2**n))[:, codes.start : codes.stop])


def test_of_equal_logits_the_first_class_counts():
    partial_logits, bias = torch.zeros(3, 2, 3), torch.tensor([1.0, 1.0, 0.0])
    right = correct_by_sums(partial_logits, bias, torch.tensor([0, 1, 2]), range(4))
    assert right.tolist() == [[False, True, True, True], [False] * 4, [False] * 4]


@pytest.mark.parametrize("name", ["count", "correct", "probability", "margin", "logit"])
@pytest.mark.parametrize("head", [None, "mlp"])
def test_sums_value_as_the_fusion_does(name, head):
    partial_logits, bias, labels, present = batch(5, width=K if head is None else 6)
    torch.manual_seed(1)
    last = torch.nn.Linear(6, K) if head else None

    def finish(sums):
        return last(torch.relu(sums))

    def predict(features, mask):
        sums = bias + (features * mask[..., None]).sum(dim=1)
        return finish(sums) if head else sums

    quick = value_source(
        SumSource(partial_logits, bias, present, finish if head else None), labels, get_utility(name)
    )
    slow = value_source(FusionSource(predict, partial_logits, present), labels, get_utility(name))
    blind = value_source(CallableSource(predict, partial_logits, present), labels, get_utility(name))
    for other in (slow, blind):
        assert torch.allclose(quick.phi.nan_to_num(9.0), other.phi.nan_to_num(9.0), atol=1e-5)
        assert torch.equal(quick.outcomes, other.outcomes)
        assert torch.equal(quick.prediction, other.prediction)
    assert torch.equal(quick.phi.isnan(), ~present)
    assert torch.equal(quick.unimodal_correct, quick.correct[:, [1 << i for i in range(5)]])


def test_sixteen_players_are_exact_in_integers():
    n = 16
    partial_logits, bias, labels, _ = batch(n, samples=3)
    present = torch.ones(3, n, dtype=torch.bool)
    values = value_source(SumSource(partial_logits, bias, present), labels, get_utility("count"))
    by_hand = shapley_values(values.correct.long() * coalition_sizes(n))
    assert torch.equal(values.phi, by_hand)
    right = values.prediction == labels
    assert torch.allclose(values.phi.sum(dim=1), n * right.double(), atol=1e-12)


def test_always_right_is_exactly_the_fair_share():
    for n in (3, 7, 12, 16):
        partial_logits, labels = torch.zeros(2, n, K), torch.zeros(2, dtype=torch.int64)
        source = SumSource(partial_logits, torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.ones(2, n, dtype=torch.bool))
        assert torch.equal(
            value_source(source, labels, get_utility("count")).phi, torch.ones(2, n, dtype=torch.float64)
        )


@pytest.mark.parametrize(("samples", "block_bytes"), [(7, 1), (7, 10**6), (1, 10**6)])
def test_a_fusion_that_masks_in_place_changes_nothing_else(samples, block_bytes):
    features, bias, _, _ = batch(3, samples)
    before, present = features.clone(), torch.ones(samples, 3, dtype=torch.bool)

    def fuse(features, mask):
        features[~mask] = 0.0
        return features.sum(dim=1) + bias

    source = FusionSource(fuse, features, present, block_bytes)
    found = torch.cat(list(source.blocks(range(8))), dim=1)
    expected = [[bias + before[b, mask].sum(dim=0) for mask in coalition_masks(3)] for b in range(samples)]
    assert torch.allclose(found, torch.stack([torch.stack(row) for row in expected]), atol=1e-5)
    assert torch.equal(features, before)


@dataclass
class Inputs:
    values: list


@pytest.mark.parametrize(
    ("put", "taken"),
    [
        (lambda values: values, lambda inputs: inputs),
        (lambda values: {"a": (values,)}, lambda inputs: inputs["a"][0]),
        (lambda values: Inputs([values]), lambda inputs: inputs.values[0]),
        (lambda values: values.numpy(), lambda inputs: inputs),
    ],
)
def test_a_whole_model_that_changes_its_inputs_changes_nothing_else(put, taken):
    values = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    inputs, before, weight = put(values), values.clone(), torch.tensor([1.0, -2.0, 0.5])

    def predict(inputs, mask):
        mine = taken(inputs)
        mine *= mask.numpy() if isinstance(mine, np.ndarray) else mask
        return (torch.as_tensor(mine) @ weight)[:, None]

    output = Utility("output", lambda out, y, sizes: out[..., 0])
    phi = contributions(predict, inputs, torch.zeros(5), torch.ones(5, 3, dtype=torch.bool), output)
    assert torch.allclose(phi, (before * weight).double(), atol=1e-6)
    assert torch.equal(values, before)


def test_a_regression_is_valued_with_a_utility_of_ones_own():
    inputs, targets = torch.randn(6, 3), torch.randn(6)
    weight = torch.tensor([1.0, -2.0, 0.5])

    def predict(values, mask):
        return ((values * mask) @ weight)[:, None]

    negative_error = Utility("negative_error", lambda out, y, sizes: -(out[..., 0] - y[:, None]).abs())
    present = torch.ones(6, 3, dtype=torch.bool)
    phi = contributions(predict, inputs, targets, present, negative_error)
    full, empty = -(inputs @ weight - targets).abs(), -targets.abs()
    assert torch.allclose(phi.sum(dim=1), (full - empty).double(), atol=1e-6)
    linear = Utility("output", lambda out, y, sizes: out[..., 0])
    assert torch.allclose(
        contributions(predict, inputs, targets, present, linear), (inputs * weight).double(), atol=1e-6
    )


def test_several_labels_a_sample_are_valued_too():
    inputs, targets = torch.randn(5, 2, 3), (torch.rand(5, 3) < 0.5)
    hits = Utility("hits", lambda out, y, sizes: ((out > 0) == y[:, None]).sum(dim=-1))
    phi = contributions(
        lambda x, mask: (x * mask[..., None]).sum(dim=1), inputs, targets, torch.ones(5, 2, dtype=torch.bool), hits
    )
    gain = ((inputs.sum(dim=1) > 0) == targets).sum(dim=1) - (~targets).sum(dim=1)
    assert torch.allclose(phi.sum(dim=1), gain.double())


def test_a_utility_is_found_by_its_module_and_mistakes_are_named():
    assert get_utility("tests.games:HALF").name == "half"
    with pytest.raises(ConfigError, match=r"module 'tests\.games' has no 'HALVE'; did you mean 'HALF'"):
        get_utility("tests.games:HALVE")
    with pytest.raises(ConfigError, match=r"'tests\.games:settings' is a function, not a Utility"):
        get_utility("tests.games:settings")
    with pytest.raises(ConfigError, match="there is no module 'nowhere'"):
        get_utility("nowhere:HALF")
    with pytest.raises(ConfigError, match="must be written as package"):
        get_utility("tests.games:")


def test_partial_logits_that_are_not_finite_are_refused():
    partial_logits, bias, labels, present = batch(3)
    partial_logits[2] = torch.inf
    with pytest.raises(TrainingError, match="NaN or infinite for 1 samples"):
        value_source(SumSource(partial_logits, bias, torch.ones_like(present)), labels, get_utility("count"))


@given(n=st.integers(1, 10), samples=st.integers(1, 9), seed=st.integers(0, 99))
def test_ties_of_any_classes_are_decided_as_argmax_does(n, samples, seed):
    """Small whole numbers tie often; rows that are taken some at a time must not notice."""
    generator = torch.Generator().manual_seed(seed)
    partial_logits = torch.randint(-1, 2, (samples, n, K), generator=generator).float()
    labels = torch.randint(K, (samples,), generator=generator)
    sums = coalition_masks(n).float() @ partial_logits
    right = correct_by_sums(partial_logits, torch.zeros(K), labels, range(2**n))
    assert torch.equal(right, correct_by_argmax(sums, labels))


def test_samples_taken_some_at_a_time_have_the_bits_of_the_whole(monkeypatch):
    partial_logits, bias, labels, _ = batch(10, samples=23)
    whole = correct_by_sums(partial_logits, bias, labels, range(3, 1000))
    monkeypatch.setattr("raymm.valuation.partial_sums.CACHED_SUMS", 1)
    monkeypatch.setattr("raymm.valuation.partial_sums.FEWEST_ROWS", 5)
    assert torch.equal(correct_by_sums(partial_logits, bias, labels, range(3, 1000)), whole)
    assert not torch.equal(correct_by_sums(partial_logits, bias, (labels + 1) % K, range(3, 1000)), whole)


@pytest.mark.parametrize("n", [1, 3, 8, 9, 13])
def test_the_grand_coalition_is_the_last_one(n):
    partial_logits, bias, _, present = batch(n)
    source = SumSource(partial_logits, bias, present)
    *_, last = source.blocks(range(2**n))
    assert torch.equal(source.grand_logits(), last[:, -1])
    assert not torch.equal(source.grand_logits(), last[:, 0])


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("name", ["count", "correct", "probability", "log_probability", "logit", "margin"])
def test_no_game_has_a_larger_gap_than_its_utility_says(name, n):
    """All games of right or wrong coalitions: one modality that is right alone and another that breaks it."""
    made = get_utility(name)
    if made.largest_gap is None:
        assert name in {"log_probability", "logit", "margin"}
        return
    games = masks_of(torch.arange(2 ** (2**n - 1)), 2**n - 1).long()
    right = torch.cat([torch.zeros_like(games[:, :1]), games], dim=1)
    phi = shapley_values(right * made.by_size(coalition_sizes(n)) if made.by_size else right)
    largest = float(((phi.sum(dim=1, keepdim=True) - phi) / (n - 1) - phi).max())
    assert largest <= made.largest_gap(n) + 1e-12
    if n == 2:
        assert largest == pytest.approx(made.largest_gap(2))


def test_only_count_has_a_fair_share_and_names_that_lead_nowhere_have_none():
    assert fair_share_of("count") == 1.0
    assert [fair_share_of(name) for name in ("correct", "probability", "logit", "nowhere", "no.where:X")] == [
        None
    ] * 5
    assert fair_share_of("tests.games:DOUBLE") == 2.0
