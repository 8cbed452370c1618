"""Cosines of gradients, however short the gradients of well-fitted rows are."""

import numpy as np
import pytest
import torch

from raymm.training.conflict import _cosines


@pytest.mark.parametrize("length", [1.0, 1e-6, 1e-12, 1e-30])
def test_cosines_do_not_depend_on_the_lengths(length):
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 20, 5))
    expected = [a @ b / np.sqrt(a @ a) / np.sqrt(b @ b) for a, b in zip(first, second, strict=True)]
    found = _cosines(torch.from_numpy(length * first), torch.from_numpy(second * length))
    assert found.numpy() == pytest.approx(expected)


def test_a_gradient_of_zero_has_no_cosine():
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    assert _cosines(rows, torch.ones(2, 2, dtype=torch.float64)).isnan().tolist() == [True, False]
