"""Late calibration: the formula over every fusion, the fit against another optimiser, a run that is calibrated."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, minimize_scalar
from torch.nn import functional

from raymm.config import parse
from raymm.config.registries import FUSIONS
from raymm.data.reader import BatchReader
from raymm.data.schema import Schema
from raymm.models.calibration import PENALTY, Calibration, fit_calibration
from raymm.models.export import load_model
from raymm.models.model import build_model
from raymm.tasks import get_task
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation.engine import value_rows
from raymm.valuation.protocol import logit_source
from raymm.valuation.table_file import read_table
from tests.games import settings, untimed

KINDS = ("temperature", "modality_weights")
SCHEMA = Schema(
    modalities=[{"name": f"m{i}", "kind": "vector", "size": 3} for i in range(3)], classes=["x", "y", "z"]
)
COALITIONS = torch.tensor([[bool(code >> i & 1) for i in range(3)] for code in range(8)])


def model_of(fusion, kind, baseline="zeros"):
    config = parse({"model": {"fusion": fusion, "feature_size": 6, "calibrate": kind, "baseline": baseline}}).model
    model = build_model(SCHEMA, config, seed=3).eval()
    with torch.no_grad():
        model.baseline.copy_(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)) * (baseline != "zeros"))
    return model


def by_formula(model, features, mask, scales):
    """a_0 l(C) and a_i l({i}) for each i of C, row by row."""
    rows = []
    for one, kept in zip(features, mask, strict=True):
        total = scales[0] * model.fuse_as_trained(one[None], kept[None])[0]
        for i in torch.nonzero(kept)[:, 0].tolist():
            only = torch.zeros(1, 3, dtype=torch.bool)
            only[0, i] = True
            total = total + scales[1 + i] * model.fuse_as_trained(one[None], only)[0]
        rows.append(total)
    return torch.stack(rows)


@pytest.mark.parametrize("baseline", ["zeros", "learned"])
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_coalitions_are_those_of_the_formula(fusion, kind, baseline):
    model = model_of(fusion, kind, baseline)
    features = torch.randn(5, 3, 6, generator=torch.Generator().manual_seed(2))
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    with torch.no_grad():
        before = model.fuse(features, present)
        assert torch.equal(before, model.fuse_as_trained(features, present))
        scales = torch.tensor([0.7, 0.5, -0.2, 0.9]) if kind == "modality_weights" else torch.tensor([0.4, 0, 0, 0])
        model.calibration.scales.copy_(scales)
        found = model.fuse(features, present)
        torch.testing.assert_close(found, by_formula(model, features, present, scales))
        assert not torch.allclose(found, before)
        of_coalitions = logit_source(model, features, present).logits(COALITIONS)
        for number, coalition in enumerate(COALITIONS):
            expected = by_formula(model, features, present & coalition, scales)
            torch.testing.assert_close(of_coalitions[:, number], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fit_is_that_of_another_optimiser(kind):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 300)
    alone = generator.normal(size=(300, 3, 4)) + 2 * np.eye(4)[labels][:, None] * np.array([1, 0.3, 0])[:, None]
    together = 3 * alone.sum(axis=1) + generator.normal(size=(300, 4)) * 4
    alone[::7, 1] = 0

    def loss(scales):
        outputs = scales[0] * together + (np.einsum("i,nik->nk", scales[1:], alone) if len(scales) > 1 else 0)
        wrong = functional.cross_entropy(torch.from_numpy(outputs), torch.from_numpy(labels))
        return float(wrong) + PENALTY * float(np.square(scales[1:]).sum())

    best = minimize(loss, np.array([1.0] if kind == "temperature" else [1.0, 0, 0, 0]), tol=1e-10)
    calibration = Calibration(3, kind)
    tensors = (torch.from_numpy(together).float(), torch.from_numpy(alone).float(), torch.from_numpy(labels))
    fit_calibration(calibration, *tensors, get_task("classification"))
    found = calibration.scales.double().numpy()
    assert found[: len(best.x)] == pytest.approx(best.x, abs=2e-3)
    assert loss(found[: len(best.x)]) == pytest.approx(best.fun, abs=1e-6)
    assert calibration.fitted
    if kind == "temperature":
        assert found[1:].tolist() == [0, 0, 0]


def test_a_temperature_stays_positive_where_the_model_is_worse_than_chance():
    labels = torch.arange(40) % 2
    calibration = Calibration(2, "temperature")
    wrong = -5.0 * torch.eye(2)[labels]
    fit_calibration(calibration, wrong, torch.zeros(40, 2, 2), labels, get_task("classification"))
    assert calibration.scales[0] > 0


KINDS_OF_FIT = ["temperature", "modality_weights", "modality_temperatures"]


def fitted(kind, together, alone, labels):
    calibration = Calibration(alone.shape[1], kind)
    fit_calibration(calibration, together.float(), alone.float(), labels, get_task("classification"))
    return calibration.scales.double()


def drawn_outputs():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (80,), generator=generator)
    alone = torch.randn(80, 2, 3, generator=generator).double() + torch.eye(3)[labels][:, None]
    return alone.sum(dim=1), alone, labels


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-4, 1e4, 1e6, 1e12, 1e20])
@pytest.mark.parametrize("kind", KINDS_OF_FIT)
def test_outputs_of_any_size_are_calibrated(kind, size):
    """The loss is that of the best factors, found by another optimiser in units of the outputs."""
    together, alone, labels = drawn_outputs()
    scales = fitted(kind, together * size, alone * size, labels) * size
    if kind == "modality_weights":
        every = torch.cat([together[:, None], alone], dim=1)

        def loss(factors):
            outputs = torch.einsum("s,nsk->nk", torch.as_tensor(factors), every)
            penalty = PENALTY * float(np.square(np.asarray(factors)[1:] / size).sum())
            return float(functional.cross_entropy(outputs, labels)) + penalty

        assert loss(scales.numpy()) <= minimize(loss, np.array([1.0, 0, 0]), tol=1e-10).fun + 1e-6
        return
    parts = {0: together} if kind == "temperature" else {1: alone[:, 0], 2: alone[:, 1]}
    for place, outputs in parts.items():

        def of_factor(factor, outputs=outputs):
            return float(functional.cross_entropy(float(factor) * outputs, labels))

        assert float(scales[place]) == pytest.approx(minimize_scalar(of_factor, bounds=(1e-3, 10)).x, rel=1e-3)


@pytest.mark.parametrize("size", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("kind", KINDS_OF_FIT)
def test_outputs_of_ordinary_size_are_fitted_as_they_are(kind, size, monkeypatch):
    together, alone, labels = drawn_outputs()
    found = fitted(kind, together * size, alone * size, labels)
    monkeypatch.setattr("raymm.models.calibration._size", lambda outputs, _: outputs.new_ones(outputs.shape[1]))
    assert torch.equal(fitted(kind, together * size, alone * size, labels), found)


@pytest.mark.parametrize("kind", KINDS_OF_FIT)
def test_what_all_classes_have_in_common_and_what_no_sample_has_hinder_no_fit(kind):
    together, alone, labels = drawn_outputs()
    plain = fitted(kind, together, alone, labels)
    if kind != "modality_weights":
        shifted = fitted(kind, together + 2**14, alone + 2**14, labels)
        torch.testing.assert_close(shifted, plain, rtol=1e-3, atol=1e-3)
    alone[:, 1] = 0
    assert fitted(kind, together, alone, labels).isfinite().all()


@pytest.mark.parametrize("size", [1.0, 1e4, 1e-4])
def test_a_temperature_of_outputs_that_are_worse_than_chance_is_a_thousand_times_their_size(size):
    labels = torch.arange(40) % 2
    wrong = -torch.eye(2)[labels]
    scales = fitted("temperature", wrong * size, torch.zeros(40, 2, 2), labels)
    assert 0.0005 < float(scales[0]) * size < 0.005


@pytest.fixture(scope="module")
def of_kinds(tmp_path_factory, dataset):
    """The same training without and with a calibration."""
    found = {}
    for kind in ("none", *KINDS):
        run = create_or_open(
            tmp_path_factory.mktemp(kind) / "r", settings(model={"calibrate": kind, "feature_size": 16}), dataset
        )
        found[kind] = (run, train(run, dataset, Backends()))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_calibrated_at_its_end_and_says_what_it_was_before(of_kinds, kind, dataset):
    _, plain = of_kinds["none"]
    run, result = of_kinds[kind]
    assert [untimed(entry["metrics"]) for entry in result.history] == [
        untimed(entry["metrics"]) for entry in plain.history
    ]
    for name, value in plain.metrics.items():
        before = name.replace("test/", "uncalibrated_test/").replace("phi/test_", "phi/uncalibrated_test_")
        assert result.metrics[before] == value
    if kind == "temperature":
        assert result.metrics["test/accuracy"] == plain.metrics["test/accuracy"]
    exported = load_model(run.path / "result" / "model").model
    assert exported.calibration.fitted
    tables = {
        name: read_table(run.path / "result" / f"valuation-{name}.parquet") for name in ("test", "uncalibrated_test")
    }
    assert np.array_equal(tables["test"].sample_id, tables["uncalibrated_test"].sample_id)
    assert not np.allclose(tables["test"].loss, tables["uncalibrated_test"].loss)


def test_validation_loss_is_no_greater_after_the_fit(of_kinds, dataset):

    for kind in KINDS:
        run, result = of_kinds[kind]
        exported = load_model(run.path / "result" / "model")
        reader = BatchReader(dataset, run.config.view, run.config.training.seed)
        after = value_rows(exported.model, reader, dataset.rows("val"), run.config, 0).loss.mean()
        assert after <= result.metrics["best/loss"] + 1e-6
