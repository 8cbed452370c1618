"""Colours come out as they went in, whatever matrix, range, depth and sampling a file is written with."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from raymm.data.media.geometry import to_gray, to_rgb
from raymm.data.media.video import frames_at
from tests.data.media.signals import ffmpeg, mux, needs_ffmpeg, video

COLOURS = [(200, 60, 30), (20, 180, 90), (40, 50, 210), (128, 128, 128), (235, 235, 16)]

KINDS = [
    ("a.mp4", "bt601", "tv", "yuv420p", ["-c:v", "libx264", "-crf", "1"]),
    ("a.mp4", "bt709", "tv", "yuv420p", ["-c:v", "libx264", "-crf", "1"]),
    ("a.mkv", "bt709", "pc", "yuv420p", ["-c:v", "libx264", "-crf", "1"]),
    ("a.mp4", "bt2020", "tv", "yuv420p10le", ["-c:v", "libx264", "-crf", "1"]),
    ("a.mp4", "bt601", "tv", "yuv444p", ["-c:v", "libx264", "-crf", "1"]),
    ("a.avi", "bt601", "pc", "yuvj420p", ["-c:v", "mjpeg", "-q:v", "1"]),
    ("a.mkv", "bt601", "tv", "yuv420p", ["-c:v", "mpeg4", "-q:v", "1"]),
    ("a.mkv", "", "", "rgb24", ["-c:v", "png"]),
    ("a.avi", "", "", "bgr24", ["-c:v", "rawvideo"]),
    ("a.mkv", "", "", "bgr0", ["-c:v", "ffv1"]),
]


@needs_ffmpeg
@pytest.mark.parametrize(("name", "matrix", "levels", "pixels", "codec"), KINDS, ids=lambda value: str(value)[:20])
def test_colours_of_moving_pictures(tmp_path, name, matrix, levels, pixels, codec):
    strip = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 32, axis=0), 32, axis=1)
    Image.fromarray(strip).save(tmp_path / "strip.png")
    flags = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}.get(matrix)
    scale = f"scale=out_color_matrix={matrix}:out_range={levels}:flags=accurate_rnd," if matrix else ""
    tags = ["-colorspace", flags, "-color_range", levels] if flags else []
    ffmpeg("-loop", 1, "-i", tmp_path / "strip.png", "-frames:v", 3, "-vf", f"{scale}format={pixels}", *codec, *tags,
           tmp_path / name)  # fmt: skip
    rgb = to_rgb(frames_at(tmp_path / name, [0.0]), 32, 32 * len(COLOURS))[0]
    for number, colour in enumerate(COLOURS):
        found = rgb[:, 8:24, 32 * number + 8 : 32 * number + 24].mean(axis=(1, 2))
        assert found == pytest.approx(colour, abs=4)


LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Shares of red and blue in the luma of BT.709, BT.601 (twice), SMPTE 240M and BT.2020, by FFmpeg's numbers."""
BITS = {"yuv420p": 8, "yuv422p": 8, "yuv444p": 8, "yuv420p10le": 10, "yuv444p12le": 12}


def coded(colour, matrix, full, bits):
    """Y', C'b and C'r of an 8-bit R'G'B' colour, by the formula of ITU-R BT.601, BT.709 and BT.2020."""
    red, green, blue = np.array(colour) / 255
    of_red, of_blue = LUMA[matrix]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    chroma = [(blue - luma) / (2 - 2 * of_blue), (red - luma) / (2 - 2 * of_red)]
    finer, top = 2 ** (bits - 8), 2**bits - 1
    if full:
        return [round(luma * top), *(round(128 * finer + part * top) for part in chroma)]
    return [round((16 + 219 * luma) * finer), *(round((128 + 224 * part) * finer) for part in chroma)]


