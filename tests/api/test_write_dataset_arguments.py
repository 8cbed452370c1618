"""`raymm.write_dataset`: what arguments may be, and what is said of those that are something else."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import raymm
from raymm.data import Sample, Schema, TextSpec, VectorSpec
from raymm.errors import ConfigError, DataError

COUNT = 30
LABELS = [row % 2 for row in range(COUNT)]
SPLITS = ["train", "val", "test"] * (COUNT // 3)
POSE = np.random.default_rng(0).normal(size=(COUNT, 2))
HALF = "\ud800"


def write(folder, data=None, **change):
    asked = {"labels": LABELS, "splits": SPLITS, "progress": None, **change}
    return raymm.write_dataset(folder, {"pose": POSE} if data is None else data, **asked)


def message(error, folder, data=None, **change):
    with pytest.raises(error) as raised:
        write(folder / "d", data, **change)
    assert not (folder / "d" / "manifest.json").exists()
    return str(raised.value)


class Items:
    """A map-style data set of the columns, with other entries in some items."""

    def __init__(self, change=lambda row: {}, length=COUNT):
        self.change, self.length = change, length

    def __len__(self):
        return self.length

    def __getitem__(self, row):
        return {"pose": POSE[row], "label": LABELS[row], "split": SPLITS[row], **self.change(row)}


@pytest.mark.parametrize("kind", [list, np.array, lambda cells: [bytearray(cell) for cell in cells]])
def test_labels_of_bytes_are_texts(tmp_path, kind):
    names = [b"cat", "süß".encode()]
    made = write(tmp_path / "d", labels=kind([names[label] for label in LABELS]))
    assert (made.schema.task.name, made.schema.classes) == ("classification", ("cat", "süß"))
    assert made.open().label.tolist() == LABELS


def test_all_that_is_told_in_bytes_is_text(tmp_path):
    made = write(
        tmp_path / "d",
        {"pose": POSE, "said": np.array([b"one", b"two"] * 15)},
        labels=[[b"a"], [b"a", b"b"]] * 15,
        ids=[f"s{row}".encode() for row in range(COUNT)],
        splits=np.array([split.encode() for split in SPLITS]),
        sources=[f"{row}.mp4".encode() for row in range(COUNT)],
        groups=[b"g%d" % (row // 3) for row in range(COUNT)],
    )
    dataset, rows = made.open(), np.arange(2)
    assert made.schema.classes == ("a", "b")
    assert dataset.shards.ids(rows).tolist() == ["s0", "s1"]
    assert dataset.shards.split.tolist() == SPLITS
    assert dataset.shards.sources(rows) == ["0.mp4", "1.mp4"]
    assert dataset.shards.read_text("said", rows) == ["one", "two"]
    assert dataset.groups[:4].tolist() == ["g0", "g0", "g0", "g1"]


@pytest.mark.parametrize(("cell", "words"), [(b"\xff", "is bytes that are no text in UTF-8"), (HALF, r"('\ud800')")])
@pytest.mark.parametrize("name", ["labels", "ids", "splits", "sources", "groups", "said", "lists"])
def test_what_cannot_be_written_is_refused_with_its_item(tmp_path, name, cell, words):
    cells = [f"s{row}" for row in range(29)] + [cell]
    if name == "said":
        said = message(DataError, tmp_path, {"said": cells})
    else:
        named = {"labels": [[one] for one in cells]} if name == "lists" else {name: cells}
        said = message(DataError, tmp_path, **named)
    assert "write_dataset: item 29: '" in said
    assert words in said


def test_classes_and_samples_that_cannot_be_written_are_refused(tmp_path):
    assert "class 'b\\ud800' holds half of a surrogate pair" in message(
        ConfigError, tmp_path, classes=["a", "b" + HALF]
    )
    items = Items()
    items.classes = ["a", b"\xff"]
    with pytest.raises(DataError, match="a name in its attribute `classes` is bytes that are no text"):
        raymm.write_dataset(tmp_path / "i", items, progress=None)
    schema = Schema(modalities=[TextSpec(name="said")], classes=["a", "b"])
    samples = [
        Sample(f"s{row}", SPLITS[row], LABELS[row], {"said": "x"}, *of)
        for row, of in enumerate([(HALF,), ("", HALF), ("", 5)])
    ]
    samples += [Sample("t" + HALF, "val", 0, {"said": "x"}), Sample("u", "val", 0, {"said": HALF})]
    samples += [Sample(5, "val", 0, {"said": "x"})]
    with pytest.raises(DataError) as raised:
        raymm.write_dataset(tmp_path / "s", samples, schema)
    for words in (
        "sample 's0': source holds half",
        "sample 's1': group holds half",
        "sample 's2': group is a int; give a text",
        r"sample 't\ud800': sample_id holds half",
        "sample 'u': said: holds half",
        "sample '5': sample_id is a int; give a text",
    ):
        assert words in str(raised.value)


@pytest.mark.parametrize("name", ["id", "sample_id", "label", "split", "group", "source"])
def test_names_that_mean_something_else_are_no_modalities(tmp_path, name):
    assert f"'{name}' is no name of a modality here" in message(DataError, tmp_path, {name: POSE, "b": POSE})


@pytest.mark.parametrize("name", ["sample_id", "label", "split", "source"])
def test_a_schema_has_no_modality_of_the_name_of_a_column(name):
    with pytest.raises(ValueError, match=f"modality '{name}': every data set has a column of that name"):
        Schema(modalities=[VectorSpec(name=name, size=2)], classes=["a", "b"])


def test_an_index_has_no_modality_of_the_name_of_a_column(tmp_path):
    items = Items(lambda row: {"content": POSE[row]})
    with pytest.raises(DataError, match="modality 'content': the index of samples that stay where they are"):
        raymm.train(items, out=tmp_path / "run", progress=None)
    assert raymm.write_dataset(tmp_path / "d", items, progress=None).schema.names == ("pose", "content")


def masked(rows):
    hidden = np.zeros((COUNT, 2), bool)
    hidden[rows] = True
    return np.ma.array(POSE, mask=hidden)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (masked((3, 1)), "item 3: 'a' holds masked numbers; fill them, or give None"),
        (masked(3), "item 3: 'a' holds masked numbers; fill them, or give None"),
        (POSE + 1j, "item 0: 'a' holds complex numbers"),
        (torch.tensor(POSE + 1j), "item 0: 'a' holds complex numbers"),
        ((POSE + 1j).tolist(), "item 0: 'a' holds complex numbers"),
    ],
)
def test_numbers_of_which_a_part_would_be_lost_are_refused(tmp_path, column, words):
    assert words in message(DataError, tmp_path, {"a": column})
    schema = Schema(modalities=[VectorSpec(name="a", size=2)], classes=["a", "b"])
    samples = [Sample(f"s{row}", SPLITS[row], LABELS[row], {"a": column[row]}) for row in range(COUNT)]
    with pytest.raises(DataError, match=r"sample 's[03]': a: (holds masked numbers|has type complex128)"):
        raymm.write_dataset(tmp_path / "s", samples, schema)


def test_arrays_that_hide_nothing_are_taken(tmp_path):
    made = write(tmp_path / "d", {"pose": np.ma.array(POSE), "b": torch.tensor(POSE).bfloat16()})
    assert np.array_equal(made.open().shards.read("pose", np.arange(COUNT)), POSE.astype(np.float32))


TEXTS = [["no", "yes"][label] for label in LABELS]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(LABELS)[:, None], ("0", "1")),
        (np.array(LABELS, np.float32)[:, None], ("0", "1")),
        (torch.tensor(LABELS)[:, None], ("0", "1")),
        (pd.DataFrame({"y": LABELS}), ("0", "1")),
        (pd.DataFrame({"y": TEXTS})[["y"]].to_numpy(), ("no", "yes")),
        (np.array(TEXTS)[:, None], ("no", "yes")),
    ],
)
def test_labels_in_one_column_are_one_a_sample(tmp_path, labels, classes):
    made = write(tmp_path / "d", labels=labels, ids=np.array([f"s{row}" for row in range(COUNT)])[:, None])
    assert (made.schema.task.name, made.schema.classes) == ("classification", classes)
    assert made.open().label.tolist() == LABELS
    assert made.open().shards.ids(np.arange(1)).tolist() == ["s0"]


def test_one_column_of_targets_or_of_marks_stays_what_it_is(tmp_path):
    targets = np.random.default_rng(1).normal(size=(COUNT, 1))
    flat, column = (write(tmp_path / name, labels=found) for name, found in (("f", targets[:, 0]), ("c", targets)))
    assert column.schema == flat.schema
    assert np.array_equal(column.open().label, targets)
    marks = np.array(LABELS)[:, None]
    for name, change in {
        "m": {"task": "multilabel"},
        "o": {"classes": ["loud"]},
        "l": {"labels": marks.tolist()},
    }.items():
        made = write(tmp_path / name, **{"labels": marks, **change})
        assert made.schema.task.name == "multilabel"
        assert np.array_equal(made.open().label, marks == 1)
    assert write(tmp_path / "r", labels=marks, task="regression").open().label[:2].tolist() == [[0.0], [1.0]]


def test_columns_of_arrow_are_taken(tmp_path):
    whole = pa.array([None, *POSE.tolist()[1:]])
    given = {
        "pose": whole,
        "parts": pa.chunked_array([POSE[:9].tolist(), POSE[9:].tolist()]),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(POSE.ravel()), 2),
        "said": pa.array(["u", None, "v"] * 10),
    }
    ids = pa.array([f"s{row}" for row in range(COUNT)])
    dataset = write(tmp_path / "d", given, labels=pa.array(TEXTS), splits=pa.array(SPLITS), ids=ids).open()
    rows = np.arange(COUNT)
    for name in ("parts", "fixed"):
        assert np.array_equal(dataset.shards.read(name, rows), POSE.astype(np.float32))
    assert dataset.present[:4].tolist() == [
        [False, True, True, True], [True, True, True, False], [True, True, True, True], [True, True, True, True]
    ]  # fmt: skip
    assert dataset.schema.classes == ("no", "yes")


NO_COLUMN = {
    "int": 5,
    "ndarray without an axis": np.array(5),
    "Tensor without an axis": torch.tensor(5),
    "str": "ab" * 15,
    "bytes": b"ab" * 15,
    "dict": {0: 1},
    "set": {1, 2},
}


@pytest.mark.parametrize("name", ["labels", "ids", "splits", "sources", "groups", "'pose'"])
@pytest.mark.parametrize("kind", [*NO_COLUMN, "generator", "NoneType"])
def test_what_is_no_column_is_named(tmp_path, name, kind):
    column = (label for label in LABELS) if kind == "generator" else NO_COLUMN.get(kind)
    if kind == "NoneType" and name != "'pose'":
        return
    said = message(DataError, tmp_path, **({"data": {"pose": column}} if name == "'pose'" else {name: column}))
    assert said == f"write_dataset: {name} is a {kind}; give an array, tensor or list of one entry a sample"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 5}, "classes is a int; give a list of names of the classes"),
        ({"classes": "abc"}, "classes is a str; give a list of names of the classes"),
        ({"classes": ["x", "x", "z"]}, "classes: 'x' appears twice; give each class a name of its own"),
        ({"modalities": {"a": 3}}, "modalities: the kind of 'a' is 3; give its name, such as 'vector'"),
        ({"modalities": 5}, "modalities is a int; give a list of names and kinds such as 'pose:vector'"),
        ({"modalities": [3]}, "modalities: holds 3, a int; give a list of names and kinds"),
        ({"modalities": b"pose"}, "modalities is a bytes; give a list of names and kinds"),
        ({"settings": 5}, "settings is a int; give a list of texts such as 'field=value', or a mapping"),
        ({"settings": [5]}, "settings: holds 5, a int; give a list of texts"),
        ({"settings": None}, "settings is a NoneType; give a list of texts"),
        ({"settings": {"pose.size": object()}}, "settings: pose.size is a object, which is no setting"),
        ({"task": "multilabel", "task_settings": 5}, "task_settings is a int; give a list of texts"),
        ({"task": 5}, "data write_dataset: task: must be text (got 5)"),
        (
            {"data": pd.DataFrame({"pose": list(POSE)})},
            "data is a DataFrame; give a mapping from names of modalities",
        ),
        ({"data": pa.table({"pose": POSE.tolist()})}, "data is a Table; give a mapping from names of modalities"),
    ],
)
def test_arguments_that_are_something_else_are_named(tmp_path, change, words):
    assert words in message(ConfigError, tmp_path, **change)


@pytest.mark.parametrize("out", [None, 3, b"x"])
def test_a_place_that_is_no_path_is_named(out):
    with pytest.raises(ConfigError, match=rf"^write_dataset: out={out!r}: give a path$"):
        raymm.write_dataset(out, {"pose": POSE}, labels=[0, 1] * 15)


def test_a_place_below_a_file_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        raymm.write_dataset(tmp_path / "file" / "data", {"pose": POSE}, labels=[0, 1] * 15)


def test_a_schema_and_samples_that_are_something_else_are_named(tmp_path):
    schema = Schema(modalities=[TextSpec(name="said")], classes=["a", "b"])
    for data, given, words in (
        ([], {}, "schema is a dict; give a raymm.data.Schema"),
        (5, schema, "data is a int; with a schema, give raymm.data.Sample objects"),
        ([{"said": "x"}], schema, "sample 0 is a dict; give a raymm.data.Sample"),
    ):
        with pytest.raises((ConfigError, DataError), match=f"write_dataset: {words}"):
            raymm.write_dataset(tmp_path / "d", data, given)


@pytest.mark.parametrize("length", [30.0, -3, None])
def test_a_length_that_is_no_number_of_items_is_named(tmp_path, length):
    with pytest.raises(ConfigError, match=r"Items: __len__ raises .*; return the number of items, a whole number"):
        raymm.write_dataset(tmp_path / "d", Items(length=length), progress=None)


@pytest.mark.parametrize("splits", [SPLITS, None])
@pytest.mark.parametrize("groups", [None, [f"g{row // 3}" for row in range(COUNT)]])
def test_ids_that_repeat_are_said_before_all_that_follows_from_them(tmp_path, splits, groups):
    said = message(DataError, tmp_path, ids=["a"] * 28 + ["b", "b"], splits=splits, groups=groups)
    assert said.splitlines() == [
        "write_dataset: 2 problems",
        "  - sample 'a': its id appears 28 times",
        "  - sample 'b': its id appears 2 times",
    ]


@pytest.mark.parametrize("name", ["a b", "", ".", "A", "é", "1a", "a-b", "x" * 41, 3, HALF])
def test_the_rule_of_names_is_said_in_words(tmp_path, name):
    assert message(ConfigError, tmp_path, {name: POSE}) == (
        f"write_dataset: {str(name)!r} is no name of a modality; write letters a to z, digits and _, beginning with "
        "a letter, 40 characters at most"
    )


def test_targets_of_any_size_are_targets(tmp_path):
    draw = np.random.default_rng(0).normal(size=COUNT)
    made = write(tmp_path / "d", labels=draw * 1e20)
    assert made.schema.task.name == "regression"
    assert made.schema.task.settings.sd[0] == pytest.approx((draw * 1e20)[::3].std())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = message(DataError, tmp_path / "e", labels=draw * 1e200)
    assert "target 1 is as large as" in said
    assert len(said) < 400
