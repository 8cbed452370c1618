"""Mixup: rows and labels mixed with a partner's, by hand; the same on any ranks, readers and after a resume."""

import copy
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from raymm.config import parse
from raymm.data import Schema, TextSpec, VectorSpec
from raymm.data.batch import Batch
from raymm.data.loading import BatchLoader
from raymm.data.mixup import Mixing, mixed, partners_of, parts_of
from raymm.errors import ConfigError, DataError, TrainingError
from raymm.methods import METHODS, Method
from raymm.methods.plan import base_plan
from raymm.seeds import keys_of
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.tasks import get_task
from raymm.tasks.mixed_labels import MixedLabels, losses_of
from raymm.training.checkpoint import read_checkpoint
from raymm.training.context import RunContext
from raymm.training.epoch import rank_parts, rank_rows
from raymm.training.loop import Backends
from raymm.training.run import create_or_open, open_run, problems_of
from tests.games import advanced, gappy_datasets, settings
from tests.methods.test_every_method import assert_close, config_of, defined_for, kept, stop_at
from tests.ranks import on_ranks, ranks

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

SPLITS = ("train",) * 22 + ("val",) * 9 + ("test",) * 6
"""22 rows in batches of 7: of the last batch, of one row, the second of two ranks has none."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return gappy_datasets(tmp_path_factory.mktemp("data"), SPLITS, (0.3, 0.4))


def mixing_config(name="joint", alpha=0.5, **view):
    config = config_of(name)
    return config.override({"view": {**view, "mixup": {"alpha": alpha}}})


def by_hand(values, mask, partner, part, read):
    """Values [R, n, ...] of rows, mixed row by row and number by number, and the part of each row's own label."""
    made, own = values[: len(part)].copy(), np.ones(len(part))
    for row, (other, amount) in enumerate(zip(partner, part, strict=True)):
        foreign, count = 0.0, 0
        for position in range(values.shape[1]):
            if not (mask[row, position] and read[position]):
                continue
            count += 1
            if mask[other, position] and other != row:
                made[row, position] = amount * values[row, position] + (1 - amount) * values[other, position]
                foreign += 1 - amount
        own[row] = 1 - (foreign / count if count else 0)
    return made, own


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_mixed_with_one_partner_where_both_have_the_modality(seed):
    generator = np.random.default_rng(seed)
    count, more, n = 7, seed % 3, 3
    values = generator.normal(size=(count + more, n, 2, 4)).astype(np.float32)
    mask = generator.random((count + more, n)) < 0.7
    mask[0] = False  # a row that keeps nothing
    partner = generator.integers(0, count + more, count)
    part = generator.random(count).astype(np.float32)
    read = np.array([True, True, seed % 2 == 0])
    labels, index = torch.from_numpy(generator.integers(0, 5, count + more)), torch.arange(count + more)
    inputs = {f"m{i}": torch.from_numpy(values[mask[:, i], i]) for i in range(n)}
    made = mixed(Batch(inputs, torch.from_numpy(mask), labels, index), Mixing(partner, part, read))
    expected, own = by_hand(values, mask, partner, part, read)
    for i in range(n):
        np.testing.assert_allclose(made.inputs[f"m{i}"], expected[mask[:count, i], i], rtol=1e-6)
    np.testing.assert_array_equal(made.mask, mask[:count])
    np.testing.assert_array_equal(made.labels, labels[:count])
    np.testing.assert_array_equal(made.mixed.partner, labels[partner])
    np.testing.assert_allclose(made.mixed.own, own, rtol=1e-6)
    assert len(made) == count


