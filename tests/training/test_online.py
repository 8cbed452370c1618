"""Contributions from the training pass: those of each batch as it was trained, and what is planned from them."""

import numpy as np
import pytest
import torch

from raymm.errors import ConfigError
from raymm.tracking.metrics import gap_metric, phi_metric
from raymm.training.checkpoint import read_checkpoint
from raymm.training.context import RunContext
from raymm.training.loop import Backends, iter_epochs, load_or_init, train
from raymm.training.run import create_or_open, open_run
from raymm.valuation.enumeration import contributions, value_samples
from raymm.valuation.protocol import evaluating
from raymm.valuation.utilities import get_utility
from tests.games import advanced, gappy_dataset, settings
from tests.ranks import on_ranks, ranks

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

EPOCHS = 5
SPLITS = ("train",) * 26 + ("val",) * 9 + ("test",) * 6
"""26 rows in batches of 7: the last batch has 5, and with six ranks one of them has none."""


def data_of(path, n=3, task="classification"):
    return gappy_dataset(path, n, SPLITS, (0.5, 0.5), task)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("data") / "d")


def config_of(name="sample", *, dropout=0.0, **sections):
    base = {
        "training": {"epochs": EPOCHS, "batch_size": 7, "keep": 9},
        "method": {"name": name, "warmup": 2},
        "model": {"feature_size": 6, "encoder": {"width": 4, "dropout": dropout}},
        "optimizer": {"name": "sgd", "lr": 0.05},
        "valuation": {"source": "online"},
    }
    return settings(**{part: {**base.get(part, {}), **sections.get(part, {})} for part in {**base, **sections}})


def stop_at(run, dataset, epoch):
    for state in iter_epochs(run, dataset, Backends()):
        if state.epoch == epoch:
            return


def trained(path, dataset, epochs=EPOCHS, **config):
    """Checkpoints of a run by number of epochs; it is not finished, so that the test split is not read."""
    run = create_or_open(path, config_of(**config), dataset, check=False)
    stop_at(run, dataset, epochs)
    return {epoch: read_checkpoint(run.path, epoch) for epoch in range(1, epochs + 1)}


@pytest.fixture
def steps(monkeypatch):
    """Steps as they were valued: index, base, phi of the step, phi by `value_samples`, phi by the definition."""
    from raymm.training.step import Trainer

    seen = []
    update = Trainer._update

    def spied(trainer, step):
        with evaluating(trainer.model), torch.no_grad():
            features, task = step.features.detach().clone(), trainer.task
            name = trainer.config.valuation.utility
            fast = value_samples(
                trainer.model, features, step.labels, present=step.mask, utility_name=name, task=task
            ).phi
            slow = contributions(trainer.model.fuse, features, step.labels, step.mask, get_utility(name, task))
        loss = update(trainer, step)
        seen.append((step.epoch, step.index.numpy(), step.base.numpy(), step.valued, fast, slow))
        return loss

    monkeypatch.setattr(Trainer, "_update", spied)
    return seen


@pytest.mark.parametrize("fusion", ["concat", "attention"])
@pytest.mark.parametrize("utility", ["count", "probability"])
@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_contributions_of_a_step_are_those_of_its_batch_by_the_weights_before_it(
    tmp_path, steps, task, utility, fusion
):
    dataset = data_of(tmp_path / "d", 3, task)
    states = trained(
        tmp_path / "r",
        dataset,
        3,
        name="class",
        model={"feature_size": 6, "fusion": fusion},
        valuation={"source": "online", "utility": utility},
    )
    train, present = dataset.rows("train"), dataset.present
    for epoch, state in states.items():
        expected = np.full((len(train), 3), np.nan)
        for number, index, base, valued, fast, slow in steps:
            assert torch.equal(valued.nan_to_num(nan=9), fast.nan_to_num(nan=9))
            assert np.allclose(valued, slow, atol=1e-5, equal_nan=True)
            if number == epoch - 1:
                expected[np.searchsorted(train, index[base])] = fast[torch.from_numpy(base)]
        assert np.array_equal(state.online, expected, equal_nan=True)
        assert np.array_equal(np.isnan(state.online), ~present[train])


def test_contributions_do_not_depend_on_ranks_loader_workers_or_a_stop(tmp_path, three):
    """On one and six ranks to the rounding of sums, which a soft utility shows; else bit for bit."""
    soft = {"source": "online", "utility": "probability"}
    config = config_of("class", valuation=soft)
    plain = trained(tmp_path / "plain", three, name="class", valuation=soft)
    workers = {"epochs": EPOCHS, "batch_size": 7, "keep": 9, "loader_workers": 1}
    read_ahead = trained(tmp_path / "ahead", three, name="class", valuation=soft, training=workers)
    again = create_or_open(tmp_path / "again", config, three, check=False)
    for epoch in range(1, EPOCHS + 1):
        stop_at(open_run(again.path), three, epoch)
    many = create_or_open(tmp_path / "many", config, three, check=False)
    communicators = ranks(6)
    contexts = [RunContext.build(many, three, Backends(communicator=rank)) for rank in communicators]
    on_ranks(communicators, contexts, lambda context: advanced(context, EPOCHS))
    for epoch, state in plain.items():
        assert np.array_equal(read_ahead[epoch].online, state.online, equal_nan=True)
        assert np.array_equal(read_checkpoint(again.path, epoch).online, state.online, equal_nan=True)
        of_many = read_checkpoint(many.path, epoch)
        assert np.allclose(of_many.online, state.online, atol=1e-5, equal_nan=True)
        assert of_many.plan.index.tolist() == state.plan.index.tolist()


