"""Every source reads a tree in its published layout, and says what is not there, all at once."""

import csv
import shutil

import numpy as np
import pytest

from raymm.cli import main
from raymm.config.registries import SOURCES
from raymm.data import open_dataset
from raymm.data.sources import collect, write_collection
from raymm.errors import ConfigError, DataError
from raymm.storage import data_layout
from tests.data.sources.trees import TREES


@pytest.fixture(scope="module", params=sorted(TREES))
def tree(request, tmp_path_factory):
    """A source, its tree and what must be found in it; not to be changed."""
    root = tmp_path_factory.mktemp(request.param) / "root"
    root.mkdir()
    return request.param, root, TREES[request.param](root)


def prepare(*words, code=0):
    with pytest.raises(SystemExit) as ended:
        main(["prepare", *map(str, words), "--backend", "local"])
    assert ended.value.code == code


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_source_has_a_tree():
    assert sorted(TREES) == sorted(SOURCES)


def test_a_source_is_prepared_as_it_was_published(tree, tmp_path, capsys):
    name, root, expected = tree
    out = tmp_path / "data"
    prepare("--source", name, "--root", root, "--out", out)
    dataset = open_dataset(out)
    labels = [dataset.schema.classes[label] for label in dataset.label]
    shards = dataset.shards
    found = dict(zip(shards.sample_id.tolist(), zip(shards.split.tolist(), labels, strict=True), strict=True))
    assert {key: label for key, (_, label) in found.items()} == {key: label for key, (_, label) in expected.items()}
    assert dataset.schema.names == tuple(SOURCES.get(name).modalities)
    taken = "train+" in {split for split, _ in expected.values()}
    for key, (split, _) in expected.items():
        assert found[key][0] in ({"train", "val"} if split == "train+" else {split}), key
    said = capsys.readouterr().err
    assert ("there is no list of a validation split" in said) == taken
    assert dataset.present.all() or name == "food101"


def test_validation_tears_no_group_apart_and_follows_the_seed(tree):
    name, root, expected = tree
    if "train+" not in {split for split, _ in expected.values()}:
        pytest.skip(f"{name} has a published validation split")
    groups = {}
    for seed in range(6):
        entries = collect(name, root, seed=seed).entries
        held = {entry.group or entry.recording for entry in entries if entry.split == "val"}
        kept = {entry.group or entry.recording for entry in entries if entry.split == "train"}
        assert held
        assert not held & kept
        assert {entry.label for entry in entries if entry.split == "val"} == {label for _, label in expected.values()}
        assert [entry.sample_id for entry in entries if entry.split == "test"] == [
            key for key, (split, _) in expected.items() if split == "test"
        ]
        groups[seed] = frozenset(held)
    assert collect(name, root, seed=0).entries == collect(name, root, seed=0).entries
    assert len(set(groups.values())) > 1


