"""Manifests, archives and Hugging Face folders that are decoded while training: bit for bit what `prepare` makes."""

import csv
import io
import json
import tarfile

import numpy as np
import pytest

import raymm
from raymm.data import open_dataset
from raymm.data.opening import open_data
from raymm.errors import ConfigError, DataError
from tests.data.clips import clip
from tests.data.indexed.media_sets import (
    CLASSES,
    COUNT,
    MODALITIES,
    SETTINGS,
    rows,
    write_hugging_face,
    write_manifest,
    write_tars,
)

GIVEN = {"modalities": MODALITIES, "set": SETTINGS, "classes": CLASSES}


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    write_manifest(folder / "labels.parquet")
    return folder


@pytest.fixture(scope="module")
def prepared(media, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "data"
    raymm.prepare(
        media / "labels.parquet", media, MODALITIES, out=out, settings=SETTINGS, classes=CLASSES, progress=None
    )
    return open_dataset(out)


@pytest.fixture(scope="module")
def tars(media, tmp_path_factory):
    return write_tars(tmp_path_factory.mktemp("tars") / "shards", media)


@pytest.fixture(scope="module")
def hugging_face(media, tmp_path_factory):
    pytest.importorskip("datasets")
    return write_hugging_face(tmp_path_factory.mktemp("hf") / "saved", media)


def by_id(dataset):
    return np.argsort(dataset.shards.sample_id)


def same(lazy, prepared):
    assert lazy.schema == prepared.schema
    one, other = by_id(lazy), by_id(prepared)
    for column in ("sample_id", "split", "label", "present"):
        assert np.array_equal(getattr(lazy.shards, column)[one], getattr(prepared.shards, column)[other])
    for spec in prepared.schema.modalities:
        if spec.is_text:
            assert lazy.shards.read_text(spec.name, one) == prepared.shards.read_text(spec.name, other)
        else:
            found, wanted = (d.shards.read(spec.name, order) for d, order in ((lazy, one), (prepared, other)))
            assert found.dtype == wanted.dtype
            assert np.array_equal(found, wanted)


def test_a_manifest_is_decoded_as_prepare_decodes_it(media, prepared, tmp_path):
    lazy = open_data(media / "labels.parquet", tmp_path / "run.data", GIVEN)
    same(lazy, prepared)
    assert lazy.shards.sample_id.tolist() == prepared.shards.sample_id.tolist()
    assert lazy.statistics == prepared.statistics
    assert lazy.shards.sources(np.arange(3)) == prepared.shards.sources(np.arange(3))
    assert sorted(path.name for path in (tmp_path / "run.data").glob("*.*")) == ["index.arrow", "manifest.json"]


def test_tar_archives_are_decoded_as_prepare_decodes_their_files(tars, prepared, tmp_path):
    for number, where in enumerate((tars, f"{tars}/*.tar")):
        lazy = open_data(where, tmp_path / f"{number}.data", GIVEN)
        same(lazy, prepared)
        for name, found in lazy.statistics.items():  # rows come in another order: rounding differs
            assert found["mean"] == pytest.approx(prepared.statistics[name]["mean"])


def test_a_hugging_face_folder_is_decoded_as_prepare_decodes_its_files(hugging_face, prepared, tmp_path):
    same(open_data(hugging_face, tmp_path / "run.data", GIVEN), prepared)


def test_videos_are_decoded_for_all_their_modalities(tmp_path):
    listed = []
    for row in range(6):
        clip(tmp_path / f"c{row}.mp4", seconds=0.4, start=0.04 * row)
        listed.append({"file": f"c{row}.mp4", "label": "ab"[row % 2], "split": ("train", "val", "test")[row // 2]})
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    raymm.prepare(tmp_path / "labels.csv", tmp_path, "audio,rgb,flow", out=tmp_path / "data", progress=None)
    said = []
    lazy = open_data(tmp_path / "labels.csv", tmp_path / "run.data", {"modalities": "audio,rgb,flow"}, said.append)
    prepared = open_dataset(tmp_path / "data")
    same(lazy, prepared)
    assert lazy.statistics == prepared.statistics
    guessed = open_data(tmp_path / "labels.csv", tmp_path / "guessed.data", {}, said.append)
    assert guessed.schema.names == ("audio", "rgb")
    assert "modalities by its columns: audio (audio), rgb (rgb)" in said[-1]


@pytest.mark.parametrize("source", ["manifest", "tars", "hugging_face"])
def test_each_is_trained_as_the_prepared_data_set_is(request, source, media, prepared, tmp_path):
    where = media / "labels.parquet" if source == "manifest" else request.getfixturevalue(source)
    small = {"training.epochs": 1, "training.threads": 1, "model.feature_size": 8, "model.encoder.width": 4}
    options = {"settings": small, "method": "joint", "progress": None}
    found = raymm.train(where, out=tmp_path / "run", data_settings=GIVEN, **options)
    again = raymm.train(where, out=tmp_path / "run", data_settings=GIVEN, **options)
    assert again.metrics == found.metrics
    if source == "manifest":
        wanted = raymm.train(prepared.path, out=tmp_path / "wanted", **options)
        weights = "result/model/model.safetensors"
        assert (found.folder / weights).read_bytes() == (wanted.folder / weights).read_bytes()


def test_kinds_are_guessed_by_what_columns_hold(media, tars, tmp_path):
    said = []
    found = open_data(media / "labels.parquet", tmp_path / "a.data", {}, said.append)
    kinds = {spec.name: spec.kind for spec in found.schema.modalities}
    assert kinds == {"audio": "audio", "image": "image", "pose": "vector", "note": "text"}
    of_tars = open_data(tars, tmp_path / "b.data", {}, said.append)
    assert {spec.name: spec.kind for spec in of_tars.schema.modalities} == kinds


def test_files_that_are_missing_are_named_at_once_and_nothing_is_left(media, tmp_path):
    folder = tmp_path / "copy"
    write_manifest(folder / "labels.parquet")
    (folder / "s001.wav").unlink()
    (folder / "s002.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        open_data(folder / "labels.parquet", tmp_path / "run.data", GIVEN)
    assert "sample 's001' (s001.wav): audio: there is no file s001.wav" in str(caught.value)
    assert "sample 's002' (s002.png): image: is an empty file" in str(caught.value)
    assert not (tmp_path / "run.data" / "manifest.json").exists()


def test_a_file_that_cannot_be_decoded_is_named_when_it_is_read(tmp_path):
    folder = tmp_path / "copy"
    write_manifest(folder / "labels.parquet")
    (folder / "s001.png").write_bytes(b"not a picture")
    lazy = open_data(folder / "labels.parquet", tmp_path / "run.data", GIVEN)  # of the validation split
    with pytest.raises(DataError, match=r"sample 's001' \(s001.png\): image: cannot be read as a picture"):
        lazy.shards.read("image", np.array([1]))


def test_changed_sources_are_refused_in_words(media, tmp_path):
    folder = tmp_path / "copy"
    write_manifest(folder / "labels.parquet")
    index = tmp_path / "run.data"
    digest = open_data(folder / "labels.parquet", index, GIVEN).digest
    assert open_data(media / "labels.parquet", index, GIVEN).digest == digest  # a copy of it elsewhere
    assert json.loads((index / "manifest.json").read_text())["source"]["where"] == str(media / "labels.parquet")
    (folder / "s000.wav").write_bytes((folder / "s001.wav").read_bytes() * 2)
    with pytest.raises(DataError, match=r"sample 's000' has other files than when .*run.data was made"):
        open_data(folder / "labels.parquet", index, GIVEN)
    with pytest.raises(ConfigError, match="group: None then, note now"):
        open_data(media / "labels.parquet", index, {**GIVEN, "group": "note"})


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ({"label": "a|c"}, "sample 's00' has another label or split than when .*run.data was made"),
        ({"split": "val"}, "sample 's00' has another label or split than when .*run.data was made"),
        ({"note": "x"}, "sample 's00' has other files than when .*run.data was made"),
    ],
)
def test_rows_of_a_manifest_that_are_others_are_refused_in_words(tmp_path, first, words):
    """Also a label that is of no known class, and texts that no longer look like a modality."""
    rows = [
        {
            "sample_id": f"s{row:02d}",
            "split": ("train", "val", "test")[row % 3],
            "label": "a|b",
            "note": "one two three",
        }
        for row in range(6)
    ]
    table, index = tmp_path / "labels.jsonl", tmp_path / "run.data"
    table.write_text("\n".join(map(json.dumps, rows)))
    open_data(table, index)
    table.write_text("\n".join(map(json.dumps, [rows[0] | first, *rows[1:]])))
    with pytest.raises(DataError, match=words):
        open_data(table, index)


def tar_of(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_changed_archives_are_refused_in_words(media, tmp_path):
    shards = write_tars(tmp_path / "shards", media)
    open_data(shards, tmp_path / "run.data", GIVEN)
    tar_of(shards / "val-000.tar", {"a.cls": b"low"})
    with pytest.raises(DataError, match=r"its files are others than when .*run.data was made"):
        open_data(shards, tmp_path / "run.data", GIVEN)


def test_a_changed_list_of_the_files_of_archives_is_refused(tars, tmp_path):
    open_data(tars, tmp_path / "run.data", GIVEN)
    listed = tmp_path / "run.data" / "members.arrow"
    listed.write_bytes(listed.read_bytes().replace(b"s000.wav", b"s003.wav"))
    with pytest.raises(DataError, match=r"members.arrow was changed"):
        open_data(tars, tmp_path / "run.data", GIVEN)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.json": b"{"}, "a.json: cannot be read"),
        ({"a.json": b"[1]"}, "a.json: is no mapping"),
        (
            {"a.wav": b"1", "a.flac": b"1", "a.cls": b"0"},
            "a.flac: 'train.tar/a.wav' is 'audio' of this sample already",
        ),
        ({}, "its archives hold no files"),
        ({"a.cls": b"\xff"}, "a.cls: cannot be read"),
    ],
)
def test_archives_with_mistakes_are_refused_by_file(tmp_path, files, words):
    tar_of(tmp_path / "train.tar", files)
    with pytest.raises(DataError) as caught:
        open_data(tmp_path / "train.tar", tmp_path / "run.data")
    assert words in str(caught.value)


def shards_of(folder, names, told=lambda key: {}):
    """Archives of six labelled texts each, whose keys begin with 0 in each."""
    folder.mkdir()
    for name in names:
        files = {}
        for key in range(6):
            files |= {f"{key:06d}.cls": b"ab"[key % 2 :][:1], f"{key:06d}.title.txt": f"{name} says {key}".encode()}
            files |= {f"{key:06d}.json": json.dumps(told(key)).encode()} if told(key) else {}
        tar_of(folder / name, files)
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("train-0.tar", "dev-0.tar", "test-0.tar"),
        ("Train.tar", "Validation.tar", "Test.tar"),
        ("cc3m-train-0000.tar", "cc3m-validation-0000.tar", "cc3m-test-0000.tar"),
        ("train_web-0.tar", "cc3m_val.tar", "shard-test-000.tar"),
    ],
)
def test_splits_are_those_that_names_of_archives_say(tmp_path, names):
    data = open_data(shards_of(tmp_path / "shards", names), tmp_path / "run.data", {"modalities": "title:text"})
    archives = [sample_id.partition("/")[0] for sample_id in data.shards.sample_id]
    expected = dict(zip((name.removesuffix(".tar") for name in names), ("train", "val", "test"), strict=True))
    assert [expected[archive] for archive in archives] == data.shards.split.tolist()
    assert len(archives) == 18


def test_a_named_text_is_what_its_file_says_and_keys_that_stand_twice_follow_their_archive(tmp_path):
    names = ("train-0.tar", "val-0.tar", "test-0.tar")
    data = open_data(shards_of(tmp_path / "shards", names), tmp_path / "run.data")
    assert [spec.name for spec in data.schema.modalities] == ["title"]
    texts = data.shards.read_text("title", np.arange(18))
    for sample_id, text in zip(data.shards.sample_id, texts, strict=True):
        archive, key = sample_id.split("/")
        assert text == f"{archive}.tar says {int(key)}"


def test_archives_of_which_one_says_no_split_are_refused_by_name(tmp_path):
    shards = shards_of(tmp_path / "shards", ("train-0.tar", "val-0.tar", "test-0.tar", "extra-0.tar"))
    with pytest.raises(DataError) as caught:
        open_data(shards, tmp_path / "run.data", {"modalities": "title:text"})
    said = "the name of test-0.tar says a split, that of extra-0.tar does not; name all so, give a pattern "
    assert f'{said}of those to be read, or write "split" into the .json of each sample' in str(caught.value)


def test_drawn_splits_are_told_of(tmp_path):
    shards = shards_of(tmp_path / "shards", ("my-test-0.tar", "my-test-1.tar", "my-test-2.tar"))
    said = []
    data = open_data(shards, tmp_path / "run.data", {"modalities": "title:text"}, say=said.append)
    assert set(data.shards.split) == {"train", "val", "test"}
    assert any("neither names of archives nor .json files say a split; splits are drawn" in line for line in said)


def test_splits_of_json_stand_whatever_archives_are_called(tmp_path):
    shards = shards_of(
        tmp_path / "shards", ("train-0.tar", "extra.tar"), lambda key: {"split": ("train", "val", "test")[key // 2]}
    )
    data = open_data(shards, tmp_path / "run.data", {"modalities": "title:text"})
    assert (
        data.shards.split.tolist()
        == ["train"] * 2 + ["val"] * 2 + ["test"] * 2 + ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    )


def test_what_is_no_archive_or_cut_off_is_refused(media, tmp_path):
    shards = write_tars(tmp_path / "shards", media)
    (shards / "test-000.tar").write_bytes((shards / "test-000.tar").read_bytes()[:5000])
    with pytest.raises(DataError, match=r"test-000.tar: (ends within a file|is no tar archive)"):
        open_data(shards, tmp_path / "run.data", GIVEN)
    with pytest.raises(DataError, match=r"there is no archive .*none-01.tar"):
        open_data(str(tmp_path / "none-{01..02}.tar"), tmp_path / "run.data")
    (tmp_path / "odd.tar").write_bytes(b"x" * 5000)
    with pytest.raises(DataError, match=r"odd.tar: is no tar archive that can be read"):
        open_data(tmp_path / "odd.tar", tmp_path / "run.data")


LEADING_OUT = ["../other", "a/../../other", "/etc"]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_hugging_face_folder_that_names_files_of_others_is_refused(tmp_path, name):
    one = tmp_path / "one"
    one.mkdir()
    (one / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    (one / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match=rf"state.json: names '{name}', which leaves the folder"):
        open_data(one, tmp_path / "run.data")
    (one / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(DataError, match=rf"dataset_dict.json: names '{name}', which leaves the folder"):
        open_data(one, tmp_path / "run.data")


@pytest.mark.parametrize("kind", ["rgb_pictures", "flow_pictures"])
def test_a_kind_that_reads_folders_is_refused_of_archives(tmp_path, kind):
    shards = tmp_path / "shards"
    shards.mkdir()
    for split in ("train", "val", "test"):
        files = {f"{label}{suffix}": label.encode() for label in "ab" for suffix in (".png", ".cls")}
        tar_of(shards / f"{split}-0.tar", files)
    with pytest.raises(DataError, match=rf"modality 'image' of kind '{kind}' reads folders, of which an archive has"):
        open_data(shards, tmp_path / "run.data", {"modalities": f"image:{kind}"})


def test_a_hugging_face_folder_without_labels_names_its_columns(hugging_face, tmp_path):
    with pytest.raises(DataError, match=r"no column 'lable'; its columns are .*note.*: name one by label=COLUMN"):
        open_data(hugging_face, tmp_path / "run.data", {"label": "lable"})


def test_a_csv_that_is_opened_without_an_index_says_what_is_needed(media):
    with pytest.raises(ConfigError, match="its samples stay where they are, which needs a folder for an index"):
        open_data(media / "labels.parquet")
    assert len(rows()) == COUNT
