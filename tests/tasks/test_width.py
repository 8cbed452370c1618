"""A task whose head is wider than its classes: the model, its trial and the method agree on the width."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from raymm.data.reader import BatchReader
from raymm.methods.registry import context_of
from raymm.models.model import build_model, model_mistakes
from raymm.models.trial import trial_mistakes
from raymm.tasks import Classification
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset


class Spare(Classification):
    """Classification with one output more than there are classes, which is never the label."""

    def width(self, classes):
        return classes + 1


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    plain = small_dataset(tmp_path_factory.mktemp("data") / "d")
    return replace(plain, schema=plain.schema.model_copy(update={"task": Spare()}))


def test_the_model_has_the_outputs_of_its_task(dataset):
    config, schema = settings(), dataset.schema
    wanted = len(schema.classes) + 1
    batch = BatchReader(dataset, config.view).batch(np.arange(3))
    with torch.inference_mode():
        assert build_model(schema, config.model, 0).eval()(batch).shape == (3, wanted)
    assert (schema.outputs, context_of(config, schema).outputs) == (wanted, wanted)
    assert model_mistakes(schema, config.model) == []


@pytest.mark.parametrize("fusion", ["sum", "concat", "attention"])
def test_a_model_of_another_width_is_tried_and_trained(tmp_path, dataset, fusion):
    config = settings(model={"fusion": fusion}, training={"epochs": 2})
    assert trial_mistakes(BatchReader(dataset, config.view), config.model) == []
    result = train(create_or_open(tmp_path / "r", config, dataset), dataset, Backends())
    assert np.isfinite(result.metrics["test/loss"])
