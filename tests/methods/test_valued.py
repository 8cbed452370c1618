"""Valued losses of coalitions: weights by hand from phi, at the same total, and every switch by itself."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from raymm.errors import ConfigError
from raymm.methods.coalition_terms import Coalitions, Terms
from raymm.methods.epochs import EpochEnd, EpochStart
from raymm.methods.valued_switches import capability, least_worth, mean_values, progress
from raymm.valuation.bits import pack_bits
from raymm.valuation.table import TableInfo, ValuationTable
from tests.methods.steps import ROWS, gradients, grid_of_masks, loss_of_coalition, members_of, step_of, trainer_of


def proper(members):
    return [chosen for size in range(1, len(members)) for chosen in combinations(members, size)]


def uniform_share(members, chosen):
    """Share of a coalition where every size counts the same."""
    same_size = [other for other in proper(members) if len(other) == len(chosen)]
    return 1 / (len(members) - 1) / len(same_size)


def expected_rows(step, weights, amount=None, outer=None):
    """Losses of rows with the share of C times the mean of weights[row] over C, normalised over all rows."""
    outer = np.ones(len(step)) if outer is None else outer
    parts = []
    for row in range(len(step)):
        members = members_of(step.mask[row])
        p = len(members)
        a = ((p - 1) / (p + 1) if amount is None else amount) if p > 1 else 0.0
        shares = [uniform_share(members, chosen) for chosen in proper(members)]
        means = [np.mean([weights[row][i] for i in chosen]) for chosen in proper(members)]
        tilted = [share * mean for share, mean in zip(shares, means, strict=True)]
        parts.append((members, a, shares, tilted))
    total = sum(w * a * sum(shares) for w, (_, a, shares, _) in zip(outer, parts, strict=True))
    found = sum(w * a * sum(tilted) for w, (_, a, _, tilted) in zip(outer, parts, strict=True))
    rows = []
    for row, (members, a, shares, tilted) in enumerate(parts):
        used = [one * total / found for one in tilted] if found > 0 else shares
        losses = [loss_of_coalition(step, row, chosen) for chosen in proper(members)]
        coalitions = sum(share * loss for share, loss in zip(used, losses, strict=True))
        rows.append(outer[row] * ((1 - a) * loss_of_coalition(step, row, members) + a * coalitions))
    return rows


def assert_same(step, trainer, rows):
    loss, expected = trainer.method.loss(step), torch.stack([torch.as_tensor(row) for row in rows]).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(gradients(loss, trainer), gradients(expected, trainer), atol=3e-5)


def lack_of(phi):
    return np.clip(1 - np.nan_to_num(phi, nan=1.0), 0, None)


@pytest.mark.parametrize("fusion", ["concat", "gated"])
@pytest.mark.parametrize("n", [2, 3])
def test_weights_are_those_of_phi_at_the_total_of_uniform_ones(n, fusion):
    step, trainer = step_of("valued", n, fusion=fusion)
    lack = lack_of(step.phi().numpy())
    assert len(np.unique(lack)) > 1
    assert_same(step, trainer, expected_rows(step, 0.5 + 2 * lack))


def test_the_rule_alone_with_a_function_of_ones_own_and_weights_of_rows():
    weight = torch.rand(ROWS, generator=torch.Generator().manual_seed(5))
    fs = {"family": "power", "exponent": 2.0, "scale": 1.0}
    step, trainer = step_of("valued", 3, weight=weight, fs=fs, floor=0.0, amount=0.7)
    rows = expected_rows(step, lack_of(step.phi().numpy()) ** 2, amount=0.7, outer=weight.numpy())
    assert_same(step, trainer, rows)


def test_phi_weighs_something():
    one, other = (step_of(name, 3) for name in ("valued", "coalition"))
    assert abs(one[1].method.loss(one[0]).item() - other[1].method.loss(other[0]).item()) > 1e-3


def test_where_nothing_is_lacking_the_weights_are_even(monkeypatch):
    for floor in (0.0, 0.5):
        step, trainer = step_of("valued", 3, floor=floor)
        monkeypatch.setattr(step, "phi", lambda step=step: torch.ones(step.mask.shape, dtype=torch.float64) * 1.5)
        assert_same(step, trainer, expected_rows(step, np.ones((ROWS, 3))))


def test_drawn_coalitions_are_weighed_by_their_members():
    step, trainer = step_of("valued", 3, draw=2, amount=0.5, floor=0.1)
    drawn = trainer.method.coalitions.draw_masks(step.mask, step.uniform("coalitions", 8).view(ROWS, 2, 4))
    weights = 0.1 + 2 * lack_of(step.phi().numpy())
    whole = [row for row in range(ROWS) if len(members_of(step.mask[row])) > 1]
    tilt = {row: [weights[row][mask.numpy()].mean() / 2 for mask in drawn[row]] for row in whole}
    scale = len(whole) / sum(sum(parts) for parts in tilt.values())
    rows = []
    for row in range(ROWS):
        full = loss_of_coalition(step, row, members_of(step.mask[row]))
        if row in tilt:
            losses = [loss_of_coalition(step, row, members_of(mask)) for mask in drawn[row]]
            full = 0.5 * full + 0.5 * scale * sum(t * loss for t, loss in zip(tilt[row], losses, strict=True))
        rows.append(full)
    assert_same(step, trainer, rows)


def test_a_rank_without_rows_sums_with_the_others():
    step, trainer = step_of("valued", 3, mask=torch.ones(0, 3, dtype=torch.bool), learnability=True, smoothing=0.5)
    trainer.method.before_epoch(start_of(trainer, 4))
    called = []
    step.all_reduce = lambda values: called.append(values) or values
    assert trainer.method.loss(step).item() == 0
    assert len(called) == 1


# switches


def start_of(trainer, samples=ROWS):
    return EpochStart(0, 3, samples, trainer.model, lambda: trainer.model, lambda module: None)


def table_of(unimodal_correct, phi, label, classes=("x", "y", "z")):
    count, n = phi.shape
    return ValuationTable(
        info=TableInfo(tuple(f"m{i}" for i in range(n)), "count", "zeros", "0" * 16, classes=len(classes)),
        sample_id=np.array([str(row) for row in range(count)]),
        split=np.array(["val"] * count),
        label=np.asarray(label),
        prediction=np.asarray(label),
        phi=phi,
        outcomes=pack_bits(np.zeros((count, 2**n), bool)),
        loss=np.zeros(count),
        stderr=np.zeros(phi.shape),
        unimodal_correct=unimodal_correct,
    )


VALIDATION = table_of(
    # accuracy alone: 3/4, 2/4, 1/3 of those that have it; the most frequent label: 2/4, 2/4, 1/3
    unimodal_correct=np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], bool),
    phi=np.array([[1.5, 0.5, np.nan], [0.5, 0.0, 0.5], [1.0, 1.0, 0.0], [0.0, -0.5, 0.5]]),
    label=np.array([0, 0, 1, 2]),
)


def end_of(table):
    return EpochEnd(0, 3, table, None, None, None)


def test_capability_is_accuracy_alone_above_a_constant_answer():
    assert capability(VALIDATION).tolist() == [1.0, 0.0, 0.0]
    at_chance = table_of(np.zeros((4, 3), bool), VALIDATION.phi, VALIDATION.label)
    assert capability(at_chance).tolist() == [1.0, 1.0, 1.0]
    # above the most frequent label, 2 of 5 and, of the two that have the others, 1 of 2 and 1 of 1: 2/5, 1/2 and 0
    phi = np.array([[1, 1, 1], [1, 1, np.nan], [1, np.nan, np.nan], [1, np.nan, np.nan], [1, np.nan, np.nan]])
    right = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0]], bool)
    assert capability(table_of(right, phi, [2, 1, 2, 1, 0])).tolist() == pytest.approx([0.8, 1.0, 0.0])


def test_the_gate_takes_weight_from_a_modality_at_chance():
    step, trainer = step_of("valued", 3, gate=True)
    lack = lack_of(step.phi().numpy())
    assert_same(step, trainer, expected_rows(step, 0.5 + 2 * lack))
    trainer.method.after_evaluation(end_of(VALIDATION))
    assert_same(step, trainer, expected_rows(step, np.array([1.0, 0.0, 0.0]) * (0.5 + 2 * lack)))


def test_means_over_validation_are_by_class_and_over_all():
    means = mean_values(VALIDATION, 3).numpy()
    assert means[-1] == pytest.approx([0.75, 0.25, 1 / 3])
    assert means[0] == pytest.approx([1.0, 0.25, 0.5])
    assert means[2] == pytest.approx([0.0, -0.5, 0.5])
    first = table_of(VALIDATION.unimodal_correct[:1], VALIDATION.phi[:1], [0])
    means = mean_values(first, 3).numpy()
    assert means[1] == pytest.approx([1.5, 0.5, np.nan], nan_ok=True)


@pytest.mark.parametrize("by", ["modality", "class"])
def test_by_modality_and_by_class_read_validation_alone(by, monkeypatch):
    step, trainer = step_of("valued", 3, by=by)
    monkeypatch.setattr(step, "phi", lambda: pytest.fail("phi of the row was computed"))
    assert_same(step, trainer, expected_rows(step, np.ones((ROWS, 3))))  # before the first validation
    trainer.method.after_evaluation(end_of(VALIDATION))
    means = mean_values(VALIDATION, 3).numpy()
    phi = means[step.labels.numpy()] if by == "class" else np.broadcast_to(means[-1], (ROWS, 3))
    assert_same(step, trainer, expected_rows(step, 0.5 + 2 * lack_of(phi)))


def test_several_labels_take_the_mean_of_their_classes_and_none_that_over_all():
    step, trainer = step_of("valued", 3, task="multilabel", by="class")
    step.labels[0] = False
    means = torch.arange(12, dtype=torch.float64).view(4, 3) / 10
    trainer.method.means = means
    phi = trainer.method._means_of(step)
    assert torch.equal(phi[0], means[3])
    for row in range(1, ROWS):
        of_row = means[:3][step.labels[row]]
        assert torch.allclose(phi[row], of_row.mean(dim=0) if len(of_row) else means[3])


def test_smoothing_is_an_exponential_mean_of_phi_over_epochs():
    _, trainer = step_of("valued", 3, smoothing=0.75)
    method, mask = trainer.method, grid_of_masks(3)
    method.before_epoch(start_of(trainer))
    expected = None
    for epoch in range(3):
        step, _ = step_of("valued", 3, mask=mask, seed=epoch)
        phi = step.phi().numpy()
        expected = phi if expected is None else 0.75 * expected + 0.25 * phi
        found = method.weights_of_modalities(step).numpy()
        assert np.allclose(found[mask], (0.5 + 2 * lack_of(expected))[mask], atol=1e-6)
        before = method.state_dict()["phi"].clone()
        assert epoch > 0 or bool(before.isnan().all())
        method.after_steps(lambda sums: sums)
        assert np.allclose(method.state_dict()["phi"].numpy(), expected, atol=1e-6, equal_nan=True)


def test_learnability_follows_the_probability_of_the_label_alone():
    _, trainer = step_of("valued", 2, learnability=True)
    method, mask = trainer.method, grid_of_masks(2)
    method.before_epoch(start_of(trainer))
    first = None
    for epoch in range(3):
        step, _ = step_of("valued", 2, mask=mask, seed=epoch)
        rows = range(ROWS)
        now = np.array([[torch.exp(-loss_of_coalition(step, row, (i,))).item() for i in range(2)] for row in rows])
        first = now if first is None else first
        part = np.clip((now - first) / (1 - first), 0, 1)
        expected = 0.5 + 4 * part * (1 - part) * 2 * lack_of(step.phi().numpy())
        assert np.allclose(method.weights_of_modalities(step).numpy()[mask], expected[mask], atol=1e-5)
        method.after_steps(lambda sums: sums)
        kept = method.state_dict()["first"].numpy()
        assert np.allclose(kept[mask], first[mask], atol=1e-6)
        assert np.isnan(kept[~mask]).all()


def test_the_coalitions_that_are_worth_least_are_those_below_their_members_alone():
    """By a utility that is a number of the outputs times the size."""
    generator, mask = np.random.default_rng(0), grid_of_masks(3, 80)
    members, share = Coalitions(3).members, Coalitions(3).share_of_each(mask)
    together, alone = (torch.from_numpy(generator.integers(-2, 3, (80, k, 1))).double() for k in (6, 3))
    step = SimpleNamespace(mask=mask, labels=torch.zeros(80), unimodal_logits=lambda: alone)
    utility = SimpleNamespace(values=lambda outputs, labels, sizes: outputs[..., 0] * sizes)
    found = least_worth(step, Terms(None, None, share, members, together), utility)
    seen = set()
    for row in range(80):
        surplus = {
            c: float(together[row, c] * members[c].sum() - alone[row, members[c]].sum())
            for c in range(6)
            if (members[c] & mask[row]).equal(members[c]) and members[c].sum() < mask[row].sum()
        }
        least = [c for c in surplus if surplus[c] == min(surplus.values()) < 0]
        seen.add(len(least) if surplus else None)
        assert found[row].tolist() == pytest.approx([1 / len(least) if c in least else 0 for c in range(6)])
    assert seen >= {None, 0, 1, 2}


def test_what_is_being_learned_is_the_part_of_what_was_missing():
    now, start = (grid.flatten().float() for grid in torch.meshgrid(*[torch.linspace(0, 1, 11)] * 2, indexing="ij"))
    part = [
        min(max((p - s) / (1 - s), 0), 1) if s < 1 else 0.0 for p, s in zip(now.tolist(), start.tolist(), strict=True)
    ]
    assert progress(now, start).numpy() == pytest.approx(4 * np.array(part) * (1 - np.array(part)), abs=1e-5)


def test_interactions_go_to_the_coalition_worth_least_beside_its_members(monkeypatch):
    step, trainer = step_of("valued", 3, interactions=0.4, amount=0.5)
    weights, outputs = 0.5 + 2 * lack_of(step.phi().numpy()), {}
    for row in range(ROWS):
        members = members_of(step.mask[row])
        for chosen in [*proper(members), members]:
            kept = torch.zeros(1, 3, dtype=torch.bool)
            kept[0, list(chosen)] = True
            right = step.model.fuse(step.features[row : row + 1], kept).argmax() == step.labels[row]
            outputs[row, chosen] = len(chosen) * int(right)
    shares, spent = {}, 0
    for row in range(ROWS):
        members = members_of(step.mask[row])
        own = {c: uniform_share(members, c) * np.mean([weights[row][i] for i in c]) for c in proper(members)}
        surplus = {c: outputs[row, c] - sum(outputs[row, (i,)] for i in c) for c in own}
        lowest = min(surplus.values(), default=0)
        least = [c for c in own if surplus[c] == lowest] if lowest < 0 else []
        total = sum(own.values())
        shares[row] = {c: 0.6 * own[c] + 0.4 * total * (c in least) / len(least) if least else own[c] for c in own}
        spent += bool(least)
    assert 0 < spent < ROWS
    whole = [row for row in shares if shares[row]]
    scale = len(whole) / sum(sum(shares[row].values()) for row in whole)
    rows = []
    for row in range(ROWS):
        full = loss_of_coalition(step, row, members_of(step.mask[row]))
        parts = [scale * share * loss_of_coalition(step, row, c) for c, share in shares[row].items()]
        rows.append(0.5 * full + 0.5 * sum(parts) if parts else full)
    assert_same(step, trainer, rows)


def test_only_switches_that_are_on_are_remembered_and_taken_over():
    assert trainer_of("valued", 2).method.state_dict() == {}
    everything = {"smoothing": 0.5, "learnability": True, "gate": True}
    _, trainer = step_of("valued", 2, **everything)
    method = trainer.method
    method.before_epoch(start_of(trainer))
    method.loss(step_of("valued", 2)[0])
    method.after_steps(lambda sums: sums)
    state = method.state_dict()
    assert set(state) == {"phi", "first", "gate"}
    again = trainer_of("valued", 2, **everything).method
    again.load_state_dict({name: tensor.clone() for name, tensor in state.items()})
    assert all(torch.equal(again.state_dict()[name].nan_to_num(7), state[name].nan_to_num(7)) for name in state)
    again.before_epoch(start_of(trainer))
    assert torch.equal(again.state_dict()["first"].nan_to_num(7), state["first"].nan_to_num(7))


def test_notes_of_two_workers_are_those_of_one():
    whole, one, other = (trainer_of("valued", 2, smoothing=0.5).method.phi for _ in range(3))
    values = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
    for memory in (whole, one, other):
        memory.allocate(6)
    whole.note(torch.arange(6), values)
    one.note(torch.arange(0, 6, 2), values[::2])
    other.note(torch.arange(1, 6, 2), values[1::2])
    sums = []
    other.keep_notes(lambda own: sums.append(own) or own)
    one.keep_notes(lambda own: own + sums[0])
    whole.keep_notes(lambda own: own)
    assert torch.equal(one.table, whole.table)


# refusals


@pytest.mark.parametrize(
    ("n", "more", "words"),
    [
        (3, {"utility": "logit"}, "utility=logit has no fair share below which a contribution is low"),
        (3, {"by": "class", "smoothing": 0.5}, "smoothing is for by=sample; by=class reads means over validation"),
        (2, {"interactions": 0.5}, "interactions needs coalitions of two besides all: three modalities or more"),
        (3, {"utility": "logit", "interactions": 0.5}, "interactions needs a hard utility such as count, not logit"),
        (3, {"sizes": [4]}, "sizes has 4, but coalitions beside all 3 modalities have 1 to 2"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(n, more, words):
    with pytest.raises(ConfigError, match=words):
        trainer_of("valued", n, **more)
