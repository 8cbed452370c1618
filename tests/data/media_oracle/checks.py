"""What raymm reads from a file against what the command ffmpeg reads, and against what the file was made of."""

import math

import numpy as np

from tests.data.media_oracle.reading import frames_of, sound_of, window_of
from tests.data.media_oracle.signals import lag, lags, numbers, snr

LEAST_SNR = 40.0
CLOSE = 1.05e-3
"""Seconds; containers with timestamps in whole milliseconds are read half of one off."""

PADDING = 1_200
"""Samples of silence that an encoder adds, at most, and that a reader may count or not."""


def spans(combination, decoded):
    """Pieces of the sound as ffmpeg reads it: float [samples], and when each begins."""
    ends = [number for number, _ in decoded.pieces[1:]] + [len(decoded.sound)]
    for (number, start), end in zip(decoded.pieces, ends, strict=True):
        yield decoded.sound[number:end].mean(axis=1).astype(np.float64), start


def sound_end(combination, decoded):
    """When the sound that ffmpeg reads ends."""
    return max(start + len(samples) / combination.rate for samples, start in spans(combination, decoded))


def check_sound(combination, path, decoded):
    """The samples are ffmpeg's, at ffmpeg's time; between and after them is silence."""
    rate, slack = combination.rate, math.ceil(CLOSE * combination.rate)
    heard = sound_of(path, rate, sound_end(combination, decoded) + 0.3).astype(np.float64)
    silent = np.ones(len(heard), bool)
    for samples, start in spans(combination, decoded):
        check_piece(heard, samples, start, rate, (combination.sound_end - combination.cut) * rate)
        silent[max(round(start * rate) - slack, 0) : round(start * rate) + len(samples) + slack] = False
    assert not heard[silent].any(), (
        f"sound at {np.flatnonzero(heard * silent)[[0, -1]] / rate} s, where there is none"
    )
    if combination.exact:
        first = round((combination.audio_late - combination.clock_zero) * rate)
        off = lags(heard, np.pad(combination.sound.mean(axis=1), (first, 0)), rate)
        assert np.abs(off).max() <= 2 * CLOSE, f"pieces are late by {np.round(off * 1000, 2).tolist()} ms"


def check_piece(heard, samples, start, rate, end):
    """The samples from `start` seconds on are in what is heard; beyond sample `end` is an encoder's padding."""
    first = round(start * rate)
    kept = np.arange(first, first + len(samples)) < end - 0.002 * rate
    around = np.pad(heard, (rate // 5, rate // 5))[first : first + len(samples) + 2 * (rate // 5)]
    late, _ = lag(around, np.pad(samples * kept, (rate // 5, 0)), rate // 5)
    assert abs(late) / rate <= CLOSE, f"what ffmpeg plays at {start:.3f} s is {late / rate * 1000:+.2f} ms later"
    level = snr(around[rate // 5 + late :][: len(samples)][kept], samples[kept])
    assert level >= LEAST_SNR, f"{level:.1f} dB between raymm's and ffmpeg's samples from {start:.3f} s on"


def check_frames(combination, path, decoded):
    """At any time the frame that ffmpeg shows; every frame once, in order."""
    made = numbers(decoded.frames)
    assert combination.cut or made == combination.kept, f"ffmpeg itself reads {made}"
    shown = times_of(combination, decoded)
    rate = 1 / combination.period
    count = math.ceil((shown[-1] + combination.period) * rate + 2)
    for fps in (rate, 2.7 * rate):
        times, frames = frames_of(path, fps, math.ceil(count * fps / rate))
        seen = numbers(frames)
        wanted = [{frame_at(made, shown, time - CLOSE), frame_at(made, shown, time + CLOSE)} for time in times]
        wrong = [(round(t, 3), s, sorted(w)) for t, s, w in zip(times, seen, wanted, strict=True) if s not in w]
        assert not wrong, f"of {len(seen)} frames at other times than ffmpeg's (time, raymm, ffmpeg): {wrong}"
    if combination.exact:
        assert np.abs(shown - combination.frame_times).max() < 2 * CLOSE, (
            "ffmpeg's own times are not those of the making"
        )


def check_window(combination, path, decoded):
    """What `raymm prepare` finds by itself covers all of the modality, and little more than the file."""
    sound = sound_end(combination, decoded) if combination.audio else 0.0
    picture = times_of(combination, decoded)[-1] + combination.period if combination.video else 0.0
    least = {"audio": sound - PADDING / combination.rate, "rgb": picture - CLOSE}
    for modality, end in {"audio": sound, "rgb": picture}.items():
        if not end:
            continue
        found = window_of(path, modality)
        assert least[modality] <= found <= max(sound, picture) + 0.2, (
            f"a window of {found} s of {modality} for {end} s"
        )


def times_of(combination, decoded):
    """When each frame appears: as ffmpeg says, or by number and rate where the file holds no times."""
    return combination.frame_times if combination.untimed else decoded.times


def frame_at(made, times, time):
    """Number of the frame on the screen: the last that does not begin after `time`; before the first, the first."""
    return made[max(int(np.searchsorted(times, time + 1e-6, side="right")) - 1, 0)]