def test_half_of_the_groups_can_be_validation(tree):
    name, root, expected = tree
    if "train+" not in {split for split, _ in expected.values()}:
        pytest.skip(f"{name} has a published validation split")
    entries = collect(name, root, {"val": 0.5}).entries
    counts = [sum(entry.split == split for entry in entries) for split in ("train", "val")]
    assert abs(counts[0] - counts[1]) <= max(2, sum(counts) // 5)


def test_everything_that_is_not_there_is_said_at_once(tree, tmp_path):
    name, _, _ = tree
    empty = tmp_path / "empty"
    empty.mkdir()
    source = SOURCES.get(name)
    with pytest.raises(DataError) as said:
        collect(name, empty)
    words = str(said.value)
    assert words.startswith(f"{empty}: ")
    assert "there is no " in words
    assert "expected in --root: " in words
    assert all(line in words for line in source.layout)
    with pytest.raises(DataError, match="there is no such folder; --root is the folder of the data set"):
        collect(name, tmp_path / "gone")


def test_files_that_are_not_there_are_named_and_not_fatal(tree, tmp_path):
    name, root, expected = tree
    if name == "cmu_mosei":
        pytest.skip("one file holds all samples")
    before = collect(name, root)
    lost = next(entry for entry in before.entries if entry.split == "train")
    changed = tmp_path / "root"
    shutil.copytree(root, changed)
    cells = {cell.partition("#")[0] for cell in lost.cells.values() if (root / cell.partition("#")[0]).is_file()}
    for cell in cells:
        (changed / cell).unlink()
    after = collect(name, changed)
    assert {entry.sample_id for entry in before.entries} - {entry.sample_id for entry in after.entries} == {
        lost.sample_id
    }
    (note,) = [note for note in after.notes if "listed samples are left out" in note]
    assert f"1 of {len(expected)}" in note or name == "ave"
    assert "there is no " in note
    manifest = write_collection(after, tmp_path / "data")
    assert [row["sample_id"] for row in rows_of(manifest)] == [entry.sample_id for entry in after.entries]
    named = rows_of(data_layout.left_out_file(tmp_path / "data"))
    assert lost.sample_id in {row["sample_id"] for row in named if row["why"].startswith("there is no ")}


def test_a_root_without_any_file_is_refused_with_the_first_path(tree, tmp_path):
    name, root, _ = tree
    if name == "cmu_mosei":
        pytest.skip("one file holds all samples")
    changed = tmp_path / "root"
    shutil.copytree(root, changed)
    for path in changed.rglob("*"):
        if path.suffix in {".mp4", ".wav", ".flv", ".avi", ".jpg"}:
            path.unlink()
    with pytest.raises(DataError, match=r"none of \d+ samples is there; of the first one, there is no "):
        collect(name, changed)


def test_settings_and_modalities_that_there_are_not_are_said_with_the_nearest(tree):
    name, root, _ = tree
    with pytest.raises(ConfigError, match=rf"source {name}: vall: no such setting; did you mean 'val'\?"):
        collect(name, root, {"vall": 0.2})
    with pytest.raises(ConfigError, match=r"val: must be less than 0\.9 \(got 2\)"):
        collect(name, root, {"val": 2})
    first = next(iter(SOURCES.get(name).modalities))
    with pytest.raises(
        ConfigError, match=rf"--modalities: source {name} has no '{first}s'; did you mean '{first}'\?"
    ):
        collect(name, root, modalities=f"{first}s")


def test_a_line_that_cannot_be_read_names_file_and_line(tree, tmp_path):
    name, root, _ = tree
    broken = {
        "kinetics_sounds": (
            "my_train.txt",
            "a,b",
            "my_train.txt, line 3: 'a,b' is not of the form ID_START,10,CLASS",
        ),
        "vggsound": ("vggsound.csv", "a,b,c,d", "vggsound.csv, line 3: 'a,b,c,d' is not of the form ID,START,LABEL"),
        "ave": ("testSet.txt", "a&b", "testSet.txt, line 3: 'a&b' is not of the form Category&VideoID&Quality"),
        "crema_d": ("test.csv", "1001_DFA_ANG_XX,NEU", "test.csv, line 3: '1001_DFA_ANG_XX,NEU' is not of the form"),
        "food101": (
            "texts/test_titles.csv",
            "a.jpg,b",
            "texts/test_titles.csv, line 3: 'a.jpg,b' is not of the form",
        ),
        "ucf101": (
            "ucfTrainTestlist/testlist01.txt",
            "v_a",
            "testlist01.txt, line 3: 'v_a' is not of the form CLASS",
        ),
        "nvgesture": (
            "nvgesture_test_correct_cvpr2016_v2.lst",
            "path:./Video_data/a label:one",
            "line 3: 'path:./Video_data/a label:one' is not of the form path:./Video_data/class_01",
        ),
    }
    if name not in broken:
        pytest.skip("its list has no lines")
    file, line, words = broken[name]
    changed = tmp_path / "root"
    shutil.copytree(root, changed)
    lines = (changed / file).read_text().splitlines()
    (changed / file).write_text("\n".join([*lines[:2], line, *lines[2:], line]) + "\n")
    with pytest.raises(DataError) as said:
        collect(name, changed)
    assert words in str(said.value)
    assert "2 problems" in str(said.value)
    (changed / file).write_bytes(b"\xff\xfe\x81")
    with pytest.raises(DataError, match="is not UTF-8"):
        collect(name, changed)
    (changed / file).write_text("\n")
    with pytest.raises(DataError, match=f"{file}: names no samples"):
        collect(name, changed)


def test_the_manifest_that_is_written_is_prepared_to_the_same_data_set(tree, tmp_path):
    name, root, _ = tree
    out, again = tmp_path / "data", tmp_path / "again"
    prepare("--source", name, "--root", root, "--out", out)
    kinds = ",".join(f"{key}:{kind}" for key, kind in SOURCES.get(name).modalities.items())
    sets = [
        word for setting in SOURCES.get(name).sets if not setting.startswith("flow") for word in ("--set", setting)
    ]
    manifest = data_layout.source_manifest(out)
    classes = open_dataset(out).schema.classes
    given = ["--classes", ",".join(classes)] if classes != tuple(sorted(classes)) else []
    words = ["--manifest", manifest, "--media-root", root, "--modalities", kinds, *given, *sets]
    prepare(*words, "--task", "classification", "--out", again)
    assert [shard.read_bytes() for shard in data_layout.shard_files(out)] == [
        shard.read_bytes() for shard in data_layout.shard_files(again)
    ]
    assert np.array_equal(open_dataset(out).label, open_dataset(again).label)
