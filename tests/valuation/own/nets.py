"""Small models of several forms, and batches for them; all numbers follow from a seed."""

from fractions import Fraction

import torch
from torch import nn

from tests.oracles import shapley_by_permutations

WIDTHS = {"audio": (3, 4), "video": (5, 7), "text": (2, 1)}
"""Inputs and outputs of each branch."""


class Three(nn.Module):
    """Three branches of different widths, a head that mixes them."""

    def __init__(self, classes=3, dropout=0.5):
        super().__init__()
        self.branches = nn.ModuleDict({name: nn.Linear(*sizes) for name, sizes in WIDTHS.items()})
        self.drop = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(sum(out for _, out in WIDTHS.values()), 8), nn.Tanh(), nn.Linear(8, classes)
        )
        self.calls = dict.fromkeys(WIDTHS, 0)
        for name, branch in self.branches.items():
            branch.register_forward_hook(lambda *_, name=name: self.calls.__setitem__(name, self.calls[name] + 1))

    def forward(self, audio, video, text):
        given = {"audio": audio, "video": video, "text": text}
        return self.head(self.drop(torch.cat([self.branches[name](given[name]) for name in WIDTHS], dim=1)))


def restless(model, seed=0):
    """The model with large random weights, so that it tells samples and coalitions apart."""
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        nn.init.normal_(weight, std=1.0, generator=generator)
    return model


def batches_of(sizes=(6, 6, 3), classes=3, seed=1):
    """Batches of mappings, with labels and names."""
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            **{name: torch.randn(size, wide, generator=generator) for name, (wide, _) in WIDTHS.items()},
            "label": torch.randint(classes, (size,), generator=generator),
            "clip": [f"{number}/{row}.mp4" for row in range(size)],
        }
        for number, size in enumerate(sizes)
    ]


def members(code, names=tuple(WIDTHS)):
    return [name for position, name in enumerate(names) if code >> position & 1]


def phi_by_definition(
    logits_of, labels, present, value=lambda logits, label, size: size * (logits.argmax() == label)
):
    """Shapley values of each sample in exact fractions, from `logits_of(row, names of the coalition)`.

    `present` has the names of the modalities of each sample; the others are no players, and None stands for theirs.
    """
    found = []
    for row, label in enumerate(labels.tolist()):
        there = present[row]
        game = []
        for code in range(2 ** len(there)):
            coalition = members(code, there)
            worth = value(logits_of(row, coalition), label, len(coalition))
            game.append(Fraction(float(worth)))
        shares = dict(zip(there, shapley_by_permutations(game), strict=True))
        found.append([float(shares[name]) if name in shares else None for name in WIDTHS])
    return found
