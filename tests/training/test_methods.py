"""What a method may do within training: keep state and weights of its own, change gradients, mask and weigh rows."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from raymm.config import load
from raymm.errors import CheckpointError
from raymm.methods import base_plan
from raymm.storage import commit_directory, layout, sha256_of
from raymm.storage.layout import epoch_folder
from raymm.tracking.metrics import ENCODINGS
from raymm.training.checkpoint import read_checkpoint
from raymm.training.context import RunContext
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import BranchPoint, create_or_open, open_run
from tests.games import advanced, settings
from tests.ranks import on_ranks, ranks

SAMPLES = 120

EPOCHS = 5
REMEMBERING = "tests.training.methods:Remembering"
FILES = (layout.WEIGHTS, layout.OPTIMIZER, layout.PLAN, layout.METHOD)


def run_of(path, dataset, name=REMEMBERING, start=None, own=None, **method):
    config = settings(
        training={"epochs": EPOCHS, "keep": 9},
        method={"name": name, "warmup": 2, "settings": own or {}, **method},
        model={"feature_size": 16, "encoder": {"width": 8, "dropout": 0.2}},
    )
    return create_or_open(path, config, dataset, start)


def committed(run, epoch=EPOCHS):
    folder = epoch_folder(run.path, epoch)
    return {name: sha256_of(folder / name) for name in FILES if (folder / name).exists()}


def kept(run, epoch):
    return load_file(epoch_folder(run.path, epoch) / layout.METHOD)


def stop_at(run, dataset, epoch):
    for state in iter_epochs(run, dataset, Backends()):
        if state.epoch == epoch:
            return


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset):
    run = run_of(tmp_path_factory.mktemp("whole") / "r", dataset)
    train(run, dataset, Backends())
    return run


def test_what_a_method_keeps_is_committed_and_changes(whole):
    last = kept(whole, EPOCHS)
    assert {"state.mean", "state.phi", "module.weight", "module.bias"} < set(last)
    assert {"optimizer.state.weight.exp_avg", "optimizer.state.bias.step"} < set(last)
    assert all(len({sha256_of(epoch_folder(whole.path, e) / layout.METHOD) for e in pair}) == 2 for pair in [(2, 3)])
    assert len(kept(whole, 1)["state.phi"]) == 0
    assert len(last["state.phi"]) == len(read_checkpoint(whole.path, EPOCHS).phi)
    weight = read_checkpoint(whole.path, 3).plan.weight
    assert weight is not None
    assert sorted(set(weight.tolist())) == [0.5, 1.0]


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_a_resumed_run_of_a_method_with_state_ends_with_the_same_bits(tmp_path, dataset, whole, epochs):
    run = run_of(tmp_path / "r", dataset)
    stop_at(run, dataset, epochs)
    train(open_run(run.path), dataset, Backends())
    assert committed(run) == committed(whole)
    assert committed(run).keys() == set(FILES)


def test_without_its_state_it_would_end_elsewhere(tmp_path, dataset, whole):
    """The twin of the test above: what a method keeps decides how a run goes on."""
    run = run_of(tmp_path / "r", dataset)
    stop_at(run, dataset, 3)
    folder = epoch_folder(run.path, 3)
    tensors = load_file(folder / layout.METHOD)
    save_file({**tensors, "state.mean": tensors["state.mean"].flip(0)}, folder / layout.METHOD)
    commit_directory(folder, {"epoch": 3})
    train(open_run(run.path), dataset, Backends())
    assert committed(run)[layout.WEIGHTS] != committed(whole)[layout.WEIGHTS]


@pytest.mark.parametrize("lost", ["state.", "module.", "optimizer."])
def test_a_commit_that_lacks_what_the_method_kept_is_refused(tmp_path, dataset, lost):
    run = run_of(tmp_path / "r", dataset)
    stop_at(run, dataset, 1)
    folder = epoch_folder(run.path, 1)
    tensors = load_file(folder / layout.METHOD)
    save_file({name: tensor for name, tensor in tensors.items() if not name.startswith(lost)}, folder / layout.METHOD)
    commit_directory(folder, {"epoch": 1})
    if lost == "optimizer.":  # an optimizer without a memory saves nothing either
        train(open_run(run.path), dataset, Backends())
        return
    with pytest.raises(CheckpointError, match=r"epoch-00001: does not fit this method \("):
        train(open_run(run.path), dataset, Backends())


def test_a_branch_with_the_same_settings_goes_on_with_what_the_method_kept(tmp_path, dataset, whole):
    branch = run_of(tmp_path / "b", dataset, start=BranchPoint(whole.path, 3))
    train(branch, dataset, Backends())
    assert committed(branch, 3) == committed(whole, 3)  # its moving mean takes the step of the branch point once
    assert committed(branch) == committed(whole)
    before, after = kept(whole, 3)["unplanned.phi"], kept(whole, 3)["state.phi"]
    assert not torch.equal(before, after)


def test_a_branch_with_other_settings_begins_with_a_method_as_it_is_made(tmp_path, dataset, whole):
    other = run_of(tmp_path / "source", dataset, own={"momentum": 0.25})
    stop_at(other, dataset, 3)
    ends = []
    for name, source in (("one", whole), ("two", other)):
        branch = run_of(tmp_path / name, dataset, start=BranchPoint(source.path, 3), own={"momentum": 0.75})
        next(iter_epochs(branch, dataset, Backends()))
        ends.append(kept(branch, 3))
    fresh = ends[0]
    assert torch.equal(fresh["state.mean"], torch.ones(2, dtype=torch.float64))
    assert not any(name.startswith("optimizer.") for name in fresh)
    assert torch.equal(fresh["module.weight"], ends[1]["module.weight"])  # a function of the seed
    assert not torch.equal(fresh["module.weight"], kept(whole, 3)["module.weight"])


def test_a_branch_from_another_method_begins_with_a_method_as_it_is_made(tmp_path, dataset):
    source = run_of(tmp_path / "source", dataset, "joint")
    stop_at(source, dataset, 2)
    assert not (epoch_folder(source.path, 2) / layout.METHOD).exists()
    branch = run_of(tmp_path / "b", dataset, start=BranchPoint(source.path, 2))
    train(branch, dataset, Backends())
    assert torch.equal(kept(branch, 2)["state.mean"], torch.ones(2, dtype=torch.float64))
    assert "optimizer.state.weight.exp_avg" in kept(branch, 3)
    back = run_of(tmp_path / "back", dataset, "joint", start=BranchPoint(branch.path, 4))
    train(back, dataset, Backends())
    assert not (epoch_folder(back.path, 4) / layout.METHOD).exists()


@pytest.mark.parametrize("own", [1.0, 0.25])
def test_weights_of_rows_are_committed_and_lower_the_mean_loss(tmp_path, dataset, own):
    """Each sample twice, the second time with weight w: a plan with weights is saved, and lowers the mean loss."""
    run = run_of(tmp_path / "r", dataset, "tests.training.methods:Weighted", own={"momentum": own}, warmup=1)
    history = train(run, dataset, Backends()).history
    plan = read_checkpoint(run.path, 1).plan
    n = len(dataset.rows("train"))
    assert np.array_equal(plan.weight, np.r_[np.ones(n), np.full(n, own)].astype(np.float32))
    plain = run_of(tmp_path / "p", dataset, "joint")
    first = train(plain, dataset, Backends()).history
    assert history[0]["metrics"]["train/loss"] == first[0]["metrics"]["train/loss"]
    assert history[1]["metrics"]["train/loss"] < first[1]["metrics"]["train/loss"]


def test_only_modalities_that_the_mask_keeps_are_read(tmp_path, dataset, monkeypatch):
    from raymm.data import BatchReader

    seen = []
    read = BatchReader.batch

    def spy(reader, index, mask=None, keys=None):
        if mask is not None:
            seen.extend(zip(index.tolist(), mask.tolist(), strict=True))
        return read(reader, index, mask, keys)

    monkeypatch.setattr(BatchReader, "batch", spy)
    ways = {}
    for batch_size in (32, 7):
        config = settings(
            training={"epochs": 1, "batch_size": batch_size}, method={"name": REMEMBERING, "warmup": 0, "every": 9}
        )
        seen.clear()
        stop_at(create_or_open(tmp_path / f"{batch_size}", config, dataset), dataset, 1)
        ways[batch_size] = dict(seen)
    assert ways[32] == ways[7]  # keyed by row, whatever the batch
    dropped = np.mean([not all(mask) for mask in ways[32].values()])
    assert 0.1 < dropped < 0.6
    assert all(any(mask) for mask in ways[32].values())


def test_draws_of_a_method_from_torch_are_seeded(tmp_path, dataset):
    runs = [run_of(tmp_path / name, dataset, "tests.training.methods:OwnDraws") for name in ("a", "b")]
    stop_at(runs[1], dataset, 2)
    for run in runs:
        train(open_run(run.path), dataset, Backends())
    assert committed(runs[0]) == committed(runs[1])


def test_plans_without_weights_are_saved_as_before(tmp_path, dataset):
    run = run_of(tmp_path / "r", dataset, "sample")
    stop_at(run, dataset, 3)
    assert set(load_file(epoch_folder(run.path, 3) / layout.PLAN)) == {"index", "keep", "phi"}
    assert base_plan(dataset.rows("train"), 2).weight is None
    assert "optimizer" not in json.loads((epoch_folder(run.path, 3) / layout.STATE).read_text())
    assert load(None, ("training.loader_workers=2",)).fingerprint() == load(None, ()).fingerprint()


def test_all_ranks_have_what_the_method_keeps(tmp_path, dataset, whole):
    """Three ranks, some without rows in the last batch, end with equal states, near those of one rank."""
    config = settings(
        training={"epochs": EPOCHS, "keep": 9, "batch_size": 31},
        method={"name": REMEMBERING, "warmup": 2},
        model={"feature_size": 16, "encoder": {"width": 8}},
    )
    runs = [create_or_open(tmp_path / name, config, dataset) for name in ("one", "three")]
    train(runs[0], dataset, Backends())
    world = 3
    communicators = ranks(world)
    built = [RunContext.build(runs[1], dataset, Backends(communicator=rank)) for rank in communicators]

    def work(context):
        advanced(context, EPOCHS)
        return context.trainer.method.state_dict()

    states = on_ranks(communicators, built, work)
    for name, tensor in states[0].items():
        assert all(torch.equal(other[name], tensor) for other in states[1:])
        assert torch.equal(kept(runs[1], EPOCHS)[f"state.{name}"], tensor)
        assert torch.allclose(kept(runs[0], EPOCHS)[f"state.{name}"], tensor, atol=1e-3)
    sizes = [len(range(rank, len(read_checkpoint(runs[1].path, 1).plan) % 31, world)) for rank in range(world)]
    assert min(sizes) < max(sizes)


def test_a_plan_from_what_a_method_keeps_is_looked_up_only_where_one_follows(tmp_path, dataset):
    """`remix` reads the training split once before each of its plans, and not after the last epoch."""
    result = train(run_of(tmp_path / "r", dataset, "remix"), dataset, Backends())
    passes, rows = int(dataset.present[dataset.rows("train")].sum()), len(dataset.rows("train"))
    encoded = [entry["metrics"][ENCODINGS] for entry in result.history]
    assert encoded == [passes, 2 * passes, rows + passes, rows + passes, rows]
