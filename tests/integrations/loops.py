"""A training loop that a user would write, in plain torch, on a data set of raymm's read sample by sample."""

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset, default_collate

from raymm.data import Batch, BatchReader
from raymm.integrations.resampler import Resampler
from raymm.models.model import build_model
from raymm.seeds import derive
from raymm.valuation import value_samples

__all__ = ["Items", "batch_of", "plain_loop", "resampler_of", "values_of"]


class Items(Dataset):
    """Samples of a prepared data set one by one: a tensor a modality (zeros where it is missing), label, number."""

    def __init__(self, dataset, config):
        self.dataset, self.reader = dataset, BatchReader(dataset, config.view, config.training.seed)

    def __len__(self):
        return len(self.dataset.label)

    def __getitem__(self, number):
        batch = self.reader.batch(np.array([number]))
        item = {"label": batch.labels[0], "number": number}
        for spec in self.dataset.schema.modalities:
            found = batch.inputs[spec.name]
            item[spec.name] = found[0] if len(found) else torch.zeros(spec.size)
        return item


def resampler_of(dataset, config, **options):
    """The Resampler of a run's own settings."""
    rows, method = dataset.rows("train"), config.method
    return Resampler(
        rows,
        dataset.schema.names,
        **{
            "method": method.name,
            "settings": method.model_dump(mode="json")["settings"],
            "batch_size": config.training.batch_size,
            "seed": config.training.seed,
            "warmup": method.warmup,
            "every": method.every,
            "row_budget": method.row_budget,
            "epochs": config.training.epochs,
            "labels": dataset.label[rows],
            "classes": len(dataset.schema.classes),
            "present": dataset.present[rows],
            **options,
        },
    )


def batch_of(items, names):
    """What the model reads: of each modality the rows that keep it."""
    mask = items["mask"] if "mask" in items else torch.ones(len(items["label"]), len(names), dtype=torch.bool)
    inputs = {name: items[name][mask[:, i]] for i, name in enumerate(names)}
    return Batch(inputs, mask, items["label"], items["number"])


def values_of(model, items, rows, present, names):
    """phi of some samples, by enumeration."""
    batch = default_collate([items[int(row)] for row in rows]) | {"mask": torch.from_numpy(present)}
    batch = batch_of(batch, names)
    model.eval()
    with torch.no_grad():
        return value_samples(model, model.encode(batch), batch.labels, present=batch.mask).phi


def task_loss(model, batch, keys):
    return functional.cross_entropy(model.fuse(model.encode(batch), batch.mask), batch.labels)


def plain_loop(dataset, config, resampler, loss=task_loss, epochs=None, model=None, optimizer=None):
    """Train as raymm does, by hand; the model and the optimizer."""
    names, seed, items = dataset.schema.names, config.training.seed, Items(dataset, config)
    if model is None:
        model = build_model(dataset.schema, config.model, seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=config.optimizer.lr, weight_decay=0.0)
    loader = resampler.loader(items)
    for epoch in range(resampler.epoch, config.training.epochs if epochs is None else epochs):
        torch.manual_seed(derive(seed, "dropout", epoch, 0))
        model.train()
        for batch in loader:
            optimizer.zero_grad()
            loss(model, batch_of(batch, names), batch.get("key")).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.clip_norm)
            optimizer.step()
        phi = None
        if resampler.due:
            rows = resampler.to_value
            phi = values_of(model, items, rows, dataset.present[rows], names)
        resampler.update(phi)
    return model, optimizer
