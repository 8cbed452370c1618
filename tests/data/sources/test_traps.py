"""What is particular to a source: its settings, its traps, and values that are read from the right place."""

import re
import shutil
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from raymm.cli import main
from raymm.config.registries import SOURCES
from raymm.data import open_dataset
from raymm.data.sources import Entry, Listing, Source, collect
from raymm.data.sources.crema_d import FOLDS
from raymm.errors import ConfigError, DataError
from raymm.storage import data_layout
from tests.data.sources import trees
from tests.data.sources.test_sources import prepare, rows_of


def notes(found, word):
    return [note for note in found.notes if word in note]


def splits(found):
    return {entry.sample_id: entry.split for entry in found.entries}


def values(out, name):
    """Stored values of a modality by sample."""
    shards = open_dataset(out).shards
    return dict(zip(shards.sample_id.tolist(), shards.read(name, np.arange(len(shards))), strict=True))


def test_crema_d_warns_of_actors_who_are_in_both_lists(tmp_path):
    trees.crema_d(tmp_path)
    found = collect("crema_d", tmp_path)
    (said,) = notes(found, "warning: ")
    assert said.startswith("warning: of 10 actors, the training split shares 10 with test and ")
    assert notes(found, "--source-setting split=actors has none in two")
    assert not notes(collect("crema_d", tmp_path, {"split": "actors"}), "the usual lists")


@pytest.mark.parametrize("fold", range(1, FOLDS + 1))
def test_folds_of_actors_tear_no_actor_apart_and_are_the_same_for_every_seed(tmp_path, fold):
    found = trees.crema_d(tmp_path)
    for file in ("train.csv", "test.csv"):
        (tmp_path / file).unlink()
    listed = collect("crema_d", tmp_path, {"split": "actors", "fold": fold})
    assert not notes(listed, "warning: ")
    assert {entry.sample_id: entry.label for entry in listed.entries} == {
        key: label for key, (_, label) in found.items()
    }
    of_actor = {}
    for entry in listed.entries:
        of_actor.setdefault(entry.sample_id[:4], set()).add(entry.split)
    assert sorted(map(sorted, of_actor.values())) == [["test"]] * 2 + [["train"]] * 6 + [["val"]] * 2
    assert splits(collect("crema_d", tmp_path, {"split": "actors", "fold": fold}, seed=7)) == splits(listed)


def test_every_actor_is_tested_in_one_fold(tmp_path):
    trees.crema_d(tmp_path, actors=12)
    tested = []
    for fold in range(1, FOLDS + 1):
        found = collect("crema_d", tmp_path, {"split": "actors", "fold": fold})
        tested += sorted({entry.recording for entry in found.entries if entry.split == "test"})
    assert sorted(tested) == [str(1001 + actor) for actor in range(12)]


def test_crema_d_may_have_a_validation_list_and_only_sound(tmp_path):
    trees.crema_d(tmp_path)
    lines = (tmp_path / "train.csv").read_text().splitlines()
    trees.text(tmp_path / "train.csv", *lines[4:])
    trees.text(tmp_path / "valid.csv", *lines[:4])
    shutil.rmtree(tmp_path / "VideoFlash")
    found = collect("crema_d", tmp_path, modalities="audio")
    assert sorted(key for key, split in splits(found).items() if split == "val") == sorted(
        line.split(",")[0] for line in lines[:4]
    )
    with pytest.raises(DataError, match="there is no folder VideoFlash: the videos, for rgb"):
        collect("crema_d", tmp_path)
    assert found.classes == ["NEU", "ANG"]


def test_a_sample_with_one_file_may_be_kept_without_the_other_modality(tmp_path):
    root, out = tmp_path / "root", tmp_path / "data"
    trees.crema_d(root)
    (root / "VideoFlash/1001_DFA_ANG_XX.flv").unlink()
    prepare("--source", "crema_d", "--root", root, "--source-setting", "incomplete=keep", "--out", out)
    shards = open_dataset(out).shards
    (row,) = np.flatnonzero(shards.sample_id == "1001_DFA_ANG_XX")
    assert shards.present[row].tolist() == [True, False]
    assert shards.present.sum() == 2 * len(shards) - 1


