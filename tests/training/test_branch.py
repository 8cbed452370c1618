"""A run that goes on from another's epoch ends bit for bit like one that trained every epoch itself."""

import pytest

from raymm.errors import CheckpointError
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder, result_folder
from raymm.training import epoch_end, loop
from raymm.training.checkpoint import load_latest, read_checkpoint
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.result import finished
from raymm.training.run import BranchPoint, create_or_open, open_run
from tests.games import StopError, settings, stop_after, untimed

SAMPLES = 120

EPOCHS = 5


def sections(strategy, warmup=1, seed=0, selection="accuracy", keep=9):
    return {
        "training": {"epochs": EPOCHS, "keep": keep, "seed": seed, "selection": selection},
        "resampling": {"strategy": strategy, "warmup": warmup, "subset": 0.5},
        "optimizer": {"lr": 0.005},
        "model": {"feature_size": 16, "encoder": {"width": 8, "dropout": 0.2}},
    }


def run_of(path, dataset, start=None, **given):
    return create_or_open(path, settings(**sections(**given)), dataset, start)


def joint_until(path, dataset, epochs, **given):
    """A joint run that is left after some epochs."""
    run = run_of(path, dataset, strategy="joint", **given)
    for state in iter_epochs(run, dataset, Backends()):
        if state.epoch == epochs:
            break
    return run


@pytest.fixture(scope="module")
def joint(tmp_path_factory, dataset):
    return joint_until(tmp_path_factory.mktemp("joint") / "r", dataset, 3).path


def kept(run, epoch):
    folder = epoch_folder(run, epoch)
    return [sha256_of(folder / f"{name}.safetensors") for name in ("model", "optimizer", "plan")]


def everything(path, result, since):
    """All that decides and shows how a run ended, without the time that it took."""
    history = [untimed(entry["metrics"]) for entry in result.history]
    hashes = {epoch: kept(path, epoch) for epoch in committed_epochs(path) if epoch >= since}
    return {
        "best": (result.best_epoch, result.metrics),
        "history": history,
        "hashes": hashes,
        "model": sha256_of(result_folder(path) / "model" / "model.safetensors"),
    }


def outcome(run, dataset, since):
    return everything(run.path, train(run, dataset, Backends()), since)


CASES = [(strategy, 2) for strategy in ("joint", "sample", "modality", "class", "random")]


@pytest.mark.parametrize(("strategy", "warmup"), [*CASES, ("sample", 1), ("sample", 3), ("class", 3)])
def test_a_branch_ends_like_a_run_of_its_own_warmup(tmp_path, dataset, joint, strategy, warmup):
    own = outcome(run_of(tmp_path / "own", dataset, strategy=strategy, warmup=warmup), dataset, warmup)
    branch = run_of(tmp_path / "branch", dataset, BranchPoint(joint, warmup), strategy=strategy, warmup=warmup)
    assert outcome(branch, dataset, warmup) == own
    assert sorted(own["hashes"]) == list(range(warmup, EPOCHS + 1))
    assert len({tuple(hashes) for hashes in own["hashes"].values()}) == EPOCHS + 1 - warmup


def test_the_source_stays_unfinished_and_untouched(tmp_path, dataset):
    source = joint_until(tmp_path / "joint", dataset, 2).path
    files = {path: path.stat().st_mtime_ns for path in source.rglob("*") if path.is_file()}
    train(
        run_of(tmp_path / "branch", dataset, BranchPoint(source, 2), strategy="sample", warmup=2), dataset, Backends()
    )
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*") if path.is_file()} == files
    assert not finished(source)
    assert not result_folder(source).exists()
    assert committed_epochs(source) == [1, 2]


def test_another_seed_and_another_epoch_end_elsewhere(tmp_path, dataset, joint):
    given = {"strategy": "sample", "warmup": 2}
    other = joint_until(tmp_path / "joint", dataset, 2, seed=1).path
    ends = [
        outcome(run_of(tmp_path / f"{number}", dataset, start, **given), dataset, EPOCHS)["hashes"]
        for number, start in enumerate([BranchPoint(joint, 2), BranchPoint(other, 2), BranchPoint(joint, 3)])
    ]
    assert ends[0] != ends[1]
    assert ends[0] != ends[2]


