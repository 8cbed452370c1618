"""Frames are picked by their timestamps, the last one stands for what is missing, bad files are told apart."""

import av
import numpy as np
import pytest

from raymm.data.media.length import media_seconds
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, to_gray, to_rgb
from raymm.data.media.write import write_clip, write_wav
from tests.data.clips import FPS, RATE, clip, cut, tone


def staircase(path, count=20):
    """Frame i is gray of level 10 i, so that a decoded frame tells its number."""
    levels = np.arange(count, dtype=np.uint8) * 10
    frames = np.broadcast_to(levels[:, None, None, None], (count, 32, 48, 3)).copy()
    write_clip(path, frames, FPS, None)
    return path


def numbers(frames):
    return np.rint(to_rgb(frames, 8, 8).mean(axis=(1, 2, 3)) / 10).astype(int).tolist()


def test_frames_are_the_last_that_have_begun(tmp_path):
    path = staircase(tmp_path / "a.mp4")
    assert numbers(frames_at(path, [0.0, 0.039, 0.075, 0.08, 0.2, 0.43])) == [0, 0, 1, 2, 5, 10]


def test_the_same_time_may_be_asked_for_twice(tmp_path):
    assert numbers(frames_at(staircase(tmp_path / "a.mp4"), [0.2, 0.2, 0.21])) == [5, 5, 5]


def test_the_last_frame_stands_for_later_times(tmp_path):
    assert numbers(frames_at(staircase(tmp_path / "a.mp4", 10), [0.33, 0.36, 0.9, 5.0])) == [8, 9, 9, 9]


def test_frames_of_a_variable_rate_are_picked_by_time_not_by_number(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS, options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number, tick in enumerate([0, 1, 10, 11]):
            image = np.full((32, 32, 3), 10 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert numbers(frames_at(path, [0.04, 0.38, 0.4])) == [1, 1, 2]


def test_colours_and_shape(tmp_path):
    frames = np.zeros((10, 32, 48, 3), np.uint8)
    frames[..., :24, 0] = 255
    write_clip(tmp_path / "a.mp4", frames, FPS, None)
    rgb = to_rgb(frames_at(tmp_path / "a.mp4", [0.0, 0.2]), 16, 24)
    assert rgb.shape == (2, 3, 16, 24)
    assert rgb.dtype == np.uint8
    red, green, blue = rgb[0, :, 4:12, 2:10].mean(axis=(1, 2))
    assert red > 200
    assert max(green, blue) < 60
    assert rgb[0, :, :, 14:].max() < 60


def test_gray_has_no_channel_axis(tmp_path):
    assert to_gray(frames_at(clip(tmp_path / "a.mp4"), [0.0]), 16, 24).shape == (1, 16, 24)


def test_length_as_the_file_says_it(tmp_path):
    assert abs(media_seconds(clip(tmp_path / "a.mp4", seconds=0.8)) - 0.8) < 0.05
    (tmp_path / "b.mp4").write_text("no video")
    assert media_seconds(tmp_path / "b.mp4") is None


def test_sound_alone_has_no_frames(tmp_path):
    write_wav(tmp_path / "a.wav", tone(), RATE)
    with pytest.raises(MediaError, match="has no video stream"):
        frames_at(tmp_path / "a.wav", [0.0])


def test_a_clip_cut_in_the_middle_cannot_be_decoded(tmp_path):
    with pytest.raises(MediaError, match="cannot be decoded"):
        frames_at(cut(clip(tmp_path / "a.mp4")), [0.0])


def test_a_clip_whose_index_is_whole_but_whose_frames_are_cut_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(50):
            image = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    assert len(frames_at(path, [0.0, 1.9])) == 2
    with pytest.raises(MediaError, match=r"is truncated|cannot be decoded"):
        frames_at(cut(path), [0.0, 1.9])


@pytest.mark.parametrize("large", [False, True])
def test_a_small_file_that_would_be_decoded_for_long_is_refused(tmp_path, monkeypatch, large):
    staircase(tmp_path / "a.mp4")
    size = (tmp_path / "a.mp4").stat().st_size
    (shown,) = frames_at(tmp_path / "a.mp4", [0.0])
    pixels = shown.frame.width * shown.frame.height
    monkeypatch.setattr("raymm.data.media.video.FREE_BYTES", size - large)
    name, unit = ("PIXELS_A_BYTE", size) if large else ("FREE_PIXELS", 1)
    monkeypatch.setattr(f"raymm.data.media.video.{name}", 20 * pixels / unit)
    assert len(frames_at(tmp_path / "a.mp4", [99.0])) == 1
    monkeypatch.setattr(f"raymm.data.media.video.{name}", 12 * pixels / unit)
    with pytest.raises(
        MediaError, match=f"in 13 frames of .* from {size} bytes; write it with fewer or smaller ones"
    ):
        frames_at(tmp_path / "a.mp4", [99.0])
    assert len(frames_at(tmp_path / "a.mp4", [0.0])) == 1
