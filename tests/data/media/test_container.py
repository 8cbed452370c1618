"""A file is opened as what it is, and its covers and stills are no video."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from raymm.data.kinds.audio import AudioSpec
from raymm.data.kinds.flow_pictures import FlowPicturesSpec
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.inputs import Probe
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.kinds.rgb_pictures import RgbPicturesSpec
from raymm.data.kinds.vector import VectorSpec
from raymm.data.media.audio import read_audio
from raymm.data.media.files import SampleFiles
from raymm.data.media.geometry import to_rgb
from raymm.data.media.length import media_seconds
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at
from raymm.errors import DataError
from tests.data.media.signals import RATE, audio, click, ffmpeg, mux, needs_ffmpeg, numbered, numbers, onset, video

TILED = zlib.decompress(
    base64.b64decode(
        "eNpjYGCQSCupLMhIzUxmAILczDRDCJuJKze1JJEBAhQzUnKKoGyGgszkEgY0wFeQWZILZrECcVhmTj7YOBcQnxHIAGImLSAtz8AE"
        "5XkCaTEGZigvHsxjgfJKwTxWKK8bSHMAcXlmZl4a3A5RICeVCaQCqCajLNmQAUWQCZsgMzZBFkxBsA3pRZkpIKZCZlFqGtSbIimZ"
        "uelASRawDcxgBz/KLCgqANIbMwuS84F0BdA0Z0ZmkNAEsCa5Dwx//v74wcDAz5wA1CfhwMjD+P8/SAEzSAUzCMntYnJIBEpqOzEy"
        "osksUGhknfbKU3NdHpMUDwdI6ASI4HBIAqpnd2E8WLRByQHktsziglSoOx2gGFmsAYo5M4vyS0BxoplZkAuLYGAsMTUyMTCBCGYQ"
        "wQIiWJmYW4CShbkpiaAYl9ZgXM+2I3nDnf8vv7J/3/9ixfv/vxyM6h8pZ9gfAEoLQaQfzfb8v/XATHlBseYfhEVF/m8ViYSKMjIC"
        "HdgAAJI5e5A="
    )
)
"""A HEIC of 128 x 128 as phones write them: four tiles of 64 x 64 and a quarter turn."""

NAMES = ["12:30.mp4", "http:a.mp4", "p%03d.mp4", "-dash.mp4", "concat:a|b.mp4", "a b?c#d.mp4", "*.mp4", "日本.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_address_and_no_pattern(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mux(tmp_path / "plain.mp4", [video(numbered(10)), audio(click(0.2, 0.4))])
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    path = SampleFiles(tmp_path.relative_to(tmp_path)).path(name)
    assert numbers(frames_at(path, [0.1, 0.3])) == [2, 7]
    assert abs(onset(read_audio(path, RATE, 0.4)) - 0.2) < 0.002
    assert media_seconds(path) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("name", ["p%03d.png", "p%d.jpg", "p00[0-9].png", "p00?.bmp"])
def test_a_picture_whose_name_looks_like_a_pattern_is_itself(tmp_path, name):
    for other in ("p001.png", "p1.jpg", "p001.bmp"):
        Image.fromarray(np.full((16, 16, 3), (250, 0, 0), np.uint8)).save(tmp_path / other)
    Image.fromarray(np.full((16, 16, 3), (0, 250, 0), np.uint8)).save(tmp_path / name)
    red, green, _ = to_rgb(frames_at(tmp_path / name, [0.0]), 8, 8)[0].mean(axis=(1, 2))
    assert green > 200
    assert red < 50


def test_a_list_of_other_files_is_refused(tmp_path):
    mux(tmp_path / "a.ts", [video(numbered(10), "mpeg2video")])
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaError, match=r"list of other files|cannot be decoded"):
        frames_at(tmp_path / "list.mp4", [0.0])


def test_a_picture_in_tiles_is_refused_and_not_its_first_tile(tmp_path):
    (tmp_path / "a.heic").write_bytes(TILED)
    with pytest.raises(MediaError, match=r"is one picture in 4 tiles \(HEIC\), which .*; convert it to JPEG"):
        frames_at(tmp_path / "a.heic", [0.0])
    assert frames_at(tmp_path / "a.heic", [0.0], stream=3)[0].frame.width == 64


@pytest.fixture
def still(tmp_path):
    Image.fromarray(np.full((32, 48, 3), 250, np.uint8)).save(tmp_path / "still.png")
    return tmp_path / "still.png"


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.flac"])
@needs_ffmpeg
def test_a_cover_is_no_video_and_the_sound_is_read(tmp_path, still, name):
    mux(tmp_path / "a.wav", [audio(click(0.5), "pcm_s16le")])
    cover = ["-map", "0:a", "-map", "1:v", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic"]
    ffmpeg("-i", tmp_path / "a.wav", "-i", still, *cover, tmp_path / name)
    with pytest.raises(MediaError, match="has no video stream: its only picture is a cover"):
        frames_at(tmp_path / name, [0.0])
    assert abs(onset(read_audio(tmp_path / name, RATE, 2.0)) - 0.5) < 0.002


@needs_ffmpeg
@pytest.mark.parametrize("order", [["1:v", "0:v", "0:a"], ["0:v", "1:v", "0:a"], ["0:a", "1:v", "0:v"]])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_first_video_that_moves_is_taken_beside_a_still(tmp_path, still, order, name):
    mux(tmp_path / "b.mp4", [video(numbered()), audio(click(0.5))])
    maps = [word for stream in order for word in ("-map", stream)]
    ffmpeg("-i", tmp_path / "b.mp4", "-i", still, *maps, "-c", "copy", tmp_path / name)
    assert numbers(frames_at(tmp_path / name, [0.5, 1.0]))[1] >= 23
    number = [stream for stream in order if stream.endswith("v")].index("1:v")
    bright = to_rgb(frames_at(tmp_path / name, [0.5], stream=number), 8, 8)
    assert bright.mean() > 240


@needs_ffmpeg
@settings(max_examples=5)
@given(
    order=st.permutations(["film", "cover", "sound"]),
    name=st.sampled_from(["a.mp4", "a.m4v", "a.mov", "a.mkv", "a.nut"]),
    level=st.integers(0, 255),
    size=st.tuples(st.integers(2, 300), st.integers(2, 300)),
    codec=st.sampled_from(["png", "mjpeg"]),
)
def test_a_drawn_cover_in_any_place_is_not_taken_for_the_film(tmp_path_factory, order, name, level, size, codec):
    folder = tmp_path_factory.mktemp("cover")
    Image.new("RGB", size, (level, 0, 0)).save(folder / "cover.png")
    mux(folder / "film.mp4", [video(numbered(20))])
    mux(folder / "sound.wav", [audio(click(0.5), "pcm_s16le")])
    maps = [word for source in order for word in ("-map", ["film", "cover", "sound"].index(source))]
    place = [source for source in order if source != "sound"].index("cover")
    sound = "aac" if name in {"a.mp4", "a.m4v"} else "pcm_s16le"
    options = ["-c", "copy", "-c:a", sound, f"-c:v:{place}", codec]
    options += [f"-disposition:v:{place}", "attached_pic"] if name in {"a.mp4", "a.m4v"} else []
    sources = [word for file in ("film.mp4", "cover.png", "sound.wav") for word in ("-i", folder / file)]
    form = ["-f", "mp4"] if name == "a.m4v" else []
    ffmpeg(*sources, *maps, *options, "-pix_fmt", "yuvj420p" if codec == "mjpeg" else "rgb24", *form, folder / name)
    assert numbers(frames_at(folder / name, [0.1, 0.5, 0.78])) == [2, 12, 19]
    assert abs(onset(read_audio(folder / name, RATE, 2.0)) - 0.5) < 0.003


@needs_ffmpeg
def test_a_still_beside_sound_alone_is_said(tmp_path, still):
    mux(tmp_path / "a.wav", [audio(click(0.5), "pcm_s16le")])
    ffmpeg("-i", still, "-i", tmp_path / "a.wav", "-c:v", "copy", "-c:a", "copy", tmp_path / "a.mkv")
    with pytest.raises(MediaError, match="its only picture is a still beside the sound"):
        frames_at(tmp_path / "a.mkv", [0.0, 1.0])


@pytest.mark.parametrize("number", [0, 1])
def test_a_stream_is_chosen_by_its_number(tmp_path, number):
    streams = [
        video(numbered(40)),
        video(numbered(40)[::-1]),
        audio(click(0.25), "pcm_s16le"),
        audio(click(1.25), "pcm_s16le"),
    ]
    path = mux(tmp_path / "a.mkv", streams)
    assert numbers(frames_at(path, [0.3], stream=number)) == [[7], [32]][number]
    assert abs(onset(read_audio(path, RATE, 2.0, stream=number)) - [0.25, 1.25][number]) < 0.002


@pytest.mark.parametrize("name", ["a.wav", "a.mp4", "a.png", "a.npz"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, name):
    (tmp_path / name).write_text("version https://git-lfs.example/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(MediaError, match="is a pointer of Git LFS, not the file itself"):
        SampleFiles(tmp_path).path(name)


ADDRESSES = ["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1", "http://git-media.io/v/2"]
pointers = st.builds(
    "version {}\n{}oid sha256:{}\nsize {}\n".format,
    st.sampled_from(ADDRESSES),
    st.sampled_from(["", f"ext-0-crypt sha256:{'0' * 64}\n"]),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(1, 10**12),
)
POINTED = [
    (AudioSpec(name="a"), "a.wav"),
    (RgbSpec(name="a"), "a.mp4"),
    (ImageSpec(name="a"), "a.jpg"),
    (VectorSpec(name="a", size=2), "a.npy"),
    (RgbPicturesSpec(name="a", frames=2), "img_2.png"),
    (FlowPicturesSpec(name="a", frames=1), "flow_y_1.png"),
]


@settings(max_examples=6)
@given(pointer=pointers)
@pytest.mark.parametrize(("spec", "name"), POINTED, ids=lambda value: str(getattr(value, "kind", value)))
def test_a_drawn_pointer_of_git_lfs_is_named_by_every_reader(tmp_path_factory, spec, name, pointer):
    root = tmp_path_factory.mktemp("pointers")
    first = name.replace("img_2", "img_1").replace("flow_y", "flow_x")
    if first != name:
        Image.new("L", (16, 16)).save(root / first)
    (root / name).write_text(pointer)
    with pytest.raises(
        MediaError, match="is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`"
    ):
        spec.decode(first, SampleFiles(root, [(first, None, spec.frame_times)]))
    if name == "a.npy":
        with pytest.raises(DataError, match=r"the first: a\.npy is a pointer of Git LFS"):
            Probe("a", [name], root, {}).shapes(1, "[n]")


def test_tags_in_an_old_encoding_do_not_matter(tmp_path):
    path = mux(tmp_path / "a.wav", [audio(click(0.5), "pcm_s16le")])
    content = path.read_bytes() + b"LIST\x12\x00\x00\x00INFOINAM\x05\x00\x00\x00caf\xe9\x00\x00"
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    assert abs(onset(read_audio(path, RATE, 2.0)) - 0.5) < 0.002
