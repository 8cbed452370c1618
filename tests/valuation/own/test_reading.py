"""Batches of many forms give the same table; what is wrong with one is told by its number."""

from collections import UserDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

from raymm.errors import ConfigError, DataError
from raymm.valuation.own import BatchError, value_batches


class Two(nn.Module):
    """Two branches, and logits under a name."""

    def __init__(self):
        super().__init__()
        self.a, self.v = nn.Linear(2, 3, bias=False), nn.Linear(4, 3, bias=False)

    def forward(self, audio, video):
        return SimpleNamespace(logits=self.a(audio) + self.v(video))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Two()


class Clips(Dataset):
    def __init__(self, rows=7):
        generator = torch.Generator().manual_seed(1)
        self.audio, self.video = torch.randn(rows, 2, generator=generator), torch.randn(rows, 4, generator=generator)

    def __len__(self):
        return len(self.audio)

    def __getitem__(self, row):
        return {"audio": self.audio[row], "video": self.video[row], "label": row % 3, "path": f"{row}.mp4"}


class Streamed(IterableDataset):
    def __iter__(self):
        clips = Clips()
        return (clips[row] for row in range(len(clips)))


class Pair(NamedTuple):
    inputs: dict
    target: Tensor


@dataclass
class Record:
    inputs: dict
    y: Tensor


CLIPS = Clips()
A, V, Y = CLIPS.audio, CLIPS.video, torch.arange(7) % 3
WHOLE = {"audio": A, "video": V}


def unpacked(model, batch):
    return model(**batch.inputs)


