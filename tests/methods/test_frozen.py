"""Every method trains a model of which a part is frozen at first, and leaves that part as it is until then."""

import pytest
import torch
from safetensors.torch import load_file

from raymm.config import parse
from raymm.methods import METHODS
from raymm.models.model import build_model
from raymm.storage.layout import epoch_folder
from raymm.training.run import create_or_open
from tests.games import gappy_datasets
from tests.methods.test_every_method import SPLITS, config_of, defined_for, stop_at

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

PARTS = {"one encoder": "encoders.m0", "all encoders": "encoders", "fusion": "fusion"}
GIVEN_NEW_WEIGHTS = {"relearning", "g_blend"}
"""Methods that put weights back to where they began, which moves what is frozen as well."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return gappy_datasets(tmp_path_factory.mktemp("data"), SPLITS, (0.3, 0.4))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", METHODS)
def test_a_part_that_is_frozen_at_first(name, part, tmp_path, data):
    dataset = data(defined_for(name, data, 2, 3, 1))
    plain = config_of(name).model_dump(mode="json")
    groups = {PARTS[part]: {"frozen_epochs": 1}}
    config = parse({**plain, "optimizer": {**plain["optimizer"], "groups": groups}})
    initial = build_model(dataset.schema, config.model, config.training.seed).state_dict()
    frozen = [key for key in initial if key.startswith(f"{PARTS[part]}.")]
    if not frozen or all(key in frozen for key in initial if key != "baseline"):
        pytest.skip("the model is no more than that part, or has none")
    run = create_or_open(tmp_path / "r", config, dataset, check=False)
    stop_at(run, dataset, 2)
    one, two = (load_file(epoch_folder(run.path, epoch) / "model.safetensors") for epoch in (1, 2))
    if name not in GIVEN_NEW_WEIGHTS:
        assert [key for key in frozen if not torch.equal(one[key], initial[key])] == []
    assert any(not torch.equal(two[key], one[key]) for key in initial)
