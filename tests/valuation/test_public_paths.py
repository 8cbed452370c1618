"""Every way to a contribution, with every fusion: the values are those of the definition, and they add up."""

import numpy as np
import pytest
import torch

from raymm.data import View
from raymm.models.export import export_model
from raymm.models.fusion import FUSIONS
from raymm.models.predictor import load
from raymm.valuation import value_samples
from raymm.valuation.engine import stream_rows, value_rows
from raymm.valuation.jobs import Valuing, value_to_file
from tests.games import OwnModel
from tests.reference_values import incomplete_samples, reference, restless_model

METHODS = {"exact": {}, "sampled": {"method": "sampled", "budget": 6, "refine": False}}
"""With three modalities every pattern of a sampled valuation is small enough to be enumerated."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return incomplete_samples(tmp_path_factory.mktemp("paths") / "d")


def in_process(model, view, rows, config, tmp_path):
    return value_rows(model, view, rows, config).phi


def streamed(model, view, rows, config, tmp_path):
    job = Valuing(model, view, rows, config)
    return value_to_file(job, stream_rows, tmp_path / "t.parquet", lambda shards, total: shards).phi


def from_the_model(model, view, rows, config, tmp_path):
    batch = view.batch(rows)
    with torch.inference_mode():
        features = model.encode(batch)
        return value_samples(
            model, features, batch.labels, present=batch.mask, utility_name=config.valuation.utility
        ).phi.numpy()


def from_functions(model, view, rows, config, tmp_path):
    batch = view.batch(rows)
    with torch.inference_mode():
        features = model.encode(batch)
        return value_samples(
            model.fuse,
            features,
            batch.labels,
            present=batch.mask,
            utility_name=config.valuation.utility,
            partials=model.partials if model.additive else None,
            finish=model.finish,
        ).phi.numpy()


def agree(phi, expected):
    assert np.array_equal(np.isnan(phi), np.isnan(expected.phi))
    assert np.allclose(phi, expected.phi, rtol=0, atol=1e-5, equal_nan=True)
    assert np.allclose(np.nansum(phi, axis=1), expected.grand - expected.empty, rtol=0, atol=1e-5)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
@pytest.mark.parametrize("utility", ["count", "probability"])
@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("path", [in_process, streamed, from_the_model, from_functions])
def test_contributions_are_those_of_the_definition(samples, tmp_path, monkeypatch, fusion, utility, method, path):
    for module in ("engine", "jobs"):
        monkeypatch.setattr(f"raymm.valuation.{module}.BATCHES_PER_BLOCK", 2)
    model, config = restless_model(samples.dataset, fusion, utility=utility, **METHODS[method])
    view, rows = View(samples.dataset, config.view), samples.dataset.rows("test")
    expected = reference(model, view, rows, utility, samples.dataset.shards.label[rows])
    agree(path(model, view, rows, config, tmp_path), expected)
    assert np.isnan(expected.phi).mean() > 0.2
    assert np.nanmax(expected.phi) - np.nanmin(expected.phi) > 0.2
    assert np.abs(expected.grand - expected.empty).max() > 0.2


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_a_served_model_answers_the_contributions_of_the_definition(samples, tmp_path, fusion):
    model, config = restless_model(samples.dataset, fusion)
    export_model(tmp_path, model, config, samples.dataset)
    answer = load(tmp_path).predict(samples.columns)
    rows = samples.dataset.rows("test")
    labels = np.array([samples.dataset.schema.classes.index(name) for name in answer["prediction"]])
    expected = reference(model, View(samples.dataset, config.view), rows, "probability", labels)
    phi = np.array([answer[f"phi_{name}"] for name in samples.dataset.schema.names], dtype=np.float64).T
    agree(phi, expected)
    assert np.allclose(answer["probability"], expected.grand, atol=1e-5)
    assert len(set(labels.tolist())) > 1


def test_a_sum_of_hidden_units_is_no_logit(samples):
    """The twin: without what follows the sum, the perceptron's contributions are others."""
    model, config = restless_model(samples.dataset, "mlp", utility="probability")
    view, rows = View(samples.dataset, config.view), samples.dataset.rows("test")
    batch = view.batch(rows)
    with torch.inference_mode():
        phi = value_samples(
            model.fuse,
            model.encode(batch),
            batch.labels,
            present=batch.mask,
            utility_name="probability",
            partials=model.partials,
        ).phi.numpy()
    expected = reference(model, view, rows, "probability", batch.labels.numpy())
    assert np.nanmax(np.abs(phi - expected.phi)) > 0.05


def test_a_model_of_ones_own_is_valued_through_its_own_head(samples):
    model = OwnModel(samples.dataset.schema)
    batch = View(samples.dataset, restless_model(samples.dataset, "sum")[1].view).batch(np.arange(9))
    with torch.inference_mode():
        features = model.encode(batch)
        values = value_samples(model, features, batch.labels, present=batch.mask, utility_name="probability")
        by_fuse = value_samples(model.fuse, features, batch.labels, present=batch.mask, utility_name="probability")
    assert torch.allclose(values.phi, by_fuse.phi, atol=1e-6, equal_nan=True)
    with pytest.raises(TypeError, match="give a model, whose own partials and finish are used, or functions"):
        value_samples(model, features, batch.labels, partials=model.partials)
