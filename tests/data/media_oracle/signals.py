"""Sound and pictures whose every part tells its own time.

The sound is noise below 1.6 kHz, which resembles itself at no other time, so any piece of it can be found again after
a lossy codec. A frame carries its number twice over, as the grey levels of its left and right half.
"""

import numpy as np

WIDTH, HEIGHT = 64, 48
LEVELS, LOWEST, STEP = 27, 16, 8
"""729 frames; neighbouring levels are 8 apart, which a codec that is given enough bits keeps apart."""

PIECE = 0.15
"""Seconds of sound that are looked for."""

REACH = 0.15
"""Seconds by which they may be early or late and are found."""


def noise(rate, seconds, channels=1, seed=0):
    """float32 [samples, channels] in [-0.5, 0.5]; channels differ."""
    count = round(rate * seconds)
    white = np.random.default_rng(seed).standard_normal((count, channels))
    spectrum = np.fft.rfft(white, axis=0)
    spectrum[np.fft.rfftfreq(count, 1 / rate) > 1600] = 0
    low = np.fft.irfft(spectrum, count, axis=0)
    return (0.5 * low / np.abs(low).max()).astype(np.float32)


def numbered(count):
    """uint8 [count, HEIGHT, WIDTH, 3]."""
    frames = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, : WIDTH // 2] = LOWEST + STEP * (number % LEVELS)
        frame[:, WIDTH // 2 :] = LOWEST + STEP * (number // LEVELS)
    return frames


def numbers(frames):
    """The numbers of frames [T, height, width, ...] of any size."""
    height, width = frames.shape[1:3]
    middle = frames[:, height // 4 : height - height // 4].reshape(len(frames), height - 2 * (height // 4), width, 3)
    low = middle[:, :, width // 8 : width // 2 - width // 8].mean(axis=(1, 2, 3))
    high = middle[:, :, width // 2 + width // 8 : width - width // 8].mean(axis=(1, 2, 3))
    return (np.rint((low - LOWEST) / STEP) + LEVELS * np.rint((high - LOWEST) / STEP)).astype(int).tolist()


def lag(heard, wanted, most):
    """Samples, at most `most`, by which `heard` comes later than `wanted`, and how alike they are there (0 to 1)."""
    count = len(heard) + len(wanted)
    product = np.fft.irfft(np.fft.rfft(heard, count) * np.conj(np.fft.rfft(wanted, count)), count)
    lags = np.r_[0 : most + 1, -most:0]
    best = lags[np.argmax(product[lags])]
    scale = np.sqrt((heard**2).sum() * (wanted**2).sum())
    return int(best), float(product[best] / scale) if scale else 0.0


def lags(heard, wanted, rate):
    """Lags in seconds of every piece of `wanted` (both [samples]) in `heard`; NaN where it is not found."""
    size, most, found = round(PIECE * rate), round(REACH * rate), []
    heard = np.pad(heard, (most, max(len(wanted) - len(heard), 0) + most))
    for start in range(0, len(wanted) - size + 1, size):
        piece = np.zeros(size + 2 * most)
        piece[most : most + size] = wanted[start : start + size]
        if not piece.any():
            continue
        late, alike = lag(heard[start : start + size + 2 * most], piece, most)
        found.append(late / rate if alike > 0.4 else np.nan)
    return np.array(found)


def snr(heard, wanted):
    """Decibels of `wanted` over what `heard` differs from it by."""
    error = float(((heard - wanted) ** 2).mean())
    return 200.0 if error == 0 else 10 * np.log10(float((wanted**2).mean()) / error)
