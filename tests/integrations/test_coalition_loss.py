"""The loss of coalitions as a module: by hand, for features of any widths, with phi, with keyed draws; refusals."""

import copy
import pickle
from itertools import combinations
from threading import get_ident

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from raymm import Resampler
from raymm.errors import ConfigError, DataError
from raymm.integrations import coalition_loss, loss_step
from raymm.integrations.coalition_loss import CoalitionLoss
from raymm.integrations.rows import epoch_and_row, key_of
from raymm.tasks import get_task
from raymm.valuation import shapley_values
from raymm.valuation.conformance import ModelError
from tests.ranks import on_ranks, ranks

ROWS, CLASSES = 7, 3
NAMES = ("audio", "rgb", "text")


class Head(nn.Module):
    """A fusion that is no sum of the modalities."""

    def __init__(self, widths=(4, 4, 4), dropout=0.0):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Linear(sum(widths), 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, CLASSES))

    def forward(self, features, mask):
        if isinstance(features, dict):
            parts = [features[name].flatten(1) * mask[:, i : i + 1] for i, name in enumerate(NAMES)]
            return self.body(torch.cat(parts, dim=1))
        return self.body((features * mask[..., None]).flatten(1))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def fuse(self, features, mask):
        return self.head(features, mask)


class Holder:
    """The same, and no module."""

    def __init__(self, head):
        self.head = head

    def fuse(self, features, mask):
        return self.head(features, mask)