def write_coded(path, numbers, form, matrix, full):
    """A lossless video of one colour whose Y', C'b and C'r are given."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, form
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 1 + full
        frame = av.VideoFrame(32, 16, form)
        for plane, number in zip(frame.planes, numbers, strict=True):
            kind = np.uint8 if BITS[form] == 8 else np.dtype("<u2")
            plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, number, kind).tobytes())
        frame.colorspace, frame.color_range = matrix, 1 + full
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@settings(max_examples=15)
@given(
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    matrix=st.sampled_from(sorted(LUMA)),
    full=st.booleans(),
    form=st.sampled_from(sorted(BITS)),
)
def test_a_drawn_colour_is_that_of_the_formula(tmp_path_factory, colour, matrix, full, form):
    numbers = coded(colour, matrix, full, BITS[form])
    shown = frames_at(write_coded(tmp_path_factory.mktemp("colour") / "a.mkv", numbers, form, matrix, full), [0.0])
    assert to_rgb(shown, 8, 8)[0].mean(axis=(1, 2)) == pytest.approx(colour, abs=5)
    assert to_gray(shown, 8, 8).mean() == pytest.approx(np.dot([0.299, 0.587, 0.114], colour), abs=4)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg"])
def test_colours_of_stills(tmp_path, name, colour):
    Image.fromarray(np.full((16, 16, 3), colour, np.uint8)).save(tmp_path / name, quality=98, subsampling=0)
    assert to_rgb(frames_at(tmp_path / name, [0.0]), 8, 8)[0].mean(axis=(1, 2)) == pytest.approx(colour, abs=3)


@pytest.mark.parametrize("size", [(18, 34), (16, 16), (64, 50), (480, 640)])
def test_sizes_of_all_kinds_are_averaged(tmp_path, size):
    board = np.indices(size).sum(axis=0) % 2 * np.uint8(255)
    frames = np.repeat(np.stack([board] * 2)[..., None], 3, axis=3).astype(np.uint8)
    path = mux(tmp_path / "a.mkv", [video(frames, "ffv1" if size[0] < 100 else "mpeg4")])
    gray = to_gray(frames_at(path, [0.0]), 8, 8).astype(int)
    assert abs(gray.mean() - 127) < 6


@pytest.mark.parametrize(
    ("name", "height", "width"), [("a.png", 2160, 4096), ("a.mkv", 2160, 4096), ("a.mkv", 4096, 2160)]
)
def test_a_frame_of_4k_is_averaged_over_areas(tmp_path, name, height, width):
    """Fields of one grey each, over which a board of single pixels lies."""
    fields = np.random.default_rng(height).integers(20, 236, (8, 8))
    board = np.indices((height, width), np.uint8).sum(axis=0, dtype=np.uint8) % 2
    plane = np.kron(fields, np.ones((height // 8, width // 8), int)) + np.where(board, 20, -20)
    frame = np.repeat(plane[..., None], 3, axis=2).astype(np.uint8)
    if name == "a.png":
        Image.fromarray(frame).save(tmp_path / name, compress_level=1)
    else:
        mux(tmp_path / name, [video(frame[None], "ffv1")])
    shown, wanted = frames_at(tmp_path / name, [0.0]), np.kron(fields, np.ones((12, 12), int))
    assert np.abs(to_gray(shown, 96, 96)[0].astype(int) - wanted).max() <= 3
    assert np.abs(to_rgb(shown, 96, 96)[0].astype(int) - wanted).max() <= 3


def overlaps(old, new):
    """How much of each of `old` pixels lies in each of `new`, [new, old]."""
    edges = np.arange(new + 1)[:, None] * old / new
    ends, starts = edges[1:], edges[:-1]
    pixels = np.arange(old)
    return np.clip(np.minimum(ends, pixels + 1) - np.maximum(starts, pixels), 0, 1)


@settings(max_examples=15)
@given(
    size=st.tuples(st.integers(8, 150), st.integers(8, 150)),
    shares=st.tuples(st.integers(1, 10), st.integers(1, 10)),
    seed=st.integers(0, 99),
)
def test_a_drawn_size_is_averaged_over_areas(tmp_path_factory, size, shares, seed):
    wanted = tuple(max(4, length * share // 10) for length, share in zip(size, shares, strict=True))
    picture = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    path = tmp_path_factory.mktemp("size") / "a.png"
    Image.fromarray(np.repeat(picture[..., None], 3, axis=2)).save(path)
    down, across = (overlaps(old, new) for old, new in zip(size, wanted, strict=True))
    expected = down @ picture @ across.T / (down.sum(axis=1)[:, None] * across.sum(axis=1))
    shown = frames_at(path, [0.0])
    assert np.abs(to_rgb(shown, *wanted)[0] - expected).max() < 3
    assert np.abs(to_gray(shown, *wanted)[0] - expected).max() < 3
