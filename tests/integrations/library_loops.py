"""One training in four loops, of any number of processes: by hand, by Lightning, by Transformers and by Accelerate.

The loss of a step is that of the whole batch: each process adds up its rows and divides by those of all
(`batch_rows`); libraries average gradients over processes. So the loops differ in rounding alone.
"""

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import TrainingArguments

import raymm
from raymm import CoalitionLoss, Resampler
from raymm.integrations.accelerate import prepare_loader
from raymm.integrations.lightning import ResamplingCallback
from raymm.integrations.transformers import ResamplingTrainer

__all__ = ["LOOPS", "Module", "Net", "by_accelerate", "by_hand", "by_lightning", "lightning_trainer", "training"]

EPOCHS, COUNT, BATCH, RATE = 4, 47, 16, 0.2
NAMES = ("audio", "video")


def samples():
    """Samples with a clear video and a noisy audio; batches of two processes have uneven parts."""
    draw, labels = torch.Generator().manual_seed(0), torch.arange(COUNT) % 3
    audio = torch.eye(6)[labels] + torch.randn(COUNT, 6, generator=draw)
    video = torch.eye(9)[labels] + 0.3 * torch.randn(COUNT, 9, generator=draw)
    each = zip(audio, video, labels, range(COUNT), strict=True)
    return [{"audio": a, "video": v, "labels": c, "number": torch.tensor(i)} for a, v, c, i in each]


class Net(nn.Module):
    """Two encoders and a head; it remembers the rows of every training step.

    `loss` is the cross-entropy ("task"), that of coalitions weighed by phi ("valued"), or the mean of the former over
    the rows of this process ("mean"), as most loops have it.
    """

    def __init__(self, loss="task"):
        super().__init__()
        torch.manual_seed(0)
        self.audio, self.video, self.head = nn.Linear(6, 16), nn.Linear(9, 16), nn.Linear(32, 3)
        self.loss, self.seen = loss, []
        self.valued = CoalitionLoss(NAMES, method="valued", reduction="sum")

    def encode(self, batch):
        return torch.stack([self.audio(batch["audio"]), self.video(batch["video"])], dim=1).relu()

    def fuse(self, features, mask):
        return self.head((features * mask[..., None]).flatten(1))

    def forward(self, audio, video, labels, number, mask, batch_rows):
        features = self.encode({"audio": audio, "video": video})
        logits = self.fuse(features, mask)
        self.seen.append([[row, *keep] for row, keep in zip(number.tolist(), mask.tolist(), strict=True)])
        if self.loss == "mean":
            return {"loss": functional.cross_entropy(logits, labels), "logits": logits}
        if self.loss == "valued":
            total = self.valued(features, mask, labels, self.fuse)
        else:
            total = functional.cross_entropy(logits, labels, reduction="sum")
        world = dist.get_world_size() if dist.is_initialized() else 1
        return {"loss": total * world / batch_rows[0], "logits": logits}


class Training:
    """What all loops have: the net, its optimizer, the Resampler, and values that are remembered."""

    def __init__(self, loss="task"):
        self.samples, self.net, self.phi = samples(), Net(loss), []
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=RATE)
        self.resampler = Resampler(
            self.samples, NAMES, batch_size=BATCH, warmup=1, epochs=EPOCHS, fields=("mask", "batch_rows")
        )

    def values(self, net):
        if dist.is_initialized() and dist.get_rank():
            raise AssertionError("only the first process values")
        found = raymm.value(net, DataLoader(self.samples, 64), modalities=NAMES, progress=None)
        self.phi.append(found.phi.tolist())
        return found

    def update(self, net):
        first = not (dist.is_initialized() and dist.get_rank())
        self.resampler.update(self.values(net) if self.resampler.due and first else None)

    def found(self):
        weights = {name: value.detach().tolist() for name, value in self.net.named_parameters()}
        epoch, rows = self.resampler.epoch, self.resampler.metrics["rows/epoch"]
        return {"seen": self.net.seen, "weights": weights, "phi": self.phi, "epoch": epoch, "rows": rows}


def by_hand(loss="task"):
    """A loop of plain torch in one process."""
    one = Training(loss)
    for _ in range(EPOCHS):
        for batch in one.resampler.loader(one.samples):
            one.optimizer.zero_grad()
            one.net(**batch)["loss"].backward()
            one.optimizer.step()
        one.update(one.net)
    return one.found()


class Module(pl.LightningModule):
    """The net in Lightning."""

    def __init__(self, one):
        super().__init__()
        self.net, self.one = one.net, one

    def training_step(self, batch):
        return self.net(**batch)["loss"]

    def configure_optimizers(self):
        return self.one.optimizer


def lightning_trainer(callbacks, **options):
    """A Trainer of Lightning for as many processes as there are."""
    return pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        callbacks=callbacks,
        reload_dataloaders_every_n_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def by_lightning(folder, loss="task"):
    del folder
    one = Training(loss)
    callback = ResamplingCallback(one.resampler, lambda module: one.values(module.net))
    trainer = lightning_trainer([callback], use_distributed_sampler=False)
    trainer.fit(Module(one), one.resampler.loader(one.samples))
    return one.found()


def by_transformers(folder):
    one = Training()
    arguments = TrainingArguments(
        str(folder),
        num_train_epochs=EPOCHS,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = ResamplingTrainer(
        one.net,
        arguments,
        train_dataset=one.samples,
        optimizers=(one.optimizer, None),
        resampler=one.resampler,
        values=one.values,
    )
    trainer.train()
    steps = {"steps": trainer.state.global_step, "epochs": trainer.state.epoch}
    return one.found() | steps


def by_accelerate(folder, loss="task"):
    del folder
    one, accelerator = Training(loss), Accelerator(cpu=True)
    loader = prepare_loader(accelerator, one.resampler, one.samples)
    model, optimizer = accelerator.prepare(one.net, one.optimizer)
    for _ in range(EPOCHS):
        for batch in loader:
            optimizer.zero_grad()
            accelerator.backward(model(**batch)["loss"])
            optimizer.step()
        one.update(accelerator.unwrap_model(model))
    return one.found()


def training():
    """One training that nobody runs yet."""
    return Training()


LOOPS = {"lightning": by_lightning, "transformers": by_transformers, "accelerate": by_accelerate}
"""By name, what trains in the processes at hand; Lightning first, which finds no process group."""
