"""Models in two parts and functions: the values of the engine, of branches and of the definition are the same."""

import numpy as np
import pytest
import torch
from torch import nn

from raymm.data.reader import BatchReader
from raymm.models.model import build_model
from raymm.valuation import Utility, read_table, write_table
from raymm.valuation.engine import batches as parts_of
from raymm.valuation.engine import value_rows
from raymm.valuation.own import BatchError, value_batches
from tests.games import gappy_dataset, settings
from tests.valuation.own.nets import WIDTHS, Three, batches_of, restless

NAMES = tuple(WIDTHS)
EXACT = ("phi", "stderr", "outcomes", "unimodal_correct", "prediction", "loss", "probabilities", "label")


def same(found, true):
    assert found.info.method == true.info.method
    assert found.info.budget == true.info.budget
    assert (found.info.masking, found.info.fingerprint) == (true.info.masking, true.info.fingerprint)
    for name in EXACT:
        assert np.array_equal(getattr(found, name), getattr(true, name), equal_nan=True), name


def ids_of(dataset):
    return lambda batch: dataset.shards.sample_id[batch.index.numpy()]


@pytest.mark.parametrize(
    ("n", "fusion", "task", "valuation"),
    [
        (3, "concat", "classification", {}),
        (3, "attention", "classification", {}),
        (3, "mlp", "classification", {"utility": "log_probability"}),
        (3, "attention", "multilabel", {"utility": "score"}),
        (8, "attention", "classification", {"method": "sampled", "budget": 40}),
        (8, "mlp", "classification", {"method": "sampled", "budget": 40, "utility": "probability"}),
        (13, "attention", "classification", {"budget": "0.5x", "method": "auto"}),
        (17, "sum", "classification", {"utility": "logit"}),
    ],
)
def test_values_of_a_model_of_raymm_are_those_of_the_engine(n, fusion, task, valuation, tmp_path):
    dataset = gappy_dataset(tmp_path / "d", n, ("train",) * 22, (0.3, 0.1), task)
    config = settings(
        model={"fusion": fusion, "feature_size": 8, "fusion_size": 8, "encoder": {"width": 64}},
        valuation={"batch_size": 8, **valuation},
    )
    model = restless(build_model(dataset.schema, config.model, 0))
    view, rows = BatchReader(dataset, config.view), dataset.rows("train")
    true = value_rows(model, view, rows, config)
    batches = [view.batch(part) for part in parts_of(rows, 8)]
    found = value_batches(
        model, batches, ids=ids_of(dataset), task=dataset.schema.task, seed=config.training.seed, **valuation
    )
    same(found, true)
    assert found.sample_id.tolist() == true.sample_id.tolist()
    assert len({tuple(row) for row in np.nan_to_num(found.phi).tolist()}) > 2


class Split(nn.Module):
    """`Three` in two parts, with features as wide as the widest branch."""

    def __init__(self, whole):
        super().__init__()
        self.whole = whole
        self.wide = max(out for _, out in WIDTHS.values())

    def encode(self, batch):
        outputs = [branch(batch[name]) for name, branch in self.whole.branches.items()]
        return torch.stack([nn.functional.pad(output, (0, self.wide - output.shape[1])) for output in outputs], dim=1)

    def fuse(self, features, mask):
        kept = features * mask[..., None]
        return self.whole.head(torch.cat([kept[:, i, : WIDTHS[name][1]] for i, name in enumerate(NAMES)], dim=1))


