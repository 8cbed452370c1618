"""From what a kind shows of a value (`raymm.data.display`) to what a page holds: media with captions.

Each sort of display has one function here, in `DRAWERS`; a page is made of `Medium` by its template alone.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from raymm.counts import counted
from raymm.data.display import Bars, Display, Facts, FlowFrames, Frames, Heatmap, Sound, Traces, Words
from raymm.reports.gallery import svg
from raymm.reports.gallery.encode import flac_bytes, heatmap_bytes, picture_bytes, resampled
from raymm.reports.gallery.pictures import at_most, colours_of_flow, strip
from raymm.reports.spacing import evenly

__all__ = ["QUALITIES", "Medium", "Quality", "draw"]

MOST_TOKENS = 80
MOST_CHARACTERS = 1_000
MOST_CHANNELS = 8


@dataclass(frozen=True)
class Quality:
    """How much of a medium is kept.

    Attributes
    ----------
    rate, seconds
        Of a sound, at most.
    side, frames
        Pixels of the longer side of a picture, and pictures of a strip, at most.
    """

    rate: int
    seconds: float
    side: int
    frames: int

    @property
    def words(self) -> str:
        """The limits in a sentence."""
        return (
            f"sound is of at most {self.seconds:g} s and {self.rate / 1000:g} kHz, pictures have at most {self.side} "
            f"pixels a side, and strips at most {self.frames} frames"
        )


QUALITIES = (
    Quality(rate=16_000, seconds=10.0, side=128, frames=8),
    Quality(rate=16_000, seconds=4.0, side=96, frames=6),
    Quality(rate=8_000, seconds=3.0, side=72, frames=4),
    Quality(rate=8_000, seconds=1.5, side=48, frames=3),
)
"""From the best to the smallest."""


@dataclass(frozen=True)
class Medium:
    """Something to see or hear on a page.

    Attributes
    ----------
    form
        What element it becomes; "words" has `tokens`, "graphic" has `drawn`.
    caption, alternative
        What stands below it, and what is said in its place.
    content, mime
        Bytes of a file, and their type.
    size
        Width and height of a picture, in pixels.
    exact
        Whether each pixel should be seen as it is, since the picture is small.
    """

    form: Literal["sound", "picture", "graphic", "words", "facts"]
    caption: str = ""
    alternative: str = ""
    content: bytes = b""
    mime: str = ""
    size: tuple[int, int] = (0, 0)
    exact: bool = False
    drawn: svg.Drawn | None = None
    text: str = ""
    tokens: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The file as an address that needs no other file."""
        return f"data:{self.mime};base64,{base64.b64encode(self.content).decode()}"


def draw(display: Display, quality: Quality) -> Medium:
    """What a page holds of a display."""
    drawer: Callable[[Any, Quality], Medium] = DRAWERS[type(display)]
    return drawer(display, quality)


def _sound(sound: Sound, quality: Quality) -> Medium:
    whole = len(sound.waveform) / sound.rate
    heard, rate = resampled(sound.waveform[: round(quality.seconds * sound.rate)], sound.rate, quality.rate)
    seconds = len(heard) / rate
    said = f"{whole:.2f} s" if seconds >= whole - 0.005 else f"the first {seconds:.2f} of {whole:.2f} s"
    said += f", {rate / 1000:g} kHz" + ("" if rate == sound.rate else f" (in the data {sound.rate / 1000:g} kHz)")
    return Medium("sound", said, f"Sound, {said}", flac_bytes(heard, rate), "audio/flac")


def _heatmap(heatmap: Heatmap, quality: Quality) -> Medium:
    low, high = float(heatmap.values.min()), float(heatmap.values.max())
    parts = (heatmap.values - low) / ((high - low) or 1)
    levels = at_most(np.round(parts * 255).astype(np.uint8), 2 * quality.side)
    across, up = f"{heatmap.across} across", f"{heatmap.up} from bottom to top"
    said = f"{heatmap.what}: {across}, {up}"
    alternative = f"{said}; dark is {low:.3g}, bright is {high:.3g}"
    size = levels.shape[1], levels.shape[0]
    return Medium("picture", said, alternative, heatmap_bytes(levels), "image/png", size, exact=True)