def test_ave_keeps_a_video_once_and_in_one_split(tmp_path):
    trees.ave(tmp_path)
    found = collect("ave", tmp_path)
    assert [(item.entry.sample_id, item.entry.label, item.why) for item in found.left_out] == [
        (trees.video_id(1), "Church bell", f"AVE/{trees.video_id(1)}.mp4 stands in an earlier line as well"),
        (trees.video_id(20), "Church bell", f"AVE/{trees.video_id(20)}.mp4 is in the split test as well"),
    ]
    assert splits(found)[trees.video_id(20)] == "test"


def test_clips_of_one_video_in_two_splits_are_said(tmp_path):
    trees.vggsound(tmp_path)
    with (tmp_path / "vggsound.csv").open("a") as file:
        file.write(f"{trees.video_id(2)},99,dog barking,train\n")  # number 2 is in test
    trees.put(tmp_path / "video" / f"{trees.video_id(2)}_000099.mp4")
    (said,) = notes(collect("vggsound", tmp_path), "warning: ")
    assert said.startswith("warning: of 12 YouTube videos, the training split shares 1 with test; ")


def test_sound_that_lies_beside_the_clips_is_used(tmp_path):
    trees.vggsound(tmp_path)
    name = f"{trees.video_id(1)}_000005"
    trees.put(tmp_path / "audio" / f"{name}.wav", "wav")
    cells = {entry.sample_id: entry.cells for entry in collect("vggsound", tmp_path, modalities="rgb,audio").entries}
    assert cells[name] == {"audio": f"audio/{name}.wav", "rgb": f"video/{name}.mp4"}
    other = f"{trees.video_id(0)}_000000"
    assert set(cells[other].values()) == {f"video/{trees.video_id(0)}_0.mp4"}


def test_kinetics_sounds_reads_the_lists_with_paths_and_a_validation_list(tmp_path):
    for split in ("train", "val", "test"):
        names = [trees.video_id(number + 10 * ("train", "val", "test").index(split)) + "_1" for number in range(4)]
        trees.text(
            tmp_path / f"{split}_1fps_path.txt", *(f"/data/{split}/{name} {n % 2}" for n, name in enumerate(names))
        )
        for name in names:
            trees.put(tmp_path / split / f"{name}.mp4")
    found = collect("kinetics_sounds", tmp_path)
    assert sorted(splits(found).values()) == ["test"] * 4 + ["train"] * 4 + ["val"] * 4
    assert found.classes == ["0", "1"]
    assert not found.notes


def test_mm_debiased_names_the_clip_that_it_cannot_read(tmp_path):
    trees.mm_debiased(tmp_path)
    (tmp_path / "MM-Debiased.json").write_text('{"x": {"subset": "train", "label": "bowling"}, "y": 3}')
    with pytest.raises(DataError) as said:
        collect("mm_debiased", tmp_path)
    assert """MM-Debiased.json, 'x': is {"subset": "train", "label": "bowling"}; expected subset""" in str(said.value)
    assert "'y': is 3; expected subset (one of training, validation, testing) and label" in str(said.value)
    for broken, words in (
        ("[", "is no JSON"),
        ("[1]", "is no object of clips"),
        ("{}", "none of 0 samples is there"),
    ):
        (tmp_path / "MM-Debiased.json").write_text(broken)
        with pytest.raises(DataError, match=words):
            collect("mm_debiased", tmp_path)


