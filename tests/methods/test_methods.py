"""Strategies: the paper's table, expectations, subsets, controls and budgets."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.config import Config, parse
from raymm.data import Schema, VectorSpec
from raymm.errors import ConfigError, TrainingError
from raymm.methods import METHODS, Plan, ResamplingInputs, base_plan, build_method, get_method, make_plan
from raymm.methods.base import PIECE, ExtraRows
from raymm.methods.extra_rows import bernoulli_copies, checked, random_subset
from raymm.methods.gaps import gaps
from raymm.seeds import derive, keys_of, uniform
from raymm.tasks import Classification
from raymm.valuation import utility


def config_of(strategy, utility="count", row_budget=None, **settings) -> Config:
    """A configuration; settings that the method does not read are left out."""
    method = {"name": strategy, "row_budget": row_budget, "settings": settings}
    return parse({"method": method, "valuation": {"utility": utility}}, drop=lambda _: None)


def plan_of(phi, *, strategy, seed=0, label=None, present=None, **settings) -> Plan:
    """The plan of a method for contributions [N, n]."""
    phi = np.asarray(phi, float)
    count, n = phi.shape
    config = config_of(strategy, **settings)
    modalities = tuple(VectorSpec(name=f"m{i}", size=1) for i in range(n))
    method = build_method(config, Schema(modalities=modalities, classes=("a", "b")))
    inputs = ResamplingInputs(
        rows=np.arange(count) * 3 + 1,
        label=np.zeros(count, np.int64) if label is None else np.asarray(label),
        present=np.ones(phi.shape, bool) if present is None else np.asarray(present),
        phi=phi,
        utility=method.context.utility,
        seed=seed,
        classes=2,
    )
    return make_plan(method, inputs, config.method.row_budget)


def copies_by_modality(plan, n, rows):
    extra = plan.keep[rows:]
    return [int((extra == 1 << i).sum()) for i in range(n)]


@pytest.mark.parametrize("family", ["linear", "reference"])
@pytest.mark.parametrize(
    ("phi", "copies"),
    [
        ((0, 0), (2, 2)),
        ((0.5, -0.5), (1, 3)),
        ((-0.5, 0.5), (3, 1)),
        ((1, 1), (0, 0)),
        ((1.5, 0.5), (0, 1)),
        ((0.5, 1.5), (1, 0)),
    ],
)
def test_copies_of_the_truth_table(phi, copies, family):
    plan = plan_of([phi], strategy="sample", fs={"family": family})
    assert tuple(copies_by_modality(plan, 2, 1)) == copies


def test_every_sample_stands_once_whole_and_copies_keep_one_modality():
    plan = plan_of(np.zeros((5, 3)), strategy="sample")
    assert plan.index[:5].tolist() == [1, 4, 7, 10, 13]
    assert (plan.keep[:5] == 7).all()
    assert set(plan.keep[5:].tolist()) == {1, 2, 4}
    assert plan.masks(np.array([0, 5]), 3).sum(axis=1).tolist() == [3, 1]


def test_a_fraction_is_a_bernoulli_draw():
    phi = np.full((20_000, 1), 1 - 0.35)
    plan = plan_of(phi, strategy="sample", fs={"scale": 1.0})
    share = (len(plan) - 20_000) / 20_000
    assert share == pytest.approx(0.35, abs=4 * np.sqrt(0.35 * 0.65 / 20_000))


def test_plans_are_a_function_of_the_seed():
    phi = np.random.default_rng(0).uniform(-0.5, 1.5, (50, 3))
    one, again, other = (plan_of(phi, seed=seed, strategy="sample") for seed in (1, 1, 2))
    assert (one.index.tolist(), one.keep.tolist()) == (again.index.tolist(), again.keep.tolist())
    assert one.index.tolist() != other.index.tolist()


def test_a_missing_modality_is_never_copied():
    phi = np.array([[0.2, np.nan], [0.2, 0.1]])
    present = ~np.isnan(phi)
    for name in METHODS:
        if get_method(name).needs == "nothing":
            continue  # it has no plan
        plan = plan_of(phi, present=present, strategy=name, random_rows=5.0)
        extra = plan.keep[2:][plan.index[2:] == 1]
        assert (extra != 2).all(), name


def test_joint_adds_nothing():
    plan = plan_of(np.zeros((4, 2)), strategy="joint")
    assert (plan.index.tolist(), plan.keep.tolist()) == (
        base_plan(np.arange(4) * 3 + 1, 2).index.tolist(),
        [3] * 4,
    )


def test_random_adds_as_many_as_sample_would_but_elsewhere():
    phi = np.column_stack([np.full(400, 1.5), np.full(400, 0.5)])
    sample = plan_of(phi, strategy="sample")
    random = plan_of(phi, strategy="random")
    assert len(random) == len(sample)
    assert copies_by_modality(sample, 2, 400) == [0, 400]
    assert min(copies_by_modality(random, 2, 400)) > 100


def test_modality_level_follows_the_gap():
    phi = np.column_stack([np.full(4_000, 1.25), np.full(4_000, 0.75)])
    first, second = copies_by_modality(plan_of(phi, strategy="modality"), 2, 4_000)
    assert first == 0
    assert second / 4_000 == pytest.approx(0.5, abs=0.04)


def test_class_level_follows_the_gap_of_each_class():
    label = np.repeat([0, 1], 1_000)
    phi = np.where(label[:, None] == 0, [[1.5, 0.5]], [[0.5, 1.5]])
    plan = plan_of(phi, label=label, strategy="class")
    extra = plan.index[2_000:], plan.keep[2_000:]
    of_first_class = extra[0] < 3_000
    assert set(extra[1][of_first_class]) == {2}
    assert set(extra[1][~of_first_class]) == {1}


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_largest_gap_of_the_count_utility_is_one(n):
    saboteur = np.array([[(n + 1) / 6, (1 - 2 * n) / 6]])
    pair = gaps(saboteur, utility("count")) * 2 / 2
    assert (pair >= 0).all()
    assert pair.max() <= 1
    worst = np.full((1, n), 1.0 + n / 2)
    worst[0, 0] = 1.0
    assert gaps(worst, utility("count"))[0, 0] == 1.0


def test_gaps_are_zero_above_the_mean_of_the_others():
    assert gaps(np.array([[1.5, 0.5, 1.0]]), utility("count"))[0].tolist() == [0.0, 0.5, 0.0]
    assert gaps(np.array([[1.0]]), utility("count")).tolist() == [[0.0]]


@pytest.mark.parametrize("scale", [1e-200, 1e-15, 1e-9, 1.0, 1e9])
def test_gaps_of_a_utility_without_a_bound_do_not_depend_on_its_unit(scale):
    means = np.array([[1.5, 0.5, 1.0], [0.3, 0.1 * 3, 0.3], [0.0, 0.0, 0.0]])
    found = gaps(scale * means, utility("log_probability"))
    np.testing.assert_allclose(found, [[0.0, 0.75, 0.0], [0.0] * 3, [0.0] * 3], atol=1e-3)


def test_subset_is_drawn_without_replacement():
    rows = np.arange(100, 200)
    drawn = random_subset(rows, 0.2, seed=3)
    assert len(drawn) == len(set(drawn.tolist())) == 20
    assert set(drawn) <= set(rows.tolist())
    assert drawn.tolist() != random_subset(rows, 0.2, seed=4).tolist()


def test_a_budget_caps_the_copies_and_says_what_it_dropped():
    plan = plan_of(np.zeros((100, 2)), strategy="sample", row_budget=0.5)
    assert len(plan) == 150
    assert plan.dropped == 350
    assert plan_of(np.zeros((100, 2)), strategy="sample").dropped == 0


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(ConfigError, match="no method 'sampel'; did you mean 'sample'"):
        get_method("sampel")


def misspelt(name, place, letter, how):
    """A name with one letter left out, put in, replaced, doubled or in capitals, or two that have changed places."""
    place %= len(name)
    before, own, after = name[:place], name[place], name[place + 1 :]
    return {
        "left out": before + after,
        "put in": before + letter + own + after,
        "replaced": before + letter + after,
        "doubled": before + own + own + after,
        "swapped": before + after[:1] + own + after[1:],
        "capital": before + own.upper() + after,
        "capitals": name.upper(),
    }[how]


def edits(first, second):
    """Letters to leave out, put in or replace so that one word becomes the other."""
    row = list(range(len(second) + 1))
    for number, letter in enumerate(first, start=1):
        above, row = row, [number]
        for place, other in enumerate(second, start=1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != other)))
    return row[-1]


HOW = ["left out", "put in", "replaced", "doubled", "swapped", "capital", "capitals"]


@settings(max_examples=25)
@given(place=st.integers(0, 20), letter=st.sampled_from("aexz_"), how=st.sampled_from(HOW))
def test_every_method_is_named_where_it_is_misspelt(place, letter, how):
    for name in METHODS:
        word = misspelt(name, place, letter, how)
        if word in METHODS:
            continue
        with pytest.raises(ConfigError) as caught:
            get_method(word)
        (nearest,) = re.findall(rf"no method '{word}'; did you mean '(\w+)'", str(caught.value))
        assert nearest in METHODS
        assert edits(word.lower(), nearest) <= edits(word.lower(), name) + (len(name) <= 3)


@pytest.mark.parametrize("name", ["sample", "random"])
def test_a_utility_without_a_fair_share_is_refused_where_one_is_needed(name):
    with pytest.raises(ConfigError, match="utility=logit has no fair share below which a contribution is low"):
        plan_of(np.zeros((4, 2)), strategy=name, utility="logit")


def test_random_rows_of_a_given_number_need_no_fair_share():
    assert len(plan_of(np.zeros((4, 2)), strategy="random", utility="logit", random_rows=2.0)) == 4 + 8


class AtLeast(Classification):
    """A task whose sample of class 2 belongs to the classes 0 and 1 too."""

    def class_membership(self, labels, classes):
        return labels[:, None] >= np.arange(classes)


@pytest.mark.parametrize(
    ("task", "expected"),
    [(Classification(), [[1, 0, 0, 0], [0, 0, 1, 0]]), (AtLeast(), [[1, 0, 0, 0], [1, 1, 1, 0]])],
)
def test_the_task_says_which_classes_a_sample_belongs_to(task, expected):
    present, phi = np.ones((2, 2), bool), np.ones((2, 2))
    inputs = ResamplingInputs(np.arange(2), np.array([0, 2]), present, phi, utility("count").of(task), 0, classes=4)
    assert inputs.membership.astype(int).tolist() == expected


def test_many_samples_are_planned_in_pieces_as_at_once():
    count, n = PIECE + 41, 2
    phi = np.random.default_rng(0).uniform(-1, 2, (count, n))
    phi[PIECE - 1 : PIECE + 2] = [[0.1, 0.9], [np.nan, 0.3], [0.7, np.nan]]
    present = ~np.isnan(phi)
    rows = np.arange(count) * 3 + 1
    plan = plan_of(phi, strategy="sample", present=present, seed=5)
    lack = np.where(phi < 1, 2 * (1 - phi), 0.0)
    counts = np.floor(lack).astype(int) + (uniform(keys_of(derive(5, "sample"), rows), n) < lack - np.floor(lack))
    sample, modality = np.nonzero(counts)
    repeats = counts[sample, modality]
    assert plan.index[count:].tolist() == np.repeat(rows[sample], repeats).tolist()
    assert plan.keep[count:].tolist() == np.repeat(1 << modality, repeats).tolist()
    matched = plan_of(phi, strategy="random", present=present, seed=5)
    assert len(matched) == len(plan)
    assert present[(matched.index[count:] - 1) // 3, matched.keep[count:] >> 1].all()


def test_a_chance_for_each_of_many_samples_is_drawn_in_pieces_as_at_once():
    count = PIECE + 41
    inputs = ResamplingInputs(
        np.arange(count),
        np.zeros(count, int),
        np.ones((count, 2), bool),
        np.zeros((count, 2)),
        utility("count"),
        7,
        2,
    )
    d = np.random.default_rng(1).uniform(0, 1, (count, 2))
    copies = bernoulli_copies(inputs, d, lambda x: x)
    sample, modality = np.nonzero(uniform(keys_of(derive(7, "modality"), np.arange(count)), 2) < d)
    assert copies.position.tolist() == sample.tolist()
    assert copies.keep.tolist() == (1 << modality).tolist()


def test_the_first_empty_row_of_many_is_named():
    present = np.ones((3, 2), bool)
    present[2, 1] = False
    position, keep = np.zeros(PIECE + 9, int), np.ones(PIECE + 9, int)
    position[PIECE + 5], keep[PIECE + 5] = 2, 2
    with pytest.raises(
        TrainingError, match=rf"row {PIECE + 5} keeps only modalities that its sample lacks \(position 2"
    ):
        checked(ExtraRows(position, keep), present, "Mine")
