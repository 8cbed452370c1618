"""A window that begins within its file: `#t=SECONDS` behind the path of a video."""

import numpy as np
import pytest

from raymm.data import open_dataset
from raymm.data.kinds.flow import FlowSpec
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.media.files import SampleFiles
from raymm.data.media.problem import MediaError
from raymm.data.media.suffixes import split_start
from raymm.errors import DataError
from tests.data.clips import clip, manifest, prepare


def whole(spec, root, cell):
    files = SampleFiles(root, [(split_start(cell)[0], None, spec.frame_times)])
    return spec.decode(cell, files), files.take_remarks()


@pytest.mark.parametrize("start", [0, 0.04, 0.2, 0.36])
@pytest.mark.parametrize("kind", [RgbSpec, FlowSpec])
def test_frames_are_those_after_the_start(tmp_path, kind, start):
    clip(tmp_path / "a.mp4", seconds=0.8, start=0.44)
    late = kind(name="a", fps=25, frames=4, height=16, width=16)
    early = kind(name="a", fps=25, frames=19, height=16, width=16)
    value, said = whole(late, tmp_path, f"a.mp4#t={start}")
    reference, _ = whole(early, tmp_path, "a.mp4")
    first = round(start * 25)
    assert np.array_equal(value, reference[first : first + 4])
    assert not said


def test_an_end_within_the_window_is_said_and_a_start_after_the_end_refused(tmp_path):
    clip(tmp_path / "a.mp4")
    spec = RgbSpec(name="a", fps=5, frames=4)
    assert whole(spec, tmp_path, "a.mp4#t=0.2")[1] == ["shorter than the window, and padded"]
    with pytest.raises(MediaError, match=r"begins at 7 s, and the video has 0\.40 s"):
        whole(spec, tmp_path, "a.mp4#t=7")


def test_the_start_is_no_part_of_the_file(tmp_path):
    rows = []
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            clip(tmp_path / f"{split}{label}.mp4")
            rows.append({"rgb": f"{split}{label}.mp4#t=0.1", "label": label, "split": split})
    prepare(manifest(tmp_path, rows), tmp_path, "rgb", tmp_path / "out", settings=["rgb.frames=1"])
    dataset = open_dataset(tmp_path / "out")
    assert sorted(dataset.shards.sample_id) == sorted(
        f"{split}{label}" for split in ("train", "val", "test") for label in "ab"
    )
    rows[0]["rgb"] = "testa.mp4#t=0.2"
    with pytest.raises(DataError, match=r"file 'testa\.mp4' is in two splits: test, train"):
        prepare(manifest(tmp_path, rows), tmp_path, "rgb", tmp_path / "again", settings=["rgb.frames=1"])
