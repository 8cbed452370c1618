"""A model of a package that raymm does not know, through everything that a run is used for, without the package."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from raymm.cli import main
from raymm.config import load
from raymm.config.plugins import load_plugins
from raymm.data import open_dataset
from raymm.errors import CheckpointError, ConfigError
from raymm.models.export import load_model
from raymm.models.predictor import load as load_predictor
from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.sweep.runs import open_runs
from raymm.sweep.space import load_space
from raymm.sweep.store import open_sweep, read_trials
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from raymm.training.whole_runs import train_folder
from raymm.valuation.table_file import read_table
from tests.games import StopError, small_dataset, stop_after
from tests.guests import guest
from tests.study.studies import run_here, study_of
from tests.sweeps import finish, propose, sweep_of

HERE = Path(__file__).parent
EPOCHS = 2
STUDY = {"training": {"epochs": 2, "threads": 1}, "method": {"name": "sample", "warmup": 1}}
SETTINGS = ("training.epochs=2", "training.threads=1", "method=sample", "method.warmup=1")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A small planted data set, by its folder."""
    return small_dataset(tmp_path_factory.mktemp("data") / "DATA", 72).path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The current folder with the package `ownpack`, which is not imported yet."""
    shutil.copytree(HERE / "ownpack", tmp_path / "ownpack", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    with guest(tmp_path):
        yield tmp_path


def forget():
    """Let the package be imported anew, as another process would."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ownpack"]:
        del sys.modules[name]


