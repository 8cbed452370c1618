"""Values of branch modules: those of the definition, each branch run once a batch, and nothing left behind."""

import numpy as np
import pytest
import torch
from torch import nn

from raymm.errors import ConfigError
from raymm.valuation.own import BatchError, value_batches
from tests.valuation.own.nets import WIDTHS, Three, batches_of, phi_by_definition, restless

NAMES = tuple(WIDTHS)
EVERYTHING = [NAMES] * 99


def modalities_of(model):
    return dict(model.branches.items())


def by_hand(model, batch, stand_in=lambda name, output: torch.zeros_like(output)):
    """`logits_of(row, coalition)`, with the branches of each coalition put together by hand."""

    def logits_of(row, coalition):
        parts = []
        for name in NAMES:
            output = model.branches[name](batch[name])
            parts.append((output if name in coalition else stand_in(name, output))[row])
        return model.head(torch.cat(parts))

    return logits_of


@pytest.fixture
def model():
    return restless(Three()).eval()


def expected(model, batches, present=EVERYTHING, **settings):
    with torch.no_grad():
        rows = [phi_by_definition(by_hand(model, batch, **settings), batch["label"], present) for batch in batches]
    return np.array([phi for batch in rows for phi in batch], dtype=float)


def test_contributions_are_those_of_the_definition(model):
    batches = batches_of()
    table = value_batches(model, batches, modalities=modalities_of(model), ids="clip", source="clip", split="val")
    assert np.allclose(table.phi, expected(model, batches), rtol=0, atol=1e-12)
    assert len({tuple(row) for row in table.phi.tolist()}) > 3
    assert table.sample_id.tolist() == [name for batch in batches for name in batch["clip"]]
    assert table.source.tolist() == table.sample_id.tolist()
    assert set(table.split.tolist()) == {"val"}
    assert table.label.tolist() == [label for batch in batches for label in batch["label"].tolist()]
    with torch.no_grad():
        logits = torch.cat([model(*(batch[name] for name in NAMES)) for batch in batches])
    assert table.prediction.tolist() == logits.argmax(1).tolist()
    losses = nn.functional.cross_entropy(logits.double(), torch.tensor(table.label), reduction="none")
    assert np.allclose(table.loss, losses, rtol=0, atol=1e-5)


@pytest.mark.parametrize("utility", ["correct", "probability", "margin"])
def test_every_utility(model, utility):
    value = {
        "correct": lambda logits, label, size: float(size > 0 and logits.argmax() == label),
        "probability": lambda logits, label, _: logits.double().softmax(-1)[label],
        "margin": lambda logits, label, _: logits[label] - max(x for k, x in enumerate(logits) if k != label),
    }[utility]
    (batch,) = batches_of((5,))
    with torch.no_grad():
        true = phi_by_definition(by_hand(model, batch), batch["label"], EVERYTHING, value)
    table = value_batches(model, [batch], modalities=modalities_of(model), utility=utility, source="clip")
    assert np.allclose(table.phi, true, rtol=0, atol=1e-5)


def test_each_branch_runs_once_a_batch_and_twice_more_on_the_first(model):
    batches = batches_of((4, 4, 4, 4))
    value_batches(model, batches, modalities=modalities_of(model), ids="clip")
    assert model.calls == dict.fromkeys(NAMES, len(batches) + 2)


