"""Models of one's own are equal to raymm's where they are the same, and every method trains them or refuses them."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

from raymm.config import load, parse
from raymm.methods import METHODS
from raymm.models.model import build_model, traits_of_settings
from raymm.models.own.adapter import OwnModel
from raymm.models.own.example import example_inputs
from raymm.models.valued import load_for, with_masking
from raymm.training.run import open_run, problems_of
from raymm.valuation.engine import value_rows
from raymm.valuation.table_file import read_table
from tests.games import untimed
from tests.models.own_models import settings_of, trained
from tests.models.test_model import INPUTS, MORE
from tests.models.test_model import SCHEMA as OF_EVERY_KIND

SETTINGS = (
    {},
    {"baseline": "mean"},
    {"baseline": "learned"},
    {"modalities": ["m0", "m2"]},
    {"calibrate": "modality_weights"},
)
pytestmark = pytest.mark.usefixtures("without_copies_of_the_tests")


def figures(result):
    return [untimed(metrics) for metrics in (*(entry["metrics"] for entry in result.history), result.metrics)]


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_one_s_own_model_of_raymm_s_parts_is_raymm_s_to_the_last_bit(tmp_path, data, settings):
    _, wanted = trained(tmp_path / "raymm", data, settings_of(**settings))
    _, found = trained(tmp_path / "own", data, settings_of("parts", **settings))
    assert figures(found) == figures(wanted)


@pytest.mark.parametrize("build", ["Wrapped", "WithEncoders", "Additive"])
@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_a_model_that_is_wholly_one_s_own_trains_as_the_same_model_of_raymm(tmp_path, data, build, settings):
    if build == "Additive" and settings.get("baseline", "zeros") != "zeros":
        pytest.skip("its own sum has no baseline")
    run, found = trained(tmp_path / "own", data, settings_of(build, **settings))
    _, wanted = trained(tmp_path / "raymm", data, settings_of(**settings))
    for mine, theirs in zip(figures(found), figures(wanted), strict=True):
        assert mine == pytest.approx(theirs, abs=2e-5, nan_ok=True)
    table = read_table(run.path / "result/valuation-test.parquet")
    job = load_for(run.path, data, "test")
    assert isinstance(job.model, OwnModel)
    again = value_rows(job.model, job.view, job.rows, job.config)
    assert np.array_equal(again.phi, table.phi, equal_nan=True)
    assert again.info.fingerprint == table.info.fingerprint
    assert open_run(run.path) == run


def test_masking_may_be_changed_after_training(tmp_path, data):
    own, _ = trained(tmp_path / "own", data, settings_of("Wrapped"))
    theirs, _ = trained(tmp_path / "raymm", data, settings_of())
    jobs = [with_masking(load_for(run.path, data, "test"), "mean", data) for run in (own, theirs)]
    one, other = (value_rows(job.model, job.view, job.rows, job.config) for job in jobs)
    assert one.phi == pytest.approx(other.phi, nan_ok=True)
    assert jobs[0].model.baseline.abs().sum() > 0


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_trains_a_model_without_encoders_or_says_what_it_lacks(tmp_path, data, name):
    settings = {"modality": "m0"} if name == "alone" else {}
    config = settings_of("Wrapped").model_dump(mode="json") | {"method": {"name": name, "settings": settings}}
    config["training"]["epochs"] = 1
    refused = problems_of(parse(config), data.schema)
    assert all(f"method={name}: " in words for words in refused)
    if not refused:
        trained(tmp_path / name, data, parse(config))


@pytest.mark.parametrize("name", ["ogm_ge", "relearning", "umt", "mmpareto"])
def test_methods_that_read_encoders_find_those_of_a_model_that_has_them(tmp_path, data, name):
    settings = {"every": 1} if name == "relearning" else {}
    _, found = trained(tmp_path / "own", data, settings_of("WithEncoders", name, settings))
    _, wanted = trained(tmp_path / "raymm", data, settings_of(None, name, settings))
    assert found.metrics["best/loss"] == pytest.approx(wanted.metrics["best/loss"], rel=1e-4)


def test_settings_without_a_model_of_one_s_own_are_written_as_before():
    assert not {"build", "args"} & load(None, ()).model.model_dump().keys()
    own = settings_of("Good", args={"width": 3})
    assert parse(own.model_dump(mode="json")) == own
    assert own.fingerprint() != settings_of("Good").fingerprint()


def test_weights_that_layers_share_are_saved(tmp_path, data):
    run, _ = trained(tmp_path / "run", data, settings_of("tied"))
    model = load_for(run.path, data, "test").model
    assert model.own.layers["m0"] is model.own.layers["m1"]


def test_a_model_may_be_moved_and_copied(data):
    config = settings_of("Good").model
    model = build_model(data.schema, config, 0)
    twin = copy.deepcopy(model)
    nn.init.zeros_(twin.own.out.weight)
    mask, features = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3, 4)
    assert twin.fuse(features, mask).std(dim=0).sum() == 0
    assert not torch.equal(twin.fuse(features, mask), model.fuse(features, mask))
    assert traits_of_settings(data.schema, config).feature_size == model.size == 4


@pytest.mark.parametrize(
    "settings",
    [
        {"training": {"precision": "bfloat16"}},
        {"valuation": {"source": "online"}},
        {"valuation": {"method": "sampled", "budget": 12}},
    ],
    ids=json.dumps,
)
def test_a_model_without_encoders_is_trained_and_valued_in_every_way(tmp_path, data, settings):
    values = settings_of("Good").model_dump(mode="json")
    for section, chosen in settings.items():
        values[section] = {**values[section], **chosen}
    _, result = trained(tmp_path / "run", data, parse(values))
    assert np.isfinite(result.metrics["test/loss"])


def test_an_example_of_inputs_has_the_form_that_encoders_get():
    for spec in (*OF_EVERY_KIND.modalities, *MORE):
        inputs, wanted = example_inputs(spec, 2), INPUTS[spec.name](2, torch.Generator())
        assert (inputs.shape, inputs.dtype) == ((2, *spec.input_shape), wanted.dtype)
