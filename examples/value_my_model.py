"""What each modality of each sample contributes to a model of your own, on batches of your own.

Nothing of the model is changed: the modules that see one modality alone are named, run once a batch, and the rest of
`forward` runs once for every coalition of modalities, with means (or zeros) in the place of what the others gave.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import raymm


class Model(nn.Module):
    """Three branches of different width, and a head over them."""

    def __init__(self):
        super().__init__()
        self.audio = nn.Sequential(nn.Conv1d(1, 16, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.video = nn.Sequential(nn.Conv2d(3, 24, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.text = nn.EmbeddingBag(100, 8)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(16 + 24 + 8, 4))

    def forward(self, sound, frames, words):
        """Logits of four classes."""
        return self.head(torch.cat([self.audio(sound), self.video(frames), self.text(words)], dim=1))


class Clips(Dataset):
    """Sixty clips of noise, with a file name each."""

    def __len__(self):
        return 60

    def __getitem__(self, row):
        """One clip: the label decides how loud it is, and which words are spoken in it."""
        draw, label = torch.Generator().manual_seed(row), row % 4
        return {
            "sound": (1 + label) * torch.randn(1, 80, generator=draw),
            "frames": torch.rand(3, 16, 16, generator=draw),
            "words": 25 * label + torch.randint(25, (6,), generator=draw),
            "label": label,
            "path": f"clips/{row:03d}.mp4",
        }


def trained():
    """The model after a few epochs."""
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(15):
        for batch in DataLoader(Clips(), batch_size=20, shuffle=True):
            loss = nn.functional.cross_entropy(model(batch["sound"], batch["frames"], batch["words"]), batch["label"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def main(folder="."):
    """Value the model; the values are looked at, and kept in two files."""
    model = trained()
    modalities = {"audio": model.audio, "video": model.video, "text": model.text}
    batches = DataLoader(Clips(), batch_size=20)
    values = raymm.value(model, batches, modalities=modalities, ids="path", mask="mean")
    print(values.summary())
    print(values.lowest("video", 5))
    values.html(f"{folder}/values.html")
    values.save(f"{folder}/values.parquet")
    return values


if __name__ == "__main__":
    main()
