"""Mistakes that people make with `Resampler` and `CoalitionLoss` in loops of their own."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.integrations.coalition_loss import CoalitionLoss
from raymm.integrations.resampler import Resampler
from raymm.integrations.values import _check_labels, _same_labels
from raymm.valuation.own import value_batches

NAMES = ("audio", "rgb")
LABELS = [0, 1, 2, 0, 1, 2]
MASKED = np.ma.masked_equal(LABELS, 2)


def resampler(samples=6, **options):
    return Resampler(samples, NAMES, **{"warmup": 0, "epochs": 3, **options})


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: resampler(iter(range(6))), ConfigError, "samples are a range_iterator, which has no length"),
        (lambda: resampler({"a": LABELS, "b": LABELS}), ConfigError, "a dict of a, b, whose length is no number of"),
        (lambda: resampler("train"), ConfigError, "samples are a str; give a map-style data set"),
        (lambda: resampler(b"train"), ConfigError, "samples are a bytes; give a map-style data set"),
        (lambda: resampler(True), ConfigError, "samples are a bool; give a map-style data set"),
        (lambda: resampler(labels=list("abcabc")), DataError, "labels are <U1, and the task .* of each class"),
        (lambda: resampler(labels=np.ones(6)), DataError, "labels are float64, and the task classification"),
        (lambda: resampler(method="class"), ConfigError, "this method reads labels; give the Resampler labels="),
        (lambda: resampler().loader([1, 2]), DataError, "has 2 items, and the samples reach to position 5"),
        (lambda: resampler().loader(range(6), shuffle=True), ConfigError, "shuffle= is no option of it"),
        (lambda: resampler().loader(range(6), batch_size=2), ConfigError, "batch_size= is no option .* argument of"),
        (lambda: resampler().load_state_dict({}), CheckpointError, "has no 'epoch', 'settings'"),
        (lambda: resampler().load_state_dict({"epoch": 1}), CheckpointError, "has no 'settings', but epoch"),
        (lambda: resampler(settings=3), ConfigError, "Resampler: settings=3; give a mapping"),
        (lambda: resampler(settings="a"), ConfigError, "Resampler: settings='a'; give a mapping"),
        (lambda: resampler(fields=3), ConfigError, "fields=3; give a tuple of mask, weight, key, batch_rows"),
        (lambda: resampler(fields="mask"), ConfigError, "fields='mask'; give a tuple"),
        (lambda: resampler(fields=(3,)), ConfigError, "fields: no field '3'"),
        (lambda: resampler(labels="x"), DataError, r"labels are \[\]; expected one for each of 6 samples"),
        (lambda: resampler(labels=MASKED), DataError, "labels are a MaskedArray .*some of its entries are masked"),
        (lambda: resampler(task=None), ConfigError, "task=None: give the name of a task"),
        (lambda: Resampler(6, None), ConfigError, "modalities is None; give a tuple of names"),
        (lambda: Resampler(6, 1.5), ConfigError, "modalities is 1.5; give a tuple of names"),
        (lambda: CoalitionLoss(NAMES, task=None), ConfigError, "task=None: give the name of a task"),
        (lambda: CoalitionLoss(NAMES, task=3), ConfigError, "task=3: give the name of a task"),
        (lambda: CoalitionLoss(NAMES, settings=3), ConfigError, "CoalitionLoss: settings=3; give a mapping"),
        (lambda: CoalitionLoss(None), ConfigError, "modalities is None; give a tuple of names"),
        (
            lambda: resampler().update(np.ones((6, 2)) + 1j),
            DataError,
            "contributions are complex128; give real",
        ),
        (
            lambda: resampler().update(torch.ones(6, 2) + 1j),
            DataError,
            "contributions are complex64; give real",
        ),
        (lambda: Resampler(6, set(NAMES)), ConfigError, "give a tuple of names"),
        (lambda: resampler().set_epoch(-1), ConfigError, "set_epoch: -1 is no epoch; give a whole number from 0 on"),
        (lambda: resampler().set_epoch("1"), ConfigError, "set_epoch: '1' is no epoch"),
        *(
            (lambda given=given: resampler(batch_size=2).skip(given), ConfigError, f"skip: {said} is no number of b")
            for given, said in [(-1, "-1"), (1.5, "1.5"), ("2", "'2'"), (True, "True"), (None, "None")]
        ),
        (
            lambda: resampler(batch_size=2).skip(4),
            ConfigError,
            "skip: 4 .* epoch 0 has 3, .* whole number from 0 to 3",
        ),
        (lambda: resampler().update(np.ma.masked_less(np.eye(6, 2), 1)), DataError, "entries are masked out"),
    ],
)
def test_is_said_in_words(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: None, "is a NoneType; give what state_dict"),
        (lambda state: 3, "is a int; give what state_dict"),
        (lambda state: state | {"epoch": "x"}, "'epoch' is 'x', and no number of an epoch"),
        (lambda state: state | {"epoch": None, "settings": None}, "2 problems.*'settings' is None.*'epoch' is None"),
        (lambda state: state | {"settings": "{"}, "'settings' is '{', and no text of settings"),
        (lambda state: state | {"epoch": -3}, "'epoch' is -3, and no number of an epoch"),
        (lambda state: state | {"epoch": 1.5}, "'epoch' is 1.5"),
        (lambda state: state | {"valued_for": "a"}, "'valued_for' is 'a'"),
        (
            lambda state: state | {"phi": torch.ones(6, 3)},
            r"'phi' is float32 \[6, 3\]; expected real numbers \[6, 2\]",
        ),
        (lambda state: state | {"phi": torch.ones(6, 2) * 1j}, "'phi' is complex64"),
    ],
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(change, words):
    one = resampler()
    one.update(np.ones((6, 2)))
    before = one.state_dict()
    with pytest.raises(CheckpointError, match=f"(?s)the state of the Resampler.*{words}"):
        one.load_state_dict(change(before))
    after = one.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], it) if name == "phi" else after[name] == it for name, it in before.items())
    one.load_state_dict(before | {"epoch": torch.tensor(before["epoch"])})
    assert one.epoch == 1


def test_numbers_of_numpy_are_numbers():
    assert Resampler(6, np.int64(2)).modalities == ("m0", "m1")


def test_methods_that_read_no_labels_need_none_and_class_takes_them():
    assert resampler(method="random").epoch == 0
    assert resampler(method="class", labels=LABELS).epoch == 0


def table_of(order):
    """Values of six samples that came in some order, without names."""
    batch = {
        "shown": functional.one_hot(torch.tensor(LABELS)[order], 3).float(),
        "label": torch.tensor(LABELS)[order],
    }
    return value_batches(lambda given, mask: given["shown"] * mask[:, :1], [batch], modalities=NAMES)


@pytest.mark.parametrize(
    "label",
    [
        1.7e9 + 100.0 * np.arange(5),
        1e-9 * np.arange(1.0, 6),
        200_000.0 + np.arange(5),
        np.arange(200_000, 200_005),
        0.1 * np.arange(5),
    ],
)
def test_labels_of_any_size_tell_that_samples_are_in_another_order(label):
    """Also where one side holds them in float32; the same order is taken."""
    for kind in (np.float64, np.float32):
        mine = SimpleNamespace(label=label[:, None], named=str)
        theirs = SimpleNamespace(label=label[::-1, None].astype(kind))
        with pytest.raises(DataError, match="4 of its 5 samples have other labels than the Resampler's"):
            _check_labels(theirs, mine, np.arange(5))
        theirs.label = label[:, None].astype(kind)
        _check_labels(theirs, mine, np.arange(5))
        mine.label, theirs.label = theirs.label, mine.label
        _check_labels(theirs, mine, np.arange(5))


def test_values_of_shuffled_samples_are_refused_where_labels_tell():
    shuffled = table_of([3, 4, 0, 1, 2, 5])
    with pytest.raises(DataError, match=r"3 of its 6 samples have other labels than the Resampler's, first sample 2"):
        resampler(labels=LABELS).update(shuffled)
    in_order = resampler(labels=LABELS)
    in_order.update(table_of(list(range(6))))
    assert in_order.epoch == 1


CLASSES = np.array([0, 1, 2, 10_000_000])


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint64, np.float64])
def test_labels_that_are_classes_must_be_equal(kind):
    """However many there are: of 10,000,000 a millionth is 10 classes."""
    ours = CLASSES.astype(kind)
    assert _same_labels(CLASSES, ours).all()
    for other in (CLASSES + 1, CLASSES[[1, 0, 2, 3]]):
        assert _same_labels(other, ours).tolist() == (other == CLASSES).tolist()
        assert _same_labels(ours, other).tolist() == (other == CLASSES).tolist()
    large = np.array([2**53, 2**53 + 1])
    assert _same_labels(large, large[::-1]).tolist() == [False, False]


def test_labels_that_are_sets_must_be_equal():
    sets = np.array([[True, False], [True, True]])
    assert _same_labels(sets, sets.copy()).all()
    assert _same_labels(sets, sets[::-1]).tolist() == [[True, False], [True, False]]


def test_whole_numbers_are_those_of_a_model_in_float32():
    labels = np.array([[1_700_000_123], [1_700_000_987]])
    assert _same_labels(labels.astype(np.float32), labels).all()


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_labels_that_are_numbers_are_told_apart_in_any_unit(unit, offset):
    labels = unit * (offset + np.arange(6.0)[:, None])
    assert _same_labels(labels, labels.astype(np.float32).astype(np.float64)).all()
    assert _same_labels(labels, np.array([[float(f"{number:.16g}")] for number in labels[:, 0]])).all()
    assert not _same_labels(labels, labels[::-1]).any()


@pytest.mark.parametrize(
    ("task", "labels", "of_task"),
    [
        ("regression", torch.tensor([0.5, -1.0]), torch.tensor([[0.5], [-1.0]], dtype=torch.float64)),
        ("multilabel", torch.tensor([[1.0], [0.0]]), torch.tensor([[True], [False]])),
        ("classification", torch.tensor([1, 0], dtype=torch.int32), torch.tensor([1, 0])),
    ],
)
def test_labels_are_taken_in_the_types_that_losses_of_torch_take(task, labels, of_task):
    def fuse(features, mask):
        outputs = (features * mask[..., None]).sum(1)
        return outputs if task == "classification" else outputs[:, :1]

    features, mask = torch.tensor([[[1.0, 2.0], [0.5, 0.0]], [[0.0, -1.0], [1.0, 1.0]]]), None
    loss = CoalitionLoss(NAMES, task=task)
    assert torch.equal(loss(features, mask, labels, fuse), loss(features, mask, of_task, fuse))
    outputs = [fuse(features, torch.tensor(c).expand(2, 2)) for c in ([1, 1], [1, 0], [0, 1])]
    by_torch = {
        "regression": lambda o: functional.mse_loss(o[:, 0], labels),
        "multilabel": functional.binary_cross_entropy_with_logits,
        "classification": functional.cross_entropy,
    }[task]
    if task == "regression":
        whole, one, other = map(by_torch, outputs)
    else:
        whole, one, other = (by_torch(o, labels.long() if task == "classification" else labels) for o in outputs)
    expected = (2 * whole + (one + other) / 2) / 3  # amount = (p - 1) / (p + 1) of p = 2
    assert float(loss(features, mask, labels, fuse)) == pytest.approx(float(expected), rel=1e-6)


def test_contributions_may_be_a_data_frame():
    phi = np.arange(12.0).reshape(6, 2)
    samplers = [resampler(), resampler()]
    for sampler, values in zip(samplers, (phi, pd.DataFrame(phi, columns=NAMES)), strict=True):
        sampler.update(values)
    assert np.array_equal(samplers[0].plan.index, samplers[1].plan.index)
