"""What would give wrong numbers without a word is said: in the log, or by an error where it cannot be meant."""

import logging

import pytest
import torch
from torch.utils.data import DataLoader

from raymm.valuation.own import BatchError, value_batches
from tests.valuation.own.nets import WIDTHS, Three, batches_of, restless
from tests.valuation.own.test_ways import Split

NAMES = tuple(WIDTHS)


def said(caplog, model, batches=None, **options):
    with caplog.at_level(logging.WARNING, logger="raymm"):
        caplog.clear()
        value_batches(model, batches or batches_of(), **{"modalities": NAMES, "ids": "clip", **options})
    return caplog.text


class Deaf(Split):
    """Its `fuse` does not read the mask."""

    def fuse(self, features, mask):
        return super().fuse(features, torch.ones_like(mask))


class Mixing(Split):
    """Its `fuse` mixes samples."""

    def fuse(self, features, mask):
        logits = super().fuse(features, mask)
        return logits - logits.mean(dim=0)


class Drawing(Split):
    """Its `fuse` draws at random."""

    def fuse(self, features, mask):
        return super().fuse(features, mask) + torch.randn(len(mask), 3)


class Named(Split):
    """Its `fuse` returns logits by name."""

    def fuse(self, features, mask):
        return {"logits": super().fuse(features, mask)}


class DrawingFeatures(Split):
    """Its `encode` draws at random, and changes its batch in place, which by itself is no matter."""

    def encode(self, batch):
        features = super().encode(batch)
        batch["audio"] += 1.0
        return features + torch.randn(len(batch["audio"]), 1, 1)


GLOBAL = restless(Three())


def by_a_global_name(batch, mask):
    return GLOBAL(**{name: batch[name] * mask[:, [i]] for i, name in enumerate(NAMES)})


def test_a_function_that_reads_a_model_in_training_mode_by_a_global_name(caplog):
    GLOBAL.drop.p = 0.0
    words = "by_a_global_name reads GLOBAL by a global name, which is in training mode and stays in it"
    assert words in said(caplog, by_a_global_name)
    assert said(caplog, GLOBAL, predict=by_a_global_name) == ""
    assert GLOBAL.training
    GLOBAL.eval()
    assert said(caplog, by_a_global_name) == ""


def test_a_model_that_does_not_read_the_mask(caplog):
    model = restless(Three()).eval()
    branches = model.branches

    def deaf(batch, mask):
        return model(**{name: batch[name] for name in NAMES})

    assert "fuse gives the same logits with all modalities as with none" in said(caplog, Deaf(model))
    assert "predict gives the same logits with all modalities as with none" in said(caplog, deaf)
    assert said(caplog, Split(model)) == said(caplog, model, modalities=dict(branches)) == ""


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Mixing, "samples of a batch must not mix"),
        (Named, "fuse returns a dict; it must return logits .samples, classes. in one tensor"),
        (Drawing, "fuse gives other logits when it is called again"),
        (DrawingFeatures, "encode gives other features when it is called again with the same batch: it draws"),
    ],
)
def test_a_fuse_that_is_no_function_of_a_sample_and_its_mask_is_refused(model, words):
    with pytest.raises(BatchError, match=words):
        value_batches(model(restless(Three()).eval()), batches_of(), modalities=NAMES)


def test_probabilities_in_the_place_of_logits(caplog):
    model = restless(Three()).eval()
    options = {"modalities": dict(model.branches), "utility": "log_probability"}
    words = "the outputs look like probabilities"
    assert words in said(caplog, model, outputs=lambda out: out.softmax(dim=1), **options)
    assert said(caplog, model, outputs=lambda out: out.log_softmax(dim=1), **options) == ""


def test_samples_that_cannot_be_told_apart(caplog):
    model = restless(Three()).eval()
    items = [{key: values[row] for key, values in batch.items()} for batch in batches_of() for row in range(3)]
    shuffled = DataLoader(items, 3, shuffle=True)
    assert "samples are numbered as they come" in said(caplog, Split(model), shuffled, ids=None)
    assert said(caplog, Split(model), shuffled) == said(caplog, Split(model), DataLoader(items, 3), ids=None) == ""
    twice = [batches_of()[2], batches_of()[2]]
    assert "3 of 6 samples have the id of an earlier one, first '2/0.mp4'" in said(caplog, Split(model), twice)
