"""The manifest: columns, ids, splits and paths, and every mistake named at once."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.data.manifest import load_manifest
from raymm.data.schema import SPLITS
from raymm.errors import DataError
from tests.data.clips import manifest

AUDIO = {"audio": "audio"}


def good_rows(labels=("cat", "dog")):
    return [{"file": f"{split}-{label}.wav", "label": label, "split": split} for split in SPLITS for label in labels]


def message(folder, rows, kinds=AUDIO, **options):
    with pytest.raises(DataError) as caught:
        load_manifest(manifest(folder, rows), folder, kinds, **options)
    return str(caught.value)


def with_row(number, **cells):
    rows = good_rows()
    rows[number].update(cells)
    return rows


def test_a_good_manifest(tmp_path):
    listing = load_manifest(manifest(tmp_path, good_rows()), tmp_path, AUDIO)
    assert listing.classes == ("cat", "dog")
    first = listing.records[0]
    assert (first.sample_id, first.split, first.label) == ("train-cat", "train", 0)
    assert (first.source, first.cells) == ("train-cat.wav", {"audio": "train-cat.wav"})


def test_one_file_column_serves_all_media_and_an_own_column_goes_first(tmp_path):
    rows = [{**row, "rgb": "", "sample_id": f"s{number}"} for number, row in enumerate(good_rows())]
    rows[0]["rgb"] = "other.mp4"
    kinds = {"audio": "audio", "rgb": "rgb", "flow": "flow"}
    first, second = load_manifest(manifest(tmp_path, rows), tmp_path, kinds).records[:2]
    assert first.cells == {"audio": "train-cat.wav", "rgb": "other.mp4", "flow": "train-cat.wav"}
    assert second.cells["rgb"] is None
    assert second.sample_id == "s1"


def test_the_order_of_the_classes_can_be_given(tmp_path):
    listing = load_manifest(manifest(tmp_path, good_rows()), tmp_path, AUDIO, classes=["dog", "cat"])
    assert listing.classes == ("dog", "cat")
    assert listing.records[0].label == 1


def test_numbers_stay_the_text_that_they_are(tmp_path):
    rows = [
        {"sample_id": f"00{number}", "file": f"{split}{label}.wav", "label": label, "split": split}
        for number, (split, label) in enumerate((split, label) for split in SPLITS for label in ("0", "1"))
    ]
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, AUDIO)
    assert listing.classes == ("0", "1")
    assert listing.records[0].sample_id == "000"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = manifest(tmp_path, [{"label": row["label"], **row} for row in good_rows()])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_manifest(path, tmp_path, AUDIO).classes == ("cat", "dog")


def without_split(count=20):
    return [{"file": f"{label}-{n:02d}.wav", "label": label} for label in ("cat", "dog") for n in range(count)]


def test_splits_are_dealt_by_label_and_depend_on_the_seed_alone(tmp_path):
    rows = without_split()
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, AUDIO, seed=3)
    counts = Counter((record.label, record.split) for record in listing.records)
    assert counts == {(label, split): n for label in (0, 1) for split, n in zip(SPLITS, (14, 3, 3), strict=True)}
    again = load_manifest(manifest(tmp_path, rows[::-1]), tmp_path, AUDIO, seed=3)
    other = load_manifest(manifest(tmp_path, rows), tmp_path, AUDIO, seed=4)
    split_of = {record.sample_id: record.split for record in listing.records}
    assert split_of == {record.sample_id: record.split for record in again.records}
    assert split_of != {record.sample_id: record.split for record in other.records}


def test_samples_of_one_file_are_dealt_into_one_split(tmp_path):
    rows = [{"sample_id": f"{row['file']}-{take}", **row} for row in without_split(10) for take in range(3)]
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, AUDIO)
    splits = {}
    for record in listing.records:
        splits.setdefault(record.source, set()).add(record.split)
    assert {len(found) for found in splits.values()} == {1}


@pytest.mark.parametrize("column", ["file", "rgb"])
def test_windows_of_one_video_are_of_one_file(tmp_path, column):
    rows = [{column: f"d{n % 20:02d}.avi#t={n // 20}", "label": ("cat", "dog")[n % 2]} for n in range(80)]
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, {"rgb": "rgb"})
    splits = {}
    for record in listing.records:
        splits.setdefault(record.cells["rgb"].partition("#")[0], set()).add(record.split)
    assert len(splits) == 20
    assert {len(found) for found in splits.values()} == {1}
    assert len({record.sample_id for record in listing.records}) == 80
    torn = [{**row, "split": SPLITS[n // 2 % 3]} for n, row in enumerate(rows)]
    assert "file 'd00.avi' is in two splits: test, train" in message(tmp_path, torn, {"rgb": "rgb"})


def test_files_whose_samples_are_of_several_classes_are_dealt_as_groups_in_any_order_of_the_rows(tmp_path):
    rows = [
        {"sample_id": f"s{n}-{label}", "file": f"d{n:02d}.avi", "label": label}
        for n in range(40)
        for label in ("common", *(["rare"] if n < 6 else []), *(["other"] if n > 20 else []))
    ]
    for seed in range(5):
        found = load_manifest(manifest(tmp_path, rows), tmp_path, {"rgb": "rgb"}, seed=seed)
        splits = {record.source: record.split for record in found.records}
        assert all(record.split == splits[record.source] for record in found.records)
        again = load_manifest(manifest(tmp_path, rows[::-1]), tmp_path, {"rgb": "rgb"}, seed=seed)
        assert {record.sample_id: record.split for record in again.records} == {
            record.sample_id: record.split for record in found.records
        }
    few = [row for row in rows if row["label"] != "rare" or row["file"] < "d02"]
    said = "1 of 3 classes have fewer files than there are splits (3): rare (2); add files"
    assert said in message(tmp_path, few, {"rgb": "rgb"})


@pytest.mark.parametrize("order", [("audio", "pose"), ("pose", "audio")])
def test_an_archive_of_many_samples_is_no_recording(tmp_path, order):
    """Where the sound is missing, the array's file must not hold samples together."""
    rows = [
        {
            "sample_id": f"s{n}",
            "audio": "" if n % 4 == 0 else f"{n}.wav",
            "pose": f"poses.npz#x[{n}]",
            "label": ("cat", "dog")[n // 4 % 2],
        }
        for n in range(200)
    ]
    kinds = {name: {"audio": "audio", "pose": "vector"}[name] for name in order}
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, kinds)
    silent = Counter(record.split for record in listing.records if record.cells["audio"] is None)
    assert all(silent[split] >= 4 for split in SPLITS), silent
    named = [{**row, "split": SPLITS[n % 3]} for n, row in enumerate(rows)]
    assert load_manifest(manifest(tmp_path, named), tmp_path, kinds).notes == ()


