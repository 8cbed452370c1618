"""Values computed on a GPU: those of the CPU, by every way to them."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import raymm
from raymm.data import View
from raymm.data.loading import BatchLoader
from raymm.integrations.coalition_loss import CoalitionLoss
from raymm.models.fusion import FUSIONS
from raymm.valuation import value_samples
from raymm.valuation.engine import value_rows
from tests.data.test_late_transforms import VIEWS, reader_of, requests, same, tensors
from tests.integrations.test_coalition_loss import NAMES, Model, batch
from tests.reference_values import incomplete_samples, reference, restless_model

CLOSE = 1e-4
METHODS = {"exact": {}, "sampled": {"method": "sampled", "budget": 6, "refine": False}}
UTILITIES = ("count", "correct", "probability", "log_probability", "logit", "margin")
CLASSES = 3


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return incomplete_samples(tmp_path_factory.mktemp("samples") / "d")


@pytest.mark.parametrize("utility", ["count", "probability"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_split_has_the_contributions_of_the_definition(fusion, method, utility, samples, cuda):
    model, config = restless_model(samples.dataset, fusion, utility=utility, **METHODS[method])
    view, rows = View(samples.dataset, config.view), samples.dataset.rows("test")
    expected = reference(model, view, rows, utility, samples.dataset.shards.label[rows])
    phi = value_rows(model.to(cuda), view, rows, config).phi
    assert np.array_equal(np.isnan(phi), np.isnan(expected.phi))
    assert np.allclose(phi, expected.phi, rtol=0, atol=CLOSE, equal_nan=True)


@pytest.mark.parametrize("utility", UTILITIES)
def test_every_utility_has_the_values_of_a_cpu(utility, samples, cuda):
    model, config = restless_model(samples.dataset, "mlp")
    given = View(samples.dataset, config.view).batch(samples.dataset.rows("test"))
    with torch.inference_mode():
        features = model.encode(given)
        here = value_samples(model, features, given.labels, present=given.mask, utility_name=utility)
        there = value_samples(
            model.to(cuda),
            features.to(cuda),
            given.labels.to(cuda),
            present=given.mask.to(cuda),
            utility_name=utility,
        )
    torch.testing.assert_close(there.phi.cpu(), here.phi, rtol=0, atol=CLOSE, equal_nan=True)
    assert torch.equal(there.outcomes.cpu(), here.outcomes)


class Two(nn.Module):
    """A model of somebody's own, by its branches."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.v = nn.Linear(2, 5), nn.Linear(4, 6)
        self.head = nn.Sequential(nn.Linear(11, 8), nn.Tanh(), nn.Linear(8, CLASSES))

    def forward(self, audio, video):
        return self.head(torch.cat([self.a(audio), self.v(video)], dim=1))


@pytest.mark.parametrize("mask", ["zeros", "mean"])
def test_a_model_of_ones_own_is_valued_where_it_lies(mask, cuda):
    batches = [(torch.randn(5, 2), torch.randn(5, 4), torch.arange(5) % CLASSES) for _ in range(3)]
    chosen = {"modalities": {"audio": "a", "video": "v"}, "utility": "probability", "mask": mask, "progress": None}
    here = raymm.value(Two(), batches, **chosen)
    there = raymm.value(Two().to(cuda), batches, **chosen)
    assert np.allclose(there.phi, here.phi, atol=CLOSE)
    assert there.ids == here.ids


@pytest.mark.parametrize("method", ["coalition", "valued"])
def test_the_loss_of_coalitions_and_its_phi(method, cuda):
    features, mask, labels = batch()
    model = Model()
    loss, phi = CoalitionLoss(NAMES, method=method)(features, mask, labels, model, return_phi=True)
    moved = copy.deepcopy(model).to(cuda)
    there, values = CoalitionLoss(NAMES, method=method)(
        features.to(cuda), mask.to(cuda), labels.to(cuda), moved, return_phi=True
    )
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.cpu(), loss, rtol=0, atol=CLOSE)
    torch.testing.assert_close(values.cpu(), phi, rtol=0, atol=CLOSE, equal_nan=True, check_dtype=False)
    there.backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in moved.parameters())


def read_there(reader, late, device, workers=0):
    with BatchLoader(reader, workers, device=device, late=late) as loader:
        return [one.cpu() for got in loader.load(requests(reader)) for one in tensors(got)]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("view", VIEWS)
def test_batches_transformed_on_the_device_are_those_of_the_loader(view, workers, cuda):
    reader = reader_of(view)
    loaded, late = read_there(reader, False, cuda, workers), read_there(reader, True, cuda, workers)
    assert same(late, read_there(reader, True, cuda, workers))  # the same draws each time
    if view == "spectra":  # torch's generators of the devices draw other masks
        assert [one.shape for one in late] == [one.shape for one in loaded]
        return
    for one, other in zip(late, loaded, strict=True):
        torch.testing.assert_close(one, other, rtol=CLOSE, atol=CLOSE)


def test_what_is_read_for_a_gpu_is_pinned(cuda):
    reader = reader_of("plain")
    request = next(requests(reader))
    for made in (
        reader.batch(request.index, request.mask),
        reader.untransformed(request.index, request.mask).pin_memory().batch,
    ):
        pinned = made.pin_memory()
        assert all(one.is_pinned() for one in (*pinned.inputs.values(), pinned.mask, pinned.labels) if one.numel())