def test_three_ways_to_the_same_values(tmp_path):
    model, batches = restless(Three()).eval(), batches_of()

    def predict(batch, mask):
        outputs = [branch(batch[name]) * mask[:, [i]] for i, (name, branch) in enumerate(model.branches.items())]
        return model.head(torch.cat(outputs, dim=1))

    branches = value_batches(model, batches, modalities=dict(model.branches), ids="clip", classes=["a", "b", "c"])
    split = value_batches(Split(model), batches, modalities=NAMES, ids="clip", chunk=3)
    function = value_batches(predict, batches, modalities=NAMES, ids="clip")
    of_module = value_batches(model, batches, modalities=NAMES, predict=predict, ids="clip", classes=3)
    for table in (split, function, of_module):
        assert np.array_equal(table.phi, branches.phi)
        assert np.array_equal(table.outcomes, branches.outcomes)
        assert table.sample_id.tolist() == branches.sample_id.tolist()
    assert "predict" in function.info.fingerprint
    assert of_module.info.fingerprint == branches.info.fingerprint != split.info.fingerprint
    write_table(tmp_path / "t.parquet", branches)
    again = read_table(tmp_path / "t.parquet")
    assert again.info == branches.info
    assert np.array_equal(again.phi, branches.phi)
    assert again.text(again.label).tolist() == [
        ["a", "b", "c"][label] for batch in batches for label in batch["label"]
    ]


class Many(nn.Module):
    """Fourteen branches whose outputs are added: contributions to the logit are known."""

    def __init__(self, n=14):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(2, 3, bias=False) for _ in range(n))
        self.head = nn.Linear(3, 3, bias=False)

    def forward(self, *inputs):
        return self.head(sum(part(values) for part, values in zip(self.parts, inputs, strict=True)))


def test_more_modalities_than_are_enumerated_are_sampled_with_errors():
    model = restless(Many())
    nn.init.eye_(model.head.weight)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(5, 2, generator=generator) for _ in model.parts]
    labels, present = torch.tensor([0, 1, 2, 0, 1]), torch.ones(5, 14, dtype=torch.bool)
    present[1, 3] = present[1, 7] = present[4, 3] = False
    batch = (*inputs, labels, present)
    modalities = {f"m{i}": part for i, part in enumerate(model.parts)}
    found = value_batches(model, [batch], modalities=modalities, label=-2, present=-1, utility="logit", budget=90)
    with torch.no_grad():
        added = torch.stack(
            [part(values)[range(5), labels] for part, values in zip(model.parts, inputs, strict=True)], 1
        )
    assert (found.info.method, found.info.budget) == ("sampled", 90)
    assert np.allclose(found.phi, added.masked_fill(~present, torch.nan), rtol=0, atol=1e-5, equal_nan=True)
    assert np.isnan(found.stderr[1, 3])
    hard = value_batches(model, [batch], modalities=modalities, label=-2, present=-1, budget=60, seed=1)
    assert (hard.stderr[0] > 0).all()
    again = value_batches(model, [batch], modalities=modalities, label=-2, present=-1, budget=60, seed=2)
    assert not np.array_equal(again.phi, hard.phi, equal_nan=True)
    few = value_batches(model, [batch], modalities=modalities, label=-2, present=-1, budget="10x")
    assert (few.info.method, few.info.budget) == ("sampled", 10 * 840 // 90)


def test_a_regression_with_a_utility_of_ones_own():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)

        def forward(self, a, b):
            return (self.a(a) + self.b(b))[:, 0]

    model = restless(Sum())
    output = Utility("output", lambda outputs, targets, sizes: outputs[..., 0])
    batch = {"a": torch.tensor([[1.0], [2.0]]), "b": torch.tensor([[3.0], [-1.0]]), "y": torch.tensor([0, 0])}

    from raymm.tasks.classification import Classification

    class OneOutput(Classification):
        name, fewest_classes = "one", 1

    found = value_batches(model, [batch], modalities={"a": "a", "b": "b"}, utility=output, task=OneOutput())
    with torch.no_grad():
        true = torch.cat([model.a(batch["a"]), model.b(batch["b"])], dim=1)
    assert np.allclose(found.phi, true, rtol=0, atol=1e-6)


