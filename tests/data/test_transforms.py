"""Log-mels of recordings of other levels, against what the docstring of `log_mel` says of them."""

import pytest
import torch
from torchaudio.transforms import MelSpectrogram

from raymm.data.transforms import log_mel


def changes(waveform, first, second):
    """Root mean square of how spectrograms change from one level to another, in dB of full scale."""
    mel = MelSpectrogram(16_000, n_fft=400, hop_length=160, n_mels=64)
    unit = waveform / waveform.square().mean().sqrt()
    one, other = (log_mel(mel, (unit * 10 ** (level / 20))[None]) for level in (first, second))
    return float((one - other).square().mean().sqrt())


@pytest.mark.parametrize(("level", "change"), [(-43, 0.004), (-53, 0.02), (-73, 0.16)])
def test_the_level_of_a_recording_matters_little_while_it_lies_above_the_floor(level, change):
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    assert changes(noise, -13, level) == pytest.approx(change, rel=0.25)


def test_pauses_meet_the_floor_earlier():
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    paused = noise * torch.where(torch.arange(16_000) < 8000, 1.0, 1e-2)
    assert changes(paused, -13, -43) > 10 * changes(noise, -13, -43)
