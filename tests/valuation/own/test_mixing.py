"""Models whose samples mix are refused, wherever they do, and honest ones are not, in any type and form of batch."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from raymm.valuation.own import BatchError, value_batches

B, NAMES = 7, ("a", "b")
GENERATOR = torch.Generator().manual_seed(0)
X, W = torch.randn(B, 2, 5, generator=GENERATOR), torch.randn(10, 4, generator=GENERATOR)
BATCH = {"x": X, "label": torch.arange(B) % 4, "there": torch.ones(B, 2, dtype=torch.bool)}
MIX = "samples of a batch must not mix"


def rows(batch, some):
    return {name: values[some] for name, values in batch.items()}


def centred(batch, mask):
    outputs = (batch["x"].tanh() * mask[..., None]).flatten(1) @ W
    return outputs - outputs.mean(0)


class Split:
    def encode(self, batch):
        return batch["x"]

    def fuse(self, features, mask):
        return (features * mask[..., None]).flatten(1) @ W


class CentredEncoder(Split):
    def encode(self, batch):
        return batch["x"] - batch["x"].mean(0)


class CentredFusion(Split):
    def fuse(self, features, mask):
        outputs = super().fuse(features, mask)
        return outputs - outputs.mean(0)


class Branches(nn.Module):
    def __init__(self, fixed):
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5, track_running_stats=fixed))
        self.b, self.head = nn.Linear(5, 5), nn.Linear(10, 4)

    def forward(self, a, b):
        return self.head(torch.cat([self.a(a), self.b(b)], dim=1))


def branch_batches(sizes):
    values = torch.randn(sum(sizes), 2, 5, generator=torch.Generator().manual_seed(1))
    parts = zip(values.split(sizes), sizes, strict=True)
    return [{"a": part[:, 0], "b": part[:, 1], "label": torch.arange(size) % 4} for part, size in parts]


@pytest.mark.parametrize("lacking", [[], [0], [0, 1, 2], [*range(B - 1)]])
def test_a_function_that_mixes_samples_whatever_the_first_ones_lack(lacking):
    there = BATCH["there"].clone()
    there[lacking] = False
    with pytest.raises(BatchError, match=f"batch 0 .*predict: the logits of sample .*{MIX}"):
        value_batches(centred, [{**BATCH, "there": there}], modalities=NAMES, present="there")


def test_the_first_batch_of_two_samples_is_looked_at():
    with pytest.raises(BatchError, match=f"batch 1 .*{MIX}") as caught:
        value_batches(centred, [rows(BATCH, slice(1)), BATCH], modalities=NAMES)
    assert len(caught.value.values) == 1


def test_the_first_batch_of_which_a_sample_has_something_is_looked_at():
    empty = {**BATCH, "there": torch.zeros(B, 2, dtype=torch.bool)}
    with pytest.raises(BatchError, match=f"batch 1 .*{MIX}"):
        value_batches(centred, [empty, BATCH], modalities=NAMES, present="there")


@pytest.mark.parametrize("model", [CentredEncoder(), CentredFusion()])
@pytest.mark.parametrize("before", [[], [rows(BATCH, slice(1))]])
def test_a_model_in_two_parts(model, before):
    with pytest.raises(BatchError, match=f"batch {len(before)} .*encode and fuse: the logits of sample .*{MIX}"):
        value_batches(model, [*before, BATCH], modalities=NAMES)


@pytest.mark.parametrize("sizes", [(8,), (1, 2), (4, 4)])
def test_a_branch_that_normalises_over_the_batch(sizes):
    model, branches = Branches(fixed=False).eval(), dict(zip(NAMES, NAMES, strict=True))
    if 1 in sizes:
        model.a[1].forward = lambda values: values - values.mean(0)
    with pytest.raises(BatchError, match=f"batch {len(sizes) - 1 if 1 in sizes else 0} .*the model: .*{MIX}"):
        value_batches(model, branch_batches(sizes), modalities=branches)
    calls = {"forward": lambda model, batch: model(batch["a"], batch["b"])}
    with pytest.raises(BatchError, match=MIX):
        value_batches(model, branch_batches(sizes), modalities=branches, **calls)


def test_a_branch_of_fixed_statistics_is_valued():
    table = value_batches(
        Branches(fixed=True), branch_batches((1, 4, 8)), modalities=dict(zip(NAMES, NAMES, strict=True))
    )
    assert len(table) == 13


@dataclass
class Fields:
    x: torch.Tensor
    label: torch.Tensor


class Named(NamedTuple):
    x: torch.Tensor
    label: torch.Tensor


@pytest.mark.parametrize(
    ("batch", "of"),
    [
        ((X, BATCH["label"]), lambda batch: batch[0]),
        (Named(X, BATCH["label"]), lambda batch: batch.x),
        (Fields(X, BATCH["label"]), lambda batch: batch.x),
        ({"x": X.numpy(), "label": [*range(4), 0, 1, 2]}, lambda batch: torch.as_tensor(batch["x"])),
        ({"x": [*X], "label": BATCH["label"]}, lambda batch: torch.stack(batch["x"])),
        ({"x": X.transpose(0, 1), "label": BATCH["label"]}, lambda batch: batch["x"].transpose(0, 1)),
        ({"x": (X[:, :1], X[:, 1:]), "label": BATCH["label"]}, lambda batch: torch.cat(batch["x"], dim=1)),
        ({"x": X, "label": BATCH["label"], "id": [*"abcdefg"], "size": 2}, lambda batch: batch["x"]),
    ],
    ids=["tuple", "named tuple", "dataclass", "array", "list of tensors", "second axis", "nested", "names"],
)
def test_every_form_of_a_batch_is_cut(batch, of):
    def honest(batch, mask):
        return (of(batch) * mask[..., None]).flatten(1) @ W

    def mixing(batch, mask):
        centre = of(batch).mean(0)
        return ((of(batch) - centre) * mask[..., None]).flatten(1) @ W

    assert len(value_batches(honest, [batch], modalities=NAMES, label=label_of)) == B
    with pytest.raises(BatchError, match=f"change with the other samples beside it; {MIX}"):
        value_batches(mixing, [batch], modalities=NAMES, label=label_of)


def label_of(batch):
    return batch[1] if type(batch) is tuple else batch["label"] if isinstance(batch, dict) else batch.label


@pytest.mark.parametrize(
    "more",
    [
        {"weights": torch.rand(B) + 0.5},
        {"square": torch.rand(B, B)},
        {"jagged": torch.rand(3 * B), "lengths": torch.full((B,), 3)},
        {"thing": object()},
    ],
    ids=["as long as the batch", "two axes", "jagged", "unknown"],
)
def test_what_else_a_batch_holds_makes_no_model_one_that_mixes(more):
    def predict(batch, mask):
        outputs = (batch["x"] * mask[..., None]).flatten(1) @ W
        if "weights" in batch:
            outputs = outputs * batch["weights"].mean()
        if "square" in batch:
            outputs = outputs + batch["square"].sum(0)[:, None]
        if "jagged" in batch:
            ends = batch["lengths"].cumsum(0)
            outputs = outputs + batch["jagged"].cumsum(0)[(ends - 1).clamp(max=3 * B - 1)][:, None]
        return outputs

    assert len(value_batches(predict, [{**BATCH, **more}], modalities=NAMES)) == B


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.head = nn.LSTM(5, 16, batch_first=True), nn.Linear(64, 64), nn.Linear(80, 4)

    def forward(self, a, b, lengths):
        packed = pack_padded_sequence(a, lengths.cpu(), batch_first=True)
        return self.head(torch.cat([self.a(packed)[1][0][0], self.b(b).relu()], dim=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [2, 33])
def test_an_honest_model_in_any_precision(dtype, size):
    generator = torch.Generator().manual_seed(size)
    batch = {
        "a": torch.randn(size, 9, 5, generator=generator).to(dtype),
        "b": 10 * torch.randn(size, 64, generator=generator).to(dtype),
        "lengths": (torch.arange(size).flip(0) % 9 + 1).sort(descending=True).values,
        "label": torch.arange(size) % 4,
    }
    model = Recurrent().to(dtype)
    table = value_batches(model, [batch], modalities={"b": "b"})
    assert len(table) == size


def linear(size):
    return torch.randn(5, size, generator=torch.Generator().manual_seed(3))


def outputs(a, b, keep):
    return (a * keep[:, :1]) @ linear(4) + (b * keep[:, 1:]) @ linear(4).flip(0)


def with_prototypes(batch, keep):
    return outputs(batch["x"][:, 0], batch["x"][:, 1], keep) @ batch["one"].T @ batch["two"]


def with_prompts(batch, keep):
    of_prompts = torch.tensor([[float(len(text))] for text in batch["prompts"]]) * torch.arange(4.0)
    return outputs(batch["x"][:, 0], batch["x"][:, 1], keep) + of_prompts.sum(0)


def with_mean(batch, keep):
    return outputs(batch["x"][:, 0] - sum(batch["mean"]), batch["x"][:, 1] / sum(batch["size"]), keep)


def time_major(batch, keep):
    """Values [time, samples, 5], and [samples, time], True where a sample has ended."""
    there = ~batch["ended"].T[..., None]
    a, b = ((batch[name] * there).sum(0) / there.sum(0) for name in NAMES)
    return outputs(a, b, keep)


def with_positions(batch, keep):
    moved = torch.einsum("st,btf->bsf", batch["square"], batch["clips"]) + batch["positions"]
    return outputs(moved[:, -1], moved[:, 0], keep)


def of_clips(batch, keep):
    padded = torch.nn.utils.rnn.pad_sequence(batch["clips"], batch_first=True)
    return outputs(padded.sum(1), padded[:, 0], keep)


def of_samples(batch, keep):
    a, b = (torch.stack([sample[place] for sample in batch]) for place in (0, 1))
    return outputs(a, b, keep)


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


ENDED = torch.arange(B)[None] >= torch.tensor([7, 6, 2, 3, 5, 4, 1])[:, None]
SHARED = {
    "prototypes": (with_prototypes, {"x": X, "one": random(B, 4), "two": random(B, 4)}),
    "prompts": (with_prompts, {"x": X, "prompts": ["a" * size for size in range(1, B + 1)]}),
    "mean": (with_mean, {"x": X, "mean": [0.1 * number for number in range(B)], "size": tuple(range(1, B + 1))}),
    "time major": (time_major, {"a": random(B, B, 5), "b": random(B, B, 5) * 2, "ended": ENDED}),
    "positions": (
        with_positions,
        {"clips": X[:, :1] * random(B, B, 5), "square": random(B, B), "positions": random(B, 5)},
    ),
    "clips": (of_clips, {"clips": [random(B, 5) * (number + 1) for number in range(B)]}),
}


@pytest.mark.parametrize("kind", SHARED)
def test_what_belongs_to_all_samples_may_be_as_long_as_the_batch(kind):
    predict, batch = SHARED[kind]
    table = value_batches(predict, [{**batch, "label": BATCH["label"]}], modalities=NAMES)
    assert len(table) == B


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_samples_may_have_as_many_entries_as_the_batch_has_samples(size):
    batch = [(random(5) + number, random(5) - number, "x", 1)[: max(2, size)] for number in range(size)]
    table = value_batches(of_samples, [batch], modalities=NAMES, label=lambda batch: [0] * len(batch))
    assert len(table) == size


def test_two_parts_that_are_shared_hide_no_model_that_mixes():
    def mixing(batch, keep):
        return with_prototypes({**batch, "x": batch["x"] - batch["x"].mean(0)}, keep)

    batch = {**SHARED["prototypes"][1], "label": BATCH["label"]}
    with pytest.raises(BatchError, match=MIX):
        value_batches(mixing, [batch], modalities=NAMES)


class Held(MutableMapping):
    """A mapping whose copy holds the same items."""

    def __init__(self, items):
        self.items_of_it = items

    def __getitem__(self, key):
        return self.items_of_it[key]

    def __setitem__(self, key, value):
        self.items_of_it[key] = value

    def __delitem__(self, key):
        del self.items_of_it[key]

    def __iter__(self):
        return iter(self.items_of_it)

    def __len__(self):
        return len(self.items_of_it)


class Slotted(Held):
    __slots__ = ("items_of_it",)


class Frozen(dict):
    def __setitem__(self, key, value):
        raise TypeError("frozen")


class Points(list):
    def __init__(self, points, unit):
        super().__init__(points)
        self.unit = unit


@pytest.mark.parametrize("kind", [Held, Slotted, Frozen])
def test_batches_of_somebody_s_own_types_stay_as_they_are(kind):
    held = {"x": X, "label": BATCH["label"], "size": Points([1, 2], "px")}
    batch = kind(dict(held))

    def predict(batch, mask):
        return (batch["x"] * mask[..., None]).flatten(1) @ W * len(batch["size"])

    found, expected = (value_batches(predict, [one], modalities=NAMES) for one in (batch, held))
    assert (found.phi == expected.phi).all()
    assert all(batch[name] is value for name, value in held.items())
