"""Re-sampling in PyTorch Lightning: a loader of the Resampler's, and a callback that values the samples.

What raymm adds: the `Resampler` with its loader, `batch["mask"]` in the training step, and the callback.
"""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

import raymm
from raymm import Resampler
from raymm.integrations.lightning import ResamplingCallback


def make_samples(count=120):
    """Samples with a clear video and a noisy audio."""
    torch.manual_seed(0)
    labels = torch.arange(count) % 3
    audio, video = torch.eye(6)[labels] + torch.randn(count, 6), torch.eye(9)[labels] + 0.3 * torch.randn(count, 9)
    return [{"audio": a, "video": v, "labels": c} for a, v, c in zip(audio, video, labels, strict=True)]


class Model(pl.LightningModule):
    """Two encoders and a head on both features."""

    def __init__(self):
        super().__init__()
        self.audio, self.video, self.head = nn.Linear(6, 16), nn.Linear(9, 16), nn.Linear(32, 3)

    def encode(self, batch):
        return torch.stack([self.audio(batch["audio"]), self.video(batch["video"])], dim=1).relu()

    def fuse(self, features, mask):
        return self.head((features * mask[..., None]).flatten(1))

    def training_step(self, batch):
        return functional.cross_entropy(self.fuse(self.encode(batch), batch["mask"]), batch["labels"])

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.01)


def train(epochs=6, folder=None, checkpoint=None):
    """The model and the Resampler."""
    samples, _ = make_samples(), pl.seed_everything(0, verbose=False)
    model = Model()
    resampler = Resampler(samples, ("audio", "video"), method="sample", warmup=2, seed=0)

    def values(module):
        return raymm.value(module, DataLoader(samples, 64), modalities=("audio", "video"), progress=None)

    saving = pl.callbacks.ModelCheckpoint(folder, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[ResamplingCallback(resampler, values)] + ([saving] if folder else []),
        reload_dataloaders_every_n_epochs=1,  # epochs have different numbers of rows
        use_distributed_sampler=False,  # the Resampler splits the rows over processes
        enable_checkpointing=folder is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
    )
    trainer.fit(model, resampler.loader(samples), ckpt_path=checkpoint)
    return model, resampler


if __name__ == "__main__":
    print(train()[1].metrics)
