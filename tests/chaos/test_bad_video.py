"""Video and pictures that cannot be decoded, that are something else, or that lead elsewhere."""

import shutil
import struct
import zlib

import av
import numpy as np
import pytest
from PIL import Image

from raymm.data.media.write import write_wav
from tests.chaos.refusing import prepare_words, refused_sample
from tests.data.clips import SPLITS, collection, cut, manifest, tone

BAD = "train-low-0"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Six clips."""
    folder = tmp_path_factory.mktemp("clips") / "media"
    manifest(folder, collection(folder, "mp4"))
    return folder


@pytest.fixture
def listed(clips, tmp_path):
    return shutil.copytree(clips, tmp_path / "media") / "labels.csv"


def empty(file):
    file.write_bytes(b"")


def words(file):
    file.write_text("no video here\n" * 100)


def sound(file):
    write_wav(file.with_suffix(".wav"), tone(), 16_000)
    file.with_suffix(".wav").rename(file)


def cover(file):
    """Sound with an attached picture, as music has it."""
    picture = file.with_suffix(".png")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture)
    with av.open(str(file), "w", format="mp3") as container, av.open(str(picture)) as image:
        audio = container.add_stream("mp3", rate=16_000, layout="mono")
        video = container.add_stream_from_template(image.streams.video[0])
        video.disposition = av.stream.Disposition.attached_pic
        for packet in image.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray(tone()[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    picture.unlink()


def playlist(file):
    """HLS: it names a file, which FFmpeg would open."""
    file.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nval-low-0.mp4\n#EXT-X-ENDLIST\n")


def joined(file):
    file.write_text("ffconcat version 1.0\nfile 'val-low-0.mp4'\n")


def folder(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("row", "spoil", "said"),
    [
        ("B_video_01_empty", empty, "rgb: is an empty file (zero bytes)"),
        ("B_video_02_words", words, "rgb: cannot be decoded"),
        ("B_video_03_cut", cut, "rgb: cannot be decoded"),
        ("B_video_04_sound", sound, "rgb: has no video stream"),
        ("B_video_05_cover", cover, "rgb: has no video stream: its only picture is a cover"),
        ("B_video_06_playlist", playlist, "rgb: cannot be decoded"),
        ("B_video_07_joined", joined, "rgb: is a list of other files (concat), not a media file"),
        ("B_video_10_folder", folder, "rgb: there is no file"),
    ],
)
def test_a_clip_that_cannot_be_used(capfd, tmp_path, listed, row, spoil, said):
    spoil(listed.parent / f"{BAD}.mp4")
    line = refused_sample(capfd, tmp_path, *prepare_words(listed, "rgb"))
    assert f"sample '{BAD}' ({BAD}.mp4): {said}" in line


def png(width, height):
    """A picture whose header says more than there is."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><image href="file:///etc/passwd"/></svg>'


@pytest.mark.parametrize(
    ("row", "content", "said"),
    [
        ("B_video_08_svg", SVG, "view: cannot be read as a picture (cannot identify"),
        (
            "B_video_09_huge",
            png(100_000, 100_000),
            "view: cannot be read as a picture (Image size (10000000000 pixels)",
        ),
        ("B_video_09_cut", png(64, 64), "view: cannot be read as a picture (image file is truncated"),
    ],
)
def test_a_picture_that_cannot_be_used(capfd, tmp_path, row, content, said):
    (tmp_path / "media").mkdir()
    rows = []
    for split in SPLITS:
        for label in ("low", "high"):
            name = f"{split}-{label}.png"
            Image.fromarray(np.full((16, 16, 3), 100, np.uint8)).save(tmp_path / "media" / name)
            rows.append({"file": name, "label": label, "split": split})
    (tmp_path / "media" / rows[0]["file"]).write_bytes(content)
    listed = manifest(tmp_path / "media", rows)
    line = refused_sample(capfd, tmp_path, *prepare_words(listed, "view:image"))
    assert f"sample 'train-low' (train-low.png): {said}" in line
