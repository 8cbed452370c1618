"""Frames that were saved as pictures: which are taken, in which order, and what is said."""

import numpy as np
import pytest
from PIL import Image

from raymm.data.kinds.inputs import Probe
from raymm.data.kinds.rgb_pictures import RgbPicturesSpec
from raymm.data.media.files import SampleFiles
from raymm.data.media.problem import MediaError
from raymm.data.sources.folders import first_frame


def save(folder, count):
    """Pictures 1 to `count`, of which all pixels are ten times their number; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        Image.new("RGB", (10, 10), (10 * number,) * 3).save(folder / f"frame{number}.png")
    return folder / "frame1.png"


def taken(root, cell, **fields):
    spec = RgbPicturesSpec(name="rgb", height=8, width=8, **fields)
    files = SampleFiles(root)
    value = spec.decode(cell, files)
    assert spec.check(value) == []
    assert value.shape == (spec.frames, 3, 8, 8)
    assert (value == value[:, :1, :1, :1]).all()
    return (value[:, 0, 0, 0] // 10).tolist(), files.take_remarks()


@pytest.mark.parametrize("fps", [0.5, 1, 2, 3, 5])
@pytest.mark.parametrize("rate", [1, 2, 25])
def test_the_picture_of_the_middle_of_each_interval_is_taken(tmp_path, fps, rate):
    save(tmp_path / "a", 12)
    found, _ = taken(tmp_path, "a/frame1.png", fps=fps, picture_rate=rate, frames=4)
    starts = np.arange(12) / rate
    expected = [int(np.flatnonzero(starts <= (number + 0.5) / fps + 1e-9)[-1]) + 1 for number in range(4)]
    assert found == expected


def test_numbers_count_and_lengths_are_said(tmp_path):
    save(tmp_path / "a", 12)
    assert taken(tmp_path, "a/frame1.png", frames=12) == (list(range(1, 13)), [])
    assert taken(tmp_path, "a/frame1.png", frames=13) == (
        [*range(1, 13), 12],
        ["shorter than the window, and padded"],
    )
    assert taken(tmp_path, "a/frame1.png", frames=3) == ([1, 2, 3], ["longer than the window, and cut"])
    assert taken(tmp_path, "a/frame11.png", frames=2) == ([11, 12], [])


@pytest.mark.parametrize("other", ["flow_x_{:05d}.jpg", "flow_y_{:05d}.jpg", "mask{}.png", "1frame{}.png"])
def test_pictures_that_are_named_otherwise_are_no_frames(tmp_path, other):
    """The layout of TSN has flow beside the frames."""
    save(tmp_path / "a", 4)
    for number in range(1, 7):
        Image.new("L", (10, 10), 128).save(tmp_path / "a" / other.format(number))
    assert taken(tmp_path, "a/frame1.png", frames=4) == ([1, 2, 3, 4], [])
    assert taken(tmp_path, "a/frame3.png", frames=2) == ([3, 4], [])
    assert len(RgbPicturesSpec.pictures_from(tmp_path / "a" / "frame1.png", tmp_path)) == 4


def test_pictures_without_numbers_are_taken_by_name(tmp_path):
    for number, name in enumerate(("start", "middle", "end"), start=1):
        Image.new("RGB", (10, 10), (10 * number,) * 3).save(tmp_path / f"{name}.png")
    assert taken(tmp_path, "end.png", frames=3)[0] == [3, 2, 1]


@pytest.mark.parametrize("where", ["inside", "above", "outside"])
def test_the_pictures_that_are_read_are_named_wherever_they_lie(tmp_path, where):
    """Cells may lead out of the media root where that is allowed; the names lead to the pictures from the root."""
    root = tmp_path / "root"
    root.mkdir()
    first = save(root / "a" if where == "inside" else tmp_path / "a", 3)
    cell = {"inside": "a/frame1.png", "above": "../a/frame1.png", "outside": str(first)}[where]
    spec = RgbPicturesSpec(name="rgb", height=8, width=8, frames=2)
    files = spec.files_of(cell, root)
    assert [(root / file).resolve() for file in files] == [first.with_name(f"frame{n}.png") for n in (1, 2)]
    assert files[0] == cell
    assert spec.files_of("b/frame1.png", root) == ["b/frame1.png"]


def test_the_first_frame_of_a_folder_is_no_flow(tmp_path):
    save(tmp_path / "clip", 2)
    for axis in "xy":
        Image.new("L", (10, 10), 128).save(tmp_path / "clip" / f"flow_{axis}_00001.jpg")
    assert first_frame(tmp_path / "clip", tmp_path).name == "frame1.png"


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    save(tmp_path / "a", 3)
    (tmp_path / "a" / "frame2.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"frame2\.png cannot be read as a picture"):
        taken(tmp_path, "a/frame1.png", frames=3)
    with pytest.raises(MediaError, match=r"there is no file b/frame1\.png in the media root"):
        taken(tmp_path, "b/frame1.png", frames=3)


def test_the_window_is_that_of_the_longest_clip(tmp_path):
    save(tmp_path / "a", 3)
    save(tmp_path / "b", 7)
    probe = Probe("rgb", ["a/frame1.png", "b/frame1.png"], tmp_path, {"fps": 2.0})
    assert RgbPicturesSpec.probe(probe) == {"frames": 14}
    assert RgbPicturesSpec.probe(Probe("rgb", probe.cells, tmp_path, {}, seconds=2.0)) == {"frames": 2}
