"""Small data sets of pictures and clips, as `prepare` would store them."""

import numpy as np

from raymm.data import RgbSpec, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.data.schema import SPLITS

__all__ = ["clips_of", "dataset_of"]


def clips_of(spec, count, seed=0):
    """Clips uint8 [count, *shape] of uneven colours."""
    drawn = np.random.default_rng(seed).integers(0, 256, (count, *spec.shape))
    return (drawn * np.array([1.0, 0.6, 0.3])[:, None, None]).astype(np.uint8)


def dataset_of(folder, size=16, frames=2):
    """Twelve samples of a clip and a vector, of two classes."""
    spec = RgbSpec(name="rgb", frames=frames, height=size, width=size)
    schema = Schema(modalities=[spec, VectorSpec(name="v", size=2)], classes=["a", "b"])
    clips = clips_of(spec, 12)
    samples = [
        Sample(f"s{n}", SPLITS[n % 3], n // 3 % 2, {"rgb": clips[n] // (1 + n // 3 % 2), "v": [n, 1.0]})
        for n in range(12)
    ]
    return open_dataset(write_dataset(folder, samples, schema))