def best_in_warmup(monkeypatch):
    """A learning rate that spoils everything after the first epoch."""
    plain = loop.epoch_rates
    monkeypatch.setattr(loop, "epoch_rates", lambda c, e, n, *more: plain(c, e, n, *more) if e == 0 else [10.0] * n)


@pytest.mark.parametrize("keep", [1, 9])
def test_the_best_epoch_may_lie_in_the_warmup(tmp_path, dataset, monkeypatch, keep):
    best_in_warmup(monkeypatch)
    source = joint_until(tmp_path / "joint", dataset, 3, selection="loss").path
    given = {"strategy": "sample", "warmup": 3, "selection": "loss", "keep": keep}
    runs = [
        run_of(tmp_path / name, dataset, start, **given)
        for name, start in (("own", None), ("branch", BranchPoint(source, 3)))
    ]
    own, branch = (outcome(run, dataset, 3 if keep > 1 else EPOCHS) for run in runs)
    assert branch == own
    assert own["best"][0] == 0
    assert kept(runs[1].path, 1) == kept(runs[0].path, 1) == kept(source, 1)
    assert set(committed_epochs(runs[1].path)) == ({1, 3, 4, 5} if keep > 1 else {1, EPOCHS})


def test_an_interrupted_branch_ends_like_a_whole_one(tmp_path, dataset, joint):
    given = {"strategy": "modality", "warmup": 2}
    whole = outcome(run_of(tmp_path / "whole", dataset, BranchPoint(joint, 2), **given), dataset, 2)
    run = run_of(tmp_path / "run", dataset, BranchPoint(joint, 2), **given)
    for epochs in (2, 4):
        with pytest.raises(StopError):
            train(run, dataset, Backends(report=stop_after(epochs)))
        assert committed_epochs(run.path) == list(range(2, epochs + 1))
        run = open_run(run.path)
        assert run.start == BranchPoint(joint, 2)
    assert outcome(run, dataset, 2) == whole


def test_a_branch_that_was_stopped_before_its_first_commit_starts_over(tmp_path, dataset, monkeypatch):
    """Its best epoch is then there already, and must not be taken for one of its own."""
    best_in_warmup(monkeypatch)
    source = run_of(tmp_path / "source", dataset, strategy="sample", selection="loss")
    list(zip(range(4), iter_epochs(source, dataset, Backends()), strict=False))
    given = {"strategy": "class", "selection": "loss"}
    runs = [run_of(tmp_path / name, dataset, BranchPoint(source.path, 3), **given) for name in ("one", "two")]
    whole = outcome(runs[0], dataset, 3)
    with monkeypatch.context() as patch:
        patch.setattr(epoch_end, "commit", lambda *_: pytest.fail("stop"))
        with pytest.raises(pytest.fail.Exception):
            train(runs[1], dataset, Backends())
    assert committed_epochs(runs[1].path) == [1]
    assert outcome(runs[1], dataset, 3) == whole


