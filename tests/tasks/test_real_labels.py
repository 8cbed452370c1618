"""Label sets and numbers of real data: trained, valued, re-sampled and recorded; skipped where there is none."""

import numpy as np
import pytest

from bench import datasets
from raymm.storage.layout import result_folder, valuation_file
from raymm.training.checkpoint import read_checkpoint
from raymm.training.result import read_result
from raymm.valuation import read_table
from tests.cli.calling import exit_code


@pytest.fixture(scope="module", params=["openclipart_tags", "imu_vigour"])
def dataset(request, shared_data, tmp_path_factory):
    return datasets.write(shared_data, request.param, tmp_path_factory.mktemp(request.param) / "data")


@pytest.mark.parametrize("method", ["joint", "sample"])
def test_real_labels_go_all_the_way(dataset, tmp_path, method):
    regression = dataset.schema.task.name == "regression"
    utility = "soft_count"
    out = tmp_path / "r"
    command = ["train", "--data", dataset.path, "--out", out, "--backend", "local", "--store", tmp_path / "mlflow"]
    epochs, rate = (8, 0.003) if regression else (2, 0.01)
    small = [f"training.epochs={epochs}", f"optimizer.lr={rate}", "method.warmup=1", "model.feature_size=16"]
    more = ["method.row_budget=0.5"] if method == "sample" else []
    assert exit_code(*command, "--method", method, f"valuation.utility={utility}", *small, *more) == 0
    result, table = read_result(out), read_table(valuation_file(result_folder(out), "test"))
    assert len(table) == len(dataset.rows("test"))
    assert np.isfinite(table.phi[~np.isnan(table.phi)]).all()
    if method == "sample":
        plan = read_checkpoint(out, epochs).plan
        copies = len(plan) - len(dataset.rows("train"))
        assert 0 < copies <= 0.5 * len(dataset.rows("train"))
    own = dataset.label[dataset.rows("test")]
    if regression:
        assert result.metrics["test/mae"] == pytest.approx(np.abs(table.prediction - own).mean(), rel=1e-5)
        constant = np.abs(own - dataset.label[dataset.rows("train")].mean(axis=0)).mean()
        assert result.metrics["test/mae"] < constant
    else:
        assert result.metrics["test/mAP"] > own.mean()

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow'}/mlflow.db")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert any({"test/mae" if regression else "test/mAP"} <= set(each.data.metrics) for each in found)
