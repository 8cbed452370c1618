"""`raymm.value` of any other model: the numbers of `value_batches`, followed by a `Progress`."""

import numpy as np
import pytest
import torch
from torch import nn

import raymm
from raymm.errors import ConfigError
from raymm.valuation import value_batches


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.v = nn.Linear(2, 3), nn.Linear(4, 3)

    def forward(self, audio, video):
        return self.a(audio) + self.v(video)


def test_any_model_is_valued_on_batches():
    told = []

    class Listening(raymm.Progress):
        def follow(self, items, total, what):
            for item in items:
                told.append((total, what))
                yield item

    batches = [(torch.randn(5, 2), torch.randn(5, 4), torch.arange(5) % 3) for _ in range(3)]
    chosen = {"modalities": {"audio": "a", "video": "v"}, "utility": "margin", "mask": "mean"}
    found = raymm.value(Two(), batches, progress=Listening(), **chosen)
    true = value_batches(Two(), batches, **chosen)
    assert np.array_equal(found.phi, true.phi)
    assert told == [(3, "valuing batches")] * 3
    assert raymm.value(Two(), iter(batches), progress=None, **(chosen | {"mask": "zeros"})).ids == found.ids


def test_a_data_set_of_raymm_is_for_runs(tmp_path):
    with pytest.raises(ConfigError, match="a Two is valued on batches, such as a DataLoader"):
        raymm.value(Two(), tmp_path, modalities={"audio": "a"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": "abc"}, "classes='abc': give their number, a whole one, or a list of their names"),
        ({"classes": ["x", "x", "z"]}, "classes: 'x' appears twice"),
        ({"budget": 0}, "valuation.budget=0: a contribution takes 2 coalitions or more"),
    ],
)
def test_options_that_cannot_be_are_named(options, words):
    with pytest.raises(ConfigError, match=words):
        raymm.value(lambda batch, mask: batch["x"], [{"x": np.eye(2), "label": [0, 1]}], modalities=["a"], **options)