def test_titles_come_with_their_picture_whatever_they_hold(tmp_path):
    root, out = tmp_path / "root", tmp_path / "data"
    trees.food101(root)
    prepare("--source", "food101", "--root", root, "--out", out)
    shards = open_dataset(out).shards
    rows = np.flatnonzero(shards.present[:, 1])
    texts = dict(zip(shards.sample_id[rows].tolist(), shards.read_text("text", rows), strict=True))
    titles = ["Apple pie, the best", 'A "real" one', "two\nlines"]
    assert texts == {
        f"{('apple_pie', 'sushi')[number % 2]}_{split}_{number}": titles[number // 2]
        for split in ("train", "test")
        for number in range(6)
    }
    pictures = values(out, "image")
    assert all(pictures[name][0].mean() > 200 for name in pictures if name.startswith("sushi"))
    assert all(pictures[name][2].mean() > 200 for name in pictures if name.startswith("apple"))


def test_titles_alone_are_samples_though_some_are_alike(tmp_path):
    found = trees.food101(tmp_path)
    assert len(collect("food101", tmp_path, modalities="text").entries) == len(found)


def test_ucf101_has_three_splits_and_the_classes_of_its_index(tmp_path):
    trees.ucf101(tmp_path)
    found = collect("ucf101", tmp_path)
    assert found.classes == ["YoYo", "Archery"]
    assert {entry.recording for entry in found.entries if entry.label == "YoYo"} == {
        f"v_YoYo_g{group:02d}" for group in range(1, 7)
    }
    with pytest.raises(DataError) as said:
        collect("ucf101", tmp_path, {"fold": 3})
    assert "there is no ucfTrainTestlist/trainlist03.txt or trainlist03.txt: the official list of the train" in str(
        said.value
    )
    assert "testlist03.txt: the official list of the test split" in str(said.value)


@pytest.mark.parametrize("how", ["u", "x", "inner"])
def test_ucf101_reads_flow_as_it_was_saved(tmp_path, how):
    root, out = tmp_path / "root", tmp_path / "data"
    trees.ucf101(root, flow=how)
    words = ["--source", "ucf101", "--root", root, "--source-setting", "flow=tvl1", "--out", out]
    prepare(*words, "--set", "flow.height=16", "--set", "flow.width=40")
    flow = values(out, "flow")
    assert open_dataset(out).schema.modalities[1].kind == "flow_pictures"
    for name, stored in flow.items():
        group = int(name.split("_g")[1][:2])
        x = (128 + group) / 255 * 40 - 20
        y = (128 - group) / 255 * 40 - 20
        assert np.abs(stored[:, 0] - 2 * x).max() < (0.01 if how == "inner" else 0.4)  # 40 pixels of 20; JPEG
        assert np.abs(stored[:, 1] - y).max() < (0.01 if how == "inner" else 0.2)


def test_a_clip_without_flow_pictures_is_left_out(tmp_path):
    trees.ucf101(tmp_path, flow="u")
    shutil.rmtree(tmp_path / "tvl1_flow/u/v_YoYo_g03_c01")
    found = collect("ucf101", tmp_path, {"flow": "tvl1"})
    assert [item.why for item in found.left_out] == ["there is no tvl1_flow/v_YoYo_g03_c01/ with pictures"]
    shutil.rmtree(tmp_path / "tvl1_flow")
    with pytest.raises(DataError, match="there is no folder tvl1_flow or ucf101_tvl1_flow or flow: the pictures of"):
        collect("ucf101", tmp_path, {"flow": "tvl1"})


def test_capitals_in_the_names_of_flow_folders_do_not_matter(tmp_path):
    trees.ucf101(tmp_path, flow="u")
    for side in "uv":
        (tmp_path / f"tvl1_flow/{side}/v_YoYo_g03_c01").rename(tmp_path / f"tvl1_flow/{side}/v_Yoyo_g03_c01")
    assert not collect("ucf101", tmp_path, {"flow": "tvl1"}).left_out


def test_nvgesture_begins_at_the_frame_of_each_sensor(tmp_path):
    root, out = tmp_path / "root", tmp_path / "data"
    trees.nvgesture(root)
    settings = ["rgb.fps=30", "rgb.frames=2", "depth.fps=30", "depth.frames=2"]
    words = [word for setting in settings for word in ("--set", setting)]
    prepare("--source", "nvgesture", "--root", root, "--out", out, *words)
    (entry, *_) = collect("nvgesture", root).entries
    assert entry.cells == {
        "rgb": "Video_data/class_01/subject1_r0/sk_color.avi#t=0.166667",
        "depth": "Video_data/class_01/subject1_r0/sk_depth.avi#t=0.100000",
    }
    # the model clip turns white at 0.2 s
    assert all(0 <= stored[0].mean() < 50 and stored[1].mean() > 200 for stored in values(out, "rgb").values())
    assert all(stored.mean() < 50 for stored in values(out, "depth").values())


def test_nvgesture_leaves_a_gesture_without_its_sensor_out(tmp_path):
    trees.nvgesture(tmp_path)
    file = tmp_path / "nvgesture_test_correct_cvpr2016_v2.lst"
    file.write_text(file.read_text().replace("depth:sk_depth:3:9 ", "", 1))
    found = collect("nvgesture", tmp_path)
    assert [item.why for item in found.left_out] == [
        "there is no class_01/subject6_r0 with a sensor depth in its list"
    ]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("2", ["negative", "negative", "nonnegative", "nonnegative", "nonnegative", "negative"]),
        ("2_without_neutral", ["negative", "negative", None, "positive", "positive", "negative"]),
        ("3", ["negative", "negative", "neutral", "positive", "positive", "negative"]),
    ],
)
def test_the_sentiment_is_cut_as_the_setting_says(tmp_path, classes, expected):
    trees.cmu_mosei(tmp_path)
    found = collect("cmu_mosei", tmp_path, {"classes": classes})
    labels = {entry.sample_id: entry.label for entry in found.entries if entry.split == "val"}
    assert [labels.get(f"val-{row:05d}") for row in range(6)] == expected
    assert found.classes == list(dict.fromkeys(["negative", *sorted(set(labels.values()) - {"negative"})]))


