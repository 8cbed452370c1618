"""Flags that turn and mirror are applied, whatever holds them: ISO and Matroska files, H.264 streams, EXIF data."""

import itertools
import struct

import av
import numpy as np
import pytest
from PIL import Image

from raymm.data import ImageSpec
from tests.data.media_oracle.corners import EXIF, HEIGHT, MATRICES, UPRIGHT, WIDTH, by_exif, layout, picture, turned
from tests.data.media_oracle.ffmpeg import needs_ffmpeg, run
from tests.data.media_oracle.listed import H264, MPEG4
from tests.data.media_oracle.reading import frames_of, value_of

FRAMES = 5
SEI_TURNS = [turn for turn in itertools.product((0, 90, 180, 270), ("", "horizontal", "vertical")) if turn != (0, "")]


def write(path, codec, *options):
    """A clip of `picture()`."""
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", "10", "-i", "-"]
    run(*source, "-c:v", *codec.split(), *options, path, stdin=picture().tobytes() * FRAMES)
    return path


def flag(path, matrix):
    """Write a display matrix into the track header of an ISO file."""
    a, b, c, d = matrix
    x, y = -min(0, a * WIDTH, c * HEIGHT), -min(0, b * WIDTH, d * HEIGHT)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 4 + 5 * 4 + 8 + 8
    one, whole = 1 << 16, 1 << 30
    assert struct.unpack_from(">9i", content, at) == (one, 0, 0, 0, one, 0, 0, 0, whole)
    struct.pack_into(">9i", content, at, a * one, b * one, 0, c * one, d * one, 0, x * one, y * one, whole)
    path.write_bytes(content)
    return path


def read(path):
    """Layouts of all frames that raymm reads; they must be one."""
    _, frames = frames_of(path, 10, FRAMES, height=48, width=48)
    found = {layout(frame) for frame in frames}
    assert len(found) == 1
    return found.pop()


def test_there_are_eight_ways():
    assert len({turned(matrix) for matrix in MATRICES}) == len(MATRICES) == 8
    assert {by_exif(orientation) for orientation in EXIF} == {turned(matrix) for matrix in MATRICES}
    assert layout(picture()) == UPRIGHT == turned((1, 0, 0, 1)) == by_exif(1)


@needs_ffmpeg
@pytest.mark.parametrize("matrix", MATRICES, ids=str)
@pytest.mark.parametrize(("suffix", "codec"), [("mp4", H264), ("mov", "png"), ("3gp", MPEG4)])
def test_the_matrix_of_an_iso_file(tmp_path, suffix, codec, matrix):
    path = flag(write(tmp_path / f"a.{suffix}", codec), matrix)
    height, width = (WIDTH, HEIGHT) if matrix[1] else (HEIGHT, WIDTH)
    raw, _ = run("-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    assert layout(np.frombuffer(raw, np.uint8).reshape(height, width, 3)) == turned(matrix), "ffmpeg"
    assert read(path) == turned(matrix)


@needs_ffmpeg
@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_the_projection_of_a_matroska_file(tmp_path, matrix):
    source = flag(write(tmp_path / "a.mp4", H264), matrix)
    with av.open(str(source)) as given, av.open(str(tmp_path / "a.mkv"), "w") as taken:
        stream = taken.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                taken.mux(packet)
    assert read(tmp_path / "a.mkv") == turned(matrix)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("suffix", "turn", "flip"),
    [*(("h264", *turn) for turn in SEI_TURNS), ("ts", 90, "horizontal"), ("mkv", 270, ""), ("flv", 180, "vertical")],
)
def test_the_message_of_an_h264_stream(tmp_path, suffix, turn, flip):
    metadata = f"h264_metadata=display_orientation=insert:rotate={turn}" + f":flip={flip}" * bool(flip)
    path = write(tmp_path / f"a.{suffix}", H264, "-bsf:v", metadata)
    flipped = np.array({"": (1, 0, 0, 1), "horizontal": (-1, 0, 0, 1), "vertical": (1, 0, 0, -1)}[flip]).reshape(2, 2)
    anticlockwise = np.array([[0, -1], [1, 0]])  # rows are where x and y go; y points down
    matrix = flipped @ np.linalg.matrix_power(anticlockwise, turn // 90)
    assert read(path) == turned(tuple(matrix.ravel()))


@pytest.mark.parametrize("orientation", EXIF)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_the_exif_data_of_a_picture(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(tmp_path / f"a.{suffix}", exif=exif)
    value = value_of(tmp_path / f"a.{suffix}", ImageSpec(name="image", height=48, width=48))
    assert layout(value.transpose(1, 2, 0)) == by_exif(orientation)


@pytest.mark.parametrize("orientation", EXIF)
def test_a_photograph_as_frames(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    assert read(tmp_path / "a.jpg") == by_exif(orientation)
