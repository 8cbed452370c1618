"""Pure functions on batches of values: noise, log-mel, shifts and mirroring.

All work on the whole batch at once, on the device of the values. Random amounts come in as arguments; nothing here
draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.deferred import Tensor, torch

if TYPE_CHECKING:
    from torchaudio.transforms import MelSpectrogram

__all__ = ["add_noise", "log_mel", "mirror", "shift_in_space", "shift_in_time"]

FLOOR = 1e-6
"""Added to mel powers before their logarithm is taken."""


def add_noise(values: Tensor, noise: Tensor, level_db: float) -> Tensor:
    """Add white noise at a signal-to-noise ratio, measured over each sample.

    Parameters
    ----------
    values, noise
        Float32 [B, ...]; the noise has unit variance.
    level_db
        10 log10(signal power / noise power), in dB; -10 means that the noise is ten times as strong.
    """
    dims = tuple(range(1, values.ndim))
    power = values.square().mean(dim=dims, keepdim=True)
    return values + noise * torch.sqrt(power * 10 ** (-level_db / 10))


def log_mel(transform: MelSpectrogram, waveforms: Tensor) -> Tensor:
    """Log-mel spectrograms [B, 1, F, T] of waveforms [B, samples], each at mean 0 and deviation 1.

    Every clip is standardised on its own: loudness carries no class in the tasks at hand, and a recording level that
    differs between splits does no harm while all that is heard lies above `FLOOR` in power. Measured: white noise at
    16 kHz changes by 0.004 on the root mean square where it is taken from -13 to -43 dB of full scale, by 0.02 at -53
    and by 0.16 at -73 dB. What is softer than the rest of a clip, such as pauses, meets the floor that much earlier.
    """
    if waveforms.shape[0] == 0:  # an export keeps a shape open, and not what `len` gives
        frames = 1 + waveforms.shape[-1] // transform.hop_length
        return waveforms.new_zeros(0, 1, transform.n_mels, frames)
    spectrogram = torch.log(transform(waveforms) + FLOOR)
    mean = spectrogram.mean(dim=(1, 2), keepdim=True)
    std = spectrogram.std(dim=(1, 2), keepdim=True, correction=0)
    return ((spectrogram - mean) / (std + 1e-3))[:, None]


def shift_in_time(values: Tensor, offsets: Tensor) -> Tensor:
    """Move each sample along its last axis by its own offset (int64 [B]); what comes in is zero."""
    length = values.shape[-1]
    source = torch.arange(length, device=values.device)[None, :] - offsets[:, None]
    inside = (source >= 0) & (source < length)
    shape = (len(values), *([1] * (values.ndim - 2)), length)
    taken = values.gather(-1, source.clamp(0, length - 1).view(shape).expand_as(values))
    return taken * inside.view(shape)


def shift_in_space(values: Tensor, part: float, draws: Tensor) -> Tensor:
    """Move frames [B, T, C, H, W] by up to `part` of their height and width; edges are repeated.

    `draws` is float32 [B, 2] in (0, 1): 0.5 leaves the frames where they are.
    """
    height, width = values.shape[-2:]
    device = values.device
    sizes = torch.tensor([height, width], dtype=torch.float32, device=device)
    offsets = torch.round((2 * draws - 1) * part * sizes).to(torch.int64)
    rows = (torch.arange(height, device=device)[None] - offsets[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=device)[None] - offsets[:, 1:]).clamp(0, width - 1)
    source = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)  # pixel y * W + x of each pixel
    pixels = values.flatten(-2).flatten(1, -2)  # [B, T * C, H * W]
    return pixels.gather(2, source[:, None].expand(-1, pixels.shape[1], -1)).view(values.shape)


def mirror(values: Tensor, which: Tensor, flow: bool = False) -> Tensor:
    """Mirror chosen samples [B, T, C, H, W] left to right; horizontal flow changes its sign."""
    mirrored = values.flip(-1)
    if flow:
        sign = torch.tensor([-1.0, 1.0], device=values.device).view(1, 1, 2, 1, 1)
        mirrored = mirrored * sign
    return torch.where(which.view(-1, 1, 1, 1, 1), mirrored, values)
