"""What a valuation table keeps to, compared with values by the definition, computed here from the model itself."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as drawn
from hypothesis import strategies as st

from raymm.data import Sample, Schema, VectorSpec, View, open_dataset, write_dataset
from raymm.valuation import join_tables, shapley_values
from raymm.valuation.engine import stream_rows, value_rows
from raymm.valuation.sampling.designs import design
from raymm.valuation.sampling.estimator import estimate
from tests.games import OwnModel, settings
from tests.oracles import shapley_by_permutations

NAMES = ("a", "b", "c")
CLASSES = ("w", "x", "y", "z")
ROWS = 40


def samples():
    """Three vectors a sample, of which some are missing."""
    generator = np.random.default_rng(5)
    for row in range(ROWS):
        there = [name for name in NAMES if generator.random() < 0.8] or ["a"]
        values = {name: generator.normal(size=3).astype(np.float32) for name in NAMES}
        split = ("train", "val", "test")[row % 3 if row < 6 else 2]
        yield Sample(f"s{row:02d}", split, row % len(CLASSES), {name: values[name] for name in there})


def dataset_of(path, names=NAMES):
    schema = Schema(modalities=tuple(VectorSpec(name=name, size=3) for name in names), classes=CLASSES)
    return open_dataset(write_dataset(path, samples(), schema))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return dataset_of(tmp_path_factory.mktemp("values") / "d")


def model_of(dataset):
    """A network that tells samples and coalitions apart; its weights go by the names of modalities."""
    model = OwnModel(dataset.schema)
    for name, encoder in model.encoders.items():
        generator = torch.Generator().manual_seed(ord(name))
        torch.nn.init.normal_(encoder.weight, std=1.5, generator=generator)
        torch.nn.init.normal_(encoder.bias, generator=generator)
    return model.eval()


def valued(dataset, model=None, utility="probability", rows=None, batch_size=16):
    config = settings(valuation={"utility": utility, "batch_size": batch_size})
    rows = dataset.rows("test") if rows is None else rows
    return value_rows(model or model_of(dataset), View(dataset, config.view), rows, config)


def by_definition(dataset, model, row, utility):
    """The values of the present modalities of a sample, in fractions; and v of all of them and of none."""
    batch = View(dataset, settings().view).batch(np.array([row]))
    present = np.flatnonzero(dataset.present[row])
    features = model.encode(batch)
    game = []
    for code in range(2 ** len(present)):
        mask = torch.zeros(1, len(dataset.schema.names), dtype=torch.bool)
        mask[0, present[[bool(code >> bit & 1) for bit in range(len(present))]]] = True
        with torch.no_grad():
            probabilities = model.fuse(features, mask).double().softmax(dim=1)[0]
        right = bool(code) and int(probabilities.argmax()) == dataset.label[row]
        game.append(float(probabilities[dataset.label[row]]) if utility == "probability" else int(right))
    values = [float(value) for value in shapley_by_permutations([Fraction(value) for value in game])]
    return present, values, game[-1] - game[0]


@pytest.mark.parametrize(("utility", "error"), [("probability", 1e-6), ("correct", 0.0)])
def test_I02_one_row_a_sample_and_I03_efficiency(dataset, utility, error):
    model, table = model_of(dataset), valued(dataset, utility=utility)
    rows = dataset.rows("test")
    assert table.sample_id.tolist() == dataset.shards.sample_id[rows].tolist()
    assert len(set(table.sample_id.tolist())) == len(rows)
    assert np.array_equal(np.isnan(table.phi), ~dataset.present[rows])
    for row, phi in zip(rows, table.phi, strict=True):
        present, values, whole = by_definition(dataset, model, row, utility)
        assert np.abs(phi[present] - values).max() <= max(error, 1e-12)
        assert abs(np.nansum(phi) - whole) <= max(error, 1e-12)
    assert len({round(float(value), 4) for value in table.phi.ravel() if np.isfinite(value)}) > 3


@pytest.mark.parametrize("utility", ["probability", "log_probability", "margin"])
def test_I04_null_player(dataset, utility):
    """Its features are 0. (Of hard values the empty coalition has none, so there it would be no null player.)"""
    model = model_of(dataset)
    table = valued(dataset, model, utility)
    assert np.nanmax(np.abs(table.phi[:, 1])) > 0.01
    for weight in model.encoders["b"].parameters():
        torch.nn.init.zeros_(weight)
    assert np.nanmax(np.abs(valued(dataset, model, utility).phi[:, 1])) <= 1e-9


@pytest.mark.parametrize("utility", ["probability", "correct", "count"])
def test_I05_symmetry(tmp_path, utility):
    """Two modalities with the same values and the same encoder."""
    schema = Schema(modalities=tuple(VectorSpec(name=name, size=3) for name in NAMES), classes=CLASSES)
    generator = np.random.default_rng(0)

    def twins():
        for row in range(24):
            a, c = generator.normal(size=(2, 3)).astype(np.float32)
            yield Sample(f"s{row}", ("train", "val", "test")[row % 3], row % 4, {"a": a, "b": a, "c": c})

    dataset = open_dataset(write_dataset(tmp_path / "d", twins(), schema))
    model = model_of(dataset)
    model.encoders["b"] = model.encoders["a"]
    phi = valued(dataset, model, utility).phi
    assert np.abs(phi[:, 0] - phi[:, 1]).max() <= (1e-6 if utility == "probability" else 0)
    assert np.abs(phi[:, 0] - phi[:, 2]).max() > 0.01


def test_I06_linearity_of_a_table(dataset):
    whole, half = valued(dataset, utility="correct"), valued(dataset, utility="tests.games:HALF")
    count, double = valued(dataset, utility="count"), valued(dataset, utility="tests.games:DOUBLE")
    assert np.array_equal(half.phi * 2, whole.phi, equal_nan=True)
    assert np.array_equal(double.phi, count.phi * 2, equal_nan=True)
    assert not np.array_equal(count.phi, whole.phi, equal_nan=True)


@given(n=st.integers(1, 7), seed=st.integers(0, 2**31), a=st.floats(-9, 9), b=st.floats(-9, 9))
def test_I06_linearity(n, seed, a, b):
    one, other = np.random.default_rng(seed).normal(size=(2, 2**n))
    one, other, both = (torch.tensor(game)[None] for game in (one, other, a * one + b * other))
    assert torch.allclose(shapley_values(both), a * shapley_values(one) + b * shapley_values(other), atol=1e-10)


@pytest.mark.parametrize("utility", ["correct", "probability"])
def test_I07_order_of_modalities(tmp_path, dataset, utility):
    turned = dataset_of(tmp_path / "turned", NAMES[::-1])
    phi, other = valued(dataset, utility=utility).phi, valued(turned, utility=utility).phi[:, ::-1]
    assert np.allclose(phi, other, rtol=0, atol=0 if utility == "correct" else 1e-6, equal_nan=True)
    assert not np.allclose(phi, other[:, ::-1], rtol=0, atol=1e-3, equal_nan=True)


def games(count, n):
    """Games of modalities that help together and with less and less gain, float64 [count, 2**n]."""
    generator = np.random.default_rng(1)
    member = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    strength = generator.exponential(size=(count, n))
    pairs = generator.normal(scale=0.1, size=(count, n, n))
    sums = strength @ member.T + np.einsum("bij,si,sj->bs", pairs, member, member)
    return torch.tensor(1 / (1 + np.exp(2 - sums)))


@pytest.mark.parametrize("budget", [30, 64, 120])
def test_I08_sampled_values(budget):
    n, values = 8, games(300, 8)
    plan = design(n, budget, seed=3)
    assert len(plan.masks) <= budget
    codes = (plan.masks.long() << torch.arange(n)).sum(dim=1)
    found = estimate(values[:, codes], plan)
    away = (found.phi - shapley_values(values)).abs() / found.stderr.clamp_min(1e-12)
    assert float((away <= 4).double().mean()) >= 0.99
    assert float((away > 0.01).double().mean()) > 0.5  # not exact: the twin
    exact = design(n, 2**n, seed=3)
    codes = (exact.masks.long() << torch.arange(n)).sum(dim=1)
    assert torch.allclose(estimate(values[:, codes], exact).phi, shapley_values(values), atol=1e-9)


@drawn(max_examples=10)
@given(data=st.data())
def test_I09_cuts_and_orders(dataset, data):
    """Hard values have the same bits whatever the batches, the blocks and the order of rows."""
    rows = dataset.rows("test")
    whole = valued(dataset, utility="count")
    order = data.draw(st.permutations(range(len(rows))))
    batch = data.draw(st.integers(1, len(rows) + 3))
    moved = valued(dataset, utility="count", rows=rows[order], batch_size=batch)
    assert np.array_equal(moved.phi, whole.phi[order], equal_nan=True)
    assert np.array_equal(moved.outcomes, whole.outcomes[order])
    assert moved.sample_id.tolist() == whole.sample_id[order].tolist()
    config = settings(valuation={"utility": "count", "batch_size": batch})
    job = (model_of(dataset), View(dataset, config.view), rows, config)
    first = {number for number, _ in stream_rows(*job) if data.draw(st.booleans())}
    blocks = {**dict(stream_rows(*job, done=first)), **{n: t for n, t in stream_rows(*job) if n in first}}
    assert np.array_equal(join_tables([blocks[n] for n in sorted(blocks)]).phi, whole.phi, equal_nan=True)
