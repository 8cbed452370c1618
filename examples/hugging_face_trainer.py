"""Re-sampling in the Hugging Face Trainer, in one process or several (`torchrun`): the model's forward gets the mask.

What raymm adds: the `Resampler`, `ResamplingTrainer` in the place of `Trainer`, and the argument `mask` of the model.
"""

import tempfile

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import TrainingArguments, set_seed

import raymm
from raymm import Resampler
from raymm.integrations.transformers import ResamplingTrainer


def make_samples(count=120):
    """Samples with a clear video and a noisy audio."""
    torch.manual_seed(0)
    labels = torch.arange(count) % 3
    audio, video = torch.eye(6)[labels] + torch.randn(count, 6), torch.eye(9)[labels] + 0.3 * torch.randn(count, 9)
    return [{"audio": a, "video": v, "labels": c} for a, v, c in zip(audio, video, labels, strict=True)]


class Model(nn.Module):
    """Two encoders and a head on both features; called by keywords, as models of transformers are."""

    def __init__(self):
        super().__init__()
        self.audio, self.video, self.head = nn.Linear(6, 16), nn.Linear(9, 16), nn.Linear(32, 3)

    def forward(self, audio, video, mask=None, labels=None):
        features = torch.stack([self.audio(audio), self.video(video)], dim=1)
        kept = features if mask is None else features * mask[..., None]
        logits = self.head(kept.relu().flatten(1))
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


def train(epochs=6, folder=None, checkpoint=None):
    """The model and the Resampler."""
    set_seed(0)
    samples, model = make_samples(), Model()
    resampler = Resampler(samples, ("audio", "video"), method="sample", warmup=2, seed=0)

    def values(model):
        branches = {"audio": model.audio, "video": model.video}
        return raymm.value(model, DataLoader(samples, 64), modalities=branches, progress=None)

    arguments = TrainingArguments(
        output_dir=folder or tempfile.mkdtemp(),
        num_train_epochs=epochs,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        save_strategy="epoch" if folder else "no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = ResamplingTrainer(model, arguments, train_dataset=samples, resampler=resampler, values=values)
    trainer.train(resume_from_checkpoint=checkpoint)
    return model, resampler


if __name__ == "__main__":
    print(train()[1].metrics)
