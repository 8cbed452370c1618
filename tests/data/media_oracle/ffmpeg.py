"""The command ffmpeg as a second reader: it makes the files, and says what is in them without PyAV."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.data.media_oracle.signals import HEIGHT, WIDTH

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="there is no command ffmpeg (Debian: apt install ffmpeg)")

TIME = re.compile(r"Parsed_(a?)showinfo_\S+ @ \S+ n: *\d+ pts: *\S+ pts_time: *(\S+)")


@dataclass(frozen=True)
class Decode:
    """What ffmpeg reads from a file, in seconds of the file's clock.

    Attributes
    ----------
    sound
        float32 [samples, channels] without a gap; None where there is no sound.
    sound_start
        Time of the first sample.
    frames
        uint8 [T, HEIGHT, WIDTH, 3]; None where there is no picture.
    times
        Time of each frame.
    """

    sound: np.ndarray | None
    sound_start: float
    frames: np.ndarray | None
    times: np.ndarray


def run(*arguments, stdin=None):
    """Bytes of standard output and the text of standard error; fails with ffmpeg's own words."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-y", *map(str, arguments)]
    if stdin is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    words = done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"{' '.join(command)}\n{words[-2000:]}"
    return done.stdout, words


def decode(path: Path, combination) -> Decode:
    """What the command reads, with the timestamps of the file; its clock starts with its earliest stream."""
    outputs, sound, picture = [], path.with_suffix(".sound.raw"), path.with_suffix(".frames.raw")
    if combination.audio:
        outputs += ["-map", "0:a:0", "-af", "ashowinfo", "-f", "f32le", sound]
    if combination.video:
        outputs += ["-map", "0:v:0", "-vf", "showinfo", "-fps_mode", "passthrough"]
        outputs += ["-f", "rawvideo", "-pix_fmt", "rgb24", picture]
    _, words = run("-copyts", "-i", path, *outputs)
    found = TIME.findall(words)
    heard = [float(time) for kind, time in found if kind and time != "NOPTS"]
    seen = np.array([float(time) for kind, time in found if not kind])
    zero = min([*heard[:1], *seen[:1]])
    return Decode(
        sound=np.fromfile(sound, np.float32).reshape(-1, combination.channels) if combination.audio else None,
        sound_start=heard[0] - zero if heard else 0.0,
        frames=np.fromfile(picture, np.uint8).reshape(-1, HEIGHT, WIDTH, 3) if combination.video else None,
        times=seen - zero,
    )
