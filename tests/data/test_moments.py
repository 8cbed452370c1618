"""Mean and deviation against exact fractions; constants become 0, tiny deviations are scaled, blocks are alike."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data import SequenceSpec, VectorSpec
from raymm.data.kinds import EmbeddingSpec
from raymm.data.moments import Moments


def exact(column):
    values = [Fraction(float(value)) for value in column]
    mean = sum(values) / len(values)
    return float(mean), float(sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5


def found(values, cuts=()):
    moments = Moments(values.shape[1])
    for block in np.split(values, sorted(cuts)):
        moments.add(block.copy())
    return moments.statistics()


@settings(max_examples=100, deadline=None)
@given(
    st.integers(2, 60),
    st.sampled_from([0.0, 1.0, -3e4, 1e6, 1e9]),
    st.sampled_from([1e-7, 1e-3, 1.0, 1e5]),
    st.lists(st.integers(0, 60), max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_moments_are_those_of_exact_arithmetic(rows, mean, deviation, cuts, seed):
    values = mean + deviation * np.random.default_rng(seed).standard_normal((rows, 2))
    result = found(values, cuts)
    for column in range(2):
        expected_mean, expected_std = exact(values[:, column])
        assert result["mean"][column] == pytest.approx(expected_mean, rel=1e-12, abs=1e-12 * deviation)
        assert result["std"][column] == pytest.approx(expected_std or 1.0, rel=1e-9)


def test_forty_constant_columns_stay_constant():
    constant = np.random.default_rng(1).uniform(1e3, 1e6, 40).astype(np.float32)
    spec = VectorSpec(name="v", size=40)
    stored = np.tile(constant, (3_000, 1))
    statistics = spec.statistics(lambda rows: stored[rows], np.arange(3_000))
    assert statistics["std"] == [1.0] * 40
    assert statistics["mean"] == constant.astype(float).tolist()
    assert not spec.to_tensor(stored, statistics).any()


@pytest.mark.parametrize("deviation", [1e-30, 1e-12, 1e-7, 1.0])
def test_tiny_deviations_are_scaled(deviation):
    values = (deviation * np.random.default_rng(0).standard_normal((500, 3))).astype(np.float32)
    spec = VectorSpec(name="v", size=3)
    statistics = spec.statistics(lambda rows: values[rows], np.arange(500))
    scaled = spec.to_tensor(values, statistics).numpy()
    assert scaled.std(axis=0) == pytest.approx([1, 1, 1], rel=1e-4)
    assert scaled.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-4)


def test_sequences_have_moments_by_channel_and_embeddings_without_padding():
    generator = np.random.default_rng(3)
    stored = 1e5 + generator.standard_normal((50, 2, 7)).astype(np.float32)
    spec = SequenceSpec(name="s", channels=2, length=7)
    statistics = spec.statistics(lambda rows: stored[rows], np.arange(50))
    assert statistics["std"] == pytest.approx([exact(stored[:, c].reshape(-1))[1] for c in range(2)], rel=1e-9)
    tokens = EmbeddingSpec(name="e", tokens=4, size=2)
    values = [generator.standard_normal((1 + n % 4, 2)) for n in range(20)]
    padded = np.stack([tokens.stored(value) for value in values])
    statistics = tokens.statistics(lambda rows: padded[rows], np.arange(20))
    joined = np.concatenate(values).astype(np.float32)
    assert statistics["mean"] == pytest.approx([exact(joined[:, c])[0] for c in range(2)], rel=1e-9)
    assert statistics["std"] == pytest.approx([exact(joined[:, c])[1] for c in range(2)], rel=1e-9)


def test_no_values_leave_numbers_as_they_are():
    assert Moments(2).statistics() == {"mean": [0.0, 0.0], "std": [1.0, 1.0]}
