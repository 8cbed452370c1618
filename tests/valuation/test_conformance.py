"""A custom model is checked on every coalition, and the first difference is named."""

import pytest
import torch

from raymm.config import ViewConfig
from raymm.data import BatchReader
from raymm.errors import ConfigError
from raymm.models.valued import load_own
from raymm.valuation import ModelError, check_model
from raymm.valuation.engine import value_rows
from tests.games import OwnModel, small_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("own") / "d")


def few(dataset):
    return BatchReader(dataset, ViewConfig()).batch(dataset.rows("test")[:4])


def test_partials_that_tell_the_same_pass(dataset):
    batch = few(dataset)
    found = check_model(OwnModel(dataset.schema), batch, batch.mask)
    assert found.compared == 4 * 4
    assert found.largest < 1e-5


def test_the_first_difference_is_named(dataset):
    batch = few(dataset)
    model = OwnModel(dataset.schema, shift=0.5)
    with pytest.raises(
        ModelError, match=r"sample 0, coalition \{m0\}, class \d: the shortcut gives .*, the whole model"
    ):
        check_model(model, batch, batch.mask, names=dataset.schema.names)


def test_the_whole_model_is_compared_from_its_inputs(dataset):
    batch, model = few(dataset), OwnModel(dataset.schema)

    def whole(inputs, mask):
        return model.fuse(model.encode(inputs), mask)

    assert check_model(model, batch, batch.mask, whole=whole).near_ties == 0
    with pytest.raises(ModelError, match="the whole model"):
        check_model(model, batch, batch.mask, whole=lambda inputs, mask: whole(inputs, mask) + 1)


def test_features_of_the_wrong_shape_are_refused(dataset):
    batch, model = few(dataset), OwnModel(dataset.schema)
    model.encode = lambda _: torch.zeros(4, 8)
    with pytest.raises(
        ModelError, match=r"encode returned features of shape \[4, 8\]; expected \[samples, modalities"
    ):
        check_model(model, batch, batch.mask)


def test_a_model_of_ones_own_values_a_data_set(dataset):
    job = load_own("tests.games:own_model", dataset, "test", {"utility": "probability"})
    table = value_rows(job.model, job.view, job.rows, job.config)
    assert len(table) == len(dataset.rows("test"))
    assert table.info.masking == "the model's own"
    with pytest.raises(ModelError, match=r"coalition \{m0\}"):
        load_own("tests.games:wrong_model", dataset, "test")
    with pytest.raises(ConfigError, match="returned a tuple without encode"):
        load_own("tests.games:no_model", dataset, "test")
