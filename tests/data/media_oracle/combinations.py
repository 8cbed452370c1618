"""What media files may be made of, and how the command ffmpeg makes one."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.data.media_oracle.ffmpeg import run
from tests.data.media_oracle.signals import HEIGHT, WIDTH, noise, numbered


def brief(codec):
    """An encoder's name; with what its options say of B frames and quality."""
    name, *options = codec.split()
    kept = [f"{option}{value}" for option, value in zip(options[::2], options[1::2], strict=True)]
    return "".join([name, *(option for option in kept if option.startswith(("-bf", "-q:a")))])


TICKS = {"mkv": 1000, "webm": 1000, "flv": 1000, "ts": 90_000}
"""A second in the timestamps of a container."""


@dataclass(frozen=True)
class Combination:
    """A file: pictures, sound or both, each from its own time on.

    Attributes
    ----------
    suffix
        Of the name, which chooses the container.
    video, audio
        Codecs as ffmpeg calls its encoders, each with options after it; empty for none.
    fps, seconds
        Of the pictures.
    rate, channels, sound_seconds
        Of the sound, which lasts as long as the pictures where it is None.
    video_late, audio_late
        Seconds after time 0 at which a stream begins.
    dropped
        First and last number of frames that are left out, so that the one before stays on the screen.
    jump, jitter
        Seconds by which all packets of sound from the 20th on come later, so that there is a gap, and by which the
        timestamps of packets are wrong, which then are no gaps.
    cut
        Seconds that are cut off the start of the finished file without encoding again.
    options
        Of the container.
    exact
        Whether the file keeps the times it was made with. Else its encoder delays the sound by what the file does not
        say, or the container moves a stream, and only ffmpeg tells what is to be heard when.
    untimed
        Whether frames have no time of their own, but the frame rate and the order in which they are shown.
    """

    suffix: str
    video: str = ""
    audio: str = ""
    fps: str = "25"
    seconds: float = 1.2
    rate: int = 16_000
    channels: int = 1
    sound_seconds: float | None = None
    video_late: float = 0.0
    audio_late: float = 0.0
    dropped: tuple[int, int] | None = None
    jump: float = 0.0
    jitter: float = 0.0
    cut: float = 0.0
    options: str = ""
    exact: bool = True
    untimed: bool = False

    @property
    def name(self):
        """What a test is called by."""
        late = f"-v{self.video_late:g}" * (self.video_late > 0) + f"-a{self.audio_late:g}" * (self.audio_late > 0)
        picture = f"{brief(self.video)}-{self.fps.replace('/', ':')}" if self.video else ""
        sound = f"{brief(self.audio)}-{self.rate}x{self.channels}" if self.audio else ""
        ends = f"-{self.seconds:g}s" + (f"-{self.sound_seconds:g}s" if self.sound_seconds else "")
        gap = f"-without{self.dropped[0]}to{self.dropped[1]}" if self.dropped else ""
        moved = f"-jump{self.jump:g}" * bool(self.jump) + f"-jitter{self.jitter:g}" * bool(self.jitter)
        more = (
            moved + f"-{'-'.join(self.options.split())}" * bool(self.options) + f"-cut{self.cut:g}" * bool(self.cut)
        )
        return f"{self.suffix}-{'+'.join(filter(None, [picture, sound]))}{ends}{late}{gap}{more}"

    @property
    def period(self):
        """Seconds between frames."""
        return float(1 / Fraction(self.fps))

    @property
    def sound(self):
        """float32 [samples, channels], from the time at which the sound begins."""
        seconds = self.seconds if self.sound_seconds is None else self.sound_seconds
        return noise(self.rate, seconds, self.channels)

    @property
    def sound_end(self):
        """When the sound that was made ends, on the clock that begins with the earliest stream."""
        return self.audio_late - self.clock_zero + len(self.sound) / self.rate + self.jump

    @property
    def kept(self):
        """Numbers of the frames that the file holds."""
        first, last = self.dropped or (1, 0)
        return [number for number in range(round(self.seconds / self.period)) if not first <= number <= last]

    @property
    def frame_times(self):
        """When each of the kept frames appears, on the clock that begins with the earliest stream."""
        late = self.video_late - self.clock_zero
        return np.array(self.kept) * self.period + late

    @property
    def clock_zero(self):
        """When the earliest stream begins, in the time of the options `-itsoffset`."""
        return min([self.video_late] * bool(self.video) + [self.audio_late] * bool(self.audio))

    def make(self, folder: Path) -> Path:
        """Write the file."""
        path, inputs, outputs = folder / f"media.{self.suffix}", [], []
        if self.video:
            count = round(self.seconds / self.period)
            raw = folder / "made.frames.raw"
            numbered(count).tofile(raw)
            inputs += ["-itsoffset", self.video_late, "-f", "rawvideo", "-pix_fmt", "rgb24"]
            inputs += ["-s", f"{WIDTH}x{HEIGHT}", "-framerate", self.fps, "-i", raw]
            outputs += ["-map", "0:v", "-fps_mode", "passthrough", "-c:v", *self.video.split()]
            if self.dropped:
                outputs += ["-vf", f"select='not(between(n,{self.dropped[0]},{self.dropped[1]}))'"]
        if self.audio:
            raw = folder / "made.sound.raw"
            self.sound.tofile(raw)
            inputs += ["-f", "f32le", "-ar", self.rate, "-ac", self.channels, "-i", raw]
            outputs += ["-map", f"{int(bool(self.video))}:a", "-c:a", *self.audio.split()]
            if self.audio_late:  # version 9 forgets -itsoffset of raw sound
                outputs += ["-af", f"asetpts=PTS+{self.audio_late}/TB"]
            if self.jump or self.jitter:
                moved = f"TS+round(({self.jitter}*sin(9*N)+{self.jump}*gte(N\\,20))*{TICKS[self.suffix]})"
                outputs += ["-bsf:a", f"setts=ts={moved}"]
        run(*inputs, *outputs, *self.options.split(), path)
        if not self.cut:
            return path
        run("-ss", self.cut, "-i", path, "-c", "copy", folder / f"cut.{self.suffix}")
        return folder / f"cut.{self.suffix}"
