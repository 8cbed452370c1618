"""Shards: only those of the manifest are read, each is checked before its rows are used, few are mapped at a time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from raymm.config.view import ViewConfig
from raymm.data import Sample, Schema, TextSpec, VectorSpec, open_dataset, row_checks, write_dataset
from raymm.data import shards as module
from raymm.data.format import finish_dataset, write_shard
from raymm.data.loading import BatchLoader, BatchRequest
from raymm.data.reader import BatchReader
from raymm.errors import DataError
from raymm.storage import data_layout

SCHEMA = Schema(modalities=[VectorSpec(name="v", size=6), TextSpec(name="t")], classes=["a", "b"])
ROWS, SHARD = 40, 8


def sample(number, **changes):
    values = {"v": np.full(6, number, np.float32), "t": f"text {number}"}
    fields = {"sample_id": f"s{number}", "split": ("train", "val", "test")[number % 3], "label": number % 2}
    return Sample(**{**fields, "values": values, "source": f"{number}.csv", **changes})


def write(out, samples, rows=SHARD):
    """A data set of small shards."""
    for number, start in enumerate(range(0, len(samples), rows)):
        write_shard(data_layout.shard_file(out, number), samples[start : start + rows], SCHEMA)
    finish_dataset(out, SCHEMA)
    return out


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "d", [sample(number) for number in range(ROWS)])


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def where(file, value):
    """Where a float32 number lies in a file."""
    return file.read_bytes().index(np.full(6, value, np.float32).tobytes())


def test_a_shard_that_the_manifest_does_not_name_is_not_read(data):
    before = open_dataset(data)
    shutil.copy(data_layout.shard_file(data, 1), data_layout.shard_file(data, 99999))
    after = open_dataset(data)
    assert (len(after), after.digest) == (ROWS, before.digest)
    assert after.shards.sample_id.tolist() == [f"s{number}" for number in range(ROWS)]


def test_remains_of_a_killed_process_are_removed_before_new_shards_are_written(data):
    (data / "manifest.json").unlink()
    write_dataset(data, [sample(number) for number in range(3)], SCHEMA)
    assert len(open_dataset(data)) == 3
    assert data_layout.shard_files(data) == [data_layout.shard_file(data, 0)]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.unlink(), "is missing"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), r"has \d+ bytes, \d+ were written"),
        (lambda file: file.write_bytes(b""), r"has 0 bytes, \d+ were written"),
        (lambda file: (file.unlink(), file.mkdir()), "cannot be read|is missing"),
        (lambda file: (file.unlink(), file.symlink_to(file.name)), "cannot be read|is missing"),
        (lambda file: flip(file, -1), "was changed after it was written"),
    ],
)
def test_a_damaged_shard_is_named_when_the_data_set_is_opened(data, check, damage, words):
    damage(data_layout.shard_file(data, 2))
    with pytest.raises(DataError, match=rf"part-00002\.arrow:? .*({words})"):
        open_dataset(data, check=check)


def test_a_changed_bit_is_found_when_its_shard_is_first_read_and_not_before(data):
    flip(data_layout.shard_file(data, 2), where(data_layout.shard_file(data, 2), 17))
    shards = open_dataset(data).shards
    assert shards.read("v", np.array([3, 39]))[:, 0].tolist() == [3, 39]
    for read in (shards.verify, shards.sources, lambda rows: shards.read("v", rows)):
        with pytest.raises(DataError, match=r"part-00002\.arrow: was changed after it was written \(its checksum"):
            read(np.array([3, 16]))  # a row of that shard which is as it was


def test_a_batch_is_refused_although_nothing_of_the_changed_shard_is_decoded(data):
    """Labels are in memory, and features may come from elsewhere: the shard is compared all the same."""
    flip(data_layout.shard_file(data, 2), where(data_layout.shard_file(data, 2), 17))
    reader = BatchReader(open_dataset(data), ViewConfig())
    with pytest.raises(DataError, match=r"part-00002\.arrow: was changed"):
        reader.batch(np.array([17]), np.zeros((1, 2), bool))


def test_every_process_that_reads_a_shard_compares_it(data):
    reader = BatchReader(open_dataset(data), ViewConfig())
    reader.batch(np.arange(ROWS))  # this process has compared all of them
    flip(data_layout.shard_file(data, 2), where(data_layout.shard_file(data, 2), 17))
    with (
        BatchLoader(reader, workers=1) as loader,
        pytest.raises(DataError, match=r"part-00002\.arrow: was changed after it was written"),
    ):
        list(loader.load([BatchRequest(np.array([1])), BatchRequest(np.array([17]))]))


@pytest.mark.parametrize("at", range(0, 1_800, 37))
def test_no_changed_bit_is_read(data, at):
    """Wherever it lies (rows, offsets, schema, footer): refused when opened, or when read."""
    file = data_layout.shard_file(data, 0)
    flip(file, at * file.stat().st_size // 1_800)
    with pytest.raises(DataError, match=r"part-00000\.arrow: was changed after it was written"):
        open_dataset(data).shards.verify(np.arange(ROWS))


def mappings(folder):
    """Files of a folder that this process has mapped, by the system's own list."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]


