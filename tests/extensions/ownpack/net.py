"""Two models of vectors: one wholly of this package, one of its encoders and a fusion by name."""

import torch
from torch import nn

import raymm

from .layers import Gate


class Net(nn.Module):
    """Features of different widths; each modality's votes for the classes, weighed by an attention over them."""

    def __init__(self, schema, width=6, depth=1):
        super().__init__()
        self.names = schema.names
        self.branches = nn.ModuleDict()
        for position, spec in enumerate(schema.modalities):
            layers = [Gate(spec.size, width + position)]
            layers += [nn.Linear(width + position, width + position) for _ in range(depth - 1)]
            self.branches[spec.name] = nn.Sequential(*layers)
        self.votes = nn.ModuleDict(
            {name: nn.Linear(width + position, 1 + schema.outputs) for position, name in enumerate(schema.names)}
        )
        self.bias = nn.Parameter(torch.zeros(schema.outputs))

    def encode(self, batch):
        """By modality [b, width of it], of the rows that have it."""
        return {name: self.branches[name](values) for name, values in batch.inputs.items()}

    def fuse(self, features, mask):
        """Outputs [B, K]."""
        votes = torch.stack([self.votes[name](features[name]) for name in self.names], dim=1)
        weight = votes[..., :1].masked_fill(~mask[..., None], -torch.inf).softmax(dim=1).nan_to_num(nan=0.0)
        return self.bias + (weight * votes[..., 1:]).sum(dim=1)


def parts(schema, width=6, fusion="concat"):
    """Encoders of this package, of different widths, and a fusion of raymm."""
    encoders = {spec.name: Gate(spec.size, width + i) for i, spec in enumerate(schema.modalities)}
    return raymm.Model(schema, encoders=encoders, fusion=fusion)
