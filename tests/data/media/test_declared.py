"""Truncated is what ends before its stream says; short, or of unknown length, is good."""

import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.media.audio import read_audio, read_sound
from raymm.data.media.length import media_seconds
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, read_frames
from tests.data.media.signals import (
    RATE,
    audio,
    chirp,
    ffmpeg_sound,
    mux,
    needs,
    needs_ffmpeg,
    numbered,
    numbers,
    snr,
    video,
)

mp3, opus, vorbis = needs("libmp3lame"), needs("libopus"), needs("libvorbis")


def noise(seconds=2.0, rate=RATE):
    return np.random.default_rng(0).normal(0, 0.2, round(seconds * rate)).astype(np.float32)


def keep(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


SIZES = [  # of RIFF and of its data; what is not here is not claimed
    (0x7FFFF024, 0x7FFFF000),
    (0x80000024, 0x80000000),
    (0xFFFFFFFF, 0xFFFFFFFF),
    (0, 0),
    (0x7FFFF024, None),
    (None, 0x7FFFF000),
    (12, None),
    (None, 0),
]


def wav(path, sizes, waveform):
    mux(path, [audio(waveform, "pcm_s16le")])
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    for at, size in zip((4, data + 4), sizes, strict=True):
        content[at : at + 4] = content[at : at + 4] if size is None else struct.pack("<I", size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("sizes", SIZES)
def test_a_wav_that_was_written_to_a_pipe_is_whole(tmp_path, sizes):
    sound = read_sound(wav(tmp_path / "a.wav", sizes, chirp()), RATE, 3.0)
    assert snr(sound.waveform, chirp()) > 60
    assert sound.seconds == pytest.approx(2.0)


@given(st.integers(100, 63_900))
def test_a_wav_that_lacks_bytes_is_truncated_wherever_it_was_cut(tmp_path_factory, kept):
    path = mux(tmp_path_factory.mktemp("cut") / "a.wav", [audio(noise(), "pcm_s16le")])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MediaError, match=r"is truncated: \d+ bytes of the \d+ it says"):
        read_audio(path, RATE, 3.0)


def test_what_lies_within_the_window_is_enough(tmp_path):
    path = keep(mux(tmp_path / "a.wav", [audio(chirp(), "pcm_s16le")]), 0.6)
    assert snr(read_audio(path, RATE, 1.0), chirp(1.0)) > 60


SOUNDS = [
    ("a.wav", "pcm_s16le", {}),
    ("a.w64", "pcm_s16le", {}),
    ("a.wav", "pcm_s16le", {"rf64": "always"}),
    ("a.aiff", "pcm_s16be", {}),
    ("a.au", "pcm_s16be", {}),
    ("a.caf", "pcm_s16be", {}),
    ("a.flac", "flac", {}),
    ("a.mka", "pcm_s16le", {}),
    ("a.mka", "aac", {}),
    ("a.mka", "flac", {}),
    ("a.m4a", "aac", {"movflags": "faststart"}),
    ("a.m4a", "alac", {"movflags": "faststart"}),
    ("a.mp4", "aac", {"movflags": "empty_moov+default_base_moof", "frag_duration": "300000"}),
    ("a.avi", "pcm_s16le", {}),
    ("a.flv", "aac", {}),
    pytest.param("a.mp3", "libmp3lame", {}, marks=mp3),
    pytest.param("a.webm", "libopus", {}, marks=opus),
    pytest.param("a.opus", "libopus", {}, marks=opus),
]
FRAGMENTS = {"movflags": "empty_moov+default_base_moof+frag_keyframe"}
VIDEOS = [
    ("a.mp4", "mpeg4", {"movflags": "faststart"}),
    ("a.mp4", "mpeg4", FRAGMENTS),
    ("a.mov", "mjpeg", {"movflags": "faststart"}),
    ("a.mkv", "mpeg4", {}),
    ("a.avi", "mpeg4", {}),
    ("a.flv", "flv", {}),
]
ANY_PART = st.floats(0.9, 0.995)
TRUNCATED = r"is truncated: (\d\.\d\d) s of (?:sound|video) of the (\d\.\d\d) s it says"
LACKS_BYTES = r"is truncated: (\d+) bytes of the (\d+) it says"


def sound_of(folder, name, codec, options):
    rate = 48_000 if codec == "libopus" else 44_100 if name == "a.flv" else RATE
    return mux(folder / name, [audio(noise(2.0, rate), codec, rate)], **options)


def video_of(folder, name, codec, options):
    frames = np.random.default_rng(0).integers(0, 255, (50, 32, 48, 3), np.uint8)
    return mux(folder / name, [video(frames, codec)], **options)


def seconds_or_truncated(read):
    """How long a cut file is found to be; None where it is said to be truncated."""
    try:
        return read()
    except MediaError as cause:
        said = str(cause)
    figures = re.fullmatch(f"{TRUNCATED}|{LACKS_BYTES}", said)
    if figures is None:
        pytest.fail(said)
    there, stated = (float(figure) for figure in figures.groups() if figure is not None)
    assert there <= stated
    return None


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
@pytest.mark.parametrize(("name", "codec", "options"), SOUNDS)
def test_sound_that_was_cut_off_is_found(tmp_path, name, codec, options, part):
    path = sound_of(tmp_path, name, codec, options)
    assert read_sound(path, RATE, 3.0).seconds == pytest.approx(2.0, abs=0.13)
    with pytest.raises(MediaError, match="is truncated"):
        read_audio(keep(path, part), RATE, 3.0)


@pytest.mark.parametrize("part", [0.4, 0.7])
@pytest.mark.parametrize(("name", "codec", "options"), VIDEOS)
def test_a_video_that_was_cut_off_is_found(tmp_path, name, codec, options, part):
    path = video_of(tmp_path, name, codec, options)
    assert len(frames_at(path, [0.0, 2.5])) == 2
    with pytest.raises(MediaError, match="is truncated"):
        frames_at(keep(path, part), [0.0, 2.5])


def check_any_cut(path, read):
    """However shortly before its end a file of 2 s is cut, it is truncated or nearly whole."""
    content = path.read_bytes()

    @given(ANY_PART)
    def check(part):
        path.write_bytes(content[: int(len(content) * part)])
        seconds = seconds_or_truncated(read)
        assert seconds is None or seconds > 1.65

    check()


@pytest.mark.parametrize(("name", "codec", "options"), SOUNDS)
def test_sound_that_was_cut_shortly_before_its_end_is_truncated_or_nearly_whole(tmp_path, name, codec, options):
    path = sound_of(tmp_path, name, codec, options)
    check_any_cut(path, lambda: read_sound(path, RATE, 3.0).seconds)


@pytest.mark.parametrize(("name", "codec", "options"), VIDEOS)
def test_a_video_that_was_cut_shortly_before_its_end_is_truncated_or_nearly_whole(tmp_path, name, codec, options):
    path = video_of(tmp_path, name, codec, options)
    check_any_cut(path, lambda: read_frames(path, [0.0, 2.5]).seconds)


@pytest.mark.parametrize("part", [0.92, 0.95, 0.97])
@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.m4a", "alac"), ("a.flac", "flac")])
def test_where_decoding_fails_at_the_end_any_shortfall_is_one(tmp_path, name, codec, part):
    path = keep(sound_of(tmp_path, name, codec, {"movflags": "faststart"} if name == "a.m4a" else {}), part)
    with pytest.raises(MediaError, match=r"is truncated: 1\.\d\d s of sound of the 2\.\d\d s it says"):
        read_audio(path, RATE, 3.0)


def both(path):
    frames = np.random.default_rng(0).integers(0, 255, (50, 32, 48, 3), np.uint8)
    options = FRAGMENTS if path.suffix == ".mp4" else {}
    codecs = ("flv", "aac", 44_100) if path.suffix == ".flv" else ("mpeg4", "aac", RATE)
    return mux(path, [video(frames, codecs[0]), audio(noise(2.0, codecs[2]), *codecs[1:])], **options)


def without_tags(path):
    """A Matroska file whose streams do not say how long they are."""
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"EXPANSES"))
    return path