def test_shards_that_stay_mapped_are_fewer_than_half_of_what_a_process_may_map():
    """Each is one mapping of 65,530, the usual limit, and libraries, threads and memory have some too."""
    assert 1_000 < module.MAPPED < 65_530 / 2


@pytest.mark.parametrize("most", [1, 2, 4])
def test_few_shards_are_mapped_at_a_time_and_each_is_compared_once(data, monkeypatch, most):
    monkeypatch.setattr(module, "MAPPED", most)
    hashed, mapped = [], []
    plain_hash, plain_map = module.Shards._differs, module.Shards._map
    monkeypatch.setattr(
        module.Shards, "_differs", lambda self, name, content: hashed.append(name) or plain_hash(self, name, content)
    )
    shards = open_dataset(data).shards
    monkeypatch.setattr(module.Shards, "_map", lambda self, name: mapped.append(name) or plain_map(self, name))
    for _ in range(2):
        for row in np.random.default_rng(0).permutation(ROWS):
            assert shards.read("v", np.array([row])).tolist() == [[float(row)] * 6]
            assert len(shards._mapped) <= most
            assert len(mappings(data)) <= most
    assert len(mappings(data)) == most
    assert sorted(hashed) == sorted(set(hashed)) == data_layout.shard_names(data, None)
    assert len(mapped) > len(set(mapped)) > most


def test_another_shard_under_a_mapped_name_is_not_mixed_in(data, monkeypatch):
    """A shard that was compared and given back is still of the size and rows that it had."""
    monkeypatch.setattr(module, "MAPPED", 1)
    shards = open_dataset(data).shards
    shards.read("v", np.array([0, 8]))
    write_shard(data_layout.shard_file(data, 0), [sample(0)], SCHEMA)
    with pytest.raises(DataError, match=r"part-00000\.arrow: has \d+ (bytes|rows)"):
        shards.read("v", np.array([0]))