def test_a_damaged_or_missing_source_is_named(tmp_path, dataset):
    source = joint_until(tmp_path / "joint", dataset, 2).path
    with pytest.raises(CheckpointError, match=r"epoch-00004: no manifest\.json there"):
        train(run_of(tmp_path / "gone", dataset, BranchPoint(source, 4), strategy="sample"), dataset, Backends())
    (epoch_folder(source, 2) / "plan.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"plan\.safetensors has 0 bytes"):
        train(run_of(tmp_path / "damaged", dataset, BranchPoint(source, 2), strategy="sample"), dataset, Backends())


def test_who_stops_asking_leaves_a_run_to_go_on_with(tmp_path, dataset):
    read = []

    def value(model, view, rows, config, epoch):
        read.append(str(view.dataset.shards.split[rows][0]))
        return Backends().value(model, view, rows, config, epoch)

    whole = outcome(run_of(tmp_path / "whole", dataset, strategy="sample"), dataset, 1)
    run = run_of(tmp_path / "run", dataset, strategy="sample")
    seen = []
    for state in iter_epochs(run, dataset, Backends(value=value)):
        seen.append(state.epoch)
        if state.epoch == 2:
            break
    assert seen == [0, 1, 2]
    assert set(read) == {"train", "val"}
    assert load_latest(run.path).epoch == 2
    assert not finished(run.path)
    assert [state.epoch for state in iter_epochs(open_run(run.path), dataset, Backends())] == [2, 3, 4, 5]
    assert everything(run.path, train(run, dataset, Backends()), 1) == whole
    assert list(iter_epochs(run, dataset, Backends())) == []


def test_the_plan_of_the_branch_follows_its_own_settings(tmp_path, dataset, joint):
    run = run_of(tmp_path / "run", dataset, BranchPoint(joint, 2), strategy="sample", warmup=2)
    next(iter_epochs(run, dataset, Backends()))
    there, here = read_checkpoint(joint, 2), read_checkpoint(run.path, 2)
    assert len(here.plan) > len(there.plan)
    assert there.history[:-1] == here.history[:-1]
    assert {"phi/train_m0", "phi/train_m1"} <= set(here.history[-1]["metrics"]) - set(there.history[-1]["metrics"])


def test_contributions_of_the_source_are_not_taken_for_those_of_the_branch(tmp_path, dataset):
    source = run_of(tmp_path / "source", dataset, strategy="sample")
    list(zip(range(3), iter_epochs(source, dataset, Backends()), strict=False))
    run = run_of(tmp_path / "run", dataset, BranchPoint(source.path, 2), strategy="joint")
    next(iter_epochs(run, dataset, Backends()))
    last = [read_checkpoint(path, 2).history[-1]["metrics"] for path in (source.path, run.path)]
    assert ["phi/train_m0" in metrics for metrics in last] == [True, False]
    assert ["phi/val_m0" in metrics for metrics in last] == [True, True]


@pytest.mark.parametrize("strategy", ["joint", "sample"])
def test_what_it_cost_the_source_to_value_is_no_cost_of_the_branch(tmp_path, dataset, joint, strategy):
    source = run_of(tmp_path / "source", dataset, strategy="sample")
    list(zip(range(3), iter_epochs(source, dataset, Backends()), strict=False))
    costs = []
    for name, start in (("of-joint", joint), ("of-sample", source.path)):
        run = run_of(tmp_path / name, dataset, BranchPoint(start, 2), strategy=strategy)
        next(iter_epochs(run, dataset, Backends()))
        metrics = read_checkpoint(run.path, 2).history[-1]["metrics"]
        costs.append({key: value for key, value in metrics.items() if key.startswith("cost/value_")})
    samples = 0 if strategy == "joint" else len(dataset.rows("train"))  # each of two modalities
    whole = read_checkpoint(source.path, 2).history[-1]["metrics"]
    assert set(whole) >= {"cost/value_encodings", "cost/value_fusions"}
    expected = {"cost/value_encodings": 2.0 * samples, "cost/value_fusions": 4.0 * samples} if samples else {}
    assert costs == [expected, expected]


def test_a_rank_that_comes_after_the_first_commit_still_waits_with_the_others(tmp_path, dataset, joint):
    class Second:
        rank, world = 1, 2

        def __init__(self):
            self.waits = 0

        def all_reduce_sum(self, tensor):
            self.waits += tensor.numel()  # of a flag

    run = run_of(tmp_path / "run", dataset, BranchPoint(joint, 2), strategy="sample", warmup=2)
    next(iter_epochs(run, dataset, Backends()))
    late = Second()
    assert next(iter_epochs(run, dataset, Backends(communicator=late))).epoch == 2
    assert late.waits == 1