def test_partners_are_others_and_parts_are_drawn_of_beta():
    keys = keys_of(5, np.arange(4000))
    partner = partners_of(keys)
    assert sorted(partner) == list(range(4000))
    assert (partner != np.arange(4000)).all()
    shuffled = np.random.default_rng(0).permutation(4000)
    moved = partners_of(keys[shuffled])
    np.testing.assert_array_equal(shuffled[moved], partner[shuffled])  # by the keys alone, in whatever order
    assert partners_of(keys[:1]).tolist() == [0]
    for alpha in (0.2, 1.0, 4.0):
        drawn = parts_of(keys, alpha)
        assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01
        np.testing.assert_array_equal(parts_of(keys[7:9], alpha), drawn[7:9])


def test_the_loss_of_a_mixed_row_is_that_of_its_soft_label():
    generator = torch.Generator().manual_seed(0)
    outputs, own = torch.randn(6, 4, generator=generator), torch.rand(6, generator=generator)
    labels, others = (torch.randint(0, 4, (6,), generator=generator) for _ in range(2))
    soft = own[:, None] * functional.one_hot(labels, 4) + (1 - own[:, None]) * functional.one_hot(others, 4)
    losses = losses_of(get_task("classification"), outputs, labels, MixedLabels(others, own))
    torch.testing.assert_close(losses, functional.cross_entropy(outputs, soft, reduction="none"))
    sets, of_others = (torch.rand(6, 4, generator=generator) < 0.5 for _ in range(2))
    soft = own[:, None] * sets.float() + (1 - own[:, None]) * of_others.float()
    losses = losses_of(get_task("multilabel"), outputs, sets, MixedLabels(of_others, own))
    expected = functional.binary_cross_entropy_with_logits(outputs, soft, reduction="none").mean(dim=1)
    torch.testing.assert_close(losses, expected)
    several = torch.stack([outputs, 2 * outputs, -outputs], dim=1)
    together = losses_of(get_task("classification"), several, labels, MixedLabels(others, own))
    for place in range(3):
        alone = losses_of(get_task("classification"), several[:, place], labels, MixedLabels(others, own))
        torch.testing.assert_close(together[:, place], alone)