@pytest.mark.parametrize(("warmup", "every", "due"), [(2, 1, (2, 3, 4)), (1, 2, (1, 3)), (0, 3, (3,))])
def test_plans_are_made_from_contributions_of_the_epochs_that_method_every_names(tmp_path, three, warmup, every, due):
    """Copies are those of the samples that were low when a plan was due, by the newest due epoch until the next."""
    states = trained(
        tmp_path / "r",
        three,
        method={"name": "sample", "warmup": warmup, "every": every, "settings": {"fs": {"scale": 1.0}}},
    )
    train, present, newest = three.rows("train"), three.present, None
    for epoch, state in states.items():
        if epoch in due:
            newest = state.online
        if newest is None:
            assert state.phi is None
            assert len(state.plan) == len(train)
            continue
        assert np.array_equal(state.phi, newest, equal_nan=True)
        extra = list(
            zip(state.plan.index[len(train) :].tolist(), state.plan.keep[len(train) :].tolist(), strict=True)
        )
        lack = np.nan_to_num(np.clip(1 - newest, 0, None))
        for position, sample in enumerate(train.tolist()):
            for modality in range(3):
                count, expected = extra.count((sample, 1 << modality)), lack[position, modality]
                assert np.floor(expected) <= count <= np.ceil(expected)
                assert present[sample, modality] or not count
    assert any(len(state.plan) > len(train) for state in states.values())
    assert len({state.online.tobytes() for state in states.values()}) > 1


def test_only_the_drawn_subset_is_planned_from(tmp_path, three):
    states = trained(tmp_path / "r", three, method={"name": "modality", "warmup": 1, "settings": {"subset": 0.5}})
    asked = ~np.isnan(states[2].phi).all(axis=1)
    assert asked.sum() == 13
    assert np.array_equal(states[2].phi[asked], states[2].online[asked], equal_nan=True)
    assert not np.isnan(states[2].online).all(axis=1).any()


def test_rows_that_a_mask_cuts_are_not_taken_for_whole_samples(tmp_path, three, steps):
    """Modality dropout: what is left of a row plays another game."""
    states = trained(tmp_path / "r", three, 2, method={"name": "dropout", "settings": {"rate": 0.4}})
    valued = ~np.isnan(states[2].online)
    whole = valued.any(axis=1)
    assert 0 < whole.sum() < len(whole)
    assert np.array_equal(valued[whole], three.present[three.rows("train")][whole])


def test_epochs_without_whole_samples_have_no_contributions(tmp_path, three):
    states = trained(tmp_path / "r", three, name="remix")
    assert np.isnan(states[4].online).all()
    assert states[4].plan.base == 0
    assert phi_metric("train", "m0") in states[2].history[0]["metrics"]
    assert phi_metric("train", "m0") not in states[4].history[3]["metrics"]


@pytest.mark.parametrize("name", ["sample", "joint"])
def test_means_and_the_distance_from_the_evaluation_view_are_recorded(tmp_path, three, name):
    run = create_or_open(tmp_path / "r", config_of(name, dropout=0.3), three)
    result = train(run, three, Backends())
    for epoch in range(1, EPOCHS + 1):
        online = read_checkpoint(run.path, epoch).online
        for i, mean in enumerate(np.nanmean(online, axis=0)):
            assert result.history[epoch - 1]["metrics"][phi_metric("train", f"m{i}")] == pytest.approx(mean)
    with RunContext.build(open_run(run.path), three, Backends()) as context:
        load_or_init(context)
        batch = context.loader.reader.batch(three.rows("train"))
        with evaluating(context.trainer.model), torch.no_grad():
            features = context.trainer.model.encode(batch)
            exact = contributions(
                context.trainer.model.fuse,
                features,
                batch.labels,
                batch.mask,
                get_utility("count", three.schema.task),
            )
    gaps = np.nanmean(np.abs(exact.numpy() - online), axis=0)
    assert [result.metrics[gap_metric(f"m{i}")] for i in range(3)] == pytest.approx(gaps.tolist())
    assert gaps.max() > 0.01


REFUSED = [
    ({"method": "sampled"}, "concat", 3, r"valuation.method=sampled is for valuation.source=pass"),
    (
        {},
        "attention",
        13,
        r"13 modalities have 2\^13, and valuation.method=auto enumerates them up to 12 modalities of ",
    ),
    (
        {},
        "concat",
        17,
        r"up to 16 modalities of model.fusion=concat; use valuation.source=pass, or valuation.method=",
    ),
]


@pytest.mark.parametrize(("valuation", "fusion", "n", "words"), REFUSED)
def test_what_would_have_to_be_sampled_is_refused_before_a_run_is_made(tmp_path, valuation, fusion, n, words):
    dataset = data_of(tmp_path / "d", n)
    own = {"model": {"feature_size": 6, "fusion": fusion}, "valuation": {"source": "online", **valuation}}
    with pytest.raises(ConfigError, match=words):
        create_or_open(tmp_path / "r", config_of(**own), dataset)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("valuation", "fusion", "n"), [({}, "attention", 12), ({}, "concat", 16), ({"method": "exact"}, "attention", 13)]
)
def test_what_can_be_enumerated_is_accepted(tmp_path, valuation, fusion, n):
    own = {"model": {"feature_size": 6, "fusion": fusion}, "valuation": {"source": "online", **valuation}}
    assert create_or_open(tmp_path / "r", config_of(**own), data_of(tmp_path / "d", n)).path.exists()