def test_a_missing_modality_is_no_player_and_what_stands_in_its_place_is_not_read(model):
    (batch,) = batches_of((6,))
    there = [NAMES, ("audio", "video"), ("video",), ("audio", "text"), NAMES, ()]
    mask = torch.tensor([[name in row for name in NAMES] for row in there])
    for position, name in enumerate(NAMES):
        batch[name][~mask[:, position]] = torch.nan
    clean = {
        name: values.nan_to_num() if isinstance(values, torch.Tensor) else values for name, values in batch.items()
    }
    true = expected(model, [clean], present=there)
    for batch["there"], present in (
        (mask, "there"),
        (dict(zip(NAMES, mask.T, strict=True)), "there"),
        (mask.int(), lambda batch: batch["there"]),
    ):
        settings = (
            {"forward": lambda model, batch: model(*(batch[name] for name in NAMES))} if callable(present) else {}
        )
        table = value_batches(
            model, [batch], modalities=modalities_of(model), ids="clip", present=present, **settings
        )
        assert np.allclose(table.phi, true, rtol=0, atol=1e-12, equal_nan=True)
    del batch["there"]
    columns = {f"has_{name}": mask[:, position] for position, name in enumerate(NAMES)}
    where = {name: f"has_{name}" for name in NAMES}
    table = value_batches(model, [batch | columns], modalities=modalities_of(model), ids="clip", present=where)
    assert np.allclose(table.phi, true, rtol=0, atol=1e-12, equal_nan=True)


def test_the_mean_is_over_the_samples_that_have_the_modality(model):
    batches = batches_of()
    generator = torch.Generator().manual_seed(3)
    there = []
    for batch in batches:
        batch["there"] = torch.rand(len(batch["label"]), 3, generator=generator) < 0.7
        there.append([tuple(n for n, on in zip(NAMES, row, strict=True) if on) for row in batch["there"].tolist()])
    with torch.no_grad():
        means = {
            name: torch.cat([model.branches[name](b[name])[b["there"][:, i]] for b in batches])
            .double()
            .mean(0)
            .float()
            for i, name in enumerate(NAMES)
        }
        true = []
        for batch, rows in zip(batches, there, strict=True):
            hand = by_hand(model, batch, lambda name, output: means[name].expand_as(output))
            true += phi_by_definition(hand, batch["label"], rows)
    settings = {"modalities": modalities_of(model), "ids": "clip", "present": "there", "mask": "mean"}
    table = value_batches(model, batches, **settings)
    assert np.allclose(table.phi, np.array(true, float), rtol=0, atol=1e-12, equal_nan=True)
    assert table.info.masking == "mean"
    zeros = value_batches(model, batches, **{**settings, "mask": "zeros"})
    assert not np.allclose(table.phi, zeros.phi, equal_nan=True)
    once = value_batches(model, iter(batches), reference=iter(batches), **settings)
    assert np.array_equal(once.phi, table.phi, equal_nan=True)


def test_a_function_gives_what_stands_in(model):
    batches = batches_of((5, 4))

    def halved(name, output):
        return output.flip(1) / 2 if name == "video" else torch.ones(output.shape[1])

    true = expected(model, batches, stand_in=lambda name, output: halved(name, output).expand_as(output))
    table = value_batches(model, batches, modalities=modalities_of(model), ids="clip", mask=halved)
    assert np.allclose(table.phi, true, rtol=0, atol=1e-12)
    assert "halved" in table.info.masking


def test_modes_hooks_forwards_and_random_numbers_are_as_before(model):
    model.train()
    model.branches["video"].eval()
    before = {name: part.training for name, part in model.named_modules()}
    hooks = {name: list(part._forward_hooks) for name, part in model.named_modules()}
    modalities = modalities_of(model)

    def same():
        assert {name: part.training for name, part in model.named_modules()} == before
        assert {name: list(part._forward_hooks) for name, part in model.named_modules()} == hooks
        assert not any("forward" in vars(part) for part in model.modules())
        assert torch.is_grad_enabled()

    torch.manual_seed(5)
    first = torch.rand(3)
    torch.manual_seed(5)
    value_batches(model, batches_of(), modalities=modalities, ids="clip")
    assert torch.equal(torch.rand(3), first)
    same()
    for raising in (1, 2, 5):
        left = iter(range(raising - 1))

        def forward(model, batch, left=left):
            if next(left, None) is None:
                raise RuntimeError("the disk is full")
            return model(*(batch[name] for name in NAMES))

        with pytest.raises(BatchError, match=r"batch 0 .*RuntimeError: the disk is full"):
            value_batches(model, batches_of(), modalities=modalities, forward=forward)
        same()
    loss = model(**{name: value for name, value in batches_of()[0].items() if name in NAMES}).sum()
    loss.backward()
    assert all(part.grad is not None for part in model.parameters())


