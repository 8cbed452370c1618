"""Colours come out as they went in, whatever matrix, range, depth and sampling a file is written with."""

import numpy as np
import pytest
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
