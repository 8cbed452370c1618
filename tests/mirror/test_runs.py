"""A run that is mirrored goes on where it stopped, on a machine that has nothing but the mirror."""

import shutil

import pytest

from raymm.config import load
from raymm.errors import CheckpointError, ConfigError, DataError, TrainingError
from raymm.mirror.runs import fetch, mirrored, open_mirrored, send
from raymm.mirror.sweep_fetch import fetch_sweep
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs
from raymm.storage.remote import committed, remote_path
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import StopError, settings, small_dataset, stop_after


@pytest.fixture
def mirror(tmp_path):
    return str(tmp_path / "mirror")


def opened(folder, dataset, mirror):
    config = settings(cluster={"mirror": mirror}, training={"epochs": 4, "keep": 2, "batch_size": 32, "threads": 1})
    return open_mirrored(folder, config, dataset)


def trained(run, dataset, epochs=None):
    """Train with the mirror, up to some epochs or to the end."""
    with mirrored(run.path, run.config.cluster.mirror, stop_after(epochs)) as report:
        return train(run, dataset, Backends(report=report))


def interrupted(folder, dataset, mirror, epochs):
    """A run that was stopped just before the report of its newest epoch."""
    run = opened(folder, dataset, mirror)
    with pytest.raises(StopError):
        trained(run, dataset, epochs)
    return run


def weights(run):
    return sha256_of(run.path / "result" / "model" / "model.safetensors")


def epochs_there(mirror, name="r"):
    return committed(remote_path(mirror) / name / "epochs")


def test_a_fresh_machine_goes_on_and_ends_with_the_same_bits(tmp_path, dataset, mirror):
    whole = opened(tmp_path / "whole" / "w", dataset, mirror)
    trained(whole, dataset)
    run = interrupted(tmp_path / "r", dataset, mirror, epochs=3)
    assert epochs_there(mirror) == ["epoch-00001", "epoch-00002"]
    shutil.rmtree(run.path)
    again = opened(run.path, dataset, mirror)
    assert again.key == run.key
    assert committed_epochs(again.path) == [1, 2]
    trained(again, dataset)
    assert weights(again) == weights(whole)


def test_the_mirror_holds_what_the_run_holds(tmp_path, dataset, mirror):
    run = opened(tmp_path / "r", dataset, mirror)
    result = trained(run, dataset)
    here = sorted(folder.name for folder in (run.path / "epochs").iterdir())
    assert epochs_there(mirror) == here
    assert len(here) < 4
    shutil.rmtree(run.path)
    again = opened(run.path, dataset, mirror)
    assert train(again, dataset, Backends()).metrics == result.metrics


def test_a_folder_that_lags_behind_is_brought_up_and_the_mirror_is_not_set_back(tmp_path, dataset, mirror):
    run = interrupted(tmp_path / "r", dataset, mirror, epochs=2)
    shutil.copytree(run.path, tmp_path / "old" / "r")
    interrupted(tmp_path / "r", dataset, mirror, epochs=4)
    send(tmp_path / "old" / "r", mirror)
    assert "epoch-00003" in epochs_there(mirror)
    old = opened(tmp_path / "old" / "r", dataset, mirror)
    assert committed_epochs(old.path)[-1] == 3


def test_data_that_moved_is_found_by_whoever_opens_the_run_next(tmp_path, dataset, mirror):
    run = interrupted(tmp_path / "r", dataset, mirror, epochs=2)
    shutil.rmtree(run.path)
    moved = small_dataset(tmp_path / "elsewhere")
    assert moved.digest == dataset.digest
    assert opened(run.path, moved, mirror).data == moved.path
    assert str(moved.path) in (run.path / "run.json").read_text()


def test_another_run_of_the_same_name_is_refused_before_any_work(tmp_path, dataset, mirror):
    interrupted(tmp_path / "a" / "r", dataset, mirror, epochs=2)
    other = create_or_open(tmp_path / "b" / "r", settings(), dataset)
    with pytest.raises(CheckpointError, match="holds another run; choose another name for --out"):
        trained(opened(other.path, dataset, mirror), dataset)
    assert committed_epochs(other.path) == []


def test_a_mirrored_run_is_validated_once(tmp_path, dataset, mirror, monkeypatch):
    tried = []
    monkeypatch.setattr("raymm.training.run.trial_mistakes", lambda *given: tried.append(given) or [])
    first = opened(tmp_path / "r", dataset, mirror)
    assert len(tried) == 1
    assert opened(tmp_path / "r", dataset, mirror) == first
    assert len(tried) == 1