def test_shards_beyond_99999_keep_their_order(tmp_path):
    names = ["shards/part-100000.arrow", "shards/part-99999.arrow", "report.json", "shards/part-1.arrow.bak"]
    assert data_layout.shard_names(tmp_path, names) == ["shards/part-99999.arrow", "shards/part-100000.arrow"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": 2}, "sample 's13': label 2 is outside the 2 classes"),
        ({"label": -1}, "sample 's13': label -1 is outside the 2 classes"),
        ({"label": -100}, "sample 's13': label -100 is outside the 2 classes"),
        ({"label": None}, "row 13: its label is missing"),
        ({"sample_id": "s2"}, "sample 's2': its id appears 2 times"),
        ({"sample_id": "s39"}, "sample 's39': its id appears 2 times"),
        ({"sample_id": ""}, "row 13: its sample_id is empty"),
        ({"sample_id": None}, "row 13: its sample_id is missing"),
        ({"sample_id": "x" * 10**6}, "row 13: its sample_id has 1000000 characters, at most 1000 are allowed"),
        ({"split": "training"}, "sample 's13': split 'training' is not one of train, val, test"),
        ({"split": None}, "row 13: its split is missing"),
        ({"values": {}}, "sample 's13': every modality is missing"),
    ],
)
@pytest.mark.parametrize("group", [1, 512])
def test_rows_are_checked_when_a_data_set_is_opened(data, monkeypatch, changes, words, group):
    """Also where the manifest fits the wrong rows, as one of another program may, and whatever is read at a time."""
    (data / "manifest.json").unlink()
    samples = [sample(number) for number in range(ROWS)]
    samples[13] = sample(13, **changes)
    if "label" in changes:
        monkeypatch.setattr(type(SCHEMA.task), "array", lambda _, labels, __: np.array(labels, object))
        monkeypatch.setattr(type(SCHEMA.task), "to_arrow", lambda _, labels: pa.array(labels.tolist(), pa.int64()))
    for number, start in enumerate(range(0, ROWS, SHARD)):
        write_shard(data_layout.shard_file(data, number), samples[start : start + SHARD], SCHEMA)
    monkeypatch.undo()
    monkeypatch.setattr(row_checks, "GROUP", group)
    with pytest.raises(DataError) as caught:
        finish_dataset(data, SCHEMA)
    assert words in str(caught.value)
    rewrite_manifest(data, data_layout.shard_names(data, None))
    with pytest.raises(DataError) as caught:
        open_dataset(data)
    assert words in str(caught.value)


def rewrite_manifest(data, names, **changes):
    """The manifest of these shards, as any program may write it."""
    from raymm.storage import commit_directory

    about = {"format": 1, "schema": SCHEMA.model_dump(mode="json"), "rows": ROWS, **changes}
    about.setdefault("statistics", {"v": {"mean": [0.0] * 6, "std": [1.0] * 6}})
    commit_directory(data, about)
    assert data_layout.shard_names(data, None) == names


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 41}, "says 41 rows, the shards that it names have 40"),
        ({"rows": "40"}, "'rows' is '40'"),
        ({"statistics": {}}, "statistics of v: are missing"),
        (
            {"statistics": {"v": {"mean": [0.0], "std": [1.0] * 6}}},
            "v: 'mean' must have 6 numbers, not 1",
        ),
        ({"statistics": {"v": {"mean": [0.0] * 6}}}, "statistics of v: 'std' must have 6 numbers, not 0"),
        ({"statistics": {"v": {"mean": [0.0] * 6, "std": [1.0] * 7}}}, "'std' must have 6 numbers, not 7"),
        ({"statistics": {"v": {"mean": [0.0] * 6, "std": [1.0] * 5 + [0.0]}}}, "'std' must be above 0"),
        ({"statistics": {"v": {"mean": ["0"] * 6, "std": [1.0] * 6}}}, "'statistics.v.mean.0' is '0'"),
        ({"statistics": 3}, "'statistics' is 3"),
        ({"format": 2}, "is of format 2, and this raymm reads formats up to 1; update raymm"),
        ({"format": "1"}, "'format' is '1'"),
    ],
)
def test_a_manifest_that_does_not_fit_its_rows_is_named(data, changes, words):
    rewrite_manifest(data, data_layout.shard_names(data, None), **changes)
    with pytest.raises(DataError) as caught:
        open_dataset(data)
    assert f"{data}/manifest.json" in str(caught.value)
    assert words in str(caught.value)


def test_a_data_set_whose_manifest_names_no_shards_is_refused(data):
    names = data_layout.shard_names(data, None)
    for name in names:
        (data / name).rename(data / f"{name}.bak")
    rewrite_manifest(data, [], files={})
    with pytest.raises(DataError, match="holds no samples"):
        open_dataset(data)