class Rich(nn.Module):
    """Branches that give sequences, states of recurrent layers, dataclasses; the rest changes them in place."""

    def __init__(self):
        super().__init__()
        self.heard, self.seen, self.embed = (
            nn.LSTM(3, 4, num_layers=2, batch_first=True),
            nn.Conv1d(2, 5, 3),
            nn.Identity(),
        )
        self.head = nn.Linear(4 + 4 + 5 + 3, 4)

    def forward(self, sound, frames, words):
        steps, (state, _) = self.heard(sound)
        picture = self.seen(frames)
        picture.relu_()
        text = self.embed(words)
        text += 1.0
        return {"logits": self.head(torch.cat([steps.mean(1), state[-1], picture.amax(-1), text], 1)), "other": steps}


def rich_batch(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    frames, words = torch.randn(rows, 2, 6, generator=generator), torch.randn(rows, 3, generator=generator)
    return (torch.randn(rows, 7, 3, generator=generator), frames, words.clone(), torch.arange(rows) % 4)


def test_outputs_of_several_tensors_and_ranks_and_changes_in_place():
    model = restless(Rich()).eval()
    batches = [rich_batch(5, 0), rich_batch(3, 1)]

    def by_hand(batch):
        sound, frames, words, _ = batch
        steps, (state, _) = model.heard(sound)
        picture, text = model.seen(frames), words

        def logits_of(row, coalition):
            a, v, t = (float(name in coalition) for name in NAMES)
            parts = [
                a * steps[row].mean(0),
                a * state[-1][row],
                (v * picture[row]).relu().amax(-1),
                t * text[row] + 1.0,
            ]
            return model.head(torch.cat(parts))

        return logits_of

    with torch.no_grad():
        true = [phi for batch in batches for phi in phi_by_definition(by_hand(batch), batch[-1], EVERYTHING)]
    modalities = {"audio": "heard", "video": "seen", "text": "embed"}
    with pytest.raises(BatchError, match=r"'text' gives changes .* its inputs are changed in place"):
        value_batches(model, batches, modalities=modalities)  # an Identity hands the input itself on
    batches = [rich_batch(5, 0), rich_batch(3, 1)]  # what was changed is made anew
    table = value_batches(
        model,
        batches,
        modalities=modalities,
        forward=lambda model, batch: model(*(part.clone() for part in batch[:-1])),
    )
    assert np.allclose(table.phi, true, rtol=0, atol=1e-12)
    assert len({tuple(row) for row in table.phi.tolist()}) > 1


class TimeFirst(nn.Module):
    """Recurrent branches over [T, B, D], of which the last step, a mean, or the state is read."""

    def __init__(self, read):
        super().__init__()
        self.read = read
        self.branches = nn.ModuleDict({name: nn.GRU(wide, wide, 2) for name, (wide, _) in WIDTHS.items()})
        self.head = nn.Sequential(nn.Linear(sum(wide for wide, _ in WIDTHS.values()), 3), nn.Tanh())

    def pooled(self, steps, state):
        return {"last": steps[-1], "mean": steps.mean(0), "state": state[0] - state[1]}[self.read]

    def forward(self, **inputs):
        outputs = [self.branches[name](inputs[name].transpose(0, 1)) for name in NAMES]
        return self.head(torch.cat([self.pooled(*output) for output in outputs], dim=1))


def sequences(sizes, steps, seed=0):
    """Batches of sequences [B, T, ...], of which each sample has some modalities."""
    draw = torch.Generator().manual_seed(seed)
    batches = []
    for size in sizes:
        there = torch.rand(size, 3, generator=draw) < 0.6
        inputs = {name: 3 * torch.randn(size, steps, wide, generator=draw) for name, (wide, _) in WIDTHS.items()}
        batches.append({**inputs, "label": torch.randint(3, (size,), generator=draw), "there": there})
    return batches


@pytest.mark.parametrize("mask", ["zeros", "mean"])
@pytest.mark.parametrize("read", ["last", "mean", "state"])
@pytest.mark.parametrize(("sizes", "steps"), [((6, 6, 4), 6), ((2, 2), 2), ((1, 5), 5), ((5, 3), 4)])
def test_the_axis_of_the_samples_is_found_where_two_are_as_long(read, mask, sizes, steps):
    model, batches = restless(TimeFirst(read)), sequences(sizes, steps)
    pooled, there = [], []
    with torch.no_grad():
        for batch in batches:
            outputs = {name: model.branches[name](batch[name].transpose(0, 1)) for name in NAMES}
            pooled.append({name: model.pooled(*output) for name, output in outputs.items()})
            there += [tuple(n for n, on in zip(NAMES, row, strict=True) if on) for row in batch["there"].tolist()]
        rows = {name: torch.cat([one[name] for one in pooled]) for name in NAMES}
        had = torch.cat([batch["there"] for batch in batches])
        base = {name: rows[name][had[:, i]].mean(0) if mask == "mean" else 0.0 for i, name in enumerate(NAMES)}

        def logits_of(row, coalition):
            parts = [rows[n][row] if n in coalition else base[n] + 0 * rows[n][row] for n in NAMES]
            return model.head(torch.cat(parts))

        true = phi_by_definition(logits_of, torch.cat([batch["label"] for batch in batches]), there)
    found = value_batches(model, batches, modalities=modalities_of(model), present="there", mask=mask)
    assert np.allclose(found.phi, np.array(true, float), rtol=0, atol=1e-12, equal_nan=True)


def test_hooks_of_others_act_once(model):
    batches = batches_of()
    before = value_batches(model, batches, modalities=modalities_of(model), ids="clip")
    weight = model.branches["audio"]
    handle = weight.register_forward_hook(lambda module, args, output: 3.0 * output)
    found = value_batches(model, batches, modalities=modalities_of(model), ids="clip")
    handle.remove()
    with torch.no_grad():
        weight.weight *= 3.0
        weight.bias *= 3.0
    assert np.array_equal(found.phi, expected(model, batches))
    assert not np.array_equal(found.phi, before.phi)


def test_modules_are_found_by_dotted_names_and_inside_of_wrappers(model):
    batches = batches_of()
    dotted = {name: f"branches.{name}" for name in NAMES}
    true = value_batches(model, batches, modalities=modalities_of(model), ids="clip")
    for wrapped in (model, torch.compile(model, backend="eager")):
        assert np.array_equal(value_batches(wrapped, batches, modalities=dotted, ids="clip").phi, true.phi)


def test_mistakes_in_the_names_are_told_all_at_once(model):
    with pytest.raises(ConfigError) as told:
        value_batches(
            model,
            batches_of(),
            modalities={"audio": "branches.adio", "video": nn.Linear(1, 1), "text": 3, "x": model},
        )
    assert "'audio': Three has no module 'branches.adio'; did you mean 'branches.audio'?" in str(told.value)
    assert "'video': this Linear is no part of the Three" in str(told.value)
    assert "'text' is a int; give a module of the model, or its dotted name" in str(told.value)
    for twice, words in (
        ({"a": "branches.audio", "b": "branches.audio"}, "'a' and 'b' are the same module"),
        ({"a": "branches.audio", "b": "branches"}, "'a' is a part of 'b'"),
    ):
        with pytest.raises(ConfigError, match=words):
            value_batches(model, batches_of(), modalities=twice)