class Normal(nn.Module):
    """Layers of which each acts otherwise in training mode."""

    def __init__(self):
        super().__init__()
        self.normal = nn.ModuleDict({name: nn.BatchNorm1d(wide) for name, (wide, _) in WIDTHS.items()})
        self.head, self.drop = nn.Linear(sum(wide for wide, _ in WIDTHS.values()), 3), nn.Dropout()

    def encode(self, batch):
        widest = max(wide for wide, _ in WIDTHS.values())
        parts = [self.normal[name](batch[name]) for name in NAMES]
        return torch.stack([nn.functional.pad(part, (0, widest - part.shape[1])) for part in parts], dim=1)

    def fuse(self, features, mask):
        kept = features * mask[..., None]
        joined = torch.cat([kept[:, i, : wide[0]] for i, wide in enumerate(WIDTHS.values())], dim=1)
        return self.head(self.drop(joined))

    def predict(self, batch, mask):
        return self.fuse(self.encode(batch), mask)


class Held:
    """A model in two parts that is no module."""

    def __init__(self, net):
        self.nets = {"all": net}

    def encode(self, batch):
        return self.nets["all"].encode(batch)

    def fuse(self, features, mask):
        return self.nets["all"].fuse(features, mask)


@pytest.mark.parametrize(
    "hold", [lambda net: net.predict, lambda net: lambda batch, mask: 1 * net.predict(batch, mask), Held]
)
def test_modules_that_something_else_holds_rest_and_have_their_modes_afterwards(hold):
    batches, net = batches_of(), restless(Normal())
    true = value_batches(net.eval(), batches, modalities=NAMES, ids="clip").phi
    net.train().head.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = value_batches(hold(net), batches, modalities=NAMES, ids="clip")
    assert np.array_equal(found.phi, true)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert (net.training, net.drop.training, net.head.training) == (True, True, False)


def changes_the_batch(batch, mask):
    batch["audio"][~mask[:, 0]] = 0
    return batch["audio"] + batch["text"].sum(1, keepdim=True)


def draws(batch, mask):
    return batch["audio"] + torch.rand(len(mask), 3)


def mixes(batch, mask):
    return batch["audio"] * mask[:, [0]] + (batch["text"] * mask[:, [2]]).sum()


def similarities(batch, mask):
    return batch["audio"] @ (batch["audio"] * mask[:, [0]]).T


def not_finite(batch, mask):
    return batch["audio"] / mask[:, [1]]


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        (changes_the_batch, "changes the batch in place, or draws at random"),
        (draws, "changes the batch in place, or draws at random"),
        (mixes, "the logits of sample 1 of the batch change when sample 0 is masked"),
        (similarities, "samples of a batch must not mix"),
        (not_finite, "first those of sample 0 of the batch for the coalition {}; .* give mask='mean'$"),
        (
            lambda batch, mask: batch["audio"][:2],
            r"the logits are \[2, 3\]; expected \[samples, classes\] = \[6, ...\]",
        ),
        (
            lambda batch, mask: batch["audio"][:, 0],
            "gives 1 logit a sample, and the task classification needs at least 2",
        ),
        (
            lambda batch, mask: batch["audio"].long(),
            "returns torch.int64; say how logits are found in it by outputs=",
        ),
        (
            lambda batch, mask: (1, 2),
            r"returns a tuple \(0: int, 1: int\); say how logits are found in it by outputs=$",
        ),
        (
            lambda batch, mask: (batch["audio"].sum(), batch["audio"], mask),
            r"a tuple \(0: \[\], 1: \[6, 3\], 2: \[6, 3\]\); .* by outputs=, such as outputs=lambda out: out\[1\]$",
        ),
        (
            lambda batch, mask: {"loss": None, "pred": batch["audio"]},
            r"a dict \('loss': NoneType, 'pred': \[6, 3\]\); .* such as outputs=lambda out: out\['pred'\]$",
        ),
        (lambda batch, mask: batch["picture"], "in predict, called with audio float32 .*KeyError: 'picture'"),
    ],
)
def test_a_function_that_cannot_be_valued(predict, words):
    with pytest.raises(BatchError, match=r"batch 0 \(the first is 0\)") as told:
        value_batches(predict, batches_of(), modalities=NAMES, ids="clip")
    with pytest.raises(BatchError, match=words):
        raise told.value
