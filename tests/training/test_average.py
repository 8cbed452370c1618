"""The moving average of the weights: what it is, and that it is what is evaluated, exported and resumed."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from raymm.config import load
from raymm.data import BatchReader
from raymm.errors import ConfigError
from raymm.models.export import load_model
from raymm.storage import layout
from raymm.storage.layout import epoch_folder, valuation_file
from raymm.training.average import WeightAverage, load_trained
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import BranchPoint, create_or_open, open_run
from raymm.valuation import read_table
from raymm.valuation.engine import value_rows
from tests.games import settings

SAMPLES = 120
EPOCHS = 3


def run_of(path, dataset, ema, start=None, **sections):
    training = {"epochs": EPOCHS, "keep": 9, "ema": ema}
    model = {"feature_size": 8, "encoder": {"width": 4}, "baseline": "mean"}
    return create_or_open(path, settings(**{"training": training, "model": model, **sections}), dataset, start)


def tensors(run, epoch, file):
    return load_file(epoch_folder(run.path, epoch) / file)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, dataset):
    """A run with an average, and the same without."""
    folder = tmp_path_factory.mktemp("runs")
    both = run_of(folder / "with", dataset, 0.9), run_of(folder / "without", dataset, None)
    for run in both:
        train(run, dataset, Backends())
    return both


def test_the_average_is_the_one_that_its_formula_says():
    net = nn.Linear(2, 1)
    average, expected = WeightAverage(net, 0.5), net.weight.detach().double().clone()
    for number in range(1, 9):
        with torch.no_grad():
            net.weight.copy_(torch.randn(1, 2, generator=torch.Generator().manual_seed(number)))
        average.update()
        keep = min(0.5, (1 + number) / (10 + number))
        expected = keep * expected + (1 - keep) * net.weight.detach().double()
    trained = net.weight.detach().clone()
    with average.in_place():
        assert torch.allclose(net.weight.double(), expected, atol=1e-6)
        assert torch.equal(average.trained_tensors()["weights.weight"], trained)
        assert int(average.trained_tensors()["updates"]) == 8
    assert torch.equal(net.weight, trained)


def test_weights_in_training_come_back_when_an_evaluation_fails():
    net = nn.Linear(2, 1)
    average, before = WeightAverage(net, 0.9), net.weight.detach().clone()
    with torch.no_grad():
        net.weight.add_(1)

    def fail():
        with average.in_place():
            assert torch.equal(net.weight, before)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(net.weight, before + 1)


def test_what_is_committed_beside_it_is_what_trains(runs, dataset):
    """Without re-sampling by other values, the weights in training are those of a run without an average."""
    averaged, plain = runs
    after = tensors(averaged, 1, layout.TRAINED)
    without = tensors(plain, 1, layout.WEIGHTS)
    for name, tensor in after.items():
        if name != "updates":
            assert torch.equal(tensor, without[name.removeprefix("weights.")])
    assert int(after["updates"]) == -(-len(dataset.rows("train")) // 32)
    mean = tensors(averaged, 1, layout.WEIGHTS)
    assert not torch.equal(mean["fusion.weight"], without["fusion.weight"])
    assert torch.equal(mean["baseline"], without["baseline"])  # a buffer
    assert not (epoch_folder(plain.path, 1) / layout.TRAINED).exists()


def test_the_average_is_evaluated_valued_and_exported(runs, dataset):
    averaged, _ = runs
    exported = load_model(averaged.path / "result" / "model").model
    best = int(
        torch.tensor([1, 2, 3])[[n for n in range(3) if same(exported, tensors(averaged, n + 1, layout.WEIGHTS))]][0]
    )
    reader = BatchReader(dataset, averaged.config.view, 0)
    for split in ("val", "train"):
        file = valuation_file(epoch_folder(averaged.path, best), split)
        if file.exists():
            table = value_rows(exported, reader, dataset.rows(split), averaged.config, best)
            assert torch.equal(torch.from_numpy(table.phi), torch.from_numpy(read_table(file).phi))
    load_trained(exported, tensors(averaged, best, layout.TRAINED))
    other = value_rows(exported, reader, dataset.rows("val"), averaged.config, best)
    assert (other.loss != read_table(valuation_file(epoch_folder(averaged.path, best), "val")).loss).any()


def same(model, saved):
    return all(torch.equal(tensor, saved[name]) for name, tensor in model.state_dict().items())


def test_a_branch_goes_on_from_both_and_without_an_average_from_what_trained(tmp_path, runs, dataset):
    averaged, plain = runs
    branch = run_of(tmp_path / "branch", dataset, 0.9, BranchPoint(averaged.path, 1))
    train(branch, dataset, Backends())
    for file in (layout.WEIGHTS, layout.TRAINED, layout.OPTIMIZER):
        mine, theirs = tensors(branch, EPOCHS, file), tensors(averaged, EPOCHS, file)
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())
    bare = run_of(tmp_path / "bare", dataset, None, BranchPoint(averaged.path, 1))
    next(iter_epochs(bare, dataset, Backends()))
    assert all(
        torch.equal(tensor, tensors(plain, 1, layout.WEIGHTS)[name])
        for name, tensor in tensors(bare, 1, layout.WEIGHTS).items()
    )
    begun = run_of(tmp_path / "begun", dataset, 0.9, BranchPoint(plain.path, 1))
    next(iter_epochs(begun, dataset, Backends()))
    assert int(tensors(begun, 1, layout.TRAINED)["updates"]) == 0


def test_without_its_file_a_resumed_run_would_end_elsewhere(tmp_path, runs, dataset):
    """The twin of the resumed runs in `test_settings_of_training`."""
    averaged, _ = runs
    run = run_of(tmp_path / "r", dataset, 0.9)
    for state in iter_epochs(run, dataset, Backends()):
        if state.epoch == 1:
            break
    folder = epoch_folder(run.path, 1)
    from raymm.storage import commit_directory

    (folder / layout.TRAINED).unlink()
    commit_directory(folder, {"epoch": 1})
    train(open_run(run.path), dataset, Backends())
    mine, theirs = tensors(run, EPOCHS, layout.WEIGHTS), tensors(averaged, EPOCHS, layout.WEIGHTS)
    assert not torch.equal(mine["fusion.weight"], theirs["fusion.weight"])


def test_a_part_of_one_or_none_is_refused():
    for wrong in ("0", "1", "1.5"):
        with pytest.raises(ConfigError, match=r"training\.ema: must be"):
            load(None, (f"training.ema={wrong}",))
