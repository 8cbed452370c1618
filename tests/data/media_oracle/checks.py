"""What raymm reads from a file against what the command ffmpeg reads, and against what the file was made of."""

import math

import numpy as np

from tests.data.media_oracle.reading import frames_of, sound_of, window_of
from tests.data.media_oracle.signals import lag, lags, numbers, snr

LEAST_SNR = 40.0
CLOSE = 1.05e-3
"""Seconds; containers with timestamps in whole milliseconds are read half of one off."""

PADDING = 0.06
"""Seconds of silence that an encoder adds, at most, and that a reader may count or not."""


def placed(samples, start, rate, seconds):
    """Samples [n, channels] as their mean, from `start` on, in a window of silence."""
    out = np.zeros(round(rate * seconds))
    first = round(start * rate)
    kept = samples.mean(axis=1)[: max(len(out) - first, 0)]
    out[first : first + len(kept)] = kept
    return out


def check_sound(combination, path, decoded):
    """The samples are ffmpeg's, at ffmpeg's time; where the file says how late it is, at the time they were made for."""
    rate = combination.rate
    end = decoded.sound_start + len(decoded.sound) / rate
    window = end + 0.3
    heard = sound_of(path, rate, window).astype(np.float64)
    wanted = placed(decoded.sound, decoded.sound_start, rate, window)
    late, _ = lag(heard, wanted, rate // 5)
    assert abs(late) / rate <= CLOSE, f"the sound is {late / rate * 1000:+.2f} ms later than ffmpeg's"
    certain = np.arange(len(wanted)) < (combination.sound_end - combination.cut - 0.002) * rate
    level = snr(np.roll(heard, -late)[certain], wanted[certain])
    assert level >= LEAST_SNR, f"{level:.1f} dB between raymm's and ffmpeg's samples"
    assert not heard[math.ceil((end + CLOSE) * rate) :].any(), "sound after the end"
    if combination.exact:
        made = placed(combination.sound, combination.audio_late - combination.clock_zero, rate, window)
        off = lags(heard, made, rate)
        assert np.abs(off).max() <= 2 * CLOSE, f"pieces are late by {np.round(off * 1000, 2).tolist()} ms"


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
    sound = decoded.sound_start + len(decoded.sound) / combination.rate if combination.audio else 0.0
    picture = times_of(combination, decoded)[-1] + combination.period if combination.video else 0.0
    for modality, end in {"audio": sound, "rgb": picture}.items():
        if not end:
            continue
        found = window_of(path, modality)
        assert end - PADDING <= found <= max(sound, picture) + 0.2, f"a window of {found} s of {modality} for {end} s"


def times_of(combination, decoded):
    """When each frame appears: as ffmpeg says, or by number and rate where the file holds no times."""
    return combination.frame_times if combination.untimed else decoded.times


def frame_at(made, times, time):
    """Number of the frame on the screen: the last that does not begin after `time`; before the first, the first."""
    return made[max(int(np.searchsorted(times, time + 1e-6, side="right")) - 1, 0)]
