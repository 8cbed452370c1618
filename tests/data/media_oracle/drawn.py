"""Combinations that nobody listed: hypothesis draws what a container can hold."""

import math

from hypothesis import strategies as st

from tests.data.media_oracle import listed
from tests.data.media_oracle.combinations import Combination

EVERY_RATE = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
RATES = {
    "ac3": (32_000, 44_100, 48_000),
    "mp2": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "libmp3lame": EVERY_RATE,
    "libopus": (48_000,),
    "aac -b:a 96k": EVERY_RATE,
    "libvorbis": EVERY_RATE,
    "flac": EVERY_RATE,
    "alac": EVERY_RATE,
    "pcm_s16le": EVERY_RATE,
    "pcm_f32le": EVERY_RATE,
    "pcm_u8": EVERY_RATE,
}
FLV_RATES = (11_025, 22_050, 44_100)
"""All that the header of FLV has a number for."""

FPS = ("10", "12", "15", "24000/1001", "24", "25", "30000/1001", "30", "50")
MPEG2_FPS = ("24000/1001", "25", "30000/1001", "50")
AAC = "aac -b:a 96k"

HOLDS = {
    "mp4": ([listed.H264, listed.MPEG4, listed.VP9], [AAC, "libmp3lame", "ac3", "alac"]),
    "mov": ([listed.H264, listed.MPEG4, listed.MJPEG], [AAC, "alac", "pcm_s16le", "pcm_f32le"]),
    "mkv": (
        [listed.H264, listed.MPEG4, listed.VP8, "ffv1"],
        [AAC, "libmp3lame", "libopus", "flac", "pcm_s16le", "ac3"],
    ),
    "webm": ([listed.VP8, listed.VP9], ["libopus", "libvorbis"]),
    "avi": ([listed.H264, listed.MPEG4, listed.MJPEG], ["pcm_s16le", "pcm_u8", "ac3"]),
    "flv": ([listed.H264, listed.FLV1], [AAC, "libmp3lame", "pcm_s16le"]),
    "ts": ([listed.H264, "mpeg2video -q:v 1"], [AAC, "libmp3lame", "mp2", "ac3"]),
    "mpg": (["mpeg2video -q:v 1"], ["mp2"]),
}
ALONE = {
    "m4a": [AAC, "alac"],
    "mp3": ["libmp3lame", "libmp3lame -q:a 3", "libmp3lame -b:a 48k"],
    "aac": [AAC],
    "ogg": ["libvorbis", "flac"],
    "opus": ["libopus"],
    "flac": ["flac"],
    "wav": ["pcm_s16le", "pcm_f32le", "pcm_u8"],
}
LATE = {"mp4", "mov", "mkv", "webm", "flv", "ts"}
"""Containers in which a stream can begin late."""

WITH_B_FRAMES = ("libx264", "mpeg4", "mpeg2video")


def rates(suffix, codec):
    """Rates that the codec and the container have a number for."""
    every = RATES.get(codec, EVERY_RATE)
    if suffix == "flv":
        return [rate for rate in every if rate in FLV_RATES]
    return [rate for rate in every if rate >= 16_000 or (suffix, codec) != ("mp4", "libmp3lame")]


@st.composite
def sounds(draw):
    """A file of sound."""
    suffix = draw(st.sampled_from(sorted(ALONE)))
    codec = draw(st.sampled_from(ALONE[suffix]))
    channels = draw(st.sampled_from([1, 2]))
    seconds = draw(st.integers(4, 30)) / 10
    rate = draw(st.sampled_from(rates(suffix, codec)))
    return Combination(suffix, audio=codec, rate=rate, channels=channels, seconds=seconds, exact=False)


@st.composite
def clips(draw):
    """A file of pictures and sound."""
    suffix = draw(st.sampled_from(sorted(HOLDS)))
    video, audio = (draw(st.sampled_from(codecs)) for codecs in HOLDS[suffix])
    fps = draw(st.sampled_from(MPEG2_FPS if video.startswith("mpeg2") else FPS))
    between = draw(st.integers(0, 3)) if video.startswith(WITH_B_FRAMES) else 0
    period = Combination("", fps=fps).period
    frames = draw(st.integers(math.ceil(0.4 / period) + 2, math.ceil(1.6 / period)))
    late = draw(st.integers(0, 10)) * period if suffix in LATE else 0.0
    first = draw(st.integers(1, frames - 3))
    return Combination(
        suffix,
        video + f" -bf {between}" * video.startswith(WITH_B_FRAMES),
        audio,
        fps,
        frames * period,
        draw(st.sampled_from(rates(suffix, audio))),
        draw(st.sampled_from([1, 2])),
        draw(st.none() | st.integers(4, 20).map(lambda tenths: tenths / 10)),
        **{draw(st.sampled_from(["video_late", "audio_late"])): late},
        dropped=draw(st.none() | st.just((first, frames - 3))) if suffix in LATE else None,
        exact=False,
        untimed=suffix == "avi" and between > 0,
    )
