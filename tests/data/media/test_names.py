"""The name of a file is only a name, for every reader of files."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from raymm.data.kinds.audio import AudioSpec
from raymm.data.kinds.flow_pictures import FlowPicturesSpec
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.kinds.rgb_pictures import RgbPicturesSpec
from raymm.data.kinds.vector import VectorSpec
from raymm.data.media.files import SampleFiles
from raymm.data.media.length import media_seconds
from raymm.data.media.suffixes import split_start
from tests.data.media.signals import audio, chirp, mux, numbered, numbers, snr, video

PIECES = [*":%?*#|;&~$'\"\\ -.[]{}a1é日😀\n\t", "%03d", "%d", "[0-9]", "http:", "file:", "concat:", "12:30"]
GREEN, RED = (0, 250, 0), (250, 0, 0)

names = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join).filter(lambda name: name.strip("."))
"""Stems of files and names of folders."""


def sound(path):
    mux(path, [audio(chirp(0.2), "pcm_s16le")])
    return AudioSpec(name="a", seconds=0.2), lambda value: snr(value, chirp(0.2)) > 60


def frames(path):
    mux(path, [video(numbered(5), "ffv1")])
    wanted = numbered(5).transpose(0, 3, 1, 2)
    return RgbSpec(name="a", fps=25, frames=5, height=32, width=48), lambda value: np.abs(value - wanted).max() < 3


def animation(path):
    pictures = [Image.fromarray(frame) for frame in numbered(3)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    wanted = numbered(3).transpose(0, 3, 1, 2)
    return RgbSpec(name="a", fps=10, frames=3, height=32, width=48), lambda value: np.abs(value - wanted).max() < 9


def is_green(value):
    return value[..., 1, :, :].min() > 200 and value[..., 0, :, :].max() < 60


def still(path):
    Image.new("RGB", (16, 16), GREEN).save(path)
    return ImageSpec(name="a", height=8, width=8), is_green


def still_as_frames(path):
    Image.new("RGB", (16, 16), GREEN).save(path)
    return RgbSpec(name="a", frames=1, height=8, width=8), is_green


def saved_frames(path):
    for number in (1, 2):
        Image.new("RGB", (16, 16), GREEN).save(path.with_name(path.name.replace("1.png", f"{number}.png")))
    return RgbPicturesSpec(name="a", frames=2, height=8, width=8), is_green


def saved_flow(path):
    for name, level in ((path.name, 255), (path.name.replace("flow_x", "flow_y"), 0)):
        Image.new("L", (12, 12), level).save(path.with_name(name))
    spec = FlowPicturesSpec(name="a", frames=1, height=12, width=12, fps=25)
    return spec, lambda value: (value[0, 0] == 20).all() and (value[0, 1] == -20).all()


def array(path):
    np.save(path, np.arange(4.0))
    return VectorSpec(name="a", size=4), lambda value: (value == np.arange(4)).all()


READERS = {
    "sound": (sound, "{}.wav"),
    "frames": (frames, "{}.mkv"),
    "animation": (animation, "{}.gif"),
    "still": (still, "{}.png"),
    "still as frames": (still_as_frames, "{}.png"),
    "saved frames": (saved_frames, "img_000.1.png"),
    "saved flow": (saved_flow, "flow_x_{}1.png"),
    "array": (array, "{}.npy"),
}


@settings(max_examples=8)
@given(folder=names, stem=names)
@pytest.mark.parametrize("reader", READERS)
def test_a_drawn_name_is_only_a_name(tmp_path_factory, reader, folder, stem):
    make, form = READERS[reader]
    if reader == "array":  # whose key follows the sign #
        folder, stem = folder.replace("#", "+"), stem.replace("#", "+")
    root, cell = tmp_path_factory.mktemp("names"), f"{folder}/{form.format(stem)}"
    (root / folder).mkdir()
    plain = root / form.format("plain")
    with contextlib.chdir(root):
        spec, is_right = make(root / folder / plain.name)
        for path in (root / folder).iterdir():
            path.rename(path.with_name(path.name.replace("plain", stem)))
        assert type(spec).reads(cell) is (reader != "still as frames")
        assert spec.file_of(cell) == cell
        files = SampleFiles(root.relative_to(root), [(cell, None, spec.frame_times)])
        assert is_right(np.asarray(spec.decode(cell, files), np.float32))
        if reader in {"sound", "frames", "animation"}:
            assert media_seconds(root.relative_to(root) / cell) == pytest.approx(
                0.3 if reader == "animation" else 0.2
            )


@settings(max_examples=15)
@given(name=names, start=st.integers(0, 4))
def test_the_second_after_a_drawn_name_is_found(tmp_path_factory, name, start):
    root, cell = tmp_path_factory.mktemp("names"), f"{name}.mkv#t={start / 25:g}"
    mux(root / "plain.mkv", [video(numbered(5))]).rename(root / f"{name}.mkv")
    assert split_start(cell) == (f"{name}.mkv", start / 25)
    spec = RgbSpec(name="a", fps=25, frames=1, height=32, width=48)
    assert spec.file_of(cell) == f"{name}.mkv"
    assert spec.reads(cell)
    assert numbers(spec.pictures(cell, SampleFiles(root))) == [start]


@settings(max_examples=15)
@given(
    pattern=st.sampled_from(["%d", "%03d", "%5d", "%%", "[0-9]", "[0-9][0-9]", "?", "*", "{1..9}"]),
    around=st.tuples(st.sampled_from(["", "p", "frame_"]), st.sampled_from(["", "_x", "-1"])),
    number=st.integers(0, 99),
    suffix=st.sampled_from([".png", ".jpg", ".bmp", ".webp"]),
)
def test_a_picture_of_a_drawn_pattern_is_not_one_that_fits_it(tmp_path_factory, pattern, around, number, suffix):
    root, (before, after) = tmp_path_factory.mktemp("patterns"), around
    for other in ("%", *(f"{number:0{digits}d}" for digits in range(1, 6))):
        Image.new("RGB", (16, 16), RED).save(root / f"{before}{other}{after}{suffix}")
    name = f"{before}{pattern}{after}{suffix}"
    Image.new("RGB", (16, 16), GREEN).save(root / name)
    for spec in (ImageSpec(name="a", height=8, width=8), RgbSpec(name="a", frames=1, height=8, width=8)):
        assert is_green(spec.decode(name, SampleFiles(root, [(name, None, spec.frame_times)])))
