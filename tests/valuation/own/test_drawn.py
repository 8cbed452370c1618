"""Drawn models, batches, gaps and baselines: always the contributions of the definition."""

from fractions import Fraction

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from raymm.valuation.own import value_batches
from tests.oracles import shapley_by_permutations

CLASSES = 3
UTILITIES = {
    "count": lambda logits, label, size: size * int(logits.argmax() == label),
    "correct": lambda logits, label, size: int(size > 0 and logits.argmax() == label),
    "logit": lambda logits, label, _: float(logits[label]),
}


class Branch(nn.Module):
    """A linear map, given as a tensor, a sequence, in a tuple, or in a mapping."""

    def __init__(self, size, width, form):
        super().__init__()
        self.linear, self.form = nn.Linear(size, width), form

    def forward(self, values):
        found = self.linear(values).tanh()
        if self.form == "steps":
            return torch.stack([found, 2 * found], dim=1)
        return {"plain": found, "tuple": (found, 3), "mapping": {"a": found, "b": [found]}}[self.form]

    def together(self, output):
        """[B, width] of what `forward` gives; linear in it, so that a baseline passes through."""
        if self.form == "steps":
            return output.sum(1) / 3
        return {"plain": lambda: output, "tuple": lambda: output[0], "mapping": lambda: output["b"][0]}[self.form]()


class Net(nn.Module):
    def __init__(self, sizes, widths, forms):
        super().__init__()
        self.branches = nn.ModuleList(map(Branch, sizes, widths, forms))
        self.hidden, self.head = nn.Linear(sum(widths), 6), nn.Linear(6, CLASSES)

    def rest(self, parts):
        return self.head(torch.sin(3 * self.hidden(torch.cat(parts, dim=-1))))

    def forward(self, *inputs):
        return self.rest([branch.together(branch(x)) for branch, x in zip(self.branches, inputs, strict=True)])


@st.composite
def cases(draw):
    n = draw(st.integers(1, 4))
    several = st.lists(st.integers(1, 5), min_size=n, max_size=n)
    forms = st.lists(st.sampled_from(["plain", "steps", "tuple", "mapping"]), min_size=n, max_size=n)
    rows = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    return draw(several), draw(several), draw(forms), rows, draw(st.integers(0, 10_000)), draw(st.booleans())


@settings(max_examples=25)
@given(case=cases(), utility=st.sampled_from(sorted(UTILITIES)), mask=st.sampled_from(["zeros", "mean"]))
def test_contributions_are_those_of_the_definition(case, utility, mask):
    sizes, widths, forms, rows, seed, gaps = case
    n, generator = len(sizes), torch.Generator().manual_seed(seed)
    model = Net(sizes, widths, forms)
    for weight in model.parameters():
        nn.init.normal_(weight, generator=generator)
    batches = [
        (
            *(torch.randn(count, size, generator=generator) for size in sizes),
            torch.rand(count, n, generator=generator) < (0.7 if gaps else 2.0),
            torch.randint(CLASSES, (count,), generator=generator),
        )
        for count in rows
    ]
    batches[0][-2][0] = True  # so that a mean is known of each
    names = [f"m{i}" for i in range(n)]
    modalities = dict(zip(names, model.branches, strict=True))
    table = value_batches(model, batches, modalities=modalities, present=-2, utility=utility, mask=mask)
    true = by_definition(model, batches, UTILITIES[utility], mask)
    assert np.array_equal(np.isnan(table.phi), np.isnan(true))
    assert np.allclose(table.phi, true, rtol=0, atol=1e-12 if utility != "logit" else 2e-5, equal_nan=True)


def by_definition(model, batches, value, mask):
    """Row by row, coalition by coalition, order by order."""
    n, found = len(model.branches), []
    with torch.no_grad():
        outputs = [[b.linear(x).tanh() for b, x in zip(model.branches, batch, strict=False)] for batch in batches]
        means = [
            torch.cat([part[i][batch[-2][:, i]] for part, batch in zip(outputs, batches, strict=True)]).mean(0)
            for i in range(n)
        ]
        stand_in = means if mask == "mean" else [torch.zeros_like(mean) for mean in means]
        for parts, batch in zip(outputs, batches, strict=True):
            for row, label in enumerate(batch[-1].tolist()):
                there = batch[-2][row].nonzero()[:, 0].tolist()
                game = []
                for code in range(2 ** len(there)):
                    members = {there[k] for k in range(len(there)) if code >> k & 1}
                    kept = [parts[i][row] if i in members else stand_in[i] for i in range(n)]
                    game.append(Fraction(value(model.rest(kept), label, len(members))))
                shares = dict(zip(there, shapley_by_permutations(game), strict=True))
                found.append([float(shares[i]) if i in shares else np.nan for i in range(n)])
    return np.array(found)
