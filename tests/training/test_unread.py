"""A run whose model does not read a modality equals one on data in which every sample lacks it, bit for bit."""

import numpy as np
import pytest
import torch

from raymm.errors import ConfigError
from raymm.integrations.coalition_loss import CoalitionLoss
from raymm.methods import METHODS, build_method
from raymm.models.fusion import FUSIONS
from raymm.models.model import build_model
from raymm.reports.diagnostics.of_run import facts_of
from raymm.reports.valuation_summary import summarise
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.tracking.metrics import gap_metric, phi_metric
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, train
from raymm.training.planning import plan_epoch
from raymm.training.run import create_or_open, validate_run
from raymm.valuation.table_file import read_table
from tests.games import settings, untimed
from tests.methods.test_every_method import NEEDS
from tests.unread import with_and_without, written

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

EPOCHS = 2
SPLITS = ("train",) * 22 + ("val",) * 10 + ("test",) * 8
OF_ONE = ("alone",)
"""Methods that say themselves what is read."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = {}

    def get(n=3):
        if n not in made:
            made[n] = with_and_without(tmp_path_factory.mktemp("unread"), SPLITS, n)
        return made[n]

    return get


def config_of(name, read, fusion=None, baseline="zeros", **sections):
    own = NEEDS.get(name, {})
    base = {
        "training": {"epochs": EPOCHS, "batch_size": 11, "keep": 9},
        "method": {"name": name, "warmup": 1, **own.get("method", {})},
        "model": {"feature_size": 6, "encoder": {"width": 4}, "modalities": read, "baseline": baseline},
        "optimizer": {"name": "sgd", "lr": 0.05},
    }
    base["model"] |= own.get("model", {}) | ({} if fusion is None else {"fusion": fusion})
    return settings(**{part: {**base.get(part, {}), **sections.get(part, {})} for part in {**base, **sections}})


def run_of(path, config, dataset):
    run = create_or_open(path, config, dataset, check=False)
    return run, train(run, dataset, Backends())


def bytes_of(run):
    """All that decides the numbers, after each epoch: weights, plan, and what the method keeps."""
    files = (layout.WEIGHTS, layout.OPTIMIZER, layout.PLAN, layout.METHOD)
    folders = [epoch_folder(run.path, epoch) for epoch in range(1, EPOCHS + 1)]
    return [{name: (folder / name).read_bytes() for name in files if (folder / name).exists()} for folder in folders]


def same_runs(mine, theirs):
    """Weights, plans, metrics and tables of two runs are the same."""
    (run, result), (other, other_result) = mine, theirs
    assert bytes_of(run) == bytes_of(other)
    assert [untimed(one["metrics"]) for one in result.history] == [
        untimed(one["metrics"]) for one in other_result.history
    ]
    assert untimed(result.metrics) == untimed(other_result.metrics)
    tables = [read_table(one.path / "result" / "valuation-test.parquet") for one in (run, other)]
    assert np.array_equal(tables[0].phi, tables[1].phi, equal_nan=True)
    assert np.array_equal(tables[0].outcomes, tables[1].outcomes)
    assert np.isnan(tables[0].phi[:, -1]).all()
    return tables[0]


def defined(name, n):
    dataset_schema = written_schema(n)
    try:
        build_method(config_of(name, None), dataset_schema)
    except ConfigError:
        return False
    return True


def written_schema(n):
    from raymm.data import Schema, VectorSpec

    return Schema(modalities=[VectorSpec(name=f"m{i}", size=6) for i in range(n)], classes=("a", "b", "c"))


@pytest.mark.parametrize("name", [name for name in METHODS if name not in OF_ONE])
def test_every_method(name, data, tmp_path):
    n = next(n for n in (3, 2) if defined(name, n))
    whole, without = data(n)
    read = [f"m{i}" for i in range(n - 1)]
    mine = run_of(tmp_path / "whole", config_of(name, read), whole)
    same_runs(mine, run_of(tmp_path / "without", config_of(name, None), without))
    last = f"m{n - 1}"
    for epoch in range(1, EPOCHS + 1):
        state = read_checkpoint(mine[0].path, epoch)
        assert phi_metric("train", last) not in state.history[-1]["metrics"]
        assert state.phi is None or np.isnan(state.phi[:, -1]).all()
        extra = np.arange(len(whole.rows("train")), len(state.plan))
        if len(extra):
            kept = state.plan.masks(extra, n) & without.present[state.plan.index[extra]]
            assert kept.any(axis=1).all()  # no row keeps nothing but what is not read


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_with_contributions_from_the_training_pass(fusion, data, tmp_path):
    whole, without = data()
    mine, theirs = (
        run_of(tmp_path / name, config_of("sample", read, fusion, "mean", valuation={"source": "online"}), dataset)
        for name, read, dataset in (("whole", ["m0", "m1"], whole), ("without", None, without))
    )
    same_runs(mine, theirs)
    table = read_table(mine[0].path / "result" / "valuation-test.parquet")
    assert [(pair["first"], pair["second"]) for pair in summarise(table)["pairs"]] == [("m0", "m1")]
    online = read_checkpoint(mine[0].path, EPOCHS).online
    assert np.isnan(online[:, 2]).all()
    assert np.isfinite(online[:, :2]).any(axis=0).all()
    assert gap_metric("m2") not in mine[1].metrics


def test_contributions_that_an_older_run_recorded_of_it_are_not_planned_from(data):
    """It was a player there, with the lowest contributions of all: no copy keeps it."""
    whole, _ = data()
    config = config_of("sample", ["m0", "m1"])
    method, view = build_method(config, whole.schema), whole.as_read(config.model.modalities)
    phi = np.where(whole.present[whole.rows("train")], [0.5, 1.5, -3.0], np.nan)
    plan = plan_epoch(method, view, config, 2, phi)
    extra = np.arange(len(phi), len(plan))
    kept = plan.masks(extra, 3)
    assert len(extra) > 0
    assert kept[:, 0].all()
    assert not kept[:, 1:].any()
    assert len(plan_epoch(method, whole, config, 2, phi)) > len(plan)


def test_one_modality_alone_is_valued_as_the_only_one(data, tmp_path):
    """By `count`, phi of the only player is 1 where it is right: nothing is shared with what is not read."""
    whole, _ = data()
    run, result = run_of(tmp_path / "r", config_of("alone", None), whole)
    table = read_table(run.path / "result" / "valuation-test.parquet")
    has = whole.present[whole.rows("test")][:, 0]
    right = table.prediction == table.label
    assert np.array_equal(table.phi[has, 0], right[has].astype(float))
    assert np.isnan(table.phi[:, 1:]).all()
    assert np.isnan(table.phi[~has, 0]).all()
    assert result.metrics["test/accuracy_m0"] == right[has].mean()
    assert facts_of(run, whole).modalities == ("m0",)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in OF_ONE])
def test_samples_of_which_nothing_is_read_do_no_harm(name, tmp_path):
    """They are trained as the baseline, have no contributions, and no copy of them is planned."""
    n = next(n for n in (3, 2) if defined(name, n))
    whole = written(tmp_path / "d", SPLITS, n, lone=True)
    run, _ = run_of(tmp_path / "r", config_of(name, [f"m{i}" for i in range(n - 1)]), whole)
    lone = ~whole.present[:, :-1].any(axis=1)
    assert lone[whole.rows("train")].sum() == 2
    for epoch in range(1, EPOCHS + 1):
        state = read_checkpoint(run.path, epoch)
        assert all(np.isfinite(list(entry["metrics"].values())).all() for entry in state.history)
        assert not lone[state.plan.index[len(whole.rows("train")) :]].any()
        assert state.phi is None or np.isnan(state.phi[lone[whole.rows("train")]]).all()
    table = read_table(run.path / "result" / "valuation-test.parquet")
    assert np.array_equal(np.isnan(table.phi).all(axis=1), lone[whole.rows("test")])


def test_data_of_which_no_training_sample_has_what_is_read_are_refused(tmp_path):
    dataset = written(tmp_path / "d", SPLITS, 3, last=False)
    with pytest.raises(ConfigError, match=r"model.modalities: no training sample has any of m2, so there is nothing"):
        validate_run(config_of("joint", ["m2"]), dataset)


def test_a_modality_that_no_training_sample_has_is_said_before_training(data, caplog):
    whole, without = data()
    assert (whole.untrained, without.untrained) == ((), ("m2",))
    for dataset, read in ((whole, None), (without, ["m0", "m1"]), (without, None)):
        assert not [message for message in caplog.messages if "training sample" in message]
        validate_run(config_of("joint", read), dataset)
    assert "no training sample has m2, so that its encoder is not trained" in caplog.messages


@pytest.mark.parametrize("fusion", ["concat", "mlp"])
@pytest.mark.parametrize("method", ["coalition", "valued"])
def test_the_loss_of_coalitions_in_a_loop_of_ones_own(method, fusion, data):
    """Of a model that reads two of three modalities: as if the mask were without the third."""
    whole, _ = data()
    config = config_of("joint", ["m0", "m1"], fusion)
    model = build_model(whole.schema, config.model, 0)
    features = torch.randn(9, 3, 6, generator=torch.Generator().manual_seed(0))
    mask, labels = torch.ones(9, 3, dtype=torch.bool), torch.arange(9) % 3
    read = mask & torch.tensor([True, True, False])
    for fuse in (model, model.fuse):
        mine = CoalitionLoss(whole.schema.names, method=method)(features, mask, labels, fuse, return_phi=True)
        theirs = CoalitionLoss(whole.schema.names, method=method)(features, read, labels, fuse, return_phi=True)
        assert torch.equal(mine[0], theirs[0])
        assert torch.equal(mine[1].nan_to_num(9), theirs[1].nan_to_num(9))
        assert mine[1][:, 2].isnan().all()