def test_a_shard_in_two_parts_is_refused(data):
    file = data_layout.shard_file(data, 1)
    with pa.ipc.open_file(pa.OSFile(str(file))) as reader:
        batch = reader.get_batch(0)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    rewrite_manifest(data, data_layout.shard_names(data, None))
    with pytest.raises(DataError, match=r"part-00001\.arrow: .*more than one part"):
        open_dataset(data)


def test_cached_views_are_no_part_of_a_data_set_that_is_committed_again(data):
    digest = open_dataset(data).digest
    view = data / "views" / "abc"
    view.mkdir(parents=True)
    (view / "v.npy").write_bytes(b"cached")
    (data / "manifest.json").unlink()
    finish_dataset(data, SCHEMA)
    shutil.rmtree(data / "views")
    assert open_dataset(data, check=True).digest == digest


@pytest.mark.parametrize("kept", ["both", "sha256"])
def test_every_flipped_bit_of_some_is_found_by_the_quick_checksum_and_by_that_of_0_1_0(data, kept):
    if kept == "sha256":
        manifest = json.loads((data / "manifest.json").read_text())
        for entry in manifest["files"].values():
            del entry["crc32"]
        del manifest["checksum"]
        (data / "manifest.json").write_text(json.dumps(manifest))
    file = data_layout.shard_file(data, 4)
    whole = file.read_bytes()
    begin = where(file, 39)
    for bit in range(0, 8 * 24, 7):
        content = bytearray(whole)
        content[begin + bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"part-00004\.arrow: was changed"):
            open_dataset(data).shards.verify(np.array([39]))
    file.write_bytes(whole)
    open_dataset(data).shards.verify(np.array([39]))


@pytest.mark.parametrize("rows", [[], [39], [8, 8, 7, 7], [39, 0, 16, 0, 38, 15], list(range(ROWS))[::-1]])
def test_rows_come_in_the_order_that_is_asked_for(data, rows):
    shards = open_dataset(data).shards
    index = np.array(rows, np.int64)
    assert shards.read("v", index).tolist() == [[float(row)] * 6 for row in rows]
    assert shards.read_text("t", index) == [f"text {row}" for row in rows]
    assert shards.sources(index) == [f"{row}.csv" for row in rows]
    shards.verify(index)


def test_ids_and_splits_of_some_rows_are_those_of_all(data):
    shards = open_dataset(data).shards
    rows = np.array([39, 0, 17, 17, 8])
    assert shards.ids(rows).tolist() == ["s39", "s0", "s17", "s17", "s8"]
    assert shards.splits(rows).tolist() == ["train", "train", "test", "test", "test"]
    assert shards.ids(rows[:0]).tolist() == []
    assert shards.sample_id.tolist() == [f"s{number}" for number in range(ROWS)]
    for split in ("train", "val", "test", "other"):
        assert shards.in_split(split).tolist() == np.flatnonzero(shards.split == split).tolist()


def test_ids_of_a_changed_shard_are_not_given(data):
    flip(data_layout.shard_file(data, 2), where(data_layout.shard_file(data, 2), 17))
    shards = open_dataset(data).shards
    assert shards.ids(np.array([3])).tolist() == ["s3"]
    with pytest.raises(DataError, match=r"part-00002\.arrow: was changed"):
        shards.ids(np.array([3, 16]))


def test_an_id_that_stands_in_two_shards_is_named_and_ids_of_one_hash_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(row_checks, "hash", len, raising=False)
    assert len(open_dataset(write(tmp_path / "d", [sample(number) for number in range(ROWS)]))) == ROWS
    with pytest.raises(DataError, match="sample 's3': its id appears 2 times"):
        write(tmp_path / "e", [*(sample(number) for number in range(ROWS)), sample(3)])
