"""A regression: labels are numbers, the utility is the task's own, and rows can be looked at."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from raymm.api.values_result import Values
from raymm.tasks import get_task
from raymm.valuation import BatchError, value_batches
from tests.valuation.own.nets import phi_by_definition


class Sum(nn.Module):
    """The answer is the sum of what two branches give, [samples]."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.v = nn.Linear(2, 1), nn.Linear(3, 1)

    def forward(self, audio, video):
        return (self.a(audio) + self.v(video))[:, 0]


def test_errors_of_a_regression(tmp_path):
    model, generator = Sum(), torch.Generator().manual_seed(1)
    audio, video = torch.randn(5, 2, generator=generator), torch.randn(5, 3, generator=generator)
    labels = torch.randn(5, generator=generator)
    batch = {"audio": audio, "video": video, "y": labels}
    modalities = {"audio": "a", "video": "v"}
    table = value_batches(model, [batch], modalities=modalities, task="regression", utility="error")

    def answers(row, coalition):
        return model.a(audio[row]) * ("audio" in coalition) + model.v(video[row]) * ("video" in coalition)

    def value(answer, label, _):
        return -float((answer - label).abs())

    with torch.no_grad():
        true = np.array(phi_by_definition(answers, labels, [("audio", "video")] * 5, value), float)[:, :2]
        whole = model(audio, video)
    assert np.allclose(table.phi, true, rtol=0, atol=1e-6)
    assert np.allclose(table.prediction[:, 0], whole, rtol=0, atol=1e-6)
    assert np.allclose(table.label[:, 0], labels)
    values = Values(table)
    assert "correct" not in values.to_pandas()
    assert values.to_pandas()["label"].tolist() == table.label[:, 0].tolist()
    assert values.to_pandas()["prediction"].tolist() == table.prediction[:, 0].tolist()
    assert "accuracy" not in repr(values)
    values.html(tmp_path / "t.html")
    assert np.array_equal(Values.read(values.save(tmp_path / "t.parquet")).phi, values.phi)
    assert values.summary()


def test_the_utility_of_a_task_is_its_default():
    batch = {"audio": torch.rand(3, 2), "video": torch.rand(3, 3), "y": torch.rand(3, 1)}
    scaled = get_task("regression", {"mean": [0.5], "sd": [0.2]})
    found = value_batches(Sum(), [batch], modalities={"audio": "a", "video": "v"}, task=scaled)
    assert found.info.utility == scaled.default_utility != "count"
    assert value_batches(Sum(), [batch], modalities={"audio": "a", "video": "v"}, task="regression").task != scaled


@pytest.mark.parametrize(
    ("factor", "options", "warned"),
    [
        (3000.0, {}, True),
        (0.001, {"utility": "score"}, True),
        (3000.0, {"utility": "error"}, False),
        (1.0, {}, False),
        (3000.0, {"task": get_task("regression", {"mean": [1.0], "sd": [3000.0]})}, False),
    ],
)
def test_labels_far_from_a_standard_deviation_of_one_are_said(caplog, factor, options, warned):
    """Else every contribution of `score` is 0, whatever the model knows."""
    labels = factor * torch.tensor([-1.0, 0.5, 2.0])
    batch = {"audio": torch.rand(3, 2), "video": torch.rand(3, 3), "y": labels}
    with caplog.at_level(logging.WARNING, logger="raymm"):
        value_batches(Sum(), [batch], modalities={"audio": "a", "video": "v"}, **{"task": "regression", **options})
    assert ("measures errors in standard deviations of the labels" in caplog.text) == warned
    if warned:
        sd = float(labels.double().std(correction=0))
        assert (
            f"the labels' standard deviation is {sd:.6g}: give task=get_task('regression', {{'mean': [" in caplog.text
        )


def test_labels_with_fractions_name_the_task_that_has_them():
    batch = {"audio": torch.rand(3, 2), "video": torch.rand(3, 3), "y": torch.rand(3)}
    with pytest.raises(BatchError, match="or task='regression' for numbers that the model estimates"):
        value_batches(Sum(), [batch], modalities={"audio": "a", "video": "v"})
