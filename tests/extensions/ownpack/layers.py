"""What the models of this package are made of."""

import torch
from torch import nn


class Gate(nn.Module):
    """A feature times a gate of itself."""

    def __init__(self, size, width):
        super().__init__()
        self.value, self.gate = nn.Linear(size, width), nn.Linear(size, width)

    def forward(self, x):
        """Features [b, width]."""
        return self.value(x) * torch.sigmoid(self.gate(x))
