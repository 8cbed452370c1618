"""Flow that was saved as pictures: which pictures are taken, what their pixels mean, what is wrong with them."""

import numpy as np
import pytest
from PIL import Image

from raymm.data.kinds.flow_pictures import FlowPicturesSpec
from raymm.data.kinds.inputs import Probe
from raymm.data.media.files import SampleFiles
from raymm.data.media.flow_pictures import first_x_picture, x_pictures
from raymm.data.media.problem import MediaError
from tests.data.clips import manifest, prepare


def save(folder, fields, names=("flow_x_{:05d}.png", "flow_y_{:05d}.png")):
    """Pictures [T, 2, H, W] of 8-bit numbers; returns the first one of x."""
    for number, field in enumerate(fields, start=1):
        for name, pixels in zip(names, field, strict=True):
            path = folder / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder / names[0].format(1)


def numbers(count, height=12, width=12):
    """Pictures whose pixels are 10, 11, ... in x and 200, 199, ... in y."""
    x = np.broadcast_to(np.arange(10, 10 + count, dtype=np.uint8)[:, None, None], (count, height, width))
    return np.stack([x, 210 - x], axis=1)


def decode(path, root, **fields):
    spec = FlowPicturesSpec(name="flow", height=12, width=12, **fields)
    files = SampleFiles(root)
    value = spec.decode(path.relative_to(root).as_posix(), files)
    assert spec.check(value) == []
    return value, files.take_remarks()


@pytest.mark.parametrize(
    ("fps", "rate", "taken"), [(25, 25, [0, 1, 2, 3]), (12.5, 25, [0, 2, 4, 6]), (10, 15, [0, 1, 3, 4])]
)
def test_the_picture_that_is_current_is_taken(tmp_path, fps, rate, taken):
    first = save(tmp_path, numbers(8))
    value, _ = decode(first, tmp_path, fps=fps, frames=4, picture_rate=rate)
    assert np.rint((value[:, 0, 0, 0].astype(float) + 20) / 40 * 255 - 10).astype(int).tolist() == taken
    assert np.rint(200 - (value[:, 1, 0, 0].astype(float) + 20) / 40 * 255).astype(int).tolist() == taken


def test_after_the_last_picture_nothing_moves_and_it_is_said(tmp_path):
    value, said = decode(save(tmp_path, numbers(3)), tmp_path, fps=25, frames=6)
    assert (value[:3] != 0).all()
    assert (value[3:] == 0).all()
    assert said == ["shorter than the window, and padded"]
    assert decode(save(tmp_path, numbers(9)), tmp_path, fps=25, frames=3)[1] == ["longer than the window, and cut"]


def test_numbers_count_and_not_letters(tmp_path):
    first = save(tmp_path, numbers(12), ("flow_x_{}.png", "flow_y_{}.png"))
    assert [int(path.stem.rpartition("_")[2]) for path in x_pictures(first, tmp_path)] == list(range(1, 13))


def test_flow_is_in_pixels_of_the_stored_size_within_the_bound(tmp_path):
    field = np.stack([np.full((24, 48), 255, np.uint8), np.zeros((24, 48), np.uint8)])
    value, _ = decode(save(tmp_path, [field] * 2), tmp_path, fps=25, frames=2, bound=8)
    assert np.allclose(value[:, 0], 8 * 12 / 48)
    assert np.allclose(value[:, 1], -8 * 12 / 24)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_true_proportions_scale_both_alike_and_bars_do_not_move(tmp_path, fit):
    field = np.full((2, 24, 48), 255, np.uint8)
    value, _ = decode(save(tmp_path, [field]), tmp_path, fps=25, frames=1, fit=fit)
    scale = 0.5 if fit == "crop" else 0.25
    assert np.allclose(value[0][:, 3:9], 20 * scale)
    assert np.allclose(value[0][:, :3], 0 if fit == "pad" else 20 * scale)


@pytest.mark.parametrize(
    "names", [("u/a/f{}.png", "v/a/f{}.png"), ("x/{}.png", "y/{}.png"), ("flow_x/{}.png", "flow_y/{}.png")]
)
def test_y_lies_where_the_layout_has_it(tmp_path, names):
    first = save(tmp_path / "clip", numbers(2), names)
    value, _ = decode(first, tmp_path, fps=25, frames=2)
    assert (value[:, 0] < 0).all()
    assert (value[:, 1] > 0).all()
    above = first.parent if names[0].startswith("u/") else first.parents[1]
    assert first_x_picture(above, tmp_path) == first


