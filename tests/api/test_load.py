"""`raymm.load` and `raymm.report`: what a run left, opened and written."""

import shutil

import numpy as np
import pytest
import torch

import raymm
from raymm.api.training_result import TrainingResult
from raymm.data import BatchReader
from raymm.errors import CheckpointError, ConfigError
from raymm.valuation import read_table
from tests.cli.calling import call

SAMPLES = 120
SMALL = {"training.epochs": 2, "method.warmup": 1, "model.feature_size": 16, "model.encoder.width": 8}


@pytest.fixture(scope="module")
def result(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("api") / "run"
    return raymm.train(dataset.path, out=out, settings=SMALL, method="sample", progress=None)


def test_the_model_is_the_one_that_was_tested(dataset, result):
    """Accuracy by an own pass over the test split against the recorded one."""
    loaded = raymm.load(result.folder)
    assert loaded.config == result.config
    assert loaded.schema == dataset.schema
    assert not loaded.model.training
    rows = dataset.rows("test")
    batch = BatchReader(dataset, loaded.config.view, loaded.config.training.seed).batch(rows)
    with torch.inference_mode():
        logits = loaded.model.fuse(loaded.model.encode(batch), batch.mask)
    right = logits.argmax(1).numpy() == dataset.label[rows]
    assert loaded.metrics["test/accuracy"] == pytest.approx(right.mean())
    frame = loaded.values().to_pandas()
    assert frame["sample_id"].tolist() == dataset.shards.sample_id[rows].tolist()
    assert frame["correct"].tolist() == right.tolist()
    assert repr(loaded) == f"Trained({str(result.folder)!r}, m0, m1, {len(dataset.schema.classes)} classes)"
    assert f"classes: {', '.join(dataset.schema.classes)}" in loaded._repr_html_()
    assert result.load().config == loaded.config


@pytest.mark.parametrize(("split", "file"), [("test", "result"), ("val", "epochs/epoch-{:05d}")])
def test_recorded_values_are_those_of_the_picked_epoch(result, split, file):
    folder = result.folder / file.format(result.best_epoch + 1)
    table = read_table(folder / f"valuation-{split}.parquet")
    assert np.array_equal(result.values(split).table.phi, table.phi, equal_nan=True)
    mean = np.nanmean(table.phi, axis=0)
    prefix = {"test": "phi/test_", "val": "phi/best_"}[split]
    assert [result.metrics.get(f"{prefix}{name}", mean[i]) for i, name in enumerate(("m0", "m1"))] == pytest.approx(
        mean
    )


def test_a_loaded_model_is_looked_at_as_a_table_and_as_the_plots_of_its_run(result):
    loaded = raymm.load(result.folder)
    frame = loaded.to_pandas()
    counted = [sum(one.numel() for one in loaded.model.encoders[name].parameters()) for name in ("m0", "m1")]
    assert frame.to_dict("list") == {
        "modality": ["m0", "m1"],
        "kind": ["vector"] * 2,
        "shape": [(16,)] * 2,
        "parameters": counted,
    }
    assert [axis.get_ylabel() for axis in loaded.plot().axes] == [axis.get_ylabel() for axis in result.plot().axes]
    with pytest.raises(ConfigError, match="plot: no kind 'phi'"):
        loaded.plot("phi")
    with pytest.raises(CheckpointError):
        raymm.load(result.folder / "result" / "model").plot()


def test_values_that_were_not_recorded_are_asked_for_in_words(tmp_path, dataset, result):
    joint = raymm.train(dataset.path, out=tmp_path / "run", method="joint", settings=SMALL, progress=None)
    with pytest.raises(CheckpointError, match=r"recorded no values of train after the picked epoch .* values it now"):
        joint.values("train")
    with pytest.raises(CheckpointError, match="no split 'tset'; did you mean 'test'"):
        result.values("tset")
    copied = shutil.copytree(result.folder / "result" / "model", tmp_path / "model")
    assert raymm.load(copied).schema == dataset.schema
    with pytest.raises(CheckpointError, match="an exported model has no recorded values"):
        raymm.load(copied).values()
    table = tmp_path / "run" / "result" / "valuation-test.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="valuation-test"):
        joint.values()


def test_a_report_is_that_of_the_command_line(capfd, result):
    code, out, said = call(capfd, "report", result.folder)
    assert code == 0, said
    page = result.folder / "report.html"
    first = page.read_bytes()
    page.unlink()
    report = raymm.report(result)
    assert report.page == page
    assert page.read_bytes() == first
    assert out == f"{report.summary()}\n"
    assert all(path.is_file() for path in report.plots)
    assert repr(report).startswith(f"RunReport({str(page)!r}, ")
    assert [axis.get_ylabel() for axis in report.plot("learning-curves").axes] == [
        axis.get_ylabel() for axis in result.plot("learning-curves").axes
    ]
    with pytest.raises(ConfigError, match="plot: no kind 'phi'"):
        report.plot("phi")
    with pytest.raises(CheckpointError, match="no run there"):
        raymm.report(result.folder / "gone")
    assert result.report().findings == report.findings
    against = raymm.report(result.folder, baseline=TrainingResult.of(result.folder))
    assert len(against.findings) == len(report.findings) + 1
