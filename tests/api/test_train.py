"""`raymm.train`: the numbers of the command line, results to look at, mistakes before anything is made."""

import pytest

import raymm
from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.tracking.metrics import MEMORY, phi_metric
from raymm.training.result import read_result
from raymm.valuation import read_table
from tests.cli.calling import call, result_in

SMALL = {"training.epochs": 3, "method.warmup": 1, "model.feature_size": 16, "optimizer.lr": 0.005}
WORDS = [f"{name}={value}" for name, value in SMALL.items()]


def without_times(metrics):
    return {name: value for name, value in metrics.items() if not name.startswith("time/") and name != MEMORY}


class Heard(raymm.Progress):
    def __init__(self):
        self.epochs, self.closed = [], 0

    def on_epoch(self, epoch):
        self.epochs.append(epoch)

    def close(self):
        self.closed += 1


@pytest.fixture(scope="module")
def heard():
    return Heard()


@pytest.fixture(scope="module")
def result(dataset, tmp_path_factory, heard):
    out = tmp_path_factory.mktemp("api") / "run"
    return raymm.train(dataset.path, out=out, settings=SMALL, method="sample", seed=3, progress=heard)


def test_the_result_is_that_of_the_command_line(capfd, tmp_path, dataset, result):
    words = ["train", "--data", dataset.path, "--out", tmp_path / "run", "--store", tmp_path / "mlflow"]
    code, out, said = call(capfd, *words, "--backend", "local", "--method", "sample", "--seed", "3", "--json", *WORDS)
    assert code == 0, said
    told = result_in(out)
    assert without_times(result.metrics) == without_times(told["metrics"])
    assert result.best_epoch == told["best_epoch"]
    assert [finding.name for finding in result.findings] == [finding["name"] for finding in told["findings"]]
    files = ("result/valuation-test.parquet", "result/model/model.safetensors")
    for file in files:
        assert (result.folder / file).read_bytes() == (tmp_path / "run" / file).read_bytes()


def test_nothing_is_printed_nor_recorded_unless_asked(capfd, tmp_path, dataset, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raymm.train(dataset.path, out="run", settings={**SMALL, "training.epochs": 1}, method="joint", progress=None)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_every_epoch_is_told_once(result, heard):
    assert [epoch.number for epoch in heard.epochs] == [1, 2, 3]
    assert {(epoch.run, epoch.epochs) for epoch in heard.epochs} == {("run", 3)}
    assert [epoch.metrics for epoch in heard.epochs] == [entry["metrics"] for entry in result.history]
    assert heard.closed == 1


def test_the_progress_is_closed_when_the_call_fails(tmp_path, dataset):
    class Angry(Heard):
        def on_epoch(self, epoch):
            raise ZeroDivisionError(epoch.number)

    angry = Angry()
    with pytest.raises(ZeroDivisionError):
        raymm.train(dataset.path, out=tmp_path / "run", settings=SMALL, progress=angry)
    assert angry.closed == 1


def test_settings_are_taken_in_every_form(tmp_path, dataset, result):
    """Each says the same, so that each opens the finished run; another value is refused."""
    again = {"out": result.folder, "method": "sample", "seed": 3, "progress": None}
    file = tmp_path / "c.yaml"
    file.write_text("training: {epochs: 3}\nmethod: {warmup: 1}\nmodel: {feature_size: 16}\noptimizer: {lr: 0.005}\n")
    nested = {"training": {"epochs": 3}, "method": {"warmup": 1}, "model": {"feature_size": 16}}
    for given in (
        {"config": file},
        {"config": str(file)},
        {"config": {**nested, "optimizer.lr": 0.005}},
        {"config": nested, "settings": "optimizer.lr=0.005"},
        {"settings": WORDS},
        {"config": result.config},
        {"config": raymm.Config(training={"epochs": 7}), "epochs": 3, "settings": [*WORDS[1:]]},
    ):
        assert raymm.train(dataset.path, **again, **given).metrics == result.metrics
    with pytest.raises(CheckpointError, match=r"optimizer\.lr: 0\.005 then, 0\.001 now"):
        raymm.train(dataset.path, **again, config=nested)


def test_what_a_result_shows(result, capfd):
    frame = result.to_pandas()
    assert frame["epoch"].tolist() == [1, 2, 3]
    for name in ("val/accuracy", "train/loss", phi_metric("val", "m0")):
        assert frame[name].tolist() == [entry["metrics"][name] for entry in result.history]
    table = read_table(result.folder / "result" / "valuation-test.parquet")
    summary = result.summary()
    assert f"accuracy {table.grand_correct.mean():.3f}" in summary
    assert "picked epoch" in summary.splitlines()[0]
    assert f"test/accuracy={result.metrics['test/accuracy']:.4f}" in repr(result)
    assert len(repr(result)) < 300
    assert "<pre" in result._repr_html_()
    assert [axis.get_ylabel() for axis in result.plot().axes][1] == "validation accuracy"
    assert result.plot("phi-over-epochs").axes[0].get_ylabel() == "mean contribution phi (validation)"
    with pytest.raises(ConfigError, match="no kind 'phi'; "):
        result.plot("phi")
    assert read_result(result.folder).metrics == result.metrics


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"settings": {"training.epoch": 3}}, ConfigError, "training.epoch: no such setting; did you mean 'epochs'"),
        ({"settings": ["training.epochs"]}, ConfigError, "write it as section.field=value"),
        ({"settings": ["training.epochs.more=1"], "epochs": 3}, ConfigError, "'epochs' is a value, not a section"),
        ({"method": "sampel"}, ConfigError, "did you mean 'sample'?"),
        ({"noise": {"m7": -10}}, ConfigError, "no modality 'm7'"),
        ({"noise": {"m0": float("nan")}}, ConfigError, "view.noise_db.m0: must be a finite number"),
        ({"config": 7}, ConfigError, "config=7: give a raymm.Config, a mapping"),
        (
            {"epochs": 0, "settings": ()},
            ConfigError,
            "training.epochs: must be 1 or more (got 0)",
        ),
        ({"progress": "bar"}, ConfigError, "progress='bar': give a raymm.Progress"),
        ({"plugins": "gone.py"}, ConfigError, "gone.py"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_made(tmp_path, dataset, wrong, error, words):
    given = {"settings": {"training.epochs": 3, "method.warmup": 1}, "progress": None} | wrong
    with pytest.raises(error) as raised:
        raymm.train(dataset.path, out=tmp_path / "run", **given)
    assert words in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_no_data_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        raymm.train(tmp_path / "gone", out=tmp_path / "run")