def test_a_folder_without_flow_has_no_first_picture(tmp_path):
    save(tmp_path, numbers(1), ("img_{}.png", "other_{}.png"))
    assert first_x_picture(tmp_path, tmp_path) is None


def wrong(tmp_path, case):
    first = save(tmp_path, numbers(2))
    second = tmp_path / "flow_y_00001.png"
    if case == "gone":
        second.unlink()
    elif case == "size":
        Image.new("L", (8, 8)).save(second)
    elif case == "mode":
        Image.new("F", (12, 12)).save(tmp_path / "f.tiff")
        second.write_bytes((tmp_path / "f.tiff").read_bytes())
    elif case == "damaged":
        second.write_bytes(b"no picture")
    return first


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("gone", "there is no picture .*/flow_y_00001.png"),
        ("size", "flow_x_00001.png is 12 x 12 pixels, its y has another size"),
        ("mode", "flow_y_00001.png has the mode F; flow is saved as 8-bit grey"),
        ("damaged", "flow_y_00001.png cannot be read as a picture"),
    ],
)
def test_pictures_that_cannot_be_used_are_named(tmp_path, case, words):
    with pytest.raises(MediaError, match=words):
        decode(wrong(tmp_path, case), tmp_path, fps=25, frames=1)


def test_a_cell_that_is_no_picture_of_x_is_refused(tmp_path):
    Image.new("L", (12, 12)).save(tmp_path / "frame_1.png")
    with pytest.raises(
        MediaError, match="is no picture of flow in x: its name must hold flow_x, or a folder must be"
    ):
        decode(tmp_path / "frame_1.png", tmp_path, fps=25, frames=1)


def test_the_window_is_that_of_the_others_or_of_the_longest_clip(tmp_path):
    save(tmp_path / "a", numbers(10))
    save(tmp_path / "b", numbers(30))
    cells = ["a/flow_x_00001.png", "b/flow_x_00001.png", "gone/flow_x_00001.png"]
    probe = Probe("flow", cells, tmp_path, {"fps": 10.0})
    assert FlowPicturesSpec.probe(probe) == {"frames": 12}
    assert FlowPicturesSpec.probe(Probe("flow", cells, tmp_path, {"fps": 10.0, "picture_rate": 50.0})) == {
        "frames": 6
    }
    assert FlowPicturesSpec.probe(Probe("flow", cells, tmp_path, {"fps": 10.0}, seconds=0.5)) == {"frames": 5}
    assert FlowPicturesSpec.probe(Probe("flow", ["gone/flow_x_1.png"], tmp_path, {})) == {}


def test_a_manifest_may_name_saved_flow(tmp_path):
    rows = []
    for split in ("train", "val", "test"):
        for label in ("left", "right"):
            save(tmp_path / f"{split}-{label}", numbers(5))
            rows.append(
                {
                    "flow": f"{split}-{label}/flow_x_00001.png",
                    "label": label,
                    "split": split,
                    "sample_id": f"{split}{label}",
                }
            )
    reports = prepare(
        manifest(tmp_path, rows), tmp_path, "flow:flow_pictures", tmp_path / "out", settings=["flow.fps=25"]
    )
    assert sum(report.rows for report in reports) == 6


@pytest.mark.parametrize("above", ["u", "x", "flow_x", "data"])
@pytest.mark.parametrize("names", [("flow_x_{}.png", "flow_y_{}.png"), ("x/f{}.png", "y/f{}.png")])
def test_folders_above_the_media_root_say_nothing(tmp_path, above, names):
    root = tmp_path / above / "root"
    first = save(root / "clip", numbers(2), names)
    value, _ = decode(first, root, fps=25, frames=2)
    assert (value[:, 1] > 0).all()
    save(root / "pictures", numbers(2), ("img_{}.png", "mask_{}.png"))
    assert first_x_picture(root / "pictures", root) is None


def test_a_clip_in_a_folder_that_is_called_u_has_both_beside_each_other(tmp_path):
    first = save(tmp_path / "u" / "clip", numbers(2))
    assert (decode(first, tmp_path, fps=25, frames=2)[0][:, 1] > 0).all()


def test_a_cell_in_the_middle_begins_there(tmp_path):
    save(tmp_path, numbers(8))
    value, _ = decode(tmp_path / "flow_x_00003.png", tmp_path, fps=25, frames=2)
    assert np.rint((value[:, 0, 0, 0].astype(float) + 20) / 40 * 255 - 10).astype(int).tolist() == [2, 3]
