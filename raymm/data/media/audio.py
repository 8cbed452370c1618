"""Read the sound of a file at its true time.

Time 0 is that of the video of the same file. Samples are placed by their timestamps: what comes before 0 is
dropped (an AAC encoder puts 1,024 priming samples before the sound and marks them by negative timestamps), and a
late start is filled with zeros. Some files carry the priming samples without the mark; their sound is then longer
than their picture by exactly those 1,024 samples, and they are dropped all the same.
"""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import torch
from torchaudio.functional import resample

from raymm.data.media.problem import MediaError

__all__ = ["MAX_CHANNELS", "read_audio"]

MAX_CHANNELS = 2
PRIMING = 1024
UNKNOWN_BYTES = 0xFFFFFFFF
"""What a WAV header says when it was written to a pipe."""
SHORTFALL = 0.1
"""Seconds, beside a tenth of the length, by which a file may be shorter than it says."""

Waveform = npt.NDArray[np.float32]


def read_audio(path: Path, rate: int, seconds: float) -> Waveform:
    """The first `seconds` of the first audio stream, mixed to mono.

    Returns
    -------
    float32 [round(rate * seconds)] in [-1, 1]; zeros after the end of the file.

    Raises
    ------
    MediaError
        When there is no audio stream, it has more than two channels, it holds nothing, NaN or infinity, or the
        file cannot be decoded or ends before it says.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise MediaError("has no audio stream")
            stream = container.streams.audio[0]
            if stream.codec_context.channels > MAX_CHANNELS:
                raise MediaError(f"has {stream.codec_context.channels} audio channels; mono and stereo are read")
            source_rate = int(stream.codec_context.rate)
            waveform, ended = _decode(container, stream, source_rate, seconds)
            stated = _stated_seconds(container, stream)
    except (av.FFmpegError, OSError, ValueError) as cause:
        raise MediaError(f"cannot be decoded ({cause})") from cause
    _check(path, waveform, source_rate, ended, stated)
    return _fit(torch.from_numpy(waveform), source_rate, rate, seconds)


def _decode(
    container: "av.container.InputContainer", stream: "av.AudioStream", rate: int, seconds: float
) -> tuple[Waveform, bool]:
    """Samples from time 0 on, at the file's own rate, and whether the stream came to its end."""
    to_float = av.AudioResampler(format="fltp")
    pieces: list[tuple[int, Waveform]] = []
    early = _unmarked_priming(container, stream, rate)
    end = -early
    ended = True
    for frame in container.decode(stream):
        for converted in to_float.resample(frame):
            samples = converted.to_ndarray().mean(axis=0)
            start = end if converted.pts is None else round(float(converted.pts * converted.time_base) * rate) - early
            end = start + len(samples)
            if end > 0:
                pieces.append((start, samples))
        if pieces and pieces[-1][0] >= seconds * rate:
            ended = False
            break
    length = max((start + len(samples) for start, samples in pieces), default=0)
    waveform = np.zeros(length, np.float32)
    for start, samples in pieces:
        first = max(start, 0)
        waveform[first : start + len(samples)] = samples[first - start :]
    return waveform, ended


def _unmarked_priming(container: "av.container.InputContainer", stream: "av.AudioStream", rate: int) -> int:
    """Number of priming samples that the timestamps of an AAC stream do not show: 0 or 1,024."""
    if stream.codec_context.name != "aac" or not container.streams.video or (stream.start_time or 0) != 0:
        return 0
    with av.open(container.name) as again:
        first = next(iter(again.demux(again.streams.audio[0])))
    sound = _stated_seconds(container, stream)
    picture = _stated_seconds(container, container.streams.video[0])
    if first.pts is None or first.pts < 0 or sound is None or picture is None:
        return 0
    return PRIMING if abs((sound - picture) * rate - PRIMING) < PRIMING / 64 else 0


def _stated_seconds(
    container: "av.container.InputContainer", stream: "av.AudioStream | av.VideoStream"
) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _check(path: Path, waveform: Waveform, rate: int, ended: bool, stated: float | None) -> None:
    if not len(waveform):
        raise MediaError("has an audio stream of zero length")
    if not np.isfinite(waveform).all():
        raise MediaError(f"holds {int((~np.isfinite(waveform)).sum())} audio samples that are NaN or infinite")
    decoded = len(waveform) / rate
    if ended and stated is not None and decoded < 0.9 * stated - SHORTFALL:
        raise MediaError(f"is truncated: {decoded:.2f} s of sound of the {stated:.2f} s it says")
    _check_riff(path)


def _check_riff(path: Path) -> None:
    """FFmpeg takes the length of a WAV file from its size, so a cut one must be found by its header."""
    with path.open("rb") as file:
        head = file.read(12)
    stated = int.from_bytes(head[4:8], "little")
    if head[:4] != b"RIFF" or head[8:] != b"WAVE" or stated == UNKNOWN_BYTES:
        return
    if stated + 8 > path.stat().st_size + 1:
        raise MediaError(f"is truncated: {path.stat().st_size} bytes of the {stated + 8} it says")


def _fit(waveform: torch.Tensor, source_rate: int, rate: int, seconds: float) -> Waveform:
    """Resample, then cut or pad with zeros."""
    if source_rate != rate:
        waveform = resample(waveform, source_rate, rate)
    out = np.zeros(round(rate * seconds), np.float32)
    kept = waveform.numpy()[: len(out)]
    out[: len(kept)] = kept
    return out