@pytest.mark.parametrize("method", ["joint", "coalition"])
def test_a_step_trains_the_mixed_rows(tmp_path, data, method):
    """The loss of the first step, from the rows as they are stored, mixed and weighed here."""
    dataset, config = data(2), mixing_config(method, augment=True)
    run = create_or_open(tmp_path / "r", config, dataset)
    with RunContext.build(run, dataset, Backends()) as context:
        plan = base_plan(dataset.rows("train"), 2)
        part = next(rank_parts(context.trainer, context.loader, plan, 0))
        reader, rows = context.loader.reader, part.plan_rows
        plain = reader.batch(plan.index[rows], keys=reader.augmentation_keys(0, rows))
        mask, values = plain.mask.numpy(), np.zeros((len(rows), 2, 6), np.float32)
        for i, name in enumerate(dataset.schema.names):
            values[mask[:, i], i] = plain.inputs[name]
        other = [int(torch.nonzero(plain.index == one)[0]) for one in plain.index]  # each sample stands once
        assert other == list(range(len(rows)))
        partner = np.array([_partner(part.batch, row, plain) for row in range(len(rows))])
        own = part.batch.mixed.own.numpy()
        shared = (mask & mask[partner]).sum(axis=1) / mask.sum(axis=1)
        amount = 1 - (1 - own) / np.where(shared > 0, shared, 1)
        expected, of_label = by_hand(values, mask, partner, amount, np.ones(2, bool))
        for i, name in enumerate(dataset.schema.names):
            np.testing.assert_allclose(part.batch.inputs[name], expected[mask[:, i], i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(of_label, own, rtol=1e-5)
        assert (own < 1).any()
        model = copy.deepcopy(context.trainer.model)
        step = context.trainer.step(part)
        found = _loss(model, part.batch, plain.labels, plain.labels[partner], torch.from_numpy(own), method)
        assert float(step.loss.detach()) == pytest.approx(float(found.detach()), rel=1e-5)


def _partner(batch, row, plain):
    """The row whose values explain a mixed row: by the position that `mixed` was told, read off the labels."""
    found = batch.mixed.partner[row]
    candidates = [other for other in range(len(plain)) if plain.labels[other] == found]
    best = {other: _misfit(batch, row, plain, other) for other in candidates}
    return min(best, key=best.get)


def _misfit(batch, row, plain, other):
    """How far a mixed row is from the line between two rows, over the modalities that both have."""
    misfit = 0.0
    for position, name in enumerate(batch.inputs):
        if not batch.mask[row, position]:
            continue
        place = int(batch.mask[:row, position].sum())
        made, mine = batch.inputs[name][place], plain.inputs[name][place]
        if not plain.mask[other, position] or other == row:
            misfit += float((made - mine).norm())
            continue
        way = plain.inputs[name][int(plain.mask[:other, position].sum())] - mine
        misfit += float((made - mine - way * ((made - mine) @ way) / (way @ way)).norm())
    return misfit


def _loss(model, batch, labels, others, own, method):
    model.train()
    features = model.encode(batch)

    def loss(mask):
        outputs = model.fuse(features, mask & batch.mask)
        both = [functional.cross_entropy(outputs, one, reduction="none") for one in (labels, others)]
        return own * both[0] + (1 - own) * both[1]

    full = loss(torch.ones(1, 2, dtype=torch.bool))
    if method == "joint":
        return full.sum()
    alone = [loss(torch.tensor([[i == 0, i == 1]])) for i in range(2)]
    several = batch.mask.sum(dim=1) == 2
    return torch.where(several, (full * 2 + (alone[0] + alone[1]) / 2) / 3, full).sum()


def run_to_the_end(path, config, dataset):
    run = create_or_open(path, config, dataset)
    stop_at(run, dataset, 3)
    return run


@pytest.mark.parametrize("method", ["joint", "sample"])
def test_it_resumes_with_the_same_bits_and_differs_from_none(tmp_path, data, method):
    dataset, config = data(2), mixing_config(method)
    whole = run_to_the_end(tmp_path / "whole", config, dataset)
    again = create_or_open(tmp_path / "again", config, dataset)
    for epoch in (1, 2, 3):
        stop_at(open_run(again.path), dataset, epoch)
    assert kept(again) == kept(whole)
    plain = run_to_the_end(tmp_path / "plain", config_of(method), dataset)
    assert kept(plain)[0] != kept(whole)[0]
    for name, off in {"zero": mixing_config(method, 0.0), "none": mixing_config(method, augment=False)}.items():
        same = run_to_the_end(tmp_path / name, off, dataset)
        assert kept(same) == kept(plain), name  # vectors have no other augmentation


@pytest.mark.parametrize("method", ["joint", "sample", "coalition"])
def test_two_ranks_mix_as_one_process_does(tmp_path, data, method):
    dataset, config = data(3), mixing_config(method)
    one = run_to_the_end(tmp_path / "one", config, dataset)
    two = create_or_open(tmp_path / "two", config, dataset)
    communicators = ranks(2)
    built = [RunContext.build(two, dataset, Backends(communicator=rank)) for rank in communicators]
    initial = copy.deepcopy(built[0].trainer.model)
    with patch("raymm.training.method_hooks.build_model", lambda *_: copy.deepcopy(initial)):
        on_ranks(communicators, built, lambda context: advanced(context, 3))
    for epoch in (1, 2, 3):
        assert_close(*(epoch_folder(run.path, epoch) / layout.WEIGHTS for run in (one, two)))


def test_rows_have_the_same_bits_on_any_rank_and_with_workers(tmp_path, data):
    dataset, config = data(3), mixing_config()
    run, plan = create_or_open(tmp_path / "r", config, dataset), base_plan(dataset.rows("train"), 3)

    def rows_of(rank, workers=0):
        """Mixed values and labels by number of the plan's row."""
        found = {}
        with RunContext.build(run, dataset, Backends(communicator=rank)) as context:
            loader = BatchLoader(context.loader.reader, workers)
            with loader:
                for part in rank_parts(context.trainer, loader, plan, 1):
                    batch = part.batch
                    for place, row in enumerate(part.plan_rows):
                        values = [
                            batch.inputs[f"m{i}"][int(batch.mask[:place, i].sum())].tolist()
                            for i in range(3)
                            if batch.mask[place, i]
                        ]
                        found[row] = (values, float(batch.mixed.own[place]), int(batch.mixed.partner[place]))
            read = rank_rows(context.trainer, dataset.schema, plan, 1)
            assert set(found) <= set(read)
        return found

    whole = rows_of(ranks(1)[0])
    assert len(whole) == 22
    for world in (2, 3):
        parts = [rows_of(rank) for rank in ranks(world)]
        assert {row: found for part in parts for row, found in part.items()} == whole
    assert rows_of(ranks(1)[0], workers=1) == whole


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_mixed_rows_or_refuses_in_words(name, tmp_path, data):
    """A method that reads labels without saying so is found: its step would raise."""
    dataset = data(defined_for(name, data, 2, 3, 1))
    config = mixing_config(name)
    if found := problems_of(config, dataset.schema):
        (line,) = found
        assert line.startswith(f"view.mixup.alpha=0.5: method={name} reads the labels or contributions of training")
        assert line.endswith("rows, and mixed rows have two labels each; use another method, or no mixup")
        assert METHODS.get(name).reads_labels
        return
    run = create_or_open(tmp_path / "r", config, dataset, check=False)
    stop_at(run, dataset, 3)
    history = read_checkpoint(run.path, 3).history
    assert np.isfinite([entry["metrics"]["train/loss"] for entry in history]).all()


class Reading(Method):
    """Reads the labels of a step, and does not say so."""

    def loss(self, step):
        return step.total(step.loss_of(step.logits) * (step.labels >= 0))


def test_a_method_of_ones_own_that_reads_labels_is_stopped(tmp_path, data):
    run = create_or_open(tmp_path / "r", mixing_config(f"{__name__}:Reading"), data(2), check=False)
    with pytest.raises(TrainingError, match=r"two labels each; take losses by step\.loss_of, or train with"):
        stop_at(run, data(2), 1)


def test_what_cannot_be_mixed_is_refused_at_once():
    schema = Schema(modalities=(VectorSpec(name="pose", size=3), TextSpec(name="title")), classes=("x", "y"))
    given = {"view": {"mixup": {"alpha": 0.3}}, "valuation": {"source": "online"}, "method": {"name": "pmr"}}
    found = "\n".join(problems_of(settings(**given), schema))
    for words in (
        "method=pmr reads the labels",
        "valuation.source=online values training rows",
        "the words of title cannot be mixed; leave texts out by model.modalities",
    ):
        assert words in found
    read = settings(view=given["view"], method={"name": "joint"}, model={"modalities": ["pose"]})
    assert not problems_of(read, schema)
    whole = Batch({"tokens": torch.arange(4)[:, None]}, torch.ones(4, 1, dtype=torch.bool), *[torch.arange(4)] * 2)
    mixing = Mixing(np.array([1, 2, 3, 0]), np.full(4, 0.5, np.float32), np.array([True]))
    with pytest.raises(DataError, match=r"'tokens' is torch\.int64, which cannot be mixed"):
        mixed(whole, mixing)
    only = mixed(whole, replace(mixing, read=np.array([False])))  # what the model does not read stays as it is
    assert only.mixed.own.tolist() == [1.0] * 4


@pytest.mark.parametrize("alpha", [-0.1, 101, float("nan"), "much"])
def test_settings_out_of_range_are_refused(alpha):
    with pytest.raises(ConfigError, match=r"view\.mixup\.alpha"):
        parse({"view": {"mixup": {"alpha": alpha}}})
