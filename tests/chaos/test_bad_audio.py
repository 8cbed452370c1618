"""Sound that is bad, and sound that only looks so."""

import shutil

import av
import numpy as np
import pytest

from raymm.data import open_dataset
from tests.chaos.refusing import prepare_words, refused_sample, taken
from tests.chaos.waves import wav
from tests.data.clips import RATE, collection, manifest, tone

BAD = "train-low-0.wav"
TONE = tone(frequency=500.0)


def with_value(value):
    values = TONE.copy()
    values[100] = value
    return wav(values)


def cut(content):
    return content[: len(content) // 2]


INTEGERS = np.round(TONE * 32767).astype("<i2")

REFUSED = {
    "B_audio_01_nan": (with_value(np.nan), "audio: holds 1 audio samples that are NaN or infinite"),
    "B_audio_02_infinity": (with_value(np.inf), "audio: holds 1 audio samples that are NaN or infinite"),
    "B_audio_03_minus_infinity": (with_value(-np.inf), "audio: holds 1 audio samples that are NaN or infinite"),
    "B_audio_04_no_samples": (wav(INTEGERS[:0]), "audio: has an audio stream of zero length"),
    "B_audio_11_ten_hours": (
        wav(INTEGERS, declared=36_000 * RATE * 2),
        "audio: is truncated: 12844 bytes of the 1152000044 it says",
    ),
    "B_audio_12_cut": (cut(wav(INTEGERS)), "audio: is truncated: 6422 bytes of the 12844 it says"),
}


def write(file, codec, layout, values):
    """Write interleaved int16 values [1, n * channels]."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        frame = av.AudioFrame.from_ndarray(values, format="s16", layout=layout)
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def listed(tmp_path):
    """A collection of six sounds and its manifest."""
    return manifest(tmp_path / "media", collection(tmp_path / "media"))


def prepared(capfd, listed, content, *more):
    """The first sound that the data set holds, and what was said."""
    (listed.parent / BAD).write_bytes(content)
    said = taken(capfd, *prepare_words(listed, "audio", *more))
    dataset = open_dataset(listed.parent.parent / "out", check=True)
    assert dataset.shards.sample_id[0] == "train-low-0"
    return dataset.shards.read("audio", np.array([0]))[0], said


@pytest.mark.parametrize("row", REFUSED)
def test_sound_that_is_refused(capfd, listed, row):
    content, words = REFUSED[row]
    (listed.parent / BAD).write_bytes(content)
    said = refused_sample(capfd, listed.parent.parent, *prepare_words(listed, "audio"))
    assert f"sample 'train-low-0' ({BAD}): {words}; " in said


def test_B_audio_05_one_sample(capfd, listed):
    sound, said = prepared(capfd, listed, wav(INTEGERS[5:6]))
    assert "note: audio: 1 of 6 samples are shorter than the window, and padded" in said
    assert sound[0] == INTEGERS[5] / 32768
    assert not sound[1:].any()


def test_B_audio_06_silence(capfd, listed):
    sound, said = prepared(capfd, listed, wav(np.zeros_like(INTEGERS)))
    assert sound.shape == (6400,)
    assert not sound.any()
    assert "note" not in said


def test_B_audio_07_clipped(capfd, listed):
    loud = np.clip(np.round(TONE.astype(float) * 5 * 32767), -32768, 32767).astype("<i2")
    sound, said = prepared(capfd, listed, wav(loud))
    assert np.array_equal(sound, loud / np.float32(32768))
    assert "note: audio: 1 of 6 samples are clipped" in said


@pytest.mark.parametrize("kind", ["<f8", "<f4", "<i2", "<i4"])
def test_B_audio_08_other_types(capfd, listed, kind):
    full = 1.0 if kind[1] == "f" else 2.0 ** (8 * int(kind[2]) - 1)
    values = (INTEGERS / 32768 * full).astype(kind)
    sound, _ = prepared(capfd, listed, wav(values))
    assert np.array_equal(sound, (INTEGERS / 32768).astype(np.float32))


def test_B_audio_09_three_channels(capfd, listed):
    """Left, right and centre, of which the centre sounds: by ITU-R BS.775 it weighs 1 and each side 0.5 ** 0.5."""
    file = listed.parent / "content.wav"
    values = np.stack([np.zeros_like(INTEGERS), np.zeros_like(INTEGERS), INTEGERS], axis=1)
    write(file, "pcm_s16le", "3.0", values.reshape(1, -1))
    sound, _ = prepared(capfd, listed, file.read_bytes())
    assert np.allclose(sound, INTEGERS / 32768 / (1 + 2 * 0.5**0.5), atol=1e-5)
    shutil.rmtree(listed.parent.parent / "out")
    sound, _ = prepared(capfd, listed, wav(values, channels=3), "--set", "audio.channel=mean")
    assert np.allclose(sound, INTEGERS / 32768 / 3, atol=1e-6)


def test_B_audio_10_another_rate(capfd, listed):
    slow = np.round(tone(0.4, frequency=500.0)[::2] * 32767).astype("<i2")
    sound, _ = prepared(capfd, listed, wav(slow, rate=RATE // 2))
    inside = slice(400, 6000)  # the filter rings where the sound begins and ends
    assert np.abs(sound[inside] - TONE[inside]).max() < 0.01


def test_B_audio_13_another_extension(capfd, listed):
    file = listed.parent / "content.flac"
    write(file, "flac", "mono", INTEGERS[None])
    sound, _ = prepared(capfd, listed, file.read_bytes())
    assert np.array_equal(sound, (INTEGERS / 32768).astype(np.float32))


def test_B_audio_14_denormal(capfd, listed):
    sound, said = prepared(capfd, listed, wav(np.full(6400, 1e-40, "<f4")))
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= np.float32(1e-40)
    assert "note" not in said
