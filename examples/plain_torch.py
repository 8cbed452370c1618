"""Re-sampling and a loss of coalitions in a loop of plain torch.

What raymm adds: `Resampler` for the rows of each epoch, `CoalitionLoss` in the place of the cross-entropy, and the
values of the samples at the end of each epoch.
"""

import torch
from torch import nn

import raymm
from raymm import CoalitionLoss, Resampler


class Model(nn.Module):
    """Two encoders and a head on both features."""

    def __init__(self) -> None:
        super().__init__()
        self.audio, self.video, self.head = nn.Linear(6, 16), nn.Linear(9, 16), nn.Linear(32, 3)

    def encode(self, batch):
        """Features [B, 2, 16]."""
        return torch.stack([self.audio(batch["audio"]), self.video(batch["video"])], dim=1).relu()

    def fuse(self, features, mask):
        """Logits [B, 3] of the modalities that each row keeps."""
        return self.head((features * mask[..., None]).flatten(1))


def make_samples(count=120):
    """Samples with a clear video and a noisy audio."""
    torch.manual_seed(0)
    labels = torch.arange(count) % 3
    audio, video = torch.eye(6)[labels] + torch.randn(count, 6), torch.eye(9)[labels] + 0.3 * torch.randn(count, 9)
    return [{"audio": a, "video": v, "labels": c} for a, v, c in zip(audio, video, labels, strict=True)]


def train(epochs=6):
    """The model, and the rows that each epoch had."""
    torch.manual_seed(0)
    samples, model = make_samples(), Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    resampler = Resampler(samples, ("audio", "video"), method="sample", warmup=2, epochs=epochs, seed=0)
    loader = resampler.loader(samples)
    loss_of_coalitions, rows = CoalitionLoss(("audio", "video")), []
    for _ in range(epochs):
        for batch in loader:
            loss = loss_of_coalitions(model.encode(batch), batch["mask"], batch["labels"], model.fuse)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        rows.append(len(resampler.plan))
        batches = torch.utils.data.DataLoader(samples, 64)
        resampler.update(raymm.value(model, batches, modalities=("audio", "video"), progress=None))
    return model, rows


if __name__ == "__main__":
    print(train()[1])