def _frames(frames: Frames, quality: Quality) -> Medium:
    what = "picture" if len(frames.pictures) == 1 else "frames"
    return _strip(frames.pictures.transpose(0, 2, 3, 1), frames.times, what, quality)


def _flow(flow: FlowFrames, quality: Quality) -> Medium:
    largest = float(np.sqrt((flow.flow.astype(np.float64) ** 2).sum(axis=1)).max())
    what = f"fields of flow, full colour is {largest:.3g} pixels a frame"
    return _strip(colours_of_flow(flow.flow), flow.times, what, quality)


def _strip(pictures: npt.NDArray[np.uint8], times: tuple[float, ...], what: str, quality: Quality) -> Medium:
    """A row of pictures [frames, height, width, 3]."""
    count, height, width = pictures.shape[:3]
    shown = evenly(count, quality.frames)
    small = [at_most(pictures[number], quality.side) for number in shown]
    row = strip(small)
    form, content = picture_bytes(row)
    said = what if count == 1 else f"{len(shown)} of {count} {what}" if len(shown) < count else f"{count} {what}"
    if times and count > 1:
        said += f", at {', '.join(f'{times[number]:.2f}' for number in shown)} s"
    if small[0].shape[:2] != (height, width):
        said += f"; {width} x {height} pixels in the data"
    size = row.shape[1], row.shape[0]
    return Medium("picture", said, said, content, f"image/{form}", size, exact=max(height, width) <= quality.side)


def _traces(traces: Traces, quality: Quality) -> Medium:
    del quality
    channels, length = traces.series.shape
    shown = traces.series[:MOST_CHANNELS]
    over = counted(length, "sample") if traces.rate is None else f"{length / traces.rate:.2f} s"
    said = f"{counted(channels, 'channel')} over {over}"
    if len(shown) < channels:
        said = f"the first {len(shown)} of {said}"
    said += f", from {float(shown.min()):.3g} to {float(shown.max()):.3g}"
    means = ", ".join(f"{mean:.3g}" for mean in shown.mean(axis=1, dtype=np.float64).tolist())
    return Medium("graphic", said, f"Traces of {said}; means {means}", drawn=svg.traces(shown))


def _bars(bars: Bars, quality: Quality) -> Medium:
    del quality
    size = len(bars.values)
    said = f"{counted(size, 'number')}, from {bars.values.min():.3g} to {bars.values.max():.3g}"
    if size > svg.MOST_BARS:
        said += f"; a bar is the largest of {-(-size // svg.MOST_BARS)}"
    largest = int(np.abs(bars.values).argmax())
    alternative = f"Bars of {said}; the largest magnitude is {bars.values[largest]:.3g}, at number {largest + 1}"
    return Medium("graphic", said, alternative, drawn=svg.bars(bars.values))


def _words(words: Words, quality: Quality) -> Medium:
    del quality
    count = len(words.tokens)
    said = counted(count, "token") + (", the rest is cut off" if words.cut else "")
    if count > MOST_TOKENS:
        said += f"; {MOST_TOKENS} are shown"
    text = words.text if len(words.text) <= MOST_CHARACTERS else f"{words.text[:MOST_CHARACTERS]} ..."
    return Medium("words", said, text=text or "(empty text)", tokens=words.tokens[:MOST_TOKENS])


def _facts(facts: Facts, quality: Quality) -> Medium:
    del quality
    return Medium("facts", text=facts.text[:MOST_CHARACTERS])


DRAWERS: dict[type, Callable[..., Medium]] = {
    Sound: _sound,
    Heatmap: _heatmap,
    Frames: _frames,
    FlowFrames: _flow,
    Traces: _traces,
    Bars: _bars,
    Words: _words,
    Facts: _facts,
}