class Sums(nn.Module):
    """A fusion that is such a sum, and says so; `fuse` is never run."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.weight, self.bias = nn.Parameter(torch.randn(3, 4, CLASSES)), nn.Parameter(torch.randn(CLASSES))

    def partials(self, features):
        return torch.einsum("bnd,ndk->bnk", features, self.weight), self.bias

    def fuse(self, *_):
        raise AssertionError("partials are there")


def batch(seed=0, missing=True):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(ROWS, 3, 4, generator=generator, requires_grad=True)
    mask = torch.ones(ROWS, 3, dtype=torch.bool)
    if missing:
        mask[1, 0] = mask[2, 1] = mask[2, 2] = False
    return features, mask, torch.randint(CLASSES, (ROWS,), generator=generator)


def by_hand(features, mask, labels, fuse, amount=None):
    """Mean over rows of [CE(P) + sum over sizes s of the mean CE(C), |C| = s] / (1 + p), or of its general form."""
    total = 0.0
    for row in range(ROWS):
        present = [i for i in range(3) if mask[row, i]]
        p = len(present)

        def loss(members, row=row):
            kept = torch.tensor([[i in members for i in range(3)]])
            own = {k: v[row : row + 1] for k, v in features.items()} if isinstance(features, dict) else features
            logits = fuse(own if isinstance(own, dict) else own[row : row + 1], kept)
            return functional.cross_entropy(logits, labels[row : row + 1])

        sizes = [torch.stack([loss(c) for c in combinations(present, s)]).mean() for s in range(1, p)]
        share = (p - 1) / (p + 1) if amount is None else (amount if p > 1 else 0.0)
        inner = torch.stack(sizes).mean() if sizes else 0.0
        total = total + (1 - share) * loss(present) + share * inner
    return total / ROWS


@pytest.mark.parametrize("amount", [None, 0.3])
@pytest.mark.parametrize("form", ["module", "function", "model", "method"])
def test_loss_and_gradients_are_those_of_the_formula(form, amount):
    features, mask, labels = batch()
    model = Model()
    fuse = {"module": model.head, "function": model.head, "model": model, "method": model.fuse}[form]
    criterion = CoalitionLoss(NAMES, settings={} if amount is None else {"amount": amount})
    found = criterion(features, mask, labels, fuse)
    expected = by_hand(features, mask, labels, model.head, amount)
    torch.testing.assert_close(found, expected)
    inputs = [features, *model.parameters()]
    for one, other in zip(torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(one, other)
    assert not torch.isclose(found, criterion(features, None, labels, fuse))


def test_sums_of_modalities_are_added_instead_of_fused():
    features, mask, labels = batch()
    model = Sums()

    def fuse(features, mask):
        parts, bias = model.partials(features)
        return (parts * mask[..., None]).sum(dim=1) + bias

    criterion = CoalitionLoss(NAMES)
    torch.testing.assert_close(criterion(features, mask, labels, model), criterion(features, mask, labels, fuse))


def test_features_of_any_widths_come_by_name():
    generator = torch.Generator().manual_seed(0)
    _, mask, labels = batch()
    shapes = {"audio": (2,), "rgb": (3, 2), "text": (5,)}
    features = {name: torch.randn(ROWS, *shape, generator=generator) for name, shape in shapes.items()}
    head = Head((2, 6, 5))
    loss, phi = CoalitionLoss(NAMES)(features, mask, labels, head, return_phi=True)
    torch.testing.assert_close(loss, by_hand(features, mask, labels, head))
    assert torch.equal(phi.isnan(), ~mask)


def in_place(head):
    """The head, which masks the features that it is given themselves: entries of the mapping, or the tensor."""

    def fuse(features, mask):
        if isinstance(features, dict):
            for i, name in enumerate(NAMES):
                features[name] *= mask[:, i : i + 1]
        else:
            features[~mask] = 0.0
        return head(features, mask)

    return fuse


@pytest.mark.parametrize("settings", [{}, {"draw": 2}], ids=["all", "drawn"])
@pytest.mark.parametrize("named", [True, False], ids=["by name", "tensor"])
def test_a_fusion_may_mask_in_place(named, settings):
    features, mask, labels = batch()
    leaves = [part.detach().requires_grad_() for part in features.unbind(1)] if named else [features]
    given = dict(zip(NAMES, leaves, strict=True)) if named else features
    head, before = Head(), [leaf.detach().clone() for leaf in leaves]
    results = []
    for fuse in (head, in_place(head)):
        encoded = {name: 1.0 * part for name, part in given.items()} if named else 1.0 * given
        loss, phi = CoalitionLoss(NAMES, settings=settings)(encoded, mask, labels, fuse, return_phi=True)
        results.append((loss, phi, *torch.autograd.grad(loss, [*leaves, *head.parameters()])))
        assert all(map(torch.equal, encoded.values() if named else [encoded], before))
    for plain, found in zip(*results, strict=True):
        torch.testing.assert_close(found, plain, equal_nan=True)


@pytest.mark.parametrize("held", [False, True], ids=["a module", "an object that has one"])
@pytest.mark.parametrize("method", ["coalition", "valued"])
def test_phi_on_request_is_that_of_all_coalitions_and_changes_nothing(method, held):
    features, mask, labels = batch()
    head, criterion = Head(dropout=0.5), CoalitionLoss(NAMES, method=method)
    fuse = Holder(head) if held else head
    torch.manual_seed(0)
    alone = criterion(features, mask, labels, fuse)
    torch.manual_seed(0)
    loss, phi = criterion(features, mask, labels, fuse, return_phi=True)
    assert torch.equal(loss, alone)
    assert head.training
    assert not phi.requires_grad
    head.eval()
    for row in range(ROWS):
        worth = np.zeros(8)
        for code in range(1, 8):
            kept = torch.tensor([[bool(code >> i & 1) for i in range(3)]]) & mask[row]
            right = head(features[row : row + 1], kept).argmax() == labels[row]
            worth[code] = float(right) * int(kept.sum())
        expected = np.where(mask[row], shapley_values(torch.from_numpy(worth)[None])[0], np.nan)
        np.testing.assert_allclose(phi[row], expected)


def test_mean_and_sum_and_weights():
    features, mask, labels = batch()
    head = Head()
    mean = CoalitionLoss(NAMES)(features, mask, labels, head)
    total = CoalitionLoss(NAMES, reduction="sum")(features, mask, labels, head)
    torch.testing.assert_close(total, mean * ROWS)
    weight = torch.tensor([2.0] + [0.0] * (ROWS - 1))
    one = CoalitionLoss(NAMES)(features[:1], mask[:1], labels[:1], head)
    torch.testing.assert_close(
        CoalitionLoss(NAMES, reduction="sum")(features, mask, labels, head, weight=weight), 2 * one
    )


def test_several_labels_a_row():
    features, mask, _ = batch()
    labels = torch.rand(ROWS, CLASSES, generator=torch.Generator().manual_seed(0)) < 0.5
    head = Head()
    loss = CoalitionLoss(NAMES, task="multilabel", settings={"amount": 0.0})(features, mask, labels, head)
    each = functional.binary_cross_entropy_with_logits(head(features, mask), labels.float(), reduction="none")
    assert torch.isclose(loss, each.sum(dim=1).mean()) or torch.isclose(loss, each.mean())


def test_a_regression_has_the_loss_and_the_utility_of_its_task():
    features, mask, _ = batch()
    target = torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    head, task = Head(), get_task("regression")
    plain = CoalitionLoss(NAMES, task="regression", settings={"amount": 0.0})(features, mask, target, head)
    torch.testing.assert_close(plain, task.losses(head(features, mask), target).mean())
    loss, phi = CoalitionLoss(NAMES, task="regression")(features, mask, target, head, return_phi=True)
    assert not torch.isclose(loss, plain)
    assert torch.equal(phi.isnan(), ~mask)
    sampler = Resampler(ROWS, NAMES, task="regression", labels=target, present=mask, warmup=1)
    sampler.update(phi)
    assert (len(sampler.plan) > ROWS) == bool((phi < 1).any())
    with pytest.raises(ConfigError, match="'count' is not defined for the task regression"):
        CoalitionLoss(NAMES, task="regression", utility="count")


# draws

DRAWN = {"draw": 1}


def losses(criterion, count=4, keys=None):
    features, mask, labels = batch(missing=False)
    head = Head()
    with torch.no_grad():
        return [float(criterion(features, mask, labels, head, keys=keys)) for _ in range(count)]


def test_draws_are_keyed_by_rows():
    criterion = CoalitionLoss(NAMES, settings=DRAWN)
    rows = np.arange(ROWS)
    same = losses(criterion, keys=torch.from_numpy(key_of(3, rows)))
    assert len(set(same)) == 1
    others = [losses(criterion, 1, torch.from_numpy(key_of(epoch, rows + 5)))[0] for epoch in range(8)]
    assert len({*same, *others}) > 4
    torch.rand(5)
    assert losses(criterion, 1, torch.from_numpy(key_of(3, rows))) == same[:1]


def test_a_row_draws_the_same_in_any_batch():
    features, mask, labels = batch(missing=False)
    head, keys = Head(), torch.from_numpy(key_of(2, np.arange(ROWS)))
    criterion = CoalitionLoss(NAMES, settings=DRAWN, reduction="sum")
    whole = criterion(features, mask, labels, head, keys=keys)
    parts = [
        criterion(features[rows], mask[rows], labels[rows], head, keys=keys[rows])
        for rows in (slice(0, 3), slice(3, ROWS))
    ]
    torch.testing.assert_close(whole, sum(parts))


@pytest.mark.parametrize(("settings", "asked"), [(DRAWN, True), ({}, False)])
def test_keys_are_read_where_something_is_drawn(settings, asked, monkeypatch):
    """Those of a GPU are waited for."""
    read = []
    monkeypatch.setattr(coalition_loss, "epoch_and_row", lambda keys: (read.append(keys), epoch_and_row(keys))[1])
    losses(CoalitionLoss(NAMES, settings=settings), 1, torch.from_numpy(key_of(3, np.arange(ROWS))))
    assert len(read) == asked


def test_without_keys_batches_are_counted_in_the_state():
    first = CoalitionLoss(NAMES, settings=DRAWN)
    drawn = losses(first, 8)
    assert len(set(drawn)) > 3
    second = CoalitionLoss(NAMES, settings=DRAWN)
    assert losses(second, 3) == drawn[:3]
    third = CoalitionLoss(NAMES, settings=DRAWN)
    third.load_state_dict(second.state_dict())
    assert losses(third, 5) == drawn[3:]
    assert losses(CoalitionLoss(NAMES, settings=DRAWN, seed=1), 8) != drawn


def test_a_loss_is_sent_to_another_process_whole():
    first = CoalitionLoss(NAMES, settings=DRAWN)
    losses(first, 3)
    second = pickle.loads(pickle.dumps(first))
    assert losses(second) == losses(copy.deepcopy(first)) == losses(first)


def test_drawn_coalitions_have_the_expectation_of_all():
    whole = losses(CoalitionLoss(NAMES), 1)[0]
    drawn = np.array(losses(CoalitionLoss(NAMES, settings=DRAWN), 600))
    assert abs(drawn.mean() - whole) < 4 * drawn.std() / np.sqrt(len(drawn))


def test_weights_of_valued_are_those_of_the_batch_of_all_ranks(monkeypatch):
    features, mask, labels = batch()
    head = Head()
    whole = CoalitionLoss(NAMES, method="valued", reduction="sum")(features, mask, labels, head)
    communicators = ranks(2)
    alone = [
        CoalitionLoss(NAMES, method="valued", reduction="sum")(features[r::2], mask[r::2], labels[r::2], head)
        for r in (0, 1)
    ]
    own = {}
    monkeypatch.setattr(loss_step, "found_communicator", lambda: own[get_ident()])

    def part(rank):
        own[get_ident()] = communicators[rank]
        rows = slice(rank, None, 2)
        criterion = CoalitionLoss(NAMES, method="valued", reduction="sum")
        with torch.no_grad():
            return criterion(features[rows], mask[rows], labels[rows], head)

    parts = on_ranks(communicators, [0, 1], part)
    torch.testing.assert_close(sum(parts), whole.detach())
    assert not torch.isclose(sum(alone), whole)


# refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "sample"}, "method=sample is not one of its losses, which are coalition and valued"),
        ({"reduction": "max"}, "reduction=max is neither mean nor sum"),
        ({"settings": {"amonut": 1}}, "did you mean 'amount'"),
        ({"settings": {"amount": 2}}, "must be 1 or less"),
        ({"settings": {"sizes": [3]}}, "settings.sizes has 3"),
        ({"method": "valued", "settings": {"gate": True}}, "settings.gate=True looks at more than the batch"),
        ({"method": "valued", "settings": {"folds": 2}}, "settings.folds=2 looks at more than the batch"),
        ({"method": "valued", "settings": {"smoothing": 0.5}}, "settings.smoothing=0.5 looks at more"),
        ({"method": "valued", "settings": {"by": "class"}}, "settings.by=class looks at more"),
        ({"method": "valued", "settings": {"learnability": True}}, "settings.learnability=True"),
        ({"method": "valued", "utility": "logit"}, "no fair share"),
        ({"task": "multilable"}, "did you mean 'multilabel'"),
    ],
)
def test_wrong_settings_are_named(options, words):
    with pytest.raises(ConfigError, match=words):
        CoalitionLoss(NAMES, **options)


def changed(**given):
    features, mask, labels = batch()
    return {"features": features, "mask": mask, "labels": labels, "fuse": Head()} | given


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (
            {"features": torch.zeros(ROWS, 2, 4)},
            DataError,
            r"features are \[7, 2, 4\]; expected \[7, 3\] and a width",
        ),
        (
            {"features": {"audio": torch.zeros(ROWS, 2)}},
            DataError,
            "features are of audio; expected audio, rgb, text",
        ),
        ({"features": [1.0]}, DataError, "features are a list"),
        (
            {"features": {name: torch.zeros(ROWS - (name == "rgb"), 2) for name in NAMES}},
            DataError,
            r"features of 'rgb' are \[6, 2\]; expected 7 rows",
        ),
        ({"mask": torch.ones(ROWS, 3)}, DataError, r"mask is torch.float32 \[7, 3\]; expected torch.bool \[7, 3\]"),
        *(
            ({"features": dict.fromkeys(NAMES, torch.zeros(ROWS, 2)) | {"rgb": value}}, DataError, words)
            for value, words in (
                (
                    None,
                    r"features of 'rgb' are a NoneType; give one tensor \[7, ...\] \(zeros where the mask",
                ),
                ({"states": torch.zeros(ROWS, 2)}, "features of 'rgb' are a dict; give one tensor"),
                ((torch.zeros(ROWS, 2),) * ROWS, "features of 'rgb' are a tuple; give one tensor"),
                (torch.tensor(1.0), r"features of 'rgb' are \[\]; expected 7 rows"),
            )
        ),
        ({"labels": torch.zeros(ROWS)}, DataError, "labels are torch.float32, and the task .* has torch.int64; give"),
        (
            {"labels": [0.5] * ROWS},
            DataError,
            "labels are torch.float32, and the task classification has torch.int64",
        ),
        ({"labels": ["dog"] * ROWS, "mask": None}, DataError, "labels are a list and no numbers"),
        ({"labels": None}, DataError, "labels are a NoneType; give one for each row"),
        ({"labels": torch.full((ROWS,), 3)}, ModelError, "there is a class 3, and fuse returns outputs of 3 classes"),
        ({"labels": torch.full((ROWS,), -1)}, ModelError, "there is a class -1"),
        ({"fuse": 3}, ConfigError, "fuse is a int; give a function"),
        ({"fuse": lambda features, mask: None}, ModelError, "fuse returns"),
        ({"fuse": lambda features, mask: features[:, 0].long()}, ModelError, "fuse returns torch.int64"),
        (
            {"keys": torch.zeros(3, dtype=torch.long)},
            DataError,
            r"keys are torch.int64 \[3\]; expected whole numbers",
        ),
        ({"weight": torch.ones(3)}, DataError, r"weight is \[3\]; expected \[7\]"),
        (
            {"features": torch.zeros(0, 3, 4), "mask": None, "labels": torch.zeros(0, dtype=torch.long)},
            DataError,
            "the batch has no rows",
        ),
    ],
)
def test_what_does_not_fit_is_named(given, error, words):
    with pytest.raises(error, match=words):
        CoalitionLoss(NAMES)(**changed(**given))


def test_phi_of_very_many_modalities_is_refused():
    n = 17
    criterion = CoalitionLoss(n)
    with pytest.raises(ConfigError, match="fuses all coalitions, of up to 16 modalities; here are 17"):
        criterion(torch.zeros(2, n, 2), None, torch.zeros(2, dtype=torch.long), lambda f, m: f[:, 0], return_phi=True)
    assert torch.isfinite(criterion(torch.zeros(2, n, 2), None, torch.tensor([0, 1]), lambda f, m: f[:, 0]))
