"""Modality dropout: how often what is kept, keyed by row, never nothing."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.config import parse
from raymm.errors import ConfigError
from raymm.seeds import keys_of
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, trainer_of

KEYS = keys_of(7, np.arange(40_000))


def masks(n, rate, kept=None):
    kept = np.ones((len(KEYS), n), bool) if kept is None else kept
    return trainer_of("dropout", n, rate=rate).method.mask(kept, KEYS)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_coalitions_are_kept_as_often_as_the_rule_says(n, rate):
    codes = masks(n, rate) @ (1 << np.arange(n))
    for code in range(2**n):
        size = code.bit_count()
        expected = (1 - rate) ** size * rate ** (n - size) + (rate**n / n if size == 1 else 0)
        expected = 0.0 if not code else expected
        assert (codes == code).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / len(KEYS))), code


def test_what_a_row_lacks_is_not_given_back_and_something_is_always_left():
    kept = np.tile([[True, False, True], [False, True, False], [False, False, False]], (len(KEYS) // 3 + 1, 1))
    found = masks(3, 0.6, kept[: len(KEYS)])
    assert not (found & ~kept[: len(KEYS)]).any()
    assert (found.any(axis=1) == kept[: len(KEYS)].any(axis=1)).all()
    assert (found[1::3] == [False, True, False]).all()


def test_a_mask_is_that_of_the_row_wherever_it_stands():
    method = trainer_of("dropout", 3).method
    everything = np.ones((100, 3), bool)
    whole = method.mask(everything, KEYS[:100])
    assert np.array_equal(method.mask(everything[:40], KEYS[60:100]), whole[60:])
    assert not np.array_equal(whole[:50], whole[50:])


def test_the_loss_is_that_of_what_is_kept():
    trainer = trainer_of("dropout", 3)
    batch = rows_of(trainer)
    features, fusion = trainer.model.encode(batch), trainer.model.fusion
    logits = torch.einsum("bnd,ndk->bk", features, fusion.weight) + fusion.bias
    expected = gradients(trainer, functional.cross_entropy(logits, batch.labels))
    assert_equal(changes(trainer, part_of(batch)), expected)


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_rate_that_leaves_nothing_is_refused(rate):
    with pytest.raises(ConfigError, match=r"method.settings.rate"):
        parse({"method": {"name": "dropout", "settings": {"rate": rate}}})