def test_a_damaged_run_file_is_named(tmp_path, dataset, mirror):
    send(opened(tmp_path / "n", dataset, mirror).path, mirror)
    (tmp_path / "mirror" / "n" / "run.json").write_text('{"ke')
    with pytest.raises(CheckpointError, match=r"n/run\.json: cannot be read"):
        fetch(tmp_path / "n", mirror)


def test_a_mirror_that_cannot_be_written_is_said_at_the_start(tmp_path, dataset):
    (tmp_path / "file").write_text("")
    run = create_or_open(tmp_path / "r", settings(), dataset)
    refused = pytest.raises(CheckpointError, match=r"cluster\.mirror=.*file: cannot be written")
    with refused, mirrored(run.path, str(tmp_path / "file"), lambda _: None):
        pytest.fail("the block was entered")


def test_a_mirror_that_fails_on_the_way_is_told_and_made_up_for(tmp_path, dataset, mirror, caplog):
    run = create_or_open(tmp_path / "r", settings(), dataset)
    with mirrored(run.path, mirror, lambda _: None) as report:
        shutil.rmtree(mirror)
        (tmp_path / "mirror").write_text("")
        report([])
        (tmp_path / "mirror").unlink()
    assert "not mirrored now, tried again after the next epoch" in caplog.text
    assert (tmp_path / "mirror" / "r" / "run.json").is_file()


def test_a_mirror_that_fails_at_the_end_is_an_error(tmp_path, dataset, mirror):
    run = create_or_open(tmp_path / "r", settings(), dataset)
    refused = pytest.raises(TrainingError, match="the same command sends it again")
    with refused, mirrored(run.path, mirror, lambda _: None):
        shutil.rmtree(mirror)
        (tmp_path / "mirror").write_text("")


DAMAGE = {
    "manifest cut": lambda epoch: (epoch / "manifest.json").write_bytes((epoch / "manifest.json").read_bytes()[:-20]),
    "state gone": lambda epoch: (epoch / "state.json").unlink(),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_epoch_is_not_sent_and_the_run_ends_with_the_same_bits(tmp_path, dataset, mirror, caplog, kind):
    whole = opened(tmp_path / "w", dataset, mirror)
    trained(whole, dataset)
    run = interrupted(tmp_path / "r", dataset, mirror, epochs=3)
    DAMAGE[kind](run.path / "epochs" / "epoch-00003")
    trained(run, dataset)
    assert "a damaged epoch is not mirrored" in caplog.text
    assert weights(run) == weights(whole)
    assert epochs_there(mirror) == sorted(folder.name for folder in (run.path / "epochs").iterdir())


def test_a_folder_that_is_damaged_while_a_run_is_trained_does_not_end_it(tmp_path, dataset, mirror, caplog):
    run = opened(tmp_path / "r", dataset, mirror)
    with mirrored(run.path, mirror, lambda _: None) as report:
        train(run, dataset, Backends())
        manifest = run.path / "result" / "manifest.json"
        content = manifest.read_bytes()
        manifest.write_bytes(content[:-20])
        report([])
        manifest.write_bytes(content)
    assert "not mirrored now, tried again after the next epoch" in caplog.text


def test_an_epoch_that_is_damaged_at_the_mirror_is_passed_over_and_all_are_refused(tmp_path, dataset, mirror):
    run = interrupted(tmp_path / "r", dataset, mirror, epochs=3)
    shutil.rmtree(run.path)
    there = tmp_path / "mirror" / "r" / "epochs"
    (there / "epoch-00002" / "manifest.json").write_text("{")
    fetch(run.path, mirror)
    assert committed_epochs(run.path) == [1]
    shutil.rmtree(run.path)
    (there / "epoch-00001" / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"epoch-00001/manifest\.json"):
        fetch(run.path, mirror)
    assert not (run.path / "run.json").exists()


def test_without_a_mirror_nothing_is_sent(tmp_path, dataset):
    def report(history):
        return history

    with mirrored(tmp_path / "r", None, report) as told:
        assert told is report


def test_where_the_mirror_holds_nothing_nothing_comes(tmp_path, mirror):
    fetch(tmp_path / "r", mirror)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("mirror", "words"),
    [
        ("runs/mirror", "give s3://bucket/prefix"),
        ("s3://", "is no place"),
        ("s3://key:secret@b/p", "by the environment"),
    ],
)
def test_a_mirror_that_is_no_place_is_refused(tmp_path, mirror, words):
    with pytest.raises(ConfigError, match=words) as caught:
        load(None, (f"cluster.mirror={mirror}",))
    assert "cluster.mirror" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match=f"the mirror of the sweep .*{words}") as caught:
        fetch_sweep(f"{mirror}/n" if words == "by the environment" else mirror, tmp_path / "s")
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "s").exists()