def test_rows_of_one_archive_are_dealt_one_by_one(tmp_path):
    rows = [
        {"sample_id": f"s{n}", "view": f"all.npz#x[{n}]", "label": label}
        for n, label in enumerate(["cat", "dog"] * 20)
    ]
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, {"view": "vector"})
    assert Counter(record.split for record in listing.records) == {"train": 28, "val": 6, "test": 6}


def test_rows_without_a_file_or_an_id_are_numbered(tmp_path):
    rows = [{"title": "x", "label": label, "split": split} for split in SPLITS for label in ("cat", "dog")]
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, {"title": "text"})
    assert [record.sample_id for record in listing.records[:2]] == ["row-000001", "row-000002"]


def test_parquet_is_read_as_csv_is(tmp_path):
    pq.write_table(pa.Table.from_pylist(good_rows()), tmp_path / "m.parquet")
    from_csv = load_manifest(manifest(tmp_path, good_rows()), tmp_path, AUDIO)
    assert load_manifest(tmp_path / "m.parquet", tmp_path, AUDIO) == from_csv


def test_no_manifest(tmp_path):
    with pytest.raises(DataError, match=r"m\.csv: no such file"):
        load_manifest(tmp_path / "m.csv", tmp_path, AUDIO)


def test_a_manifest_that_is_no_table(tmp_path):
    (tmp_path / "m.parquet").write_text("file,label\n")
    with pytest.raises(DataError, match=r"m\.parquet: not readable as \.parquet"):
        load_manifest(tmp_path / "m.parquet", tmp_path, AUDIO)


