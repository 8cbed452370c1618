"""Samples whose files cannot be used: each is named with its file, all of them in one error."""

import numpy as np
import pytest

from raymm.data.media.write import write_clip, write_wav
from raymm.errors import DataError
from tests.data.clips import FPS, RATE, clip, collection, cut, flashes, manifest, prepare, tone

BAD = "train-low-0"


def message(folder, rows, modalities, *settings):
    with pytest.raises(DataError) as caught:
        prepare(manifest(folder, rows), folder, modalities, folder / "out", settings=settings)
    assert not (folder / "out" / "manifest.json").exists()
    return str(caught.value)


def no_file(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def words(path):
    path.write_text("no media here\n" * 100)


def not_a_number(path):
    write_wav(path, np.where(tone() > 0.79, np.nan, tone()).astype(np.float32), RATE, "pcm_f32le")


def infinite(path):
    write_wav(path, np.where(tone() > 0.79, np.inf, tone()).astype(np.float32), RATE, "pcm_f32le")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (no_file, "there is no file train-low-0.wav in the media root"),
        (empty, "is an empty file (zero bytes)"),
        (words, "cannot be decoded"),
        (cut, "is truncated"),
        (not_a_number, "NaN or infinite"),
        (infinite, "NaN or infinite"),
    ],
)
def test_sound_that_cannot_be_used(tmp_path, spoil, problem):
    rows = collection(tmp_path)
    spoil(tmp_path / f"{BAD}.wav")
    said = message(tmp_path, rows, "audio")
    assert f"sample '{BAD}' ({BAD}.wav): audio: " in said
    assert problem in said


def silent(path):
    clip(path, sound=False)


def blind(path):
    write_wav(path.with_suffix(".wav"), tone(), RATE)
    path.with_suffix(".wav").rename(path)


@pytest.mark.parametrize(
    ("spoil", "problems"),
    [
        (silent, ["audio: has no audio stream"]),
        (blind, ["rgb: has no video stream", "flow: has no video stream"]),
        (cut, ["audio: cannot be decoded", "rgb: cannot be decoded", "flow: cannot be decoded"]),
        (no_file, ["audio: there is no file", "rgb: there is no file"]),
        (empty, ["audio: is an empty file", "rgb: is an empty file"]),
    ],
)
def test_clips_that_cannot_be_used(tmp_path, spoil, problems):
    rows = collection(tmp_path, "mp4")
    spoil(tmp_path / f"{BAD}.mp4")
    said = message(tmp_path, rows, "audio,rgb,flow")
    for problem in problems:
        assert f"sample '{BAD}' ({BAD}.mp4): {problem}" in said


def rows_of_arrays():
    keys = [(split, label) for split in ("train", "val", "test") for label in "ab"]
    return [
        {"sample_id": f"s{n}", "label": label, "split": split, "view": f"v{n}.npy"}
        for n, (split, label) in enumerate(keys)
    ]


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros(4), "has shape [4], the schema says [3]"),
        (np.zeros((1, 3)), "has shape [1, 3], the schema says [3]"),
        (np.array([1.0, np.nan, 2.0]), "holds 1 values that are NaN or infinite"),
        (np.array([1.0, np.inf, -np.inf]), "holds 2 values that are NaN or infinite"),
        (np.array(["a", "b", "c"]), "not numbers"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, array, problem):
    for n in range(6):
        np.save(tmp_path / f"v{n}.npy", np.zeros(3))
    np.save(tmp_path / "v3.npy", array)
    said = message(tmp_path, rows_of_arrays(), "view:vector", "view.size=3")
    assert "sample 's3' (v3.npy): view: " in said
    assert problem in said


def test_one_problem_of_many_samples_is_one_line_and_all_are_in_a_file(tmp_path):
    rows = collection(tmp_path, each=12)
    for row in rows[:-2]:
        no_file(tmp_path / row["file"])
    empty(tmp_path / rows[-2]["file"])
    said = message(tmp_path, rows, "audio")
    first = ", ".join(f"'{row['file'][:-4]}' ({row['file']})" for row in rows[:3])
    missing = len(rows) - 2
    assert said.splitlines() == [
        f"{tmp_path / 'out'}: 2 problems",
        f"  - {missing} samples: audio: there is no file ... in the media root: {first} and {missing - 3} more",
        f"  - sample '{rows[-2]['file'][:-4]}' ({rows[-2]['file']}): audio: is an empty file (zero bytes)",
        f"  {tmp_path / 'out' / 'quarantine.csv'} lists every sample",
    ]
    listed = (tmp_path / "out" / "quarantine.csv").read_text()
    assert all(row["file"] in listed for row in rows[:-1])
    assert rows[-1]["file"] not in listed


def test_few_samples_with_one_problem_are_listed_one_by_one(tmp_path):
    rows = collection(tmp_path, each=12)
    for row in rows[:5]:
        no_file(tmp_path / row["file"])
    said = message(tmp_path, rows, "audio")
    assert "5 problems" in said
    assert all(f"({row['file']})" in said for row in rows[:5])


def test_a_sample_without_any_modality(tmp_path):
    rows = [{"sample_id": f"s{n}", "audio": row.pop("file"), **row} for n, row in enumerate(collection(tmp_path))]
    rows[4]["audio"] = ""
    assert "sample 's4': every modality is missing" in message(tmp_path, rows, "audio")


def test_a_clip_shorter_than_the_window_is_good(tmp_path):
    rows = collection(tmp_path, "mp4")
    write_clip(tmp_path / f"{BAD}.mp4", flashes(0.12), FPS, tone(0.12), RATE)
    prepare(manifest(tmp_path, rows), tmp_path, "audio,rgb,flow", tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").exists()