def call(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def new(path, data, *settings, build="ownpack.net:Net"):
    config = load(None, (*SETTINGS, f"model.build={build}", *settings))
    return create_or_open(path, config, open_dataset(data))


def weights(run):
    return sha256_of(epoch_folder(run.path, EPOCHS) / "model.safetensors")


def test_a_run_is_trained_valued_reported_and_predicts_where_the_package_is_gone(project, data):
    words = ("--data", data, "--out", "RUN", "--model", "ownpack.net:Net", "model.args.width=5", "--backend", "local")
    assert call("train", *words, *SETTINGS) == 0
    run = open_run(project / "RUN")
    assert run.config.model.args == {"width": 5}
    assert sorted(file.name for file in (project / "RUN/plugins/ownpack").iterdir()) == [
        "__init__.py",
        "layers.py",
        "net.py",
    ]
    shutil.rmtree(project / "ownpack")
    forget()
    assert call("value", "--data", data, "--checkpoint", "RUN", "--out", "t.parquet", "--backend", "local") == 0
    again, then = read_table(Path("t.parquet")), read_table(project / "RUN/result/valuation-test.parquet")
    assert np.array_equal(again.phi, then.phi)
    assert again.info.fingerprint == then.info.fingerprint
    assert call("report", "RUN") == 0
    shutil.move(project / "RUN/result/model", project / "MODEL")
    shutil.rmtree(project / "RUN")
    forget()
    rows = open_dataset(data)
    index = rows.rows("test")
    columns = {name: list(rows.shards.read(name, index)) for name in rows.schema.names}
    answer = load_predictor(project / "MODEL").predict(columns)
    wanted = [rows.schema.classes[number] for number in then.prediction]
    assert answer["prediction"] == wanted
    assert Path(sys.modules["ownpack"].__file__).is_relative_to(project / "MODEL")


def test_encoders_of_a_package_and_a_fusion_of_raymm_are_trained_and_saved(project, data):
    run = new(project / "RUN", data, "model.args.fusion=sum", build="ownpack.net:parts")
    train(run, run.dataset(), Backends())
    shutil.rmtree(project / "ownpack")
    forget()
    model = load_model(run.path / "result/model").model
    assert (model.fusion_name, model.size, model.additive) == ("sum", 7, True)


def test_a_run_goes_on_and_equals_one_without_a_stop(project, data):
    whole, again = (new(project / name, data) for name in ("whole", "again"))
    train(whole, whole.dataset(), Backends())
    with pytest.raises(StopError):
        train(again, again.dataset(), Backends(report=stop_after(1)))
    forget()
    assert train_folder(again.path) == ""
    assert weights(again) == weights(whole)


def test_other_seeds_draw_other_weights_and_equal_ones_the_same(project, data):
    runs = [new(project / name, data, f"training.seed={seed}") for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    for run in runs:
        train(run, run.dataset(), Backends())
    first, same, other = map(weights, runs)
    assert first == same != other


def test_changed_code_is_refused_by_name_and_by_a_new_run_only_where_it_was_imported(project, data):
    run = new(project / "RUN", data)
    copy = project / "RUN/plugins/ownpack/layers.py"
    code = copy.read_text()
    copy.write_text(code + "\n# another\n")
    with pytest.raises(CheckpointError, match=r"plug-in .*plugins/ownpack: changed since the run was made .*start a"):
        open_run(run.path)
    copy.write_text(code)
    assert open_run(run.path) == run
    (project / "ownpack/layers.py").write_text(code + "\n# another\n")
    forget()
    with pytest.raises(CheckpointError, match=r"plug-in .*ownpack: changed since the run was made"):
        new(project / "RUN", data)


def test_other_arguments_are_another_run(project, data):
    new(project / "RUN", data)
    with pytest.raises(CheckpointError, match=r"model\.args\.width: None then, 7 now"):
        new(project / "RUN", data, "model.args.width=7")


def test_a_sweep_draws_arguments_and_refuses_those_that_the_builder_does_not_take(project, data):
    dataset = open_dataset(data)
    base = load(None, (*SETTINGS, "model.build=ownpack.net:Net"))
    file = project / "my_space.py"
    space = "from ray import tune\n\n\ndef my_space():\n    return {{'model.args.{}': tune.choice([4, 5])}}\n"
    file.write_text(space.format("width"))
    assert list(load_space(str(file), base, dataset.schema)) == ["model.args.width"]
    file.write_text(space.format("widht"))
    with pytest.raises(ConfigError, match=r"model\.args\.widht: .* takes no such argument; did you mean 'width'"):
        load_space(str(file), base, dataset.schema)
    sections = {"model": {"build": "ownpack.net:Net", "feature_size": 128, "encoder": {}}}
    sweep = sweep_of(project / "sweep", dataset, {**sections, "training": {"epochs": 2, "threads": 1}})
    propose(sweep, 0, **{"model.args.width": 4})
    shutil.rmtree(project / "ownpack")
    forget()
    sweep = open_sweep(sweep.path)
    (trial,) = read_trials(sweep)
    finish(sweep, trial, dataset)
    assert [run.config.model.args for run in open_runs(sweep, trial, dataset)] == [{"width": 4}]


def test_a_folder_of_a_package_is_a_plugin(project):
    (module,) = load_plugins(["./ownpack"])
    assert module.__name__ == "ownpack"
    with pytest.raises(ConfigError, match=r"'.*/gone': there is no such file on "):
        load_plugins(["./gone"])
    shutil.copytree("ownpack", "elsewhere/ownpack")
    load_plugins(["elsewhere/ownpack"])
    Path("elsewhere/ownpack/more.py").touch()
    with pytest.raises(ConfigError, match=r"elsewhere/ownpack': other code than the 'ownpack' that is imported"):
        load_plugins(["elsewhere/ownpack"])


def test_a_file_that_was_changed_in_the_meantime_needs_another_process(project, data):
    Path("my_net.py").write_text("from ownpack.net import Net\n")
    new(project / "RUN", data, build="my_net.py:Net")
    Path("my_net.py").write_text("from ownpack.net import parts as Net\n")
    with pytest.raises(ConfigError, match=r"my_net\.py': was changed after this process had imported it"):
        new(project / "OTHER", data, build="my_net.py:Net")


def test_files_beside_the_file_of_a_model_come_with_it(project, data):
    Path("my_widths.py").write_text("import math\n\nWIDTH = math.floor(7.5)\n")
    Path("my_model.py").write_text(
        "import my_widths\nfrom ownpack.net import Net\n\n\ndef build(schema):\n"
        "    return Net(schema, width=my_widths.WIDTH)\n"
    )
    run = new(project / "RUN", data, build="my_model.py:build")
    assert run.config.model.build == "my_model:build"
    assert [Path(spec).name for spec in run.config.plugins] == ["ownpack", "my_widths.py", "my_model.py"]
    for name in ("my_widths.py", "my_model.py"):
        Path(name).unlink()
    shutil.rmtree("ownpack")
    forget()
    for name in ("my_widths", "my_model"):
        del sys.modules[name]
    assert train_folder(run.path) == ""
    assert load_model(run.path / "result/model").model.own.branches["m0"][0].value.out_features == 7


def test_a_study_compares_a_model_of_one_s_own_with_raymm_s(project, data):
    arms = {
        "raymm": {"model.feature_size": 8, "model.encoder.width": 8},
        "own": {"model.build": "ownpack.net:Net", "model.args.width": 4},
    }
    study = study_of(project / "STUDY", {"d": open_dataset(data)}, arms, seeds=[0], settings=STUDY)
    run_here(study)
    forget()
    shutil.rmtree(project / "ownpack")
    own = open_run(next((project / "STUDY/runs").glob("*/own/seed-0")))
    assert own.config.model.args == {"width": 4}
    assert load_model(own.path / "result/model").model.size == 5