FORMS = {
    "DataLoader of mappings": (DataLoader(CLIPS, batch_size=3), {"ids": "path"}),
    "DataLoader of a stream": (DataLoader(Streamed(), batch_size=3), {"ids": "path"}),
    "mapping of a type of its own": ([UserDict(WHOLE, labels=Y)], {}),
    "labels as a list": ([WHOLE | {"targets": Y.tolist()}], {}),
    "labels of one column": ([WHOLE | {"targets": Y[:, None]}], {}),
    "labels of another type": ([WHOLE | {"targets": Y.to(torch.uint8)}], {}),
    "labels as an array": ([WHOLE | {"c": Y.numpy(), "n": [*"abcdefg"]}], {"label": "c", "ids": "n"}),
    "tuple, the label is last": ([(A, V, Y)], {}),
    "list, the label is first": ([[Y, A, V]], {"label": 0}),
    "ids of bytes": (
        [WHOLE | {"c": Y, "n": np.array([b"%d.mp4" % row for row in range(7)])}],
        {"label": "c", "ids": "n"},
    ),
    "tuple with ids": ([(A, torch.arange(7), V, Y)], {"ids": 1}),
    "mapping inside of a tuple": ([(WHOLE, Y)], {"forward": lambda model, batch: model(**batch[0])}),
    "named tuple": ([Pair(WHOLE, Y)], {"forward": unpacked}),
    "dataclass": ([Record(WHOLE, Y)], {"forward": unpacked}),
    "object": ([SimpleNamespace(inputs=WHOLE, target=Y)], {"forward": unpacked}),
    "lists of samples": (
        DataLoader(CLIPS, batch_size=3, collate_fn=list),
        {
            "forward": lambda model, batch: model(*(torch.stack([x[k] for x in batch]) for k in ("audio", "video"))),
            "label": lambda batch: [sample["label"] for sample in batch],
            "ids": lambda batch: [sample["path"] for sample in batch],
        },
    ),
    "iterator": (iter([(A[:4], V[:4], Y[:4]), (A[4:], V[4:], Y[4:])]), {}),
    "labels that are looked up": (
        [WHOLE | {"name": ["abc"[label] for label in Y]}],
        {"label": lambda batch: ["abc".index(name) for name in batch["name"]], "source": "name"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_batch(model, form):
    batches, settings = FORMS[form]
    table = value_batches(model, batches, modalities={"audio": "a", "video": "v"}, **settings)
    with torch.no_grad():
        a, v = model.a(A), model.v(V)
        right = [(logits.argmax(1) == Y).double().numpy() for logits in (a, v, a + v)]
    phi = np.stack([(right[0] + 2 * right[2] - right[1]) / 2, (right[1] + 2 * right[2] - right[0]) / 2], axis=1)
    assert np.allclose(table.phi, phi, rtol=0, atol=1e-12)
    assert table.label.tolist() == Y.tolist()
    if "ids" not in settings:
        assert table.sample_id.tolist() == [*"0123456"]
    elif settings["ids"] == "path" or callable(settings["ids"]) or form == "ids of bytes":
        assert table.sample_id.tolist() == [f"{row}.mp4" for row in range(7)]
    assert (table.source is None) == ("source" not in settings)


GOOD = {"audio": A[:3], "video": V[:3], "label": [0, 1, 2], "path": ["x", "y", "z"]}
MASK = torch.ones(3, 2)

WRONG = {
    r"sample 'y': label 3 is outside the 3 classes": GOOD | {"label": [0, 3, 2]},
    r"2 problems.*sample 'x': label -100 .*sample 'z': label 9": GOOD | {"label": [-100, 1, 9]},
    r"labels are torch.float32, and the task classification has torch.int64": GOOD | {"label": [0.0, 0.5, 2.0]},
    r"labels are \[3, 3\]; .* of one-hot labels give label=lambda": GOOD | {"label": torch.eye(3).long()},
    r"labels are a list and no numbers .* give the number of each class": GOOD | {"label": ["dog", "cat", "cat"]},
    r"ids= gives 'i{40}\.\.\.' of 1001 characters, at most 1000": GOOD | {"path": ["i" * 1001, "y", "z"]},
    r"ids= gives 2 values for 3 samples": GOOD | {"path": ["x", "y"]},
    r"ids=: one of them is bytes that are no text in UTF-8": GOOD | {"path": [b"\xff", b"y", b"z"]},
    r"ids=: one of them holds half of a surrogate pair \('\\ud800'\)": GOOD | {"path": ["\ud800", "y", "z"]},
    r"it is a mapping of audio, label, path, pixels, there, video, and the first batch is a mapping of audio, label, "
    r"path, there, video": GOOD | {"pixels": V},
    r"the mapping|it is a tuple of 3 entries, and the first batch is a mapping": (A, V, Y),
    r"it has no samples": {name: value[:0] for name, value in GOOD.items()},
    r"present= gives \[3, 1\]; expected \[samples, modalities\] = \[3, 2\]": GOOD | {"there": torch.ones(3, 1)},
    r"present= must be true or false": GOOD | {"there": torch.full((3, 2), 0.5)},
    r"present= names 'text'; the modalities are audio, video": GOOD | {"there": {"text": [1, 1, 1]}},
    r"present=: 'audio' is \[2\]; expected one value a sample, \[3\]": GOOD | {"there": {"audio": [1, 1]}},
    r"logits of 1 samples are NaN or infinite, first those of sample 2 of the batch for the coalition \{audio\}": GOOD
    | {"audio": torch.cat([A[:2], torch.full((1, 2), torch.inf)])},
    r"in the forward of the model .*mat1 and mat2": GOOD | {"audio": V[:3]},
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_batch_is_told_by_its_number_and_the_values_before_it_are_kept(model, words):
    good = GOOD | {"there": MASK}
    wrong = {"there": MASK, **WRONG[words]} if isinstance(WRONG[words], dict) else WRONG[words]
    if "no samples" in words:
        wrong["there"] = MASK[:0]
    settings = {"modalities": {"audio": model.a, "video": model.v}, "ids": "path", "present": "there"}
    with pytest.raises(BatchError, match=rf"(?s)batch 2 \(the first is 0\): .*(?:{words})") as told:
        value_batches(model, [good, good, wrong], **settings)
    assert told.value.batch == 2
    assert np.array_equal(told.value.values.phi, value_batches(model, [good, good], **settings).phi)
    with pytest.raises(BatchError, match=rf"batch {0 if 'first' not in words or 'those' in words else 1}") as told:
        value_batches(model, [wrong] if "it is" not in words else [good, wrong], **settings)
    assert (told.value.values is None) == (told.value.batch == 0)


@pytest.mark.parametrize("settings", [{}, {"label": 2}])
def test_entries_that_have_positions_are_as_many_in_every_batch(model, settings):
    batches = [(A, V, Y), (A, V, Y, Y)]
    with pytest.raises(
        BatchError, match=r"batch 1 .*a tuple of 4 entries, and the first batch is a tuple of 3 entries"
    ):
        value_batches(model, batches, modalities={"audio": "a", "video": "v"}, **settings)


def test_a_key_that_forward_does_not_take_is_told():
    with pytest.raises(BatchError, match=r"see forward=, label=, ids=, source=.*unexpected keyword argument 'path'"):
        value_batches(Two(), [GOOD], modalities={"audio": "a", "video": "v"})


def test_labels_that_are_not_found_are_told(model):
    modalities = {"audio": "a", "video": "v"}
    for batch, words in (
        ({"audio": A}, "none of label, labels, target, targets, y; say it by label="),
        ({"audio": A, "label": Y, "y": Y}, "it has 'label' and 'y'; say it by label="),
    ):
        with pytest.raises(BatchError, match=words):
            value_batches(model, [batch], modalities=modalities)
    for where in ("class", 9):
        with pytest.raises(BatchError, match=rf"label={where!r}: it has none"):
            value_batches(model, [GOOD], modalities=modalities, label=where)


def test_batches_that_cannot_be_read_again(model):
    settings = {"modalities": {"audio": "a", "video": "v"}, "mask": "mean"}
    with pytest.raises(ConfigError, match=r"reads the batches twice, and these can be read once only.*reference="):
        value_batches(model, iter([(A, V, Y)]), **settings)
    spent = iter([])
    with pytest.raises(DataError, match="there are no batches to value"):
        value_batches(model, spent, modalities=settings["modalities"])


def test_an_error_of_the_loader_keeps_the_values_before_it(model):
    def broken():
        yield (A, V, Y)
        raise OSError("no such disk")

    with pytest.raises(BatchError, match=r"batch 1 .*OSError: no such disk") as told:
        value_batches(model, broken(), modalities={"audio": "a", "video": "v"})
    assert len(told.value.values) == 7


def test_batches_are_followed_where_their_number_is_known(model):
    told = []

    def follow(batches, total):
        for number, batch in enumerate(batches):
            told.append((number, total))
            yield batch

    for given in ([(A, V, Y)] * 3, iter([(A, V, Y)])):
        value_batches(model, given, modalities={"audio": "a", "video": "v"}, follow=follow)
    assert told == [(0, 3), (1, 3), (2, 3)]
