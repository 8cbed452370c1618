"""Numbers that plans rest on, one by one: copies by the lack, gaps by the means, what a copy keeps."""

from types import SimpleNamespace

import numpy as np
import pytest

from raymm.config import load
from raymm.errors import ConfigError
from raymm.methods import ExtraRows
from raymm.methods.gaps import gaps
from raymm.methods.kept import with_kept
from raymm.methods.sample import sample_counts
from raymm.valuation import utility


@pytest.mark.parametrize("share", [1.0, 2.0, 0.5])
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.75])
def test_copies_are_the_lack_in_parts_of_the_fair_share(share, scale):
    phi = np.array([[0.0, 0.5, 1.0], [-0.5, 2.0, np.nan], [1.5, share, -3.0]])
    draw = np.array([[0.2, 0.5, 0.7], [0.5, 0.1, 0.1], [0.4, 0.01, 0.25]])
    inputs = SimpleNamespace(
        phi=phi,
        utility=SimpleNamespace(fair_share=share),
        draw=lambda purpose, count: {("sample", 3): draw}[purpose, count],
    )
    settings = load(None, ("method=sample", f"method.settings.fs.scale={scale}")).method.settings
    expected = [
        [
            0 if not value < share else (lack := scale * (1 - value / share)) // 1 + (chance < lack % 1)
            for value, chance in row
        ]
        for row in (zip(*pair, strict=True) for pair in zip(phi, draw, strict=True))
    ]
    assert sample_counts(settings, inputs).tolist() == expected


def gap_of(means, n, bound):
    """The definition, for one row."""
    seen = [i for i in range(n) if not np.isnan(means[i])]
    whole = max(means[i] for i in seen) - min(means[i] for i in seen) if bound is None else bound
    return [
        min(max(np.mean([means[j] for j in seen if j != i]) - means[i], 0) / whole, 1)
        if i in seen and len(seen) > 1
        else max(-means[i], 0) / whole
        if i in seen and bound
        else 0
        for i in range(n)
    ]


@pytest.mark.parametrize("name", ["count", "probability", "logit"])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_gaps_are_the_definition_row_by_row(n, name):
    means = np.random.default_rng(n).uniform(-1.0, 2.5, (7, n))
    if n > 2:
        means[[0, 3], [1, 2]] = np.nan
    bound = {"count": n / 2, "probability": 1.0, "logit": None}[name]
    found = gaps(means, utility(name))
    assert found == pytest.approx(np.array([gap_of(row, n, bound) for row in means]), abs=1e-12)
    assert found.max() > 0.1


@pytest.mark.parametrize("size", [1e-300, 1e-13, 1e-3, 1.0, 1e9])
def test_gaps_without_a_bound_do_not_depend_on_the_unit_of_the_values(size):
    means = np.array([[3.0, 1.0, np.nan], [3.0, 1.0, 2.0]]) * size
    assert gaps(means, utility("logit")) == pytest.approx(np.array([[0, 1, 0], [0, 0.75, 0]]), abs=1e-12)


def test_modalities_that_lie_level_or_were_never_seen_have_no_gap():
    means = np.array(
        [[0.5, 0.5, np.nan], [2.0, 2.0, 2.0], [1234.1] * 3, [1e5 / 3] * 3, [0.1 + 0.2, 0.3, 0.3], [0.0] * 3]
    )
    level = gaps(means, utility("logit"))
    assert (level == 0).all()
    assert gaps(np.array([[1.5], [-4.0]]), utility("count")).tolist() == [[0], [0]]


def kept(position, modality, present, seed=3, rows=None):
    inputs = SimpleNamespace(present=present, rows=np.arange(len(present)) * 7 if rows is None else rows, seed=seed)
    extra = ExtraRows(np.asarray(position), np.int64(1) << np.asarray(modality))
    return with_kept(extra, inputs, SimpleNamespace(keep="coalition")).keep.tolist()


def test_a_draw_is_that_of_sample_modality_and_number_of_the_copy():
    generator = np.random.default_rng(0)
    present = np.ones((6, 5), bool)
    present[1, 2] = present[4, 0] = present[4, 3] = False
    pairs = [(s, i) for s in range(6) for i in range(5) if present[s, i] for _ in range(generator.integers(0, 5))]
    pairs = [pairs[row] for row in generator.permutation(len(pairs))]
    together = kept(*zip(*pairs, strict=True), present)
    seen = {}
    for pair, code in zip(pairs, together, strict=True):
        seen.setdefault(pair, []).append(code)
    for (sample, modality), codes in seen.items():
        alone = kept([sample] * len(codes), [modality] * len(codes), present)
        assert codes == alone
        fewer = len(codes) - 1
        assert codes[:-1] == (kept([sample] * fewer, [modality] * fewer, present) if fewer else [])
        assert (
            kept([0] * len(codes), [modality] * len(codes), present[[sample]], rows=np.array([sample * 7])) == codes
        )
    assert any(len(set(codes)) > 1 for codes in seen.values())


def test_a_copy_of_the_only_modality_keeps_it_and_weights_stay():
    present = np.array([[0, 1, 0], [1, 1, 0]], bool)
    assert kept([0, 1, 1], [1, 0, 1], present) == [2, 1, 2]
    inputs = SimpleNamespace(present=present, rows=np.array([4, 9]), seed=0)
    extra = ExtraRows(np.array([0]), np.array([2]), np.array([0.25], np.float32))
    assert with_kept(extra, inputs, SimpleNamespace(keep="coalition")).weight is extra.weight
    assert with_kept(extra, inputs, SimpleNamespace(keep="single")) is extra


@pytest.mark.parametrize("name", ["modality", "class"])
def test_the_part_that_is_valued_is_more_than_nothing_and_at_most_all(name):
    assert load(None, (f"method={name}",)).method.settings.subset == 0.2
    for part in (1e-6, 0.5, 1.0):
        assert load(None, (f"method={name}", f"method.settings.subset={part}")).method.settings.subset == part
    for part in (0, -0.1, 1.001, 2):
        with pytest.raises(ConfigError, match="subset"):
            load(None, (f"method={name}", f"method.settings.subset={part}"))