def all_of(path):
    """The waveform and the pictures of a file."""
    shown = read_frames(path, [0.0, 1.0, 2.5])
    pictures = [picture.frame.to_ndarray(format="rgb24") for picture in shown.pictures]
    return read_audio(path, RATE, 3.0), np.stack(pictures), shown.seconds


def behind(path, mark):
    """How many bytes come from the last place of a mark on, which follows all samples."""
    content = path.read_bytes()
    return len(content) - content.rindex(mark)


CUES = b"\x1cS\xbbk"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Files of sound and pictures that do not count them, what they hold, and the bytes behind all samples."""
    folder = tmp_path_factory.mktemp("whole")
    mkv, mp4, flv = without_tags(both(folder / "a.mkv")), both(folder / "a.mp4"), both(folder / "a.flv")
    index = {mkv: behind(mkv, CUES), mp4: behind(mp4, b"mfra") + 4, flv: 0}
    return {path.suffix: (path.read_bytes(), all_of(path), size) for path, size in index.items()}


def is_whole(path, expected):
    assert all(np.array_equal(found, one) for found, one in zip(all_of(path), expected, strict=True))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@given(share=st.floats(0, 1))
def test_a_file_whose_index_was_cut_is_whole(tmp_path_factory, whole, suffix, share):
    content, expected, index = whole[suffix]
    path = tmp_path_factory.mktemp("index") / f"a{suffix}"
    path.write_bytes(content[: len(content) - max(1, round(share * index))])
    is_whole(path, expected)


BEHIND = {
    ".mp4": [b"\0\0\0\x64free", b"\0\0\x10\0skip", b"\0\0\0\x64uuid", b"\0\0\0\1free" + b"\xff" * 8, b"\0\0"],
    ".mkv": [b"\xec\x01\0\0\0\0\0\x10\0", b"\x12\x54\xc3\x67\x50\0", b"\x1f\x43"],
    ".flv": [b"\x12\0\x10\0" + bytes(7), b"\x08\0"],
}
"""Beginnings of pieces without samples: free space, tags, texts, and what is too short to be one."""


@pytest.mark.parametrize(("suffix", "piece"), [(suffix, piece) for suffix in BEHIND for piece in BEHIND[suffix]])
def test_a_file_behind_which_a_piece_without_samples_is_torn_is_whole(tmp_path, whole, suffix, piece):
    content, expected, _ = whole[suffix]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content + piece + bytes(20) * (len(piece) > 4))
    is_whole(path, expected)


@needs_ffmpeg
@pytest.mark.parametrize(("suffix", "cut"), [(".mkv", 4), (".mp4", 4), (".mp4", 0)])
def test_ffmpeg_hears_the_same_of_a_file_whose_end_is_torn(tmp_path, whole, suffix, cut):
    content = whole[suffix][0]
    (tmp_path / f"whole{suffix}").write_bytes(content)
    torn = content[: len(content) - cut] if cut else content + BEHIND[".mp4"][0] + bytes(20)
    (tmp_path / f"torn{suffix}").write_bytes(torn)
    sounds = [ffmpeg_sound(tmp_path / f"{name}{suffix}") for name in ("whole", "torn")]
    assert len(sounds[0]) > 1.9 * RATE
    assert np.array_equal(*sounds)


EDGES = {
    ".mkv": b"\\x1f\\x43\\xb6\\x75",
    "endless": b"\\x1f\\x43\\xb6\\x75|\\xa3([\\x40-\\x7f].|[\\x80-\\xff])[\\x81\\x82]",
    ".mp4": b"....(moof|mdat)",
    ".flv": b"[\\x08\\x09].{7}\\0\\0\\0",
}
"""What pieces begin with, which say how long they are within 16 bytes."""


def of_endless_clusters(content):
    """A Matroska file whose clusters do not say how long they are, as of a live recording."""
    first, *clusters = content.split(b"\x1f\x43\xb6\x75")
    for number, cluster in enumerate(clusters):
        bytes_of_size = 9 - cluster[0].bit_length()
        clusters[number] = (2 ** (7 * bytes_of_size + 1) - 1).to_bytes(bytes_of_size, "big") + cluster[bytes_of_size:]
    return b"\x1f\x43\xb6\x75".join([first, *clusters])


@pytest.mark.parametrize("kind", EDGES)
@given(share=st.floats(0.5, 0.999))
def test_a_file_that_ends_within_its_samples_is_truncated(tmp_path_factory, whole, kind, share):
    suffix = ".mkv" if kind == "endless" else kind
    content, _, index = whole[suffix]
    content = of_endless_clusters(content) if kind == "endless" else content
    size = round((len(content) - index) * share)
    path = tmp_path_factory.mktemp("cut") / f"a{suffix}"
    path.write_bytes(content[:size])
    found = [seconds_or_truncated(lambda: read_sound(path, RATE, 3.0).seconds)]
    found.append(seconds_or_truncated(lambda: read_frames(path, [0.0, 2.5]).seconds))
    if any(found):
        edges = [match.start() for match in re.finditer(EDGES[kind], content, re.DOTALL)]
        assert min(abs(edge - size) for edge in [*edges, len(content) - index]) < 16


@pytest.mark.parametrize(("sound", "pictures"), [(1.2, 75), (3.0, 30), (0.3, 50)])
@pytest.mark.parametrize("name", ["a.mkv", "a.flv", "a.mp4", "a.avi", "a.ts", "a.mov"])
def test_a_stream_that_ends_before_the_other_is_whole(tmp_path, name, sound, pictures):
    codecs = {"a.flv": ("flv", "aac", 44_100), "a.ts": ("mpeg2video", "mp2", RATE)}.get(name, ("mpeg4", "aac", RATE))
    frames = numbered(pictures) if pictures < 64 else numbered(64)[[*range(64), *[63] * (pictures - 64)]]
    path = mux(tmp_path / name, [video(frames, codecs[0]), audio(chirp(sound, codecs[2]), codecs[1], codecs[2])])
    assert read_sound(path, RATE, 4.0).seconds == pytest.approx(sound, abs=0.13)
    shown = read_frames(path, [0.5, 4.0])
    assert shown.seconds == pytest.approx(pictures / 25, abs=0.13)
    assert numbers(shown.pictures)[1] == min(pictures, 64) - 1


@mp3
@pytest.mark.parametrize("loud", ["end", "start", "middle"])
def test_an_estimate_from_the_bit_rate_is_no_claim(tmp_path, loud):
    parts = {"end": (0, 1), "start": (1, 0), "middle": (0, 1, 0)}[loud]
    waveform = np.concatenate([noise(4.0, 44_100) * part for part in parts])
    streams = [audio(waveform, "libmp3lame", 44_100, qscale="2", flags="+qscale")]
    path = mux(tmp_path / "a.mp3", streams, write_xing="0")
    assert read_sound(path, RATE, 20.0).seconds == pytest.approx(4.0 * len(parts), abs=0.1)


@mp3
@settings(max_examples=7)
@given(
    parts=st.lists(st.tuples(st.booleans(), st.integers(4, 12)), min_size=2, max_size=4),
    quality=st.integers(0, 9),
    rate=st.sampled_from([22_050, 44_100, 48_000]),
)
def test_loud_and_silent_parts_of_drawn_lengths_keep_their_time(tmp_path_factory, parts, quality, rate):
    waveform = np.concatenate([noise(tenths / 10, rate) * loud for loud, tenths in parts])
    streams = [audio(waveform, "libmp3lame", rate, qscale=str(quality), flags="+qscale")]
    path = mux(tmp_path_factory.mktemp("vbr") / "a.mp3", streams, write_xing="0")
    sound = read_sound(path, RATE, 5.0)
    assert sound.seconds == pytest.approx(len(waveform) / rate, abs=0.12)
    assert media_seconds(path) == pytest.approx(len(waveform) / rate, abs=0.12)
    starts = np.cumsum([0, *(tenths / 10 for _, tenths in parts)])
    for (loud, tenths), start in zip(parts, starts, strict=False):
        middle = sound.waveform[round((start + 0.2) * RATE) : round((start + tenths / 10 - 0.1) * RATE)]
        assert (middle.std() > 0.03) is np.bool_(loud)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_damage_in_the_middle_is_no_cut(tmp_path, part):
    path = mux(tmp_path / "a.m4a", [audio(noise(), "aac")], movflags="faststart")
    content = bytearray(path.read_bytes())
    start = int(len(content) * part)
    content[start : start + 1500] = b"\xff" * 1500
    path.write_bytes(content)
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_audio(path, RATE, 3.0)
