"""`--print-config`: the settings of a command as YAML, which is read back to the same settings."""

import pytest
import yaml

import raymm
from raymm.api.printed import config_yaml
from raymm.api.settings import config_of
from raymm.config import Config, load, parse
from raymm.tasks.defaults import with_defaults
from raymm.tasks.registry import get_task
from tests.cli.calling import call

SMALL = ["training.epochs=2", "method.warmup=1", "model.feature_size=16", "training.threads=1"]

GIVEN = [
    [],
    ["--method", "sample", "--noise", "audio=-10dB", "--seed", "7", "--epochs", "3"],
    ["--method", "alone", "method.settings.modality=rgb"],
    ["model.fusion=mlp", "model.fusion.size=64", "model.encoders.rgb.name=resnet18", "model.encoder.dropout=0.25"],
    ["method=modality", "method.settings.fm.family=tanh", "method.settings.fm.rate=3", "--workers", "4"],
    ["optimizer.groups={'encoders.*': {factor: 0.1}, head: {lr: 0.01}}", "optimizer.warmup=500 steps"],
    ["training.selection=loss", "valuation.utility=margin", "training.loss.class_weights={a.b: 2, 'c d': 3}"],
    ["valuation.utility=count", "valuation.budget=1x", "training.ema=0.999", "optimizer.schedule=wsd"],
    ["view.noise_db={'on': 3}", "cluster.mirror=s3://bucket/it's # one: two", "optimizer.clip_norm=null"],
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: " ".join(given)[:30] or "nothing")
def test_what_train_prints_is_read_back_to_the_same_settings(capfd, here, monkeypatch, given):
    code, printed, _ = call(capfd, "train", "--print-config", *given)
    assert code == 0
    assert list(here.iterdir()) == []
    asked = _asked_of_train(capfd, monkeypatch, given)
    (here / "c.yaml").write_text(printed)
    for read in (load(here / "c.yaml"), config_of(here / "c.yaml")):
        assert read == asked
        for task in ("classification", "multilabel", "regression"):  # what is not given is theirs to decide
            assert with_defaults(read, get_task(task)) == with_defaults(asked, get_task(task))
    _, again, _ = call(capfd, "train", "--print-config", "--config", here / "c.yaml")
    assert again == printed


def _asked_of_train(capfd, monkeypatch, given):
    """The configuration that training is begun with, by the same words without the flag."""
    seen = []

    def no_run(folder, config, dataset):
        del folder, dataset
        seen.append(config)
        raise raymm.errors.ConfigError("seen")

    with monkeypatch.context() as patch:
        patch.setattr("raymm.api.train.open_mirrored", no_run)
        patch.setattr("raymm.api.train.open_data", lambda *_: None)
        words = ["--data", "d", "--out", "o/run", "--backend", "local"]
        assert call(capfd, "train", *words, *given)[2].endswith("error: seen\n")
    (asked,) = seen
    return asked


def test_a_study_is_read_back_from_what_it_prints(capfd, here, data):
    words = ["--data", data, "--arms", "joint,sample", "--seeds", "0-1", "--tune", "2", *SMALL]
    code, printed, _ = call(capfd, "study", "--print-config", *words)
    assert code == 0
    assert list(here.iterdir()) == []
    values = yaml.safe_load(printed)
    assert values["arms"] == {"joint": {"method": "joint"}, "sample": {"method": "sample"}}
    assert values["seeds"] == [0, 1]
    (here / "s.yaml").write_text(printed)
    assert call(capfd, "study", "--print-config", "--from", here / "s.yaml")[1] == printed
    code, _, err = call(capfd, "study", "--print-config", "--data", data, "--arms", "sampel")
    assert code == 2
    assert "did you mean 'sample'?" in err


def test_a_sweep_prints_what_its_trials_share(capfd, here):
    code, printed, _ = call(
        capfd, "sweep", "--print-config", "--seed", "3", "--workers", "1", *SMALL, "training.seed=9"
    )
    assert code == 0
    assert list(here.iterdir()) == []
    made = parse(yaml.safe_load(printed))
    assert (made.training.seed, made.cluster.workers, made.training.epochs) == (3, 1, 2)


def test_a_valuation_prints_the_settings_of_the_run(capfd, here, data):
    run = raymm.train(data, out=here / "run", settings=SMALL, store=None, progress=None)
    before = sorted(here.rglob("*"))
    words = ["--checkpoint", run.folder, "--method", "sampled", "--budget", "3"]
    code, printed, _ = call(capfd, "value", "--print-config", *words)
    assert code == 0
    assert sorted(here.rglob("*")) == before
    made = parse(yaml.safe_load(printed))
    assert made.override({"valuation.method": "auto", "valuation.budget": None}) == run.config
    assert (made.valuation.method, made.valuation.budget) == ("sampled", 3)
    _, printed, _ = call(capfd, "value", "--print-config", "--model", "mine:load", "--utility", "margin")
    assert parse(yaml.safe_load(printed)) == Config(valuation={"utility": "margin"})


def test_defaults_that_the_task_decides_are_left_out_and_said():
    printed = config_yaml(Config(valuation={"utility": "count"}))
    assert printed.startswith("# by the task of the data: training.selection\nview:")
    assert "selection" not in yaml.safe_load(printed)["training"]
    assert yaml.safe_load(printed)["valuation"]["utility"] == "count"


@pytest.mark.parametrize("verb", ["train", "value", "study"])
def test_what_is_required_is_so_without_the_flag(capfd, verb):
    code, _, err = call(capfd, verb, "--json")
    assert code == 2
    assert "Missing option '--" in err


def test_mistakes_are_said_and_nothing_is_printed(capfd):
    code, out, err = call(capfd, "train", "--print-config", "training.epoch=3", "optimizer.lr=fast")
    assert (code, out) == (2, "")
    assert "2 problems" in err
