"""Methods from outside raymm in one process: their loss, gradients and state, and a plug-in that changes."""

import json

import pytest

from raymm.config.plugins import load_plugins
from raymm.errors import CheckpointError
from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.sweep.runs import branch_runs, current_config, current_paths, open_runs
from raymm.sweep.store import SweepConfig, commit_sweep, new_sweep, open_sweep, read_trials
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.games import StopError, settings, stop_after
from tests.sweeps import propose, train_until

SAMPLES = 90

EPOCHS = 3
PLUGINS = ("elsewhere/single_file_parts.py",)


@pytest.fixture(autouse=True)
def _parts(outside):
    load_plugins(["partpack", *PLUGINS])


def new(path, dataset, name, **own):
    config = settings(training={"epochs": EPOCHS}, method={"name": name, "settings": own})
    return create_or_open(path, config.model_copy(update={"plugins": PLUGINS}), dataset)


def weights(run):
    return sha256_of(epoch_folder(run.path, EPOCHS) / "model.safetensors")


def trained(path, dataset, name, **own):
    run = new(path, dataset, name, **own)
    train(run, dataset, Backends())
    return weights(run)


def test_a_loss_from_outside_is_what_is_minimised(tmp_path, dataset):
    joint = trained(tmp_path / "joint", dataset, "joint")
    assert trained(tmp_path / "zero", dataset, "multitask_alone", alpha=0.0) == joint
    assert trained(tmp_path / "one", dataset, "multitask_alone", alpha=1.0) != joint


def test_gradients_from_outside_are_what_is_followed(tmp_path, dataset):
    assert trained(tmp_path / "balance", dataset, "balance") != trained(tmp_path / "sample", dataset, "sample")


def test_a_state_from_outside_is_committed_and_taken_up_again(tmp_path, dataset, monkeypatch):
    straight = trained(tmp_path / "straight", dataset, "balance")
    runs = [new(tmp_path / name, dataset, "balance") for name in ("resumed", "forgetful")]
    for run in runs:
        with pytest.raises(StopError):
            train(run, dataset, Backends(report=stop_after(2)))
    train(open_run(runs[0].path), dataset, Backends())
    assert weights(runs[0]) == straight

    from partpack.balance import Balance

    monkeypatch.setattr(Balance, "load_state_dict", lambda self, state: None)
    with pytest.raises(
        CheckpointError, match=r"Balance\.load_state_dict does not take over norms: a resumed run would"
    ):
        train(open_run(runs[1].path), dataset, Backends())


def test_a_plugin_that_was_changed_is_refused_when_its_run_goes_on(tmp_path, dataset, outside):
    run = new(tmp_path / "run", dataset, "joint")
    copy = run.path / "plugins" / "single_file_parts.py"
    assert copy.read_bytes() == (outside / "elsewhere" / "single_file_parts.py").read_bytes()
    assert open_run(run.path) == run
    copy.write_text(copy.read_text() + "\n# another\n")
    with pytest.raises(CheckpointError, match=r"single_file_parts\.py.*bring back that code, or start a new run"):
        open_run(run.path)


def sweep_with_a_plugin(path, dataset):
    config = settings(training={"epochs": EPOCHS}).model_copy(update={"plugins": PLUGINS})
    sweep = new_sweep(path, SweepConfig(space="space.py", scheduler="pbt"), config, dataset)
    commit_sweep(sweep)
    return sweep


def test_a_plugin_that_was_changed_is_refused_when_its_sweep_goes_on(tmp_path, dataset):
    sweep = sweep_with_a_plugin(tmp_path / "sweep", dataset)
    assert open_sweep(sweep.path) == sweep
    file, copy = sweep.path / "sweep.json", sweep.path / "plugins" / "single_file_parts.py"
    code = copy.read_text()
    copy.write_text(code + "\n# another\n")
    with pytest.raises(
        CheckpointError,
        match=r"plug-in .*single_file_parts\.py: changed since the sweep was made .* or start a new sweep",
    ):
        open_sweep(sweep.path)
    copy.write_text(code)
    about = json.loads(file.read_text())
    assert [plugin["name"] for plugin in about.pop("plugins")] == ["single_file_parts.py"]
    file.write_text(json.dumps(about))  # as before plug-ins were recorded
    assert open_sweep(sweep.path) == sweep


def test_a_population_with_a_plugin_goes_on_where_its_sweep_was_moved(tmp_path, dataset, outside):
    sweep = sweep_with_a_plugin(tmp_path / "sweep", dataset)
    one, two = propose(sweep, 0, fs__scale=1.0), propose(sweep, 1, fs__scale=3.0)
    train_until(open_runs(sweep, one, dataset), dataset, 1)
    branch_runs(sweep, two, one.config, current_paths(sweep, one), 1, dataset)
    sweep.path.rename(tmp_path / "moved")
    (outside / "elsewhere" / "single_file_parts.py").unlink()
    there = open_sweep(tmp_path / "moved")
    moved = read_trials(there)[1]
    assert current_config(moved).plugins == (str(tmp_path / "moved" / "plugins" / "single_file_parts.py"),)
    assert current_paths(there, moved)[0].parents[3] == tmp_path / "moved"
