"""The command ffmpeg as a second reader: it makes the files, and says what is in them without PyAV."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.data.media_oracle.signals import HEIGHT, WIDTH

FFMPEG = shutil.which("ffmpeg")
LEAST = (5, 1)
"""The first version that knows `-fps_mode`. Tried were 5.1 and 9.0."""


def version():
    """Of the command, as (major, minor); a build of a day in between counts as the newest, no command as (0, 0)."""
    if FFMPEG is None:
        return 0, 0
    words = subprocess.run([FFMPEG, "-version"], capture_output=True, text=True, check=True).stdout
    numbers = re.match(r"ffmpeg version n?(\d+)\.(\d+)", words)
    return (int(numbers[1]), int(numbers[2])) if numbers else (99, 0)


needs_ffmpeg = pytest.mark.skipif(
    version() < LEAST,
    reason="there is no command ffmpeg of version 5.1 or newer for the oracle (Debian 12: apt install ffmpeg)",
)


@cache
def encoders():
    """Names of the encoders that this build of the command has."""
    words = subprocess.run([FFMPEG, "-hide_banner", "-encoders"], capture_output=True, text=True, check=True).stdout
    return {line.split()[1] for line in words.splitlines() if len(line.split()) > 2}


def skip_without_encoder(combination):
    """Skip the test where this build of the command lacks a codec of the file."""
    wanted = {codec.split()[0] for codec in (combination.video, combination.audio) if codec}
    if lacking := sorted(wanted - encoders()):
        pytest.skip(f"this build of ffmpeg has no encoder {', '.join(lacking)}")


PICTURE = re.compile(r"Parsed_showinfo_\S+ @ \S+ n: *\d+ pts: *\S+ pts_time: *(\S+)")
SOUND = re.compile(r"Parsed_ashowinfo_\S+ @ \S+ n:\d+ pts:\S+ pts_time:(\S+) .* nb_samples:(\d+)")


@dataclass(frozen=True)
class Decode:
    """What ffmpeg reads from a file, in seconds of the file's clock.

    Attributes
    ----------
    sound
        float32 [samples, channels]; None where there is no sound.
    pieces
        Of the sound, each without a gap: number of its first sample, and when it is heard.
    frames
        uint8 [T, HEIGHT, WIDTH, 3]; None where there is no picture.
    times
        Time of each frame.
    """

    sound: np.ndarray | None
    pieces: list[tuple[int, float]]
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
    """What the command reads, with the timestamps of the file; its clock starts with its earliest stream.

    Each stream is read by a command of its own: from version 7 on the threads of one write into each other's lines.
    """
    sound, picture = path.with_suffix(".sound.raw"), path.with_suffix(".frames.raw")
    read, heard, shown = ["-nostats", "-copyts", "-i", path], "", ""
    if combination.audio:
        _, heard = run(*read, "-map", "0:a:0", "-af", "ashowinfo", "-f", "f32le", sound)
    if combination.video:
        frames = ["-map", "0:v:0", "-vf", "showinfo", "-fps_mode", "passthrough"]
        _, shown = run(*read, *frames, "-f", "rawvideo", "-pix_fmt", "rgb24", picture)
    packets = [(float(time), int(count)) for time, count in SOUND.findall(heard) if time != "NOPTS"]
    seen = np.array([float(time) for time in PICTURE.findall(shown)])
    zero = min([*(time for time, _ in packets[:1]), *seen[:1]])
    return Decode(
        sound=np.fromfile(sound, np.float32).reshape(-1, combination.channels) if combination.audio else None,
        pieces=joined([(time - zero, count) for time, count in packets], combination.rate),
        frames=np.fromfile(picture, np.uint8).reshape(-1, HEIGHT, WIDTH, 3) if combination.video else None,
        times=seen - zero,
    )


def joined(packets, rate):
    """Pieces of packets (time, samples): a new one begins where the next packet comes later by more than a packet."""
    pieces, number = [], 0
    for time, count in packets:
        if not pieces or (time - pieces[-1][1]) * rate - (number - pieces[-1][0]) > max(count, 1024):
            pieces.append((number, time))
        number += count
    return pieces
