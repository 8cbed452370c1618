"""What a run takes from disk is as it was written: the best epoch, the exported model, the result, its tables."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.data import open_dataset
from raymm.data.shards import Shards
from raymm.errors import CheckpointError, DataError, RaymmError, TrainingError
from raymm.models.export import load_model
from raymm.models.predictor import load
from raymm.reports.run_tracking import record_files
from raymm.storage import commit_directory, data_layout
from raymm.storage.layout import epoch_folder
from raymm.tracking import MemoryTracker
from raymm.training import context, epoch_end
from raymm.training.checkpoint import load_latest, read_checkpoint
from raymm.training.communicator import SingleProcess, on_every_rank
from raymm.training.loop import Backends, iter_epochs, load_or_init, train
from raymm.training.result import read_result
from raymm.training.run import BranchPoint, create_or_open
from tests.games import settings, small_dataset

SAMPLES = 60

SECTIONS = {"training": {"epochs": 4, "batch_size": 32, "threads": 1, "keep": 1}, "method": {"name": "joint"}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, dataset):
    run = create_or_open(tmp_path_factory.mktemp("runs") / "r", settings(**SECTIONS), dataset)
    train(run, dataset, Backends())
    return run.path


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "r")


def flip(file, at=-5):
    """Turn the sign of a number."""
    content = bytearray(file.read_bytes())
    content[at] ^= 128
    file.write_bytes(content)


DAMAGE = {
    "flipped": flip,
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-8]),
    "empty": lambda file: file.write_bytes(b""),
    "gone": lambda file: file.unlink(),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_the_best_epoch_is_compared_before_its_model_is_exported(tmp_path, dataset, how, monkeypatch):
    """The best epoch is not the newest, which alone is compared when a run goes on."""
    monkeypatch.setattr(epoch_end, "best_epoch", lambda *_: 1)
    opened = create_or_open(tmp_path / "r", settings(**SECTIONS), dataset)
    states = iter_epochs(opened, dataset, Backends())
    assert [next(states) for _ in range(5)][-1].best_epoch == 1
    DAMAGE[how](epoch_folder(opened.path, 1) / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"epoch-00001: model\.safetensors (was changed|has|is missing)"):
        train(opened, dataset, Backends())
    assert not (opened.path / "result").exists()


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("copied", [False, True])
def test_an_exported_model_is_compared_before_it_is_used(run, tmp_path, how, name, copied):
    """Within its run, and as a copy elsewhere, as a tracking store keeps it."""
    model = run / "result" / "model"
    if copied:
        model = shutil.copytree(model, tmp_path / "copy")
    assert load_model(model)
    DAMAGE[how](model / name)
    for read in (load_model, load):
        with pytest.raises(CheckpointError, match=rf"model.*{name}|copy.*{name}"):
            read(model)


def test_a_model_that_0_1_0_exported_is_compared_with_the_manifest_of_its_result(run):
    (run / "result" / "model" / "manifest.json").unlink()
    commit_directory(run / "result", {})
    assert load_model(run / "result" / "model")
    flip(run / "result" / "model" / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model/model\.safetensors was changed after it was written"):
        load_model(run / "result" / "model")


@pytest.mark.parametrize(
    "name", ["result.json", "valuation-test.parquet", "model/model.safetensors", "model/model.json"]
)
@pytest.mark.parametrize("how", DAMAGE)
def test_a_result_is_compared_before_it_is_recorded_or_shown(run, name, how):
    before = read_result(run)
    assert before.metrics
    DAMAGE[how](run / "result" / name)
    with pytest.raises(CheckpointError, match=rf"result: {name} (was changed|has|is missing)"):
        read_result(run)


def test_tables_of_the_picked_epoch_are_compared_before_they_are_recorded(run, dataset):
    opened = create_or_open(run, settings(**SECTIONS), dataset)
    result = read_result(run)
    record_files(MemoryTracker(), opened, result, dataset)
    flip(epoch_folder(run, result.best_epoch + 1) / "valuation-val.parquet", 200)
    with pytest.raises(CheckpointError, match=r"valuation-val\.parquet was changed"):
        record_files(MemoryTracker(), opened, result, dataset)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "plan.safetensors", "state.json"])
def test_a_run_that_branches_off_compares_the_epoch_that_it_starts_from(run, tmp_path, dataset, name):
    flip(epoch_folder(run, 4) / name)
    branch = create_or_open(tmp_path / "b", settings(**SECTIONS), dataset, BranchPoint(run, 4))
    with pytest.raises(CheckpointError, match=rf"epoch-00004: {name} was changed"):
        train(branch, dataset, Backends())


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "plan.safetensors", "state.json"])
def test_an_epoch_whose_manifest_leaves_out_a_file_is_passed_over(run, name):
    """Else its file would be read unchecked."""
    folder = epoch_folder(run, 4)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][name], manifest["checksum"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=rf"{name} is not in manifest\.json"):
        read_checkpoint(run, 4, check=True)


def test_a_shard_of_weights_that_the_manifest_does_not_name_is_not_read(run):
    """A file more in an epoch or a model changes nothing."""
    torch.manual_seed(0)
    for folder in (epoch_folder(run, 4), run / "result" / "model"):
        before = load_file(folder / "model.safetensors")
        shutil.copy(epoch_folder(run, 4) / "optimizer.safetensors", folder / "model-00002-of-00002.safetensors")
        assert load_file(folder / "model.safetensors").keys() == before.keys()
    assert load_latest(run).epoch == 4
    assert load_model(run / "result" / "model")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("run.json", lambda run: create_or_open(run, settings(**SECTIONS), small_dataset(run.parent / "d", 60))),
        ("epochs/epoch-00004/state.json", lambda run: read_checkpoint(run, 4)),
        ("result/result.json", None),
        ("result/model/model.json", None),
    ],
)
def test_files_of_a_newer_format_are_refused_by_name(run, name, read):
    file = run / name
    values = json.loads(file.read_text())
    assert values["format"] == 1
    file.write_text(json.dumps({**values, "format": 2}))
    for folder in (file.parent, run / "result"):
        if (folder / "manifest.json").exists():
            commit_directory(folder, {})
    readers = {"result.json": read_result, "model.json": lambda run: load_model(run / "result" / "model")}
    with pytest.raises(RaymmError, match=rf"{file.name}: is of format 2, and this raymm reads formats up to 1"):
        (read or readers[file.name])(run)


def test_a_changed_shard_ends_a_training_with_its_name_and_keeps_what_was_committed(tmp_path, dataset):
    data = shutil.copytree(dataset.path, tmp_path / "d")
    shard = data_layout.shard_file(data, 0)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    opened = open_dataset(data)
    run = create_or_open(tmp_path / "r", settings(**SECTIONS), opened)
    shard.write_bytes(content)  # between the look at the data set and its first epoch
    again = open_dataset(data)
    with pytest.raises(DataError, match=r"part-00000\.arrow: was changed after it was written"):
        train(run, again, Backends())
    shutil.copy(data_layout.shard_file(dataset.path, 0), shard)
    assert train(run, open_dataset(data), Backends()).metrics


class TwoRanks(SingleProcess):
    """This rank of two: the other one has failed, or not."""

    world = 2

    def __init__(self, other):
        self.other = other

    def all_reduce_sum(self, tensor):
        tensor += float(self.other)


def refuse():
    raise DataError("a shard was changed")


@pytest.mark.parametrize(
    ("other", "action", "instead", "words"),
    [
        (False, lambda: None, refuse, None),
        (False, refuse, lambda: None, "a shard was changed"),
        (True, refuse, lambda: None, "a shard was changed"),
        (True, lambda: None, refuse, "a shard was changed"),
        (True, lambda: None, lambda: None, "training failed on another rank"),
    ],
)
def test_a_rank_that_cannot_read_fails_on_every_rank(other, action, instead, words):
    def run():
        on_every_rank(TwoRanks(other), torch.device("cpu"), action, instead)

    if words is None:
        run()
        return
    with pytest.raises((DataError, TrainingError), match=words):
        run()


def test_ranks_compare_their_shards_before_the_epoch_and_a_single_one_as_it_reads(tmp_path, dataset, monkeypatch):
    opened = create_or_open(tmp_path / "r", settings(**SECTIONS), dataset)
    compared = []
    monkeypatch.setattr(Shards, "verify", lambda _, rows: compared.append(np.array(rows)))
    for communicator, expected in ((SingleProcess(), 0), (TwoRanks(False), 1)):
        of_rank = context.RunContext.build(opened, dataset, Backends(communicator=communicator))
        of_rank.verify_shards(load_or_init(of_rank))
        assert len(compared) == expected
    assert 0 < len(compared[0]) < len(dataset.rows("train"))


STATISTICS = {
    "missing": (lambda found: None, "are missing"),
    "no mean": (lambda found: {"std": found["std"]}, "'mean' must have"),
    "no std": (lambda found: {"mean": found["mean"]}, "'std' must have"),
    "less": (lambda found: {**found, "mean": found["mean"][1:]}, "'mean' must have"),
    "negative": (lambda found: {**found, "std": [-1.0] * len(found["std"])}, "'std' must be above 0"),
}


@pytest.mark.parametrize("how", STATISTICS)
def test_statistics_by_which_a_model_cannot_read_its_inputs_are_refused(run, how):
    change, words = STATISTICS[how]
    model = run / "result" / "model"
    about = json.loads((model / "model.json").read_text())
    name, found = next(iter(about["statistics"].items()))
    about["statistics"][name] = change(found)
    if about["statistics"][name] is None:
        del about["statistics"][name]
    (model / "model.json").write_text(json.dumps(about))
    commit_directory(model, {})
    with pytest.raises(CheckpointError, match=rf"model\.json: statistics of {name}: {words}"):
        load_model(model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.update(best_epoch=10**30), "'best_epoch' is 10*: the history has 4 epochs, from 0 on"),
        (lambda values: values["history"][0].update(epoch=10**30), "entry 0 is not of epoch 0"),
        (lambda values: values["history"].pop(1), "entry 1 is not of epoch 1"),
    ],
)
def test_epochs_that_were_not_trained_are_refused(run, change, words):
    file = run / "result" / "result.json"
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))
    commit_directory(run / "result", {})
    with pytest.raises(CheckpointError, match=rf"result\.json: cannot be read: [\s\S]*{words}"):
        read_result(run)


def test_a_figure_that_no_array_of_whole_numbers_holds_is_read_as_a_real_one(run):
    file = run / "result" / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "metrics": {"rows/total": 10**30}}))
    commit_directory(run / "result", {})
    assert isinstance(read_result(run).metrics["rows/total"], float)
