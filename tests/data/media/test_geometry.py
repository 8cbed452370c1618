"""Pictures are stored as they are shown: turned, mirrored, with square pixels, and fitted as asked."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from raymm.data.kinds.flow import FlowSpec
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.media.files import SampleFiles
from raymm.data.media.geometry import fitted_size, to_gray, to_rgb
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at
from tests.data.media.signals import ffmpeg, mux, needs, needs_ffmpeg, numbered, video

WIDE = np.zeros((32, 64, 3), np.uint8)
WIDE[:16, :32] = (0, 0, 255)
WIDE[16:, 32:] = (255, 255, 255)
"""A blue corner on the top left, a white one on the bottom right."""

TURNS = [
    {"degrees": 0},
    {"degrees": 90},
    {"degrees": 180},
    {"degrees": -90},
    {"degrees": 0, "hflip": True},
    {"degrees": 0, "vflip": True},
    {"degrees": 90, "hflip": True},
    {"degrees": -90, "vflip": True},
]


def corner(rgb):
    """Which corners of [3, H, W] are blue and white, as (row, column)."""
    halves = rgb.reshape(3, 2, rgb.shape[1] // 2, 2, rgb.shape[2] // 2).mean(axis=(2, 4))
    blue = np.unravel_index(np.argmax(halves[2] - halves[0]), (2, 2))
    white = np.unravel_index(np.argmax(halves[0]), (2, 2))
    return tuple(map(int, blue)), tuple(map(int, white))


def as_ffmpeg_shows(path, width, height):
    raw = ffmpeg(
        "-i", path, "-frames:v", 1, "-vf", f"scale={width}:{height}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3).transpose(2, 0, 1)


@needs_ffmpeg
@pytest.mark.parametrize("turned", TURNS, ids=str)
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_a_display_matrix_turns_and_mirrors(tmp_path, name, turned):
    path = mux(tmp_path / name, [video(np.stack([WIDE] * 3), turned=turned)])
    rgb = to_rgb(frames_at(path, [0.0]), 16, 16)[0]
    assert corner(rgb) == corner(as_ffmpeg_shows(path, 16, 16))


@pytest.mark.parametrize(("degrees", "blue"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (-90, (0, 1))])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_a_turn_is_counter_clockwise_in_every_container(tmp_path, name, degrees, blue):
    path = mux(tmp_path / name, [video(np.stack([WIDE] * 3), turned={"degrees": degrees})])
    assert corner(to_rgb(frames_at(path, [0.0]), 16, 16)[0])[0] == blue


@settings(max_examples=25)
@given(
    name=st.sampled_from(["a.mp4", "a.mov", "a.3gp", "a.mkv"]),
    turned=st.sampled_from(TURNS),
    size=st.tuples(st.integers(2, 6), st.integers(2, 6)).map(lambda blocks: (8 * blocks[0], 8 * blocks[1])),
)
def test_a_drawn_display_matrix_moves_every_pixel_to_its_place(tmp_path_factory, name, turned, size):
    stored = np.kron([[20, 90], [160, 230]], np.ones((size[0] // 2, size[1] // 2))).astype(np.uint8)
    frames = np.repeat(np.stack([stored] * 3)[..., None], 3, axis=3)
    path = mux(tmp_path_factory.mktemp("turned") / name, [video(frames, turned=turned)])
    wanted = np.rot90(stored, turned["degrees"] // 90)
    wanted = wanted[:, ::-1] if turned.get("hflip") else wanted
    wanted = wanted[::-1] if turned.get("vflip") else wanted
    shown = frames_at(path, [0.0, 0.06])
    assert shown[0].shown_size == wanted.shape[::-1]
    for gray in to_gray(shown, *wanted.shape):
        assert np.abs(gray.astype(int) - wanted).mean() < 8


def test_a_picture_on_its_side_keeps_its_proportions(tmp_path):
    path = mux(tmp_path / "a.mp4", [video(np.stack([WIDE] * 3), turned={"degrees": 90})])
    padded = to_gray(frames_at(path, [0.0]), 32, 32, "pad")[0]
    assert not padded[:, :7].any()
    assert not padded[:, -7:].any()
    assert padded[4:12, 18:22].mean() > 200


def test_other_angles_are_refused(tmp_path):
    path = mux(tmp_path / "a.mp4", [video(np.stack([WIDE] * 3), turned={"degrees": 30})])
    with pytest.raises(MediaError, match="turned by something else than quarter turns"):
        frames_at(path, [0.0])


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tiff"])
def test_the_exif_orientation_of_a_still_holds_for_both_kinds(tmp_path, name, value):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(WIDE).save(tmp_path / name, exif=exif)
    still = ImageSpec(name="a", height=16, width=16).decode(name, SampleFiles(tmp_path))
    moving = to_rgb(frames_at(tmp_path / name, [0.0]), 16, 16)[0]
    wanted = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[value]
    assert corner(still)[0] == wanted
    assert corner(moving) == corner(still)


def test_a_small_file_of_a_huge_picture_is_refused_in_words(tmp_path):
    Image.new("1", (14_000, 14_000)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 2**20
    with pytest.raises(MediaError, match=r"is too large a picture \(.*196000000 pixels.*\); make it smaller"):
        frames_at(tmp_path / "a.png", [0.0])


@pytest.mark.parametrize("aspect", ["2/1", "1/2", "16/11"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", pytest.param("h.mp4", marks=needs("libx264"))])
def test_pixels_that_are_not_square_count_where_proportions_do(tmp_path, name, aspect):
    frames = np.full((3, 32, 64, 3), 255, np.uint8)
    path = mux(tmp_path / name, [video(frames, "libx264" if name == "h.mp4" else "mpeg4", aspect=aspect)])
    shown = to_gray(frames_at(path, [0.0]), 64, 64, "pad")[0] > 128
    proportions = Fraction(shown.any(axis=0).sum(), shown.any(axis=1).sum())
    assert abs(proportions - 2 * Fraction(aspect)) < 0.15
    assert (to_gray(frames_at(path, [0.0]), 64, 64)[0] > 128).all()


def test_crop_keeps_the_middle_and_pad_keeps_all(tmp_path):
    frames = np.zeros((3, 32, 64, 3), np.uint8)
    frames[:, :, :16] = frames[:, :, 48:] = 255
    path = mux(tmp_path / "a.mp4", [video(frames)])
    shown = frames_at(path, [0.0])
    assert to_gray(shown, 32, 32, "crop").max() < 60
    padded = to_gray(shown, 32, 32, "pad")[0]
    assert not padded[:7].any()
    assert padded[12:20, 2:6].min() > 200
    assert padded[12:20, 12:20].max() < 60
    assert to_gray(shown, 32, 32, "squash")[0][:, 2:6].min() > 200


@given(
    shown=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    wanted=st.tuples(st.integers(8, 300), st.integers(8, 300)),
)
def test_a_fitted_picture_touches_the_frame_on_two_sides(shown, wanted):
    inside, over = fitted_size(shown, wanted, "pad"), fitted_size(shown, wanted, "crop")
    assert all(have <= want for have, want in zip(inside, wanted, strict=True))
    assert all(have >= want for have, want in zip(over, wanted, strict=True))
    assert any(have == want for have, want in zip(inside, wanted, strict=True))
    assert any(have == want for have, want in zip(over, wanted, strict=True))
    assert fitted_size(shown, wanted, "squash") == wanted


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_the_kinds_take_the_setting(tmp_path, fit):
    path = mux(tmp_path / "a.mp4", [video(numbered(20, (32, 96)))])
    times = [0.1, 0.3]
    for spec in (
        RgbSpec(name="a", height=32, width=32, frames=2, fit=fit),
        FlowSpec(name="a", height=32, width=32, frames=2, fit=fit),
    ):
        files = SampleFiles(tmp_path, [("a.mp4", None, spec.frame_times)])
        value = spec.decode("a.mp4", files)
        assert value.shape == spec.shape
        if spec.kind == "rgb":
            assert np.array_equal(value, to_rgb(frames_at(path, times), 32, 32, fit))
    Image.fromarray(WIDE).save(tmp_path / "a.png")
    picture = ImageSpec(name="a", height=32, width=32, fit=fit).decode("a.png", SampleFiles(tmp_path))
    assert picture.shape == (3, 32, 32)
    assert bool(picture[:, :6].any()) is (fit != "pad")


def test_flow_is_in_pixels_of_the_picture_that_is_shown(tmp_path):
    frames = np.zeros((6, 64, 128, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[16:48, 40 + 4 * number : 72 + 4 * number] = np.random.default_rng(0).integers(80, 255, (32, 32, 1))
    mux(tmp_path / "a.mp4", [video(frames, aspect="1/2")])
    moved = {}
    for fit in ("squash", "pad"):
        spec = FlowSpec(name="a", height=64, width=64, frames=2, fps=25, fit=fit)
        flow = spec.decode("a.mp4", SampleFiles(tmp_path, [("a.mp4", None, spec.frame_times)])).astype(float)
        moved[fit] = np.median(flow[1, 0, 24:40, 26:34])
    assert moved["squash"] == pytest.approx(2, abs=0.5)
    assert moved["pad"] == pytest.approx(2, abs=0.5)


@needs_ffmpeg
@pytest.mark.parametrize(("degrees", "blue"), [(90, (1, 0)), (180, (1, 1)), (270, (0, 1))])
@pytest.mark.parametrize("name", ["a.h264", "a.ts", "a.mkv"])
def test_a_turn_that_only_the_first_frame_says_holds_for_all(tmp_path, name, degrees, blue):
    mux(tmp_path / "b.mkv", [video(np.stack([WIDE] * 6), "ffv1")])
    says = f"h264_metadata=display_orientation=insert:rotate={degrees}"
    ffmpeg("-i", tmp_path / "b.mkv", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bsf:v", says, tmp_path / name)
    rgb = to_rgb(frames_at(tmp_path / name, [0.0, 0.1, 0.2]), 16, 16)
    assert [corner(frame)[0] for frame in rgb] == [blue] * 3