def test_features_of_mosei_are_those_of_their_row_and_minus_infinity_is_zero(tmp_path, capsys):
    root, out = tmp_path / "root", tmp_path / "data"
    trees.cmu_mosei(root, "mosei_senti_data_noalign.npz")
    prepare("--source", "cmu_mosei", "--root", root, "--source-setting", "aligned=false", "--out", out)
    assert "audio: 3 of 18 samples are not finite in places, where 0 is stored" in capsys.readouterr().err
    with np.load(root / "mosei_senti_data_noalign.npz") as arrays:
        for name in ("text", "audio", "vision"):
            stored = values(out, name)
            for split, called in (("train", "train"), ("val", "valid"), ("test", "test")):
                for row in range(6):
                    given = arrays[f"{called}_{name}"][row]
                    kept = stored[f"{split}-{row:05d}"]
                    assert np.array_equal(kept[:, :-1], np.where(np.isfinite(given), given, 0))
                    assert (kept[:, -1] == 1).all()


def test_mosei_names_the_array_that_is_absent_or_of_another_length_and_the_value_out_of_range(tmp_path):
    trees.cmu_mosei(tmp_path)
    with np.load(tmp_path / "mosei_senti_data.npz") as arrays:
        changed = dict(arrays)
    del changed["valid_labels"]
    changed["train_audio"] = changed["train_audio"][:4]
    changed["test_labels"][2] = 30
    np.savez(tmp_path / "mosei_senti_data.npz", **changed)
    with pytest.raises(DataError) as said:
        collect("cmu_mosei", tmp_path)
    for words in (
        "mosei_senti_data.npz: train_audio has 4 rows, train_labels has 6",
        "mosei_senti_data.npz, split valid: holds no array 'valid_labels'",
        "mosei_senti_data.npz: test_labels[2] is 30; expected -3 to 3",
    ):
        assert words in str(said.value)