def test_a_manifest_without_rows(tmp_path):
    (tmp_path / "m.csv").write_text("file,label,split\n")
    with pytest.raises(DataError, match="has no rows"):
        load_manifest(tmp_path / "m.csv", tmp_path, AUDIO)


def test_no_folder_of_media(tmp_path):
    with pytest.raises(DataError, match=r"the media root .*absent is no folder"):
        load_manifest(manifest(tmp_path, good_rows()), tmp_path / "absent", AUDIO)


def test_absent_columns(tmp_path):
    rows = [{"file": "a.wav", "lable": "cat", "titel": "x"}]
    said = message(tmp_path, rows, {"audio": "audio", "title": "text"})
    assert "no column 'label'; did you mean 'lable'?" in said
    assert "no column 'title' for the modality; did you mean 'titel'?" in said


def test_no_column_for_media(tmp_path):
    said = message(tmp_path, [{"files": "a.wav", "label": "cat"}])
    assert "no column 'file' and no column 'audio' for the modality" in said


def test_an_empty_label(tmp_path):
    assert "row 2, sample 'train-dog': the label is empty" in message(tmp_path, with_row(1, label=" "))


def test_a_label_outside_the_classes(tmp_path):
    said = message(tmp_path, with_row(1, label="dgo"), classes=["cat", "dog"])
    assert "sample 'train-dog': label 'dgo' is outside the classes; did you mean 'dog'?" in said


def test_one_class_is_no_task(tmp_path):
    assert "1 classes (cat); classification needs 2 or more" in message(tmp_path, good_rows(["cat"]))


def test_a_class_that_is_given_twice(tmp_path):
    said = message(tmp_path, good_rows(), classes=["cat", "dog", "cat"])
    assert "class 'cat' appears twice in --classes" in said


def test_an_unknown_split(tmp_path):
    said = message(tmp_path, [*good_rows(), {"file": "x.wav", "label": "cat", "split": "vaild"}])
    assert "sample 'x': split 'vaild' is not one of train, val, test" in said


def test_a_split_without_a_class(tmp_path):
    assert "split 'test' has no sample of class dog" in message(tmp_path, good_rows()[:-1])


def test_an_id_that_stands_twice(tmp_path):
    rows = [{"sample_id": row["file"], **row} for row in good_rows()]
    rows[1]["sample_id"] = rows[0]["sample_id"]
    assert "sample 'train-cat.wav': its id appears 2 times" in message(tmp_path, rows)


def test_one_file_in_two_splits(tmp_path):
    rows = [{"sample_id": f"s{number}", **row} for number, row in enumerate(good_rows())]
    rows[2]["file"] = rows[0]["file"]
    assert "file 'train-cat.wav' is in two splits: train, val" in message(tmp_path, rows)


@pytest.mark.parametrize("file", ["../secret.wav", "/etc/passwd", "a/../../b.wav"])
def test_a_path_that_leaves_the_media_root(tmp_path, file):
    said = message(tmp_path, with_row(0, file=file))
    assert f"'{file}' leaves the media root; write paths relative to it" in said
    assert "row 1, sample" in said


def outside_of(root):
    """A media root with links of every sort, and what lies beside it."""
    root.mkdir()
    outside = root.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    for file in (outside / "secret.wav", outside / "deep" / "secret.wav", root / "own.wav"):
        file.write_bytes(b"x")
    (root / "absolute.wav").symlink_to(outside / "secret.wav")
    (root / "relative.wav").symlink_to("../outside/secret.wav")
    (root / "folder").symlink_to(outside)
    (root / "again.wav").symlink_to("absolute.wav")
    (root / "inside").symlink_to(".")
    (root / "inside.wav").symlink_to(root / "own.wav")
    (root.parent / "root-beside").mkdir()
    (root / "beside").symlink_to(root.parent / "root-beside")
    return root


LEADING_OUT = ["absolute.wav", "relative.wav", "folder/secret.wav", "folder/deep/secret.wav", "again.wav"]


