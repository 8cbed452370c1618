"""Fine-tune a video network of torchvision beside a small encoder, its parameters at a tenth of the learning rate.

python examples/fine_tune_backbone.py FOLDER [mc3_18.pt]

The weights come from a file, such as one that torchvision offers for mc3_18; without it random ones are written.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torchvision.models.video import mc3_18

import raymm
from raymm.data import RgbSpec, Sample, Schema, VectorSpec

CLASSES = ("left", "right")


def make_data(folder, count=18):
    """Clips of a bar that moves left or right, and a vector that hints at where to."""
    draw, side, frames = np.random.default_rng(0), 32, 4
    schema = Schema(
        modalities=[RgbSpec(name="rgb", frames=frames, height=side, width=side), VectorSpec(name="hint", size=4)],
        classes=CLASSES,
    )
    samples = []
    for number in range(count):
        label, start = number // 3 % 2, draw.integers(8, 16)
        clip = draw.integers(0, 60, (frames, 3, side, side)).astype(np.uint8)
        for time in range(frames):
            at = start + (4 * time if label else -2 * time)
            clip[time, :, :, max(at, 0) : at + 4] = 220
        hint = np.eye(4)[label] + draw.normal(size=4)
        samples.append(Sample(f"s{number}", ("train", "val", "test")[number % 3], label, {"rgb": clip, "hint": hint}))
    return raymm.write_dataset(folder, samples, schema)


def settings(weights):
    """A network as its weights need it, and a learning rate for each part of it."""
    network = {"name": "mc3_18", "norm": "batch", "weights": str(weights), "normalise": "weights"}
    return {
        "model": {"feature_size": 32, "encoders": {"rgb": network}},
        "optimizer": {
            "lr": 1e-3,
            "groups": [
                {"pattern": "encoders.rgb.body.stem", "frozen_epochs": "all"},
                {"pattern": "encoders.rgb.body", "factor": 0.1, "frozen_epochs": 1},
            ],
        },
        "training": {"batch_size": 8},
    }


def main(folder, weights=None):
    """Train two epochs; the result of the run."""
    folder = Path(folder)
    data = make_data(folder / "data")
    if weights is None:
        torch.manual_seed(0)
        weights = folder / "mc3_18.pt"
        torch.save(mc3_18(weights=None).state_dict(), weights)
    return raymm.train(data, out=folder / "run", config=settings(weights), method="joint", epochs=2)


if __name__ == "__main__":
    print(main(*sys.argv[1:]).metrics)
