"""What copies keep: one modality as ever, or a random coalition that has it."""

import numpy as np
import pytest

from tests.methods.test_methods import plan_of

LARGE = {"fm": {"scale": 10.0}}

COPYING = {"sample": {}, "modality": LARGE, "class": LARGE, "random": {"random_rows": 3.0}}


KEEPS = ("single", "coalition")


def phi_and_present(n=4, count=60):
    generator = np.random.default_rng(n)
    present = generator.random((count, n)) < 0.8
    present[~present.any(axis=1), 0] = True
    return np.where(present, generator.uniform(-0.5, 1.2, (count, n)), np.nan), present


def both_plans(name, n=4):
    """Plans whose copies keep one modality and a coalition, and the modalities that samples have."""
    phi, present = phi_and_present(n)
    return *(plan_of(phi, strategy=name, present=present, keep=keep, **COPYING[name]) for keep in KEEPS), present


@pytest.mark.parametrize("name", COPYING)
def test_the_copies_are_the_same_and_keep_the_low_modality_with_others(name):
    single, wide, present = both_plans(name)
    assert single.index.tolist() == wide.index.tolist()
    count = len(present)
    assert (wide.keep[:count] == single.keep[:count]).all()
    has = present @ (1 << np.arange(4))
    sample = (wide.index - 1) // 3
    low, kept = single.keep[count:], wide.keep[count:]
    of_sample = has[sample[count:]]
    assert len(low) > 30
    assert (kept & low == low).all()  # it has the modality that it was made for
    assert (kept & ~of_sample == 0).all()  # and nothing that the sample lacks
    assert (kept[of_sample != low] != of_sample[of_sample != low]).all()  # and is never the whole sample again
    assert (kept != low).any()


@pytest.mark.parametrize("name", COPYING)
def test_single_is_the_default(name):
    phi, present = phi_and_present()
    default = plan_of(phi, strategy=name, present=present, **COPYING[name])
    single, wide, _ = both_plans(name)
    assert default.keep.tolist() == single.keep.tolist()
    assert default.keep.tolist() != wide.keep.tolist()


@pytest.mark.parametrize("name", COPYING)
def test_with_two_modalities_there_is_no_other_coalition(name):
    single, wide, _ = both_plans(name, n=2)
    assert single.keep.tolist() == wide.keep.tolist()


@pytest.mark.parametrize("n", [3, 4, 5])
def test_sizes_are_uniform_and_so_are_the_others(n):
    count = 6_000
    phi = np.full((count, n), 1.0)
    phi[:, 1] = 0.0
    plan = plan_of(phi, strategy="sample", keep="coalition", fs={"scale": 1.0})
    kept = plan.keep[count:]
    assert len(kept) == count
    members = (kept[:, None] >> np.arange(n)) % 2
    assert members[:, 1].all()
    sizes = np.bincount(members.sum(axis=1), minlength=n + 1) / count
    assert sizes == pytest.approx([0, *[1 / (n - 1)] * (n - 1), 0], abs=4 * np.sqrt(1 / 4 / count))
    pairs, other = members[members.sum(axis=1) == 2], 1 / (n - 1)
    expected = [other, 1, *[other] * (n - 2)]
    assert pairs.mean(axis=0) == pytest.approx(expected, abs=4 * np.sqrt(1 / 4 / len(pairs)))


def test_copies_of_one_sample_and_modality_are_drawn_apart_and_by_the_seed():
    phi = np.array([[1.0, 1.0, 1.0, 1.0, -9.0]])
    kept = [plan_of(phi, strategy="sample", keep="coalition", seed=seed).keep[1:].tolist() for seed in (0, 0, 1)]
    assert len(kept[0]) == 20
    assert len(set(kept[0])) > 5
    assert kept[0] == kept[1] != kept[2]


def test_a_draw_does_not_depend_on_the_other_samples():
    phi, present = phi_and_present(5)
    plans = [
        plan_of(part[rows], strategy="sample", present=present[rows], keep="coalition")
        for part, rows in ((phi, slice(None)), (phi, slice(0, 30)))
    ]
    own = [sorted(plan.keep[plan.index < 3 * 30].tolist()) for plan in plans]
    assert own[0] == own[1]


def test_no_copies_stay_none():
    plan = plan_of(np.ones((3, 3)), strategy="sample", keep="coalition")
    assert len(plan) == 3
