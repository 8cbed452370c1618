"""Pixels that are not square: shown in the proportions that a player shows, whatever the picture is fitted into."""

import itertools

import numpy as np
import pytest

from tests.data.media_oracle.corners import HEIGHT, WIDTH
from tests.data.media_oracle.ffmpeg import needs_ffmpeg, run
from tests.data.media_oracle.listed import H264, MPEG4, VP8
from tests.data.media_oracle.reading import frames_of

pytestmark = needs_ffmpeg

SQUARE = "scale=w=trunc(iw*sar/2+0.5)*2:h=ih:flags=area,setsar=1"
FITS = {
    "squash": "scale=48:48:flags=area",
    "crop": "crop=w='min(iw,ih)':h='min(iw,ih)',scale=48:48:flags=area",
    "pad": "scale=48:48:force_original_aspect_ratio=decrease:flags=area,pad=48:48:-1:-1:black",
}
HELD = [("mkv", VP8), ("avi", MPEG4), ("ts", H264), ("mov", "prores_ks")]


def ramp():
    """uint8 [HEIGHT, WIDTH, 3]: red grows to the right, green downwards."""
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    picture[..., 0] = np.linspace(60, 220, WIDTH)
    picture[..., 1] = np.linspace(60, 220, HEIGHT)[:, None]
    return picture


def write(path, codec, ratio):
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", "10", "-i", "-"]
    run(*source, "-vf", f"setsar={ratio}", "-c:v", *codec.split(), path, stdin=ramp().tobytes() * 4)
    return path


def shown(path, fit):
    """What ffmpeg shows in 48 x 48 pixels, float [48, 48, 3]."""
    filters = f"{SQUARE},{FITS[fit]}"
    raw, _ = run("-i", path, "-frames:v", "1", "-vf", filters, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(48, 48, 3).astype(float)


@pytest.mark.parametrize(
    ("suffix", "codec", "ratio", "fit"),
    [
        *(("mp4", H264, *given) for given in itertools.product(("2/1", "1/2", "16/11", "1/1"), FITS)),
        *((*held, *given) for held in HELD for given in itertools.product(("3/1", "10/11"), ("crop", "pad"))),
    ],
)
def test_frames_have_the_proportions_that_ffmpeg_shows(tmp_path, suffix, codec, ratio, fit):
    path = write(tmp_path / f"a.{suffix}", codec, ratio)
    _, frames = frames_of(path, 10, 1, height=48, width=48, fit=fit)
    wanted = shown(path, fit)
    difference = np.abs(frames[0] - wanted).mean(axis=2)
    assert np.median(difference) < 3
    assert (difference < 12).mean() > 0.95, "more than the rows and columns at the border of the padding differ"


def test_the_fits_differ(tmp_path):
    path = write(tmp_path / "a.mp4", H264, "2/1")
    pictures = [shown(path, fit) for fit in FITS]
    assert all(np.abs(a - b).mean() > 5 for a in pictures for b in pictures if a is not b)
