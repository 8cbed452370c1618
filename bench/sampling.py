"""(f) Error of sampled values: random orders over raymm's sampler at the same budget, for 8, 12 and 16 modalities.

The games are late fusions with evidence of falling strength, some of it absent, one modality noise; utility `count`.
Errors are root mean squares over samples, modalities and designs, against exact values. Games that are unlike votes
are recorded beside them. What else was tried stands in docs/valuation.md.
"""

from pathlib import Path

import numpy as np
import torch

from bench.timing import Measured
from raymm.valuation import shapley_values
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.sampling.designs import design
from raymm.valuation.sampling.estimator import estimate, margin_of_error

CLASSES, DESIGNS = 10, 8
SAMPLES = {8: 400, 12: 200, 16: 40}
BUDGETS = (4, 6, 8, 16, 32)
"""In coalitions a modality."""


def run(data: Path) -> Measured:
    """The bar is on the smallest ratio from 4 n coalitions on."""
    del data
    rows = [row for n, samples in SAMPLES.items() for row in _table(n, _games(n, samples))]
    worst = min(row["ratio"] for row in rows)
    others = [
        {"game": name} | row for name, values in _other_games(12, 100).items() for row in _table(12, values, (4, 16))
    ]
    details = {"table": rows, "other_games": others}
    return Measured("error of random orders / of the sampler, smallest", worst, ">=", 1.8, details)


def _games(n: int, samples: int) -> torch.Tensor:
    """Values of all coalitions, float64 [samples, 2**n]."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (samples,), generator=generator)
    evidence = torch.randn(samples, n, CLASSES, generator=generator)
    strength = torch.cat([torch.full((2,), 3.0), torch.linspace(2.2, 0.4, n - 3), torch.zeros(1)])
    evidence[torch.arange(samples), :, labels] += strength
    evidence *= torch.rand(samples, n, 1, generator=generator) > 0.15
    masks = coalition_masks(n).float()
    tie_break = 0.01 * torch.arange(CLASSES)
    right = torch.stack(
        [(masks @ one + tie_break).argmax(dim=1) == label for one, label in zip(evidence, labels, strict=True)]
    )
    return right.double() * masks.double().sum(dim=1)


def _other_games(n: int, samples: int) -> dict[str, torch.Tensor]:
    """Values of all coalitions in games of noise, parity, all or nothing, a saboteur and a quota; and smooth ones."""
    generator = torch.Generator().manual_seed(0)
    masks, sizes = coalition_masks(n), coalition_masks(n).sum(dim=1)
    chosen = torch.rand(samples, n, generator=generator) < 0.4
    members = (chosen.double() @ masks.double().T).long()
    first, second = torch.stack([torch.randperm(n, generator=generator)[:2] for _ in range(samples)]).T
    quota = torch.randint(1, n + 1, (samples, 1), generator=generator)
    smooth = torch.tanh(torch.randn(samples, 16, n, generator=generator) @ masks.float().T / 2)
    games = {
        "noise": torch.randn(samples, 2**n, generator=generator),
        "parity": members % 2,
        "unanimity, count": (members >= chosen.sum(dim=1, keepdim=True)) * sizes,
        "saboteur, count": (masks[:, first] & ~masks[:, second]).T * sizes,
        "quota, count": (sizes >= quota) * sizes,
        "network of 16 units": torch.einsum("bhs,bh->bs", smooth, torch.randn(samples, 16, generator=generator)),
    }
    return {name: values.double() for name, values in games.items()}


def _table(n: int, values: torch.Tensor, parts: tuple[int, ...] = BUDGETS) -> list[dict[str, float | int | str]]:
    exact = shapley_values(values)
    return [_row(n, n * part, values, exact) for part in parts if n * part < 2**n]


def _row(n: int, budget: int, values: torch.Tensor, exact: torch.Tensor) -> dict[str, float | int | str]:
    errors, inside, orders = [], [], []
    for seed in range(DESIGNS):
        plan = design(n, budget, seed)
        codes = (plan.masks.long() << torch.arange(n)).sum(dim=1)
        found = estimate(values[:, codes], plan)
        errors.append((found.phi - exact).square().mean())
        inside.append(((found.phi - exact).abs() <= margin_of_error(found.dof) * found.stderr + 1e-9).double().mean())
        orders.append((_random_orders(n, budget, values, seed) - exact).square().mean())
    ours, theirs = (float(torch.stack(part).mean().sqrt()) for part in (errors, orders))
    return {
        "modalities": n,
        "budget": budget,
        "kind": plan.kind,
        "rmse": round(ours, 4),
        "rmse_random_orders": round(theirs, 4),
        "ratio": round(theirs / ours, 3),
        "coverage_95": round(float(torch.stack(inside).mean()), 3),
    }


def _random_orders(n: int, budget: int, values: torch.Tensor, seed: int) -> torch.Tensor:
    """Mean marginal contributions over as many orders of arrival as the budget pays for."""
    generator = np.random.default_rng(seed)
    count = max(1, (budget - 2) // (n - 1))
    total = torch.zeros(len(values), n, dtype=torch.float64)
    for _ in range(count):
        order = generator.permutation(n)
        reached = values[:, np.concatenate([[0], np.cumsum(1 << order)])]
        total[:, order] += reached[:, 1:] - reached[:, :-1]
    return total / count
