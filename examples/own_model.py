"""A model of your own in raymm's loop: trained, valued and re-sampled as raymm's own models are.

    raymm train --data DATA --out RUN --model examples/own_model.py:build model.args.width=32
    raymm train --data DATA --out RUN --model examples/own_model.py:build --backend ray --workers 2

`build` gets the schema of the data, and arguments by `model.args.NAME=...`. It returns a module with `encode` and
`fuse`; `parts` returns encoders alone, behind which raymm puts a fusion of its own.
"""

import sys

import torch
from torch import nn

import raymm


class Attention(nn.Module):
    """An encoder for each modality, whose scores of the classes are weighed by an attention over the modalities."""

    def __init__(self, schema, width):
        super().__init__()
        self.encoders = nn.ModuleDict({name: encoder(width) for name in schema.names})
        self.scores = nn.ModuleDict({name: nn.Linear(width, schema.outputs) for name in schema.names})
        self.weights = nn.ModuleDict({name: nn.Linear(width, 1) for name in schema.names})

    def encode(self, batch):
        """Features of the rows that have a modality; `batch.inputs` holds no others."""
        return {name: self.encoders[name](values) for name, values in batch.inputs.items()}

    def fuse(self, features, mask):
        """Outputs [B, K]: features are of all rows here, and zeros stand where `mask` [B, n] is False."""
        scores = torch.stack([self.scores[name](values) for name, values in features.items()], dim=1)
        weights = torch.cat([self.weights[name](values) for name, values in features.items()], dim=1)
        weights = weights.masked_fill(~mask, -1e9).softmax(dim=1) * mask
        return (weights[..., None] * scores).sum(dim=1)


def encoder(width):
    """A small encoder of arrays of any shape; its first layer takes its size from the first inputs that it sees."""
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.ReLU())


def build(schema, width=16):
    """A model that is wholly one's own."""
    return Attention(schema, width)


def parts(schema, width=16, fusion="concat"):
    """Encoders of one's own, of different widths, and a fusion of raymm."""
    encoders = {name: encoder(width + 4 * number) for number, name in enumerate(schema.names)}
    return raymm.Model(schema, encoders=encoders, fusion=fusion)


def main(data, out, builder="build", **options):
    """Train a run; `backend="ray", workers=2` trains it on two workers, with the same numbers."""
    return raymm.train(data, out=out, model=f"{__file__}:{builder}", method="sample", **options)


if __name__ == "__main__":
    print(main(*sys.argv[1:]).summary())
