"""A `Dataset` of one's own, read where it is: rows and batches are those of a copy on disk; mistakes are named."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from raymm.config.view import ViewConfig
from raymm.data import BatchReader, open_dataset
from raymm.data.loading import BatchLoader, BatchRequest
from raymm.data.opening import open_data, parse_data_settings
from raymm.errors import ConfigError, DataError
from tests.data.indexed.own_sets import Clips, Faulty, Restless, _Numbered, written

MODULE = "tests.data.indexed.own_sets"


def opened(tmp_path, data=f"{MODULE}:clips", **settings):
    said = []
    return open_data(data, tmp_path / "run.data", settings, said.append), said


def same_batches(one, other, mask=None):
    rows = np.arange(len(one))
    a, b = (BatchReader(dataset, ViewConfig()).batch(rows, mask) for dataset in (one, other))
    assert torch.equal(a.mask, b.mask)
    assert torch.equal(a.labels, b.labels)
    for name in a.inputs:
        assert torch.equal(a.inputs[name], b.inputs[name])


def test_rows_statistics_and_batches_are_those_of_a_copy_on_disk(tmp_path):
    dataset, said = opened(tmp_path)
    copy = written(tmp_path / "copy")
    assert dataset.schema == copy.schema
    assert dataset.statistics == copy.statistics
    assert dataset.shards.sample_id.tolist() == copy.shards.sample_id.tolist()
    assert dataset.shards.split.tolist() == copy.shards.split.tolist()
    assert np.array_equal(dataset.present, copy.present)
    same_batches(dataset, copy)
    some = np.random.default_rng(0).random((60, 3)) < 0.5
    some[~some.any(axis=1), 0] = True
    same_batches(dataset, copy, some)
    assert "pose vector [6], imu sequence [2, 12], note text" in said[0]


def test_each_item_is_read_once_a_batch_and_again_only_when_it_was_dropped(tmp_path, monkeypatch):
    clips = Clips()
    dataset = open_data(clips, tmp_path / "run.data")
    reader, rows = BatchReader(dataset, ViewConfig()), np.array([3, 7, 3, 9])
    monkeypatch.setattr("raymm.data.indexed.rows.CACHE_BYTES", 0)
    clips.reads = 0
    reader.batch(rows)
    assert clips.reads == 3  # of three modalities each; row 3 stands twice
    reader.batch(rows)
    assert clips.reads in {5, 6}  # the last one is kept in any case
    monkeypatch.setattr("raymm.data.indexed.rows.CACHE_BYTES", 2**20)
    reader.batch(rows)
    clips.reads = 0
    reader.batch(rows)
    assert clips.reads == 0


def test_three_data_sets_a_tuple_and_an_object_give_the_same_rows(tmp_path):
    by_split, _ = opened(tmp_path / "a", f"{MODULE}:three")
    parts = tuple(Clips(split=split) for split in ("train", "val", "test"))
    as_tuple, _ = opened(tmp_path / "b", parts)
    whole, _ = opened(tmp_path / "c", Clips())
    assert by_split.shards.sample_id.tolist() == as_tuple.shards.sample_id.tolist()
    order = np.argsort(whole.shards.sample_id), np.argsort(by_split.shards.sample_id)
    assert whole.shards.split[order[0]].tolist() == by_split.shards.split[order[1]].tolist()
    assert whole.statistics.keys() == by_split.statistics.keys()


def test_numbers_get_the_names_of_the_classes_and_splits_are_drawn_by_label_and_seed(tmp_path):
    dataset, _ = opened(tmp_path / "a", f"{MODULE}:numbered")
    other, _ = opened(tmp_path / "b", f"{MODULE}:numbered", seed=1)
    assert dataset.schema.classes == ("cat", "dog")
    assert dataset.shards.sample_id[0] == "item-000000"
    assert [int((dataset.shards.split == split).sum()) for split in ("train", "val", "test")] == [42, 10, 8]
    for split in ("train", "val", "test"):
        assert set(dataset.label[dataset.rows(split)]) == {0, 1}
    assert dataset.shards.split.tolist() != other.shards.split.tolist()


def test_groups_are_kept_whole(tmp_path):
    class Grouped(_Numbered):
        def __getitem__(self, index):
            values, label = super().__getitem__(index)
            return {**values, "label": int(label), "group": index // 6}

    dataset, _ = opened(tmp_path, Grouped())
    for group in set(dataset.groups):
        assert len(set(dataset.shards.split[dataset.groups == group])) == 1


def test_loader_workers_open_it_again(tmp_path):
    dataset, _ = opened(tmp_path)
    reader = BatchReader(dataset, ViewConfig())
    expected = reader.batch(np.arange(12))
    with BatchLoader(reader, workers=1) as loader:
        (found,) = loader.load([BatchRequest(np.arange(12))])
    assert all(torch.equal(found.inputs[name], expected.inputs[name]) for name in expected.inputs)


def test_another_process_opens_the_index_by_its_folder(tmp_path):
    dataset, _ = opened(tmp_path)
    code = "import sys; from raymm.data import open_dataset; d = open_dataset(sys.argv[1]); import numpy as np; \
print(d.digest, d.shards.read('pose', np.array([4])).sum())"
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run.data")], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[0] == dataset.digest
    assert float(said[1]) == pytest.approx(float(dataset.shards.read("pose", np.array([4])).sum()))


def test_the_index_holds_no_values(tmp_path):
    opened(tmp_path)
    files = sorted(file.name for file in (tmp_path / "run.data").iterdir() if not file.name.startswith("."))
    assert files == ["index.arrow", "manifest.json"]
    assert json.loads((tmp_path / "run.data" / "manifest.json").read_text())["format"] == 2


def test_the_digest_follows_values_labels_and_arguments_and_not_the_place(tmp_path):
    first = opened(tmp_path / "a", args={"count": 30})[0].digest
    assert opened(tmp_path / "b", args={"count": 30})[0].digest == first
    assert opened(tmp_path / "c", args={"count": 30, "seed": 1})[0].digest != first
    assert opened(tmp_path / "d", args={"count": 36})[0].digest != first
    assert opened(tmp_path / "e", args={"count": 30, "scale": 1.5})[0].digest != first


def test_an_index_of_other_items_is_refused_in_words(tmp_path, monkeypatch):
    opened(tmp_path)
    opened(tmp_path)  # the same again
    with pytest.raises(ConfigError, match=r"args: \{\} then, \{'seed': 1\} now"):
        opened(tmp_path, args={"seed": 1})
    monkeypatch.setattr(f"{MODULE}.Clips.__len__", lambda self: len(self.rows) - 1)
    with pytest.raises(DataError, match=r"own_sets:clips: has 59 items now, 60 when .*run.data was made"):
        opened(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(f"{MODULE}.WORDS", ("a quiet cat", "a big dog"))
    with pytest.raises(DataError, match=r"item \d+ \(sample 's\d+'\) has other values than when .*run.data was made"):
        opened(tmp_path)


def test_changed_code_is_refused(tmp_path):
    code = "from tests.data.indexed.own_sets import Clips\n\ndef mine():\n    return Clips(30)\n"
    file = tmp_path / "mine_of_a_test.py"
    file.write_text(code)
    dataset, _ = opened(tmp_path, f"{file}:mine")
    assert len(dataset) == 30
    assert len(opened(tmp_path, f"{file}:mine")[0]) == 30
    file.write_text(code + "\n# changed\n")
    del sys.modules["mine_of_a_test"]
    with pytest.raises(DataError, match=r"mine_of_a_test.py:mine: its code was changed since .*run.data was made"):
        opened(tmp_path, f"{file}:mine")
    del sys.modules["mine_of_a_test"]


def test_an_object_is_known_to_its_process_only(tmp_path):
    opened(tmp_path, Clips())
    again = open_dataset(tmp_path / "run.data")
    assert again.shards.read("pose", np.array([0])).shape == (1, 6)
    from raymm.data.indexed import live

    live._OBJECTS.clear()
    with pytest.raises(DataError, match="which no other process has; give a function that makes it"):
        open_dataset(tmp_path / "run.data").shards.read("pose", np.array([0]))


def faulty(**faults):
    found = Faulty()
    found.faults = {int(name.removeprefix("i")): fault for name, fault in faults.items()}
    return found


def message(tmp_path, data, error=DataError, **settings):
    with pytest.raises(error) as caught:
        opened(tmp_path, data, **settings)
    assert not (tmp_path / "run.data" / "manifest.json").exists()
    return str(caught.value)


def test_all_mistakes_of_items_are_named_at_once_by_index_and_key(tmp_path):
    def explode(item):
        raise KeyError(item["id"])

    said = message(
        tmp_path,
        faulty(
            i3=lambda item: {**item, "pose": item["pose"][:4]},
            i9=lambda item: {**item, "imu": np.full((2, 12), np.nan)},
            i12=explode,
            i14=lambda item: {name: item[name] for name in item if name != "label"},
            i20=lambda item: {**item, "pose": None, "imu": None, "note": None},
            i31=lambda item: {**item, "imu": object()},
            i40=lambda item: [item],
        ),
    )
    assert "7 problems" in said
    for words in (
        "item 3: 'pose' has shape [4], the schema says [6]",
        "item 9: 'imu' holds 24 values that are NaN or infinite",
        "item 12: raises KeyError: 's012'",
        "item 14: has no 'label', only pose, imu, note, id, split; an item is a dictionary",
        "item 20: every modality is missing",
        "item 31: 'imu' is no array of numbers",
        "item 40: is a list; an item is a dictionary",
    ):
        assert words in said


def test_a_key_that_the_first_items_lack_is_no_lost_modality(tmp_path, monkeypatch):
    def misspelt(item):
        return {**{name: value for name, value in item.items() if name != "pose"}, "poes": item["pose"]}

    monkeypatch.setattr("raymm.data.indexed.own.LOOKED_AT", 10)
    said = message(tmp_path, faulty(i30=misspelt))
    assert "item 30: 'poes' is none of the modalities of the first 10 items (imu, note, pose); mend the key" in said
    dataset, _ = opened(tmp_path, faulty(i30=lambda item: {**item, "poes": None}))
    assert dataset.schema.names == ("pose", "imu", "note")
    named, _ = opened(tmp_path / "named", faulty(i30=misspelt), modalities="pose:vector,imu:sequence,note:text")
    assert not named.present[30, 0]


def test_ids_that_stand_twice_and_unknown_splits_are_refused(tmp_path):
    assert "sample 's001': its id appears 2 times" in message(
        tmp_path, faulty(i4=lambda item: {**item, "id": "s001"})
    )
    assert "sample 's004': split 'tset' is not one of train, val, test" in message(
        tmp_path, faulty(i4=lambda item: {**item, "split": "tset"})
    )


def test_items_that_change_from_reading_to_reading_are_refused(tmp_path):
    said = message(tmp_path, Restless())
    assert "item 0 (sample 's000') has other values than when it was read again" in said
    assert "leave random augmentation to raymm (view.augment)" in said


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.rand(3, 8, 8), "is float32 [3, 8, 8], which is of no kind by itself: pictures are uint8 [3, H, W]"),
        (np.ones((40, 3)), "is [40, 3], more rows than columns: a sequence is [channels, length], so transpose it"),
        (3.0, "is a single number; make it a vector of one"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), "is uint8 [1, 8, 8], which is of no kind by itself"),
    ],
)
def test_values_without_a_kind_are_refused_with_what_to_do(tmp_path, value, words):
    class Odd(Clips):
        def __getitem__(self, index):
            return {**super().__getitem__(index), "odd": value}

    assert f"'odd' {words}" in message(tmp_path, Odd())
    kept, _ = opened(tmp_path, Odd(), modalities="pose:vector,imu:sequence")
    assert kept.schema.names == ("pose", "imu")


@pytest.mark.parametrize(
    ("values", "kind", "shape"),
    [
        (lambda n: torch.full((3, 8, 10), n % 7, dtype=torch.uint8), "image", (3, 8, 10)),
        (lambda n: np.full((2, 3, 8, 8), n % 7, np.uint8), "rgb", (2, 3, 8, 8)),
        (lambda n: torch.full((2 + n % 3, 5), float(n)), "embedding", (4, 6)),
        (lambda n: [float(n), 1.0], "vector", (2,)),
    ],
)
def test_kinds_by_shape_and_type(tmp_path, values, kind, shape):
    class Made(Clips):
        def __getitem__(self, index):
            return {"label": index // 3 % 2, "x": values(index), "split": ("train", "val", "test")[index % 3]}

    dataset, _ = opened(tmp_path, Made())
    assert (dataset.schema["x"].kind, dataset.schema["x"].shape) == (kind, shape)
    expected = dataset.schema["x"].stored(np.asarray(values(5)))
    assert np.array_equal(dataset.shards.read("x", np.array([5]))[0], expected)


def test_fractions_are_not_stored_as_whole_numbers(tmp_path):
    class Floats(Clips):
        def __getitem__(self, index):
            return {"label": index // 3 % 2, "x": torch.rand(3, 8, 8), "split": "train"}

    assert "'x' holds 192 fractions, such as" in message(tmp_path, Floats(), modalities="x:image")


def test_sound_takes_its_window_from_its_length(tmp_path):
    class Sound(Clips):
        def __getitem__(self, index):
            wave = np.sin(np.arange(4000) * (0.1 + index % 2)).astype(np.float32)
            return {"label": index // 3 % 2, "sound": wave, "split": ("train", "val", "test")[index % 3]}

    dataset, _ = opened(tmp_path, Sound(), modalities="sound:audio", set=("sound.rate=8000",))
    assert dataset.schema["sound"].seconds == 0.5
    assert BatchReader(dataset, ViewConfig()).batch(np.arange(3)).inputs["sound"].shape[:2] == (3, 1)


@pytest.mark.parametrize(
    ("data", "settings", "words"),
    [
        (f"{MODULE}:clps", {}, "has no 'clps'; did you mean 'clips'?"),
        (f"{MODULE}:clips", {"args": {"cuont": 3}}, "takes no argument 'cuont'; did you mean 'count'?"),
        (f"{MODULE}:written", {}, "needs the argument 'path': give it as args.path=VALUE"),
        (f"{MODULE}:clips", {"args": {"count": "x"}}, "called with count='x' it raises TypeError"),
        (f"{MODULE}:clips", {"modalitis": "x"}, "modalitis: no such setting; did you mean 'modalities'?"),
        (f"{MODULE}:SCHEMA", {}, "gives a Schema, which has no length or cannot be indexed"),
        (iter([1]), {}, "which has no length or cannot be indexed; return a map-style Dataset"),
        ({"trian": Clips()}, {}, "gives ['trian']; a mapping has the keys train, val and test"),
    ],
)
def test_what_is_no_data_set_is_refused_in_words(tmp_path, data, settings, words):
    assert words in message(tmp_path, data, ConfigError, **settings)


def test_settings_of_a_command():
    given = ["args.count=3", "args.root=a=b", "classes=a,b", "seed=2", "modalities=x:vector", "set=x.size=2"]
    assert parse_data_settings(given) == {
        "args": {"count": 3, "root": "a=b"},
        "classes": ["a", "b"],
        "seed": 2,
        "modalities": "x:vector",
        "set": ["x.size=2"],
    }
    with pytest.raises(ConfigError, match="--data-setting: 'count': write it as NAME=VALUE"):
        parse_data_settings(["count"])


def test_multi_hot_labels_are_several_labels_a_sample(tmp_path):
    class Several(Clips):
        def __getitem__(self, index):
            marks = torch.tensor([index % 2, index // 2 % 2, 1])
            return {"label": marks, "x": [1.0, float(index)], "split": ("train", "val", "test")[index % 3]}

    dataset, _ = opened(tmp_path, Several())
    assert dataset.schema.task.name == "multilabel"
    assert dataset.label[6].tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("own_clip.py:clips", r"^--data: there is no file '.*own_clip.py'; did you mean '.*own_clips.py'\?$"),
        (
            "own_clips_broken.py:clips",
            r"^--data: '.*own_clips_broken.py' is there, but importing it raises SyntaxError",
        ),
        ("own_clips.py:clip", r"^--data: module 'own_clips' has no 'clip'; did you mean 'clips'\?$"),
    ],
)
def test_a_file_that_brings_no_data_is_refused_in_the_words_of_the_option(tmp_path, monkeypatch, data, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_clips.py").write_text("def clips():\n    return None\n")
    (tmp_path / "own_clips_broken.py").write_text("x = (\n")
    with pytest.raises(ConfigError, match=words):
        opened(tmp_path, data)
