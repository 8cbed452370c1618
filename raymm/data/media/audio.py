"""Read the sound of a file as one continuous stream from time 0 of the file.

Time 0 is the earliest start of the file's sound and moving pictures. Samples follow one another by their number,
since timestamps may be rounded (to milliseconds in Matroska and FLV): only a step of more than a packet is a gap,
which becomes silence, or an overlap, which is trimmed. The delay and the padding of encoders that a file declares are
not sound (FFmpeg drops them; the padding of an MP4 is dropped here). Some MP4 files hold the 1,024 priming samples of
AAC without declaring them; their sound is then longer than their picture by exactly those, and they are dropped too.
"""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from raymm.data.media.channels import Cancelling, Channel, own_order, to_mono
from raymm.data.media.clipping import is_clipped
from raymm.data.media.container import (
    Input,
    LastPacketError,
    Stream,
    open_media,
    real_streams,
    stream_of,
    zero_of,
)
from raymm.data.media.declared import check_end, known_end
from raymm.data.media.packets import decoded
from raymm.data.media.pieces import MP4
from raymm.data.media.problem import MediaError
from raymm.data.media.reel import Reel
from raymm.data.media.resampling import resampled

__all__ = ["Sound", "read_audio", "read_sound"]

PRIMING = 1024
READ_ON = 0.1
"""Seconds after the window that are read as well, to tell whether the sound goes on."""
MOST_RATE = 10_000_000
"""Samples a second, more than any recorder takes."""

Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """A waveform; how long the sound is, or at least is; whether its two channels cancel; whether it is clipped."""

    waveform: Waveform
    seconds: float
    antiphase: bool
    clipped: bool


def read_audio(
    path: Path, rate: int, seconds: float, stream: int | None = None, channel: Channel = "downmix"
) -> Waveform:
    """The first `seconds` of an audio stream, mixed to mono.

    Parameters
    ----------
    path, rate, seconds
        The file, the samples a second that are wanted, and the window.
    stream
        Number among the file's audio streams, from 0 on; None takes the first.
    channel
        How channels become one (`raymm.data.media.channels.to_mono`).

    Returns
    -------
    float32 [round(rate * seconds)]; zeros after the end of the file. Full scale is 1: integer samples lie in [-1, 1],
    float samples beyond it are kept as they are.

    Raises
    ------
    MediaError
        When there is no such stream or channel, it holds nothing, NaN or infinity, or the file cannot be decoded or
        ends before it says.
    """
    return read_sound(path, rate, seconds, stream, channel).waveform


def read_sound(
    path: Path, rate: int, seconds: float, stream: int | None = None, channel: Channel = "downmix"
) -> Sound:
    """As `read_audio`, with what there is to say about the sound."""
    with open_media(path) as container:
        chosen = stream_of(container, "audio", stream)
        reel = Reel(container, zero_of(container))
        cancelling = Cancelling()
        try:
            ended = _decode(container, chosen, reel, cancelling, seconds, channel)
        except LastPacketError:
            check_end(container, chosen, reel.seconds + float(reel.zero), failed=True)
            raise
        waveforms = reel.waveforms(seconds + READ_ON)
        _check(waveforms)
        if ended:
            check_end(container, chosen, reel.seconds + float(reel.zero))
        end = None if ended else known_end(container, chosen)
    clipped = any(is_clipped(waveform) for waveform in waveforms.values())
    fitted = [_fit(waveform, source_rate, rate, seconds) for source_rate, waveform in waveforms.items()]
    out = sum(fitted[1:], fitted[0])
    return Sound(out, max((end or 0.0) - float(reel.zero), reel.seconds), cancelling.found, clipped)


def _check(waveforms: dict[int, Waveform]) -> None:
    """Refuse sound without samples, or with samples that are no numbers."""
    if not any(len(waveform) for waveform in waveforms.values()):
        raise MediaError("has an audio stream of zero length")
    wrong = sum(int((~np.isfinite(waveform)).sum()) for waveform in waveforms.values())
    if wrong:
        raise MediaError(f"holds {wrong} audio samples that are NaN or infinite")


def _decode(
    container: Input,
    stream: Stream,
    reel: Reel,
    cancelling: Cancelling,
    seconds: float,
    channel: Channel,
) -> bool:
    """Fill a reel until it covers the window; whether the stream came to its end."""
    order = own_order(stream)
    planes = stream.codec_context.layout.nb_channels < 8  # PyAV cannot read eight planes
    to_float = av.AudioResampler(format="fltp" if planes else "flt")
    first, declared = True, False
    for packet, frames in decoded(container, stream):
        if first:
            first = False
            declared = packet.pts is not None and packet.pts < (stream.start_time or 0)
            reel.early = _unmarked_priming(container, stream) if packet.pts is not None and not declared else 0
        for frame in frames:
            if frame.sample_rate > MOST_RATE:
                raise MediaError(
                    f"says that it has {frame.sample_rate} samples a second; at most {MOST_RATE} are read"
                )
            samples = np.concatenate([part.to_ndarray() for part in to_float.resample(frame)], axis=1)
            samples = samples if planes else samples.reshape(-1, frame.layout.nb_channels).T
            cancelling.add(samples)
            names = order or tuple(item.name for item in frame.layout.channels)
            reel.add(to_mono(samples, names, channel), frame.sample_rate, frame.pts, frame.time_base)
        if reel.starts_after(seconds + READ_ON):
            return False
    if declared and container.format.name == MP4 and stream.duration is not None:
        reel.cut((stream.start_time or 0) * stream.time_base + stream.duration * stream.time_base - reel.zero)
    return True


def _unmarked_priming(container: Input, stream: Stream) -> int:
    """Number of priming samples that the timestamps of an AAC stream in MP4 do not show: 0 or 1,024."""
    picture = real_streams(container)[-1]
    if stream.codec_context.name != "aac" or container.format.name != MP4 or picture.type != "video":
        return 0
    if (stream.start_time or 0) != 0 or stream.duration is None or picture.duration is None:
        return 0
    longer = stream.duration * stream.time_base - picture.duration * picture.time_base
    return PRIMING if abs(longer * stream.codec_context.sample_rate - PRIMING) < PRIMING / 64 else 0


def _fit(waveform: Waveform, source_rate: int, rate: int, seconds: float) -> Waveform:
    """Resample, then cut or pad with zeros."""
    out = np.zeros(round(rate * seconds), np.float32)
    kept = waveform[: len(out)] if source_rate == rate else resampled(waveform, source_rate, rate, len(out))
    out[: len(kept)] = kept
    return out