@pytest.mark.parametrize("file", [*LEADING_OUT, "inside/folder/secret.wav", "beside/x.wav", "folder/gone.wav"])
def test_a_symbolic_link_that_leaves_the_media_root(tmp_path, file):
    root = outside_of(tmp_path / "root")
    said = message(root, with_row(0, file=file))
    assert f"'{file}' leaves the media root by a symbolic link" in said
    assert f"to {tmp_path}" in said
    assert "--allow-outside" in said


@pytest.mark.parametrize("file", ["own.wav", "inside.wav", "inside/own.wav", "inside/inside/inside.wav"])
def test_a_symbolic_link_within_the_media_root_is_followed(tmp_path, file):
    root = outside_of(tmp_path / "root")
    (tmp_path / "link").symlink_to(root)
    for media_root in (root, tmp_path / "link"):
        assert load_manifest(manifest(tmp_path, with_row(0, file=file)), media_root, AUDIO).records[0].source == file


@pytest.mark.parametrize("file", [*LEADING_OUT, "../outside/secret.wav", "/etc/hostname"])
def test_paths_outside_of_the_media_root_can_be_allowed(tmp_path, file):
    root = outside_of(tmp_path / "root")
    listed = load_manifest(manifest(tmp_path, with_row(0, file=file)), root, AUDIO, allow_outside=True)
    assert listed.records[0].source == file


def test_every_mistake_is_named_at_once(tmp_path):
    rows = [*good_rows()[:-1], *good_rows()[:1], {"file": "y.wav", "label": "dog", "split": "trian"}]
    said = message(tmp_path, rows)
    assert "3 problems" in said
    assert "its id appears 2 times" in said
    assert "split 'trian'" in said
    assert "split 'test' has no sample of class dog" in said


def raw(folder, text):
    (folder / "m.csv").write_text(text, newline="")
    return folder / "m.csv"


QUOTED = "\r\n".join(
    f'"s{n}","one, ""two""\nthree {n}",{split},{label}'
    for n, (split, label) in enumerate((split, label) for split in SPLITS for label in "ab")
)


def test_quoted_columns_may_hold_commas_and_cells_line_breaks(tmp_path):
    text = f'sample_id,t,"split","label"\r\n{QUOTED}\r\n'
    records = load_manifest(raw(tmp_path, text), tmp_path, {"t": "text"}).records
    assert [record.cells["t"] for record in records] == [f'one, "two"\nthree {n}' for n in range(6)]
    commas = text.replace("sample_id,", '"sample_id","a, b",').replace('","one', '",007,"one')
    assert load_manifest(raw(tmp_path, commas), tmp_path, {"t": "text"}).records == records
    broken = raw(tmp_path, text.replace("sample_id,", '"sample\nid",'))
    assert load_manifest(broken, tmp_path, {"t": "text"}).records[0].sample_id == "row-000001"


def test_a_quoted_column_with_a_comma_keeps_its_text(tmp_path):
    rows = "\n".join(f"{split}{label}.wav,007,{split},00{label}" for split in SPLITS for label in "12")
    path = raw(tmp_path, f'file,"label, old",split,label\n{rows}\n')
    assert load_manifest(path, tmp_path, AUDIO).classes == ("001", "002")


def test_columns_that_stand_twice_are_named(tmp_path):
    path = raw(tmp_path, "file,label,split,label,file,label\na.wav,x,train,y,b.wav,z\n")
    with pytest.raises(DataError) as caught:
        load_manifest(path, tmp_path, AUDIO)
    assert "column 'file' appears 2 times; rename or remove all but one" in str(caught.value)
    assert "column 'label' appears 3 times" in str(caught.value)
    table = pa.table([["a.wav"], ["x"], ["y"]], names=["file", "label", "label"])
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(DataError, match="column 'label' appears 2 times"):
        load_manifest(tmp_path / "m.parquet", tmp_path, AUDIO)


def test_an_empty_file_is_no_manifest(tmp_path):
    with pytest.raises(DataError, match=r"m\.csv: not readable as \.csv"):
        load_manifest(raw(tmp_path, ""), tmp_path, AUDIO)
