"""Methods from outside raymm in one process: their loss, gradients and state, and a plug-in that changes."""

import pytest

from raymm.config.plugins import load_plugins
from raymm.errors import CheckpointError
from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.games import settings, small_dataset

EPOCHS = 3
PLUGINS = ("elsewhere/single_file_parts.py",)


class StopError(Exception):
    pass


def stop_after_two(history):
    if len(history) == 2:
        raise StopError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "d", 90)


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
            train(run, dataset, Backends(report=stop_after_two))
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
