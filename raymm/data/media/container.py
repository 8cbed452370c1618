"""Open a media file as the file that it is, find its sound and its moving pictures, and its time 0.

A name is never a pattern or an address: `p%03d.png` and `12:30.mp4` are files. A picture that is attached to sound,
such as the cover of an album, is no video. Time 0 is the earliest start of the file's sound and moving pictures, so
that each of them, read alone, keeps its place beside the other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
from av.stream import Disposition

from raymm.data.media.pieces import lacking
from raymm.data.media.problem import MediaError

__all__ = [
    "Frame",
    "Input",
    "Kind",
    "LastPacketError",
    "Packet",
    "Stream",
    "demuxed",
    "has_sound",
    "open_media",
    "path_of",
    "real_streams",
    "stream_of",
    "zero_of",
]

Input = Any
"""av.container.InputContainer, whose types are not followed."""
Stream = Any
"""av.AudioStream or av.VideoStream."""
Frame = Any
"""av.VideoFrame."""
Packet = Any
"""av.Packet."""
Kind = Literal["audio", "video"]

OPTIONS = {"pattern_type": "none", "protocol_whitelist": "file"}
PLAYLISTS = ("hls", "concat", "dash", "sdp")
LATE_DECODERS = ("vorbis", "wmav1", "wmav2", "wmapro")
"""Their first packets give no sound, so that the stream starts later than its first timestamp."""


class LastPacketError(Exception):
    """Decoding fails where packets end: what follows from that depends on the end that the stream declares."""


@contextmanager
def open_media(path: Path) -> Iterator[Input]:
    """A media file, open for reading.

    Raises
    ------
    MediaError
        When the file is not one, is a list of other files, ends within what FFmpeg needs to open it, or an error of
        decoding comes out of the block.
    """
    try:
        with _opened(path) as container:
            if container.format.name in PLAYLISTS:
                raise MediaError(f"is a list of other files ({container.format.name}), not a media file")
            yield container
    except LastPacketError as last:
        raise MediaError(f"cannot be decoded ({last.__cause__})") from last
    except (av.FFmpegError, OSError, ValueError) as cause:
        raise MediaError(f"cannot be decoded ({cause})") from cause


def _opened(path: Path) -> Input:
    """A file by FFmpeg, which opens none that ends within some heads, such as that of a fragment of an MP4."""
    try:
        return av.open(f"file:{path}", options=OPTIONS, metadata_errors="replace")
    except (av.InvalidDataError, av.EOFError) as cause:
        if said := lacking(path):
            raise MediaError(said) from cause
        raise


def demuxed(container: Input, streams: Sequence[Stream]) -> Iterator[Packet]:
    """Packets of some streams, in the order of the file, and an empty one of each at its end.

    PyAV raises `IndexError` at the end of a file in which further streams began while it was read; those that are
    wanted have come to their end by then.
    """
    with suppress(IndexError):
        yield from container.demux(streams)


def stream_of(container: Input, kind: Kind, number: int | None = None) -> Stream:
    """The first real stream of a kind, or the one with a number among all streams of that kind, from 0 on.

    Raises
    ------
    MediaError
        When there is none, or it is one of the tiles of a picture.
    """
    every: list[Stream] = list(getattr(container.streams, kind))
    if number is not None and number >= len(every):
        raise MediaError(f"has {len(every)} {kind} streams; stream {number} (counted from 0) is not there")
    if number is not None:
        return every[number]
    if kind == "video":
        _refuse_tiles(every)
    real = _real(container, every)
    if not every:
        raise MediaError(f"has no {kind} stream")
    if not real:
        raise MediaError("has no video stream: its only picture is a cover")
    return real[0]


def real_streams(container: Input) -> list[Stream]:
    """The sound and the moving pictures of a file."""
    return [*container.streams.audio, *_real(container, list(container.streams.video))]


def has_sound(container: Input) -> bool:
    """Whether there is an audio stream."""
    return bool(container.streams.audio)


def zero_of(container: Input) -> Fraction:
    """The earliest start of the real streams in seconds, on the file's own time line."""
    starts = [_start(container, stream) for stream in real_streams(container)]
    return min((start for start in starts if start is not None), default=Fraction(0))


def _start(container: Input, stream: Stream) -> Fraction | None:
    if stream.codec_context.name in LATE_DECODERS:
        with open_media(path_of(container)) as again:
            first = next(again.decode(again.streams[stream.index]), None)
            if first is not None and first.pts is not None:
                return Fraction(first.pts * first.time_base)
    return None if stream.start_time is None else Fraction(stream.start_time * stream.time_base)


def _real(container: Input, streams: list[Stream]) -> list[Stream]:
    """Streams that are no attached pictures, nor, beside another video, a still."""
    real = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if len(real) > 1 and real[0].type == "video":
        return [stream for stream in real if not _is_still(container, stream)] or real[:1]
    return real


def _refuse_tiles(streams: list[Stream]) -> None:
    """A HEIC file holds one large picture as many small ones; how they lie beside one another, PyAV does not say."""
    tiles = sum(bool(stream.disposition & Disposition.dependent) for stream in streams)
    if tiles > 1:
        raise MediaError(
            f"is one picture in {tiles} tiles (HEIC), which are not put together; convert it to JPEG or PNG"
        )


def _is_still(container: Input, stream: Stream) -> bool:
    """Whether a video stream has one packet only."""
    if stream.frames > 1:
        return False
    with open_media(path_of(container)) as again:
        packets = (packet for packet in demuxed(again, [again.streams[stream.index]]) if packet.size)
        return len(list(islice(packets, 2))) < 2


def path_of(container: Input) -> Path:
    """Where an open file lies."""
    return Path(container.name.removeprefix("file:"))
