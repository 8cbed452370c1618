"""A `torch.utils.data.Dataset` of your own, trained and valued where it is: nothing is copied to disk.

`raymm train --data examples/own_dataset.py:clips --out runs/own` does the same from the command line.
"""

from pathlib import Path

import torch
from torch.utils.data import Dataset

import raymm


class Clips(Dataset):
    """Each item is a dictionary of tensors and a label; what is None or left out is a missing modality."""

    classes = ("calm", "loud")

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        label = index % 2
        return {
            "id": f"clip-{index:03d}",
            "speaker_mood": torch.eye(6)[label] + torch.randn(6, generator=generator),
            "motion": 0.5 * label + torch.randn(3, 40, generator=generator),
            "remark": None if index % 5 == 0 else ("a quiet voice", "a loud voice")[label],
            "group": index // 4,  # the speaker: in one split only
            "label": label,
        }


def clips(count=120):
    """What `--data` names; every process calls it."""
    return Clips(count)


def main(out="runs/own"):
    """Train, and value the test split."""
    result = raymm.train(
        f"{Path(__file__)}:clips",
        out=out,
        data_settings={"args": {"count": 120}},
        method="sample",
        settings={"training.epochs": 3, "model.feature_size": 16},
        progress=None,
    )
    return result, result.values("test")


if __name__ == "__main__":
    result, values = main()
    print(result.summary())