def test_mosei_reads_no_pickle(tmp_path):
    trees.cmu_mosei(tmp_path)
    with np.load(tmp_path / "mosei_senti_data.npz") as arrays:
        changed = {**arrays, "train_id": np.array([{"a": 1}] * 6)}
    np.savez(tmp_path / "mosei_senti_data.npz", **changed)
    with pytest.raises(DataError, match="train_id holds objects, which only a pickle can; save it as an array of"):
        collect("cmu_mosei", tmp_path)


def test_sentences_of_one_video_in_two_splits_are_said(tmp_path):
    trees.cmu_mosei(tmp_path)
    with np.load(tmp_path / "mosei_senti_data.npz") as arrays:
        changed = {**arrays, "test_id": np.array([f"{video}$_$0" for video in ("train0", "b", "c", "d", "e", "f")])}
    np.savez(tmp_path / "mosei_senti_data.npz", **changed)
    (said,) = notes(collect("cmu_mosei", tmp_path), "warning: ")
    assert "the training split shares 1 with test" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "ave"], "--source: add --root: the folder of the data set"),
        (["--source", "ave", "--root", ".", "--manifest", "m.csv"], "makes its own manifest: leave out --manifest"),
        (["--source", "avee", "--root", "."], "--source: no source of data 'avee'; did you mean 'ave'?"),
        (["--source", "ave", "--root", ".", "--source-setting", "val"], "'val': write it as field=value"),
        (["--root", "."], "--root belongs to --source; name one"),
        (["--source-setting", "val=0.2"], "--source-setting belongs to --source; name one"),
        (
            ["--modalities", "audio"],
            "missing --manifest, --media-root; a published data set is prepared by --source NAME --root FOLDER",
        ),
        (["--source", "raymm.data:Batch", "--root", "."], "it must be a subclass of raymm.data.sources.Source"),
    ],
)
def test_options_that_do_not_go_together_are_said(tmp_path, capsys, words, said):
    prepare(*words, "--out", tmp_path / "data", code=2)
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_help_lists_the_sources(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    assert set(SOURCES) <= set(capsys.readouterr().out.replace(",", " ").split())


def test_a_source_is_registered_once_and_must_be_one():
    with pytest.raises(ConfigError, match="source of data 'ave' is registered twice"):
        SOURCES.register("ave", dict)


def test_a_second_call_finds_nothing_to_do(tmp_path, capsys):
    root, out = tmp_path / "root", tmp_path / "data"
    trees.mm_debiased(root)
    words = ["--source", "mm_debiased", "--root", root, "--out", out]
    prepare(*words)
    before = data_layout.source_manifest(out).read_bytes()
    prepare(*words)
    assert "is finished, and nothing has changed since" in capsys.readouterr().err
    assert data_layout.source_manifest(out).read_bytes() == before
    assert rows_of(data_layout.left_out_file(out)) == []


@pytest.mark.parametrize("given", [2, "2", 3])
def test_classes_may_be_written_as_a_number(tmp_path, given):
    trees.cmu_mosei(tmp_path)
    assert len(collect("cmu_mosei", tmp_path, {"classes": given}).classes) == int(given)


def frames(folder, count=3, suffix="jpg"):
    """Pictures of a clip: red is their number times 60."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        Image.new("RGB", (16, 12), (60 * number, 0, 0)).save(folder / f"frame_{number:05d}.{suffix}")


def kept_pictures(root, name):
    """A tree in which every video gave way to pictures and sound; the layout is one that people share."""
    found = trees.TREES[name](root)
    for place, video in enumerate(sorted([*root.rglob("*.mp4"), *root.rglob("*.flv")])):
        top = video.relative_to(root).parts[0]
        clip = video.stem
        video.unlink()
        if name == "crema_d":
            frames(root / "Image-01-FPS" / clip)
            continue
        within = root / (top if top in {"train", "test"} else "visual")
        frames(within / (clip if place % 2 else f"{clip}.mp4"))
        trees.put((within / clip if top in {"train", "test"} else root / "audio") / f"{clip}.wav", "wav")
    return found


@pytest.mark.parametrize("name", ["kinetics_sounds", "vggsound", "ave", "crema_d", "mm_debiased"])
def test_pictures_and_sound_that_were_taken_out_of_the_clips_are_read(tmp_path, name):
    root, out = tmp_path / "root", tmp_path / "data"
    found = kept_pictures(root, name)
    words = ["--source", name, "--root", root, "--source-setting", "rgb=pictures", "--out", out]
    prepare(*words, "--set", "rgb.frames=4", "--set", "rgb.fps=1")
    pictures = values(out, "rgb")
    assert set(pictures) == set(found)
    for stored in pictures.values():
        assert np.abs(stored[:, 0].mean(axis=(1, 2)) - [60, 120, 180, 180]).max() < 4
    assert open_dataset(out).present.all()


def test_ids_of_youtube_differ_by_their_capitals(tmp_path):
    video = "aBcDeFgHiJk"
    trees.text(tmp_path / "vggsound.csv", f"{video},0,dog,train", f"{video.lower()},0,dog,test")
    frames(tmp_path / "visual" / f"{video}_000000")
    found = collect("vggsound", tmp_path, {"rgb": "pictures"}, modalities="rgb")
    assert [entry.sample_id for entry in found.entries] == [f"{video}_000000"]
    assert [item.entry.sample_id for item in found.left_out] == [f"{video.lower()}_000000"]


class Broken(Source):
    modalities: ClassVar = {"audio": "audio"}
    returns = None

    def read(self, root, names, problems):  # noqa: ARG002
        return self.returns


GOOD = Entry("a", "train", "x", {"audio": "a.wav"}, "r")


@pytest.mark.parametrize(
    ("returns", "words"),
    [
        (None, "read returns a NoneType; return a raymm.data.sources.Listing"),
        (Listing([3]), "an entry is a int; make it a raymm.data.sources.Entry"),
        (Listing([replace(GOOD, label=3)]), "sample 'a': its label is 3; it must be a text that is not empty"),
        (Listing([replace(GOOD, sample_id=" ")]), "sample ' ': its sample_id is ' '; it must be a text"),
        (Listing([replace(GOOD, split="valid")]), "sample 'a': its split is 'valid'; it must be one of train, val"),
        (Listing([replace(GOOD, cells={})]), "sample 'a': its cells are {}; one is needed for each of audio"),
        (
            Listing([replace(GOOD, cells={"audio": 3})]),
            "sample 'a': its cell audio is 3; it must be a text or Absent",
        ),
    ],
)
def test_what_a_source_of_another_package_returns_is_checked(tmp_path, monkeypatch, returns, words):
    monkeypatch.setattr(Broken, "returns", returns)
    with monkeypatch.context() as patch:
        patch.setitem(SOURCES._parts, "broken", Broken)
        with pytest.raises(ConfigError, match=f"source broken: {re.escape(words)}"):
            collect("broken", tmp_path)


def test_saved_flow_is_read_for_every_source_of_clips(tmp_path):
    root, out = tmp_path / "root", tmp_path / "data"
    found = trees.ave(root)
    for place, name in enumerate(found):
        trees.flow_pictures(root / "flow", name, "x", place)
    words = ["--source", "ave", "--root", root, "--modalities", "audio,flow", "--source-setting", "flow=tvl1"]
    prepare(*words, "--set", "flow.height=16", "--set", "flow.width=20", "--out", out)
    flow = values(out, "flow")
    for place, name in enumerate(found):
        assert np.abs(flow[name][:, 0] - ((128 + place) / 255 * 40 - 20)).max() < 0.2
