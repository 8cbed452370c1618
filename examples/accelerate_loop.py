"""Re-sampling in a loop with Hugging Face Accelerate, in one process or several (`accelerate launch`).

What raymm adds: the `Resampler`, its loader, and the values of the samples at the end of each epoch.
"""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

import raymm
from raymm import Resampler
from raymm.integrations.accelerate import prepare_loader


def make_samples(count=120):
    """Samples with a clear video and a noisy audio."""
    torch.manual_seed(0)
    labels = torch.arange(count) % 3
    audio, video = torch.eye(6)[labels] + torch.randn(count, 6), torch.eye(9)[labels] + 0.3 * torch.randn(count, 9)
    return [{"audio": a, "video": v, "labels": c} for a, v, c in zip(audio, video, labels, strict=True)]


class Model(nn.Module):
    """Two encoders and a head on both features."""

    def __init__(self):
        super().__init__()
        self.audio, self.video, self.head = nn.Linear(6, 16), nn.Linear(9, 16), nn.Linear(32, 3)

    def encode(self, batch):
        return torch.stack([self.audio(batch["audio"]), self.video(batch["video"])], dim=1).relu()

    def fuse(self, features, mask):
        return self.head((features * mask[..., None]).flatten(1))

    def forward(self, batch):
        return self.fuse(self.encode(batch), batch["mask"])


def train(epochs=6, folder=None, checkpoint=None):
    """The model and the Resampler; a state is saved after each epoch."""
    accelerator = Accelerator(cpu=True)
    set_seed(0)
    samples, model = make_samples(), Model()
    resampler = Resampler(samples, ("audio", "video"), method="sample", warmup=2, epochs=epochs, seed=0)
    loader = prepare_loader(accelerator, resampler, samples)
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=0.01))
    accelerator.register_for_checkpointing(resampler)
    if checkpoint:
        accelerator.load_state(checkpoint)
    for epoch in range(resampler.epoch, epochs):
        for batch in loader:
            loss = functional.cross_entropy(model(batch), batch["labels"])
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
        own, batches = accelerator.unwrap_model(model), DataLoader(samples, 64)
        resampler.update(raymm.value(own, batches, modalities=("audio", "video"), progress=None))
        if folder:
            accelerator.save_state(f"{folder}/epoch-{epoch + 1}")
    return model, resampler


if __name__ == "__main__":
    print(train()[1].metrics)
