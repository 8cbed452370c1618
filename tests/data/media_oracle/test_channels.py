"""Channels are mixed as ffmpeg mixes them, or one of them is taken."""

import numpy as np
import pytest

from tests.data.media_oracle.ffmpeg import needs_ffmpeg, run
from tests.data.media_oracle.reading import sound_of
from tests.data.media_oracle.signals import noise, snr

pytestmark = needs_ffmpeg

RATE, SECONDS = 16_000, 0.5
WRITTEN = [("wav", "pcm_s24le"), ("flac", "flac"), ("mkv", "pcm_f32le"), ("mov", "pcm_s16le"), ("m4a", "alac")]


def write(path, codec, channels, layout):
    """Independent noise in every channel; returns it, float32 [samples, channels]."""
    sound = 0.4 * noise(RATE, SECONDS, channels)
    raw = path.with_suffix(".raw")
    sound.astype("<f4").tofile(raw)
    source = ["-f", "f32le", "-ar", RATE, "-ac", channels, "-channel_layout", layout, "-i", raw]
    run(*source, "-c:a", codec, *(["-sample_fmt", "s16p"] if codec == "alac" else []), path)
    return sound


def mixed(path):
    """What `ffmpeg -ac 1` writes into whole numbers, for which it divides so that nothing is clipped."""
    raw, _ = run("-i", path, "-ac", "1", "-f", "s32le", "-")
    return np.frombuffer(raw, np.int32) / 2**31


def close(heard, wanted):
    return snr(heard[: len(wanted)].astype(float), wanted.astype(float)) >= 40


@pytest.mark.parametrize(("suffix", "codec"), WRITTEN)
def test_stereo(tmp_path, suffix, codec):
    path = tmp_path / f"a.{suffix}"
    sound = write(path, codec, 2, "stereo")
    assert close(sound_of(path, RATE, SECONDS), mixed(path))
    assert close(sound_of(path, RATE, SECONDS), sound.mean(axis=1))
    assert close(sound_of(path, RATE, SECONDS, channel="left"), sound[:, 0])
    assert close(sound_of(path, RATE, SECONDS, channel="right"), sound[:, 1])


@pytest.mark.parametrize(("suffix", "codec"), WRITTEN)
@pytest.mark.parametrize(("channels", "layout"), [(3, "2.1"), (4, "quad"), (6, "5.1"), (8, "7.1")])
def test_more_channels_are_mixed_as_ffmpeg_mixes_them(tmp_path, suffix, codec, channels, layout):
    path = tmp_path / f"a.{suffix}"
    write(path, codec, channels, layout)
    assert close(sound_of(path, RATE, SECONDS, channel="downmix"), mixed(path))
