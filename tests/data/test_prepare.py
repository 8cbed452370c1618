"""From media to a data set: values, resuming, quarantine, arrays and texts of a Parquet manifest."""

import csv
import json
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

import raymm.data.prepare as module
from raymm.cli.prepare import prepare as verb
from raymm.data.dataset import open_dataset
from raymm.data.media.audio import read_audio
from raymm.errors import DataError
from raymm.storage import verify
from tests.cli.calling import result_in
from tests.data.clips import RATE, SPLITS, clip, collection, cut, manifest, prepare


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 4)


def rows_read(out, name):
    dataset = open_dataset(out)
    return dataset.shards.read(name, np.arange(len(dataset)))


def test_clips_become_a_data_set(tmp_path):
    rows = collection(tmp_path / "clips", "mp4")
    prepare(manifest(tmp_path, rows), tmp_path / "clips", "audio,rgb,flow", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert dataset.schema.classes == ("high", "low")
    assert [spec.shape for spec in dataset.schema.modalities] == [(6400,), (2, 3, 48, 48), (5, 2, 48, 48)]
    assert dataset.shards.sample_id.tolist() == [row["file"].removesuffix(".mp4") for row in rows]
    assert dataset.shards.split.tolist() == [row["split"] for row in rows]
    assert dataset.label.tolist() == [1, 0] * 3
    assert dataset.present.all()
    assert np.array_equal(
        rows_read(tmp_path / "out", "audio")[2], read_audio(tmp_path / "clips" / rows[2]["file"], RATE, 0.4)
    )
    dark, light = rows_read(tmp_path / "out", "rgb")[0].mean(axis=(1, 2, 3))
    assert dark < 50
    assert light > 200


def test_sound_and_picture_of_a_stored_sample_begin_together(tmp_path):
    rows = collection(tmp_path, "mp4")
    clip(tmp_path / rows[0]["file"], seconds=0.8, start=0.4)
    settings = ("rgb.fps=25", "rgb.height=16", "rgb.width=16")
    prepare(manifest(tmp_path, rows), tmp_path, "audio,rgb", tmp_path / "out", settings=settings)
    sound = np.flatnonzero(np.abs(rows_read(tmp_path / "out", "audio")[0]) > 0.1)[0] / RATE
    picture = np.flatnonzero(rows_read(tmp_path / "out", "rgb")[0].mean(axis=(1, 2, 3)) > 128)[0] / 25
    assert abs(sound - 0.4) < 0.003
    assert abs(picture - 0.4) <= 1 / 25


def test_only_the_shard_that_is_gone_is_made_again(tmp_path, small_chunks):
    path = manifest(tmp_path, collection(tmp_path, each=2))
    out = tmp_path / "out"
    assert [report.reused for report in prepare(path, tmp_path, "audio", out)] == [False] * 3
    digest = open_dataset(out).digest
    (out / "manifest.json").unlink()
    (out / "shards" / "part-00001.arrow").unlink()
    assert [report.reused for report in prepare(path, tmp_path, "audio", out)] == [True, False, True]
    assert open_dataset(out).digest == digest


def test_only_the_shard_of_a_changed_file_is_made_again(tmp_path, small_chunks):
    rows = collection(tmp_path, each=2)
    path, out = manifest(tmp_path, rows), tmp_path / "out"
    cut(tmp_path / rows[9]["file"])
    with pytest.raises(DataError, match="is truncated"):
        prepare(path, tmp_path, "audio", out)
    (tmp_path / rows[9]["file"]).write_bytes((tmp_path / rows[8]["file"]).read_bytes())
    assert [report.reused for report in prepare(path, tmp_path, "audio", out)] == [True, True, False]
    assert len(open_dataset(out)) == 12


ODD = random.Random(30)
ODD_NAMES = [
    "a#1",
    "a#1[2]",
    "#",
    "50%23",
    "a b?c#d",
    *("".join(ODD.choices("ab#%[]? ", k=6)) + "#" for _ in range(3)),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_changed_file_is_noticed_whatever_its_name(tmp_path, small_chunks, name):
    """In names of arrays `#` begins a key; in names of media it is a letter."""
    rows = collection(tmp_path, each=2)
    first, second = (tmp_path / rows[place]["file"] for place in (8, 9))
    first = first.rename(tmp_path / f"{name}.wav")
    rows[8]["file"] = first.name
    path, out = manifest(tmp_path, rows), tmp_path / "out"
    prepare(path, tmp_path, "audio", out)
    before = rows_read(out, "audio")
    (out / "manifest.json").unlink()
    first.write_bytes(second.read_bytes())
    os.utime(first, (0, 0))
    assert [report.reused for report in prepare(path, tmp_path, "audio", out)] == [True, True, False]
    after = rows_read(out, "audio")
    assert not np.array_equal(before[8], after[8])
    assert np.array_equal(after[8], after[9])


@pytest.mark.parametrize("kind", ["rgb_pictures", "flow_pictures"])
@pytest.mark.parametrize("change", ["added", "written again"])
def test_shards_of_changed_pictures_are_made_again(tmp_path, kind, change):
    """The first picture of each clip stays as it is."""
    pattern = {"rgb_pictures": ["img_{:05d}.png"], "flow_pictures": ["flow_x_{:05d}.png", "flow_y_{:05d}.png"]}[kind]
    rows = [
        {"sample_id": f"c{n}", "clip": f"c{n}/{pattern[0].format(1)}", "split": SPLITS[n // 2], "label": "ab"[n % 2]}
        for n in range(6)
    ]

    def write(number, grey):
        for place in range(6):
            (tmp_path / f"c{place}").mkdir(exist_ok=True)
            for name in pattern:
                Image.new("RGB", (16, 16), (grey,) * 3).save(tmp_path / f"c{place}" / name.format(number))

    for number in (1, 2, 3) if change == "written again" else (1,):
        write(number, 100)
    settings = ["clip.frames=3", "clip.fps=25", "clip.picture_rate=25"]
    path, out = manifest(tmp_path, rows), tmp_path / "out"
    prepare(path, tmp_path, f"clip:{kind}", out, settings=settings)
    before = rows_read(out, "clip")
    (out / "manifest.json").unlink()
    assert all(report.reused for report in prepare(path, tmp_path, f"clip:{kind}", out, settings=settings))
    (out / "manifest.json").unlink()
    write(3 if change == "added" else 2, 200)
    if change == "added":
        write(2, 200)
    assert not any(report.reused for report in prepare(path, tmp_path, f"clip:{kind}", out, settings=settings))
    after = rows_read(out, "clip")
    assert np.array_equal(after[:, 0], before[:, 0])
    assert not np.array_equal(after[:, 1], before[:, 1])


def test_another_setting_makes_every_shard_again(tmp_path, small_chunks):
    path, out = manifest(tmp_path, collection(tmp_path, each=2)), tmp_path / "out"
    prepare(path, tmp_path, "audio", out)
    (out / "manifest.json").unlink()
    reports = prepare(path, tmp_path, "audio", out, settings=["audio.rate=8000"])
    assert not any(report.reused for report in reports)


def test_shards_of_a_longer_manifest_are_left_out(tmp_path, small_chunks):
    rows, out = collection(tmp_path, each=2), tmp_path / "out"
    cut(tmp_path / rows[-1]["file"])
    extra = [*rows[:-1], {**rows[0], "file": rows[-1]["file"]}]
    with pytest.raises(DataError):
        prepare(manifest(tmp_path, [*extra, *collection(tmp_path / "more")]), tmp_path, "audio", out)
    prepare(manifest(tmp_path, [row for n, row in enumerate(rows) if n % 2 == 0]), tmp_path, "audio", out)
    assert len(open_dataset(out)) == 6
    assert len(list((out / "shards").iterdir())) == 4


def test_quarantine_leaves_bad_samples_out_and_counts_them(tmp_path, small_chunks):
    rows, out = collection(tmp_path, "mp4", each=2), tmp_path / "out"
    cut(tmp_path / "train-low-0.mp4")
    (tmp_path / "test-high-1.mp4").unlink()
    prepare(manifest(tmp_path, rows), tmp_path, "audio,rgb", out, "quarantine")
    left = set(open_dataset(out).shards.sample_id.tolist())
    assert left == {row["file"].removesuffix(".mp4") for row in rows} - {"train-low-0", "test-high-1"}
    report = json.loads((out / "report.json").read_text())
    assert (report["rows"], report["quarantined"], len(report["problems"])) == (10, 2, 4)
    with (out / "quarantine.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert [(row["sample_id"], row["file"], row["modality"]) for row in listed] == [
        ("train-low-0", "train-low-0.mp4", "audio"),
        ("train-low-0", "train-low-0.mp4", "rgb"),
        ("test-high-1", "test-high-1.mp4", "audio"),
        ("test-high-1", "test-high-1.mp4", "rgb"),
    ]
    assert all(row["problem"] for row in listed)
    assert {"report.json", "quarantine.csv"} <= set(verify(out)["files"])


def test_a_chunk_of_bad_samples_leaves_no_shard(tmp_path, small_chunks):
    rows, out = collection(tmp_path, each=4), tmp_path / "out"
    order = [*(row for row in rows if row["file"].endswith("-0.wav")), *(r for r in rows if "-0." not in r["file"])]
    for row in order[:4]:
        (tmp_path / row["file"]).unlink()
    reports = prepare(manifest(tmp_path, order), tmp_path, "audio", out, "quarantine")
    assert [report.rows for report in reports] == [0, 4, 4, 4, 4, 4]
    assert not (out / "shards" / "part-00000.arrow").exists()
    assert len(open_dataset(out)) == 20


def test_quarantine_must_leave_every_class_in_every_split(tmp_path):
    rows, out = collection(tmp_path), tmp_path / "out"
    (tmp_path / "val-high-0.wav").unlink()
    with pytest.raises(DataError, match="without the quarantined samples split 'val' has no sample of class high"):
        prepare(manifest(tmp_path, rows), tmp_path, "audio", out, "quarantine")
    assert not (out / "manifest.json").exists()


def test_no_sample_is_left(tmp_path):
    rows = collection(tmp_path)
    for row in rows:
        (tmp_path / row["file"]).unlink()
    with pytest.raises(DataError, match="no sample is left; the first problem: sample 'train-low-0'"):
        prepare(manifest(tmp_path, rows), tmp_path, "audio", tmp_path / "out", "quarantine")


def table_of_arrays(folder):
    """A Parquet manifest with numbers in lists, rows of an archive and texts; some cells are empty."""
    rng = np.random.default_rng(0)
    imu, views = rng.normal(size=(12, 3, 5)).astype(np.float32), rng.normal(size=(12, 4)).astype(np.float32)
    np.savez(folder / "all.npz", imu=imu)
    rows = [
        {
            "sample_id": f"s{n}",
            "label": "ab"[n % 2],
            "split": SPLITS[n // 4],
            "view": None if n == 2 else views[n].tolist(),
            "imu": "" if n == 5 else f"all.npz#imu[{n}]",
            "title": ["", None, f"title {n}"][min(n, 2)],
        }
        for n in range(12)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "m.parquet")
    return folder / "m.parquet", views, imu


def test_lists_arrays_and_texts_with_empty_cells(tmp_path):
    path, views, imu = table_of_arrays(tmp_path)
    prepare(path, tmp_path, "view:vector,imu:sequence,title:text", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert np.argwhere(~dataset.present).tolist() == [[0, 2], [1, 2], [2, 0], [5, 1]]
    rows = np.array([0, 3, 11])
    assert np.array_equal(dataset.shards.read("view", rows), views[rows])
    assert np.array_equal(dataset.shards.read("imu", rows), imu[rows])
    assert dataset.shards.read_text("title", rows) == ["", "title 3", "title 11"]
    train = [0, 1, 3]
    assert np.allclose(dataset.statistics["view"]["mean"], views[train].mean(axis=0), atol=1e-6)


def call(folder, *arguments):
    rows = ["--manifest", str(folder / "labels.csv"), "--media-root", str(folder), "--out", str(folder / "out")]
    return CliRunner().invoke(verb, [*rows, "--modalities", "audio", "--backend", "local", *arguments])


def test_the_verb_says_what_it_made(tmp_path):
    manifest(tmp_path, collection(tmp_path))
    result = call(tmp_path)
    assert result.exit_code == 0, result.output
    assert "6 samples, 2 classes: audio [6400]" in result.output
    assert "preparing: 1 of 1" in result.stderr


def test_the_verb_does_nothing_when_nothing_has_changed(tmp_path):
    manifest(tmp_path, collection(tmp_path))
    call(tmp_path)
    before = (tmp_path / "out" / "manifest.json").stat().st_mtime_ns
    result = call(tmp_path, "--json")
    assert result_in(result.stdout) == {"out": str(tmp_path / "out"), "rows": 6, "quarantined": []}
    assert "nothing has changed" in result.stderr
    assert (tmp_path / "out" / "manifest.json").stat().st_mtime_ns == before


def test_the_verb_never_changes_a_finished_data_set(tmp_path):
    rows = collection(tmp_path, each=2)
    manifest(tmp_path, rows)
    call(tmp_path)
    for arguments in (["--set", "audio.rate=8000"], ["--classes", "low,high"]):
        result = call(tmp_path, *arguments)
        assert isinstance(result.exception, DataError)
        assert "holds a data set made from other samples or settings" in str(result.exception)
    manifest(tmp_path, rows[:1] + rows[2:])
    assert "choose another --out or remove it" in str(call(tmp_path).exception)


def test_the_verb_leaves_bad_samples_out_when_asked(tmp_path):
    manifest(tmp_path, collection(tmp_path, each=2))
    cut(tmp_path / "train-low-0.wav")
    assert "sample 'train-low-0'" in str(call(tmp_path).exception)
    result = call(tmp_path, "--on-bad-sample", "quarantine")
    assert "11 samples" in result.output
    assert "1 sample was left out" in result.output


@pytest.mark.parametrize(
    "said",
    [b"[]", b"null", b"", b"{", b"[" * 200_000, b'{"digest": 3}', b"\xff"],
)
def test_a_shard_whose_sidecar_cannot_be_read_is_made_again(tmp_path, small_chunks, said):
    rows = collection(tmp_path / "clips", "wav")
    arguments = (manifest(tmp_path, rows), tmp_path / "clips", "audio", tmp_path / "out")
    prepare(*arguments)
    digest = open_dataset(tmp_path / "out").digest
    sidecar = tmp_path / "out" / "shards" / ".part-00000.json"
    before = sidecar.read_bytes()
    (tmp_path / "out" / "manifest.json").unlink()
    sidecar.write_bytes(said)
    prepare(*arguments)
    assert sidecar.read_bytes() == before
    assert open_dataset(tmp_path / "out", check=True).digest == digest
