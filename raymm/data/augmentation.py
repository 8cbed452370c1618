"""Augmentation that is keyed by the row: the same row is augmented alike in any batch, on any rank and worker."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from raymm.config.view import RandAugmentConfig, SpecAugmentConfig
from raymm.data import transforms
from raymm.deferred import Tensor, torch
from raymm.seeds import uniform

__all__ = ["crop_and_flip_at_random", "mask_spectra_at_random", "randaugment", "shift_at_random"]

Keys = npt.NDArray[np.uint64]

AUGMENT = 0x5EED_A06_5EED_A06
"""Sets draws of torch apart from those of shifts, which have the same keys."""


def shift_at_random(values: Tensor, keys: Keys | None, part: float) -> Tensor:
    """Move each sample along its last axis by up to `part` of its length; without keys nothing is moved.

    Parameters
    ----------
    values
        Float32 [b, ..., length].
    keys
        Random keys [b], or None.
    part
        Largest shift, as a part of the length.
    """
    if keys is None or not len(keys) or not part:
        return values
    reach = part * values.shape[-1]
    offsets = np.rint((2 * uniform(keys, 1)[:, 0] - 1) * reach).astype(np.int64)
    return transforms.shift_in_time(values, torch.from_numpy(offsets).to(values.device))


def crop_and_flip_at_random(values: Tensor, keys: Keys | None, part: float, flip: bool, signed: bool) -> Tensor:
    """Move frames by up to `part` of their size and mirror half of them; without keys nothing is done.

    Parameters
    ----------
    values
        Float32 [b, T, C, H, W].
    keys
        Random keys [b], or None.
    part
        Largest shift, as a part of height and width.
    flip
        Whether frames are mirrored left to right.
    signed
        Whether mirroring changes the sign of the first channel, as that of horizontal flow.
    """
    if keys is None or not len(keys):
        return values
    draws = torch.from_numpy(uniform(keys, 3)).to(values.device)
    if part:
        values = transforms.shift_in_space(values, part, draws[:, :2])
    if flip:
        values = transforms.mirror(values, draws[:, 2] < 0.5, flow=signed)
    return values


def mask_spectra_at_random(values: Tensor, keys: Keys | None, chosen: SpecAugmentConfig) -> Tensor:
    """SpecAugment (Park et al., Interspeech 2019) of torchaudio, without its time warp; masked is 0, the mean.

    Parameters
    ----------
    values
        Log-mels at mean 0, float32 [b, 1, bands, frames].
    keys
        Random keys [b], or None: nothing is masked.
    """
    if keys is None or not len(keys) or not (chosen.time or chosen.frequency):
        return values
    from torchaudio.transforms import FrequencyMasking, TimeMasking  # noqa: PLC0415  (not needed without it)

    bands, frames = values.shape[-2:]
    masks = [
        FrequencyMasking(round(chosen.frequency * bands)),
        TimeMasking(round(chosen.time * frames)),
    ] * chosen.masks

    def masked(value: Tensor) -> Tensor:
        for mask in masks:
            value = mask(value)
        return value

    return torch.stack(_each_by_its_key(masked, values.clone(), keys))


def randaugment(stored: npt.NDArray[np.uint8], keys: Keys, chosen: RandAugmentConfig) -> npt.NDArray[np.uint8]:
    """RandAugment (Cubuk et al., NeurIPS 2020) of torchvision; all frames of a clip are changed alike.

    Parameters
    ----------
    stored
        Pictures uint8 [b, ..., 3, H, W], as they are stored.
    keys
        Random keys [b].
    """
    if not chosen.ops or not len(keys):
        return stored
    from torchvision.transforms.v2 import RandAugment  # noqa: PLC0415  (not needed without it)

    change = RandAugment(num_ops=chosen.ops, magnitude=chosen.magnitude)
    made = _each_by_its_key(change, torch.from_numpy(np.ascontiguousarray(stored)), keys)
    return np.asarray(torch.stack(made).numpy(), np.uint8)


def _each_by_its_key(change: Callable[[Tensor], Tensor], values: Tensor, keys: Keys) -> list[Tensor]:
    """Samples changed one by one, each with torch's generators at its own key; these are left as they were.

    They are those of the CPU and of the device of the values. `torch.manual_seed` would set those of all GPUs, of
    which training draws dropout: its bits would depend on where batches are read.
    """
    on = [values.device] if values.device.type == "cuda" else []
    generators = [torch.default_generator, *(torch.cuda.default_generators[device.index] for device in on)]
    made = []
    with torch.random.fork_rng(devices=on):
        for value, key in zip(values, keys.tolist(), strict=True):
            for generator in generators:
                generator.manual_seed((key ^ AUGMENT) % 2**63)
            made.append(change(value))
    return made
