"""The fusion of cosines: partials, lengths that do not matter, and vectors of zeros."""

import pytest
import torch
from torch.nn import functional

from raymm.config.choice import Choice
from raymm.models.fusion import build_fusion
from raymm.models.fusion.cosine import CosineSettings


@pytest.fixture
def fusion():
    torch.manual_seed(0)
    return build_fusion(3, 4, 6, Choice(name="cosine", settings=CosineSettings(scale=10)))


def test_outputs_are_sums_of_scaled_cosines(fusion):
    features = torch.randn(5, 3, 6)
    partials = fusion.partials(features)
    for i in range(3):
        for k in range(4):
            cosine = functional.cosine_similarity(features[:, i], fusion.weight[i, :, k][None], dim=1)
            assert torch.allclose(partials[:, i, k], 10 * cosine, atol=1e-5)
    assert torch.allclose(fusion(features, torch.ones(5, 3, dtype=torch.bool)), partials.sum(dim=1), atol=1e-5)
    assert float(partials.detach().abs().max()) <= 10 + 1e-4


def test_lengths_do_not_matter(fusion):
    features = torch.randn(5, 3, 6)
    before = fusion.partials(features)
    with torch.no_grad():
        fusion.weight *= 7
    assert torch.allclose(fusion.partials(features * torch.tensor([0.01, 3.0, 1e4])[:, None]), before, atol=1e-4)


def test_zeros_add_nothing_and_have_no_gradient(fusion):
    features = torch.randn(2, 3, 6)
    features[0, 1] = 0
    features.requires_grad_()
    partials = fusion.partials(features)
    assert torch.equal(partials[0, 1], torch.zeros(4))
    partials.sum().backward()
    assert torch.equal(features.grad[0, 1], torch.zeros(6))
    assert bool(features.grad.isfinite().all())
    assert bool(fusion.weight.grad.isfinite().all())
    assert float(features.grad[1].abs().min()) > 0
    assert list(fusion.state_dict()) == ["weight"]
