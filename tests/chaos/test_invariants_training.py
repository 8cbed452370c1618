"""What training keeps to: the plan, a resumed run, and what an interruption costs."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.data import BatchReader
from raymm.methods.plan import Plan, epoch_batches, rank_batches
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.training import context, epoch_end, loop
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.games import StopError, settings, stop_after, untimed

SAMPLES = 90
EPOCHS = 3
SECTIONS = {"training": {"epochs": EPOCHS, "keep": 9, "batch_size": 16, "threads": 1}}
BITS = ("model.safetensors", "optimizer.safetensors", "plan.safetensors", "valuation-val.parquet")


def made(path, dataset, **sections):
    """A new run; sections are laid over those of this module."""
    merged = {**SECTIONS, **{name: {**SECTIONS.get(name, {}), **values} for name, values in sections.items()}}
    return create_or_open(path, settings(**merged), dataset)


def trained(path, dataset, **sections):
    run = made(path, dataset, **sections)
    train(run, dataset, Backends())
    return run.path


def bits(run):
    """SHA-256 of what the epochs of a run hold, and of the exported model."""
    files = [epoch_folder(run, epoch) / name for epoch in range(1, EPOCHS + 1) for name in BITS]
    files.append(run / "result" / "model" / "model.safetensors")
    return [sha256_of(file) for file in files]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset):
    """A run that nothing interrupted."""
    return trained(tmp_path_factory.mktemp("whole") / "r", dataset)


@pytest.fixture
def epochs_trained(monkeypatch):
    """The epochs that are trained while a test runs, and how often samples are valued."""
    done, valued = [], []
    advance, value = loop.advance, context.RunContext.value

    def count(of_run, state):
        done.append(state.epoch + 1)
        return advance(of_run, state)

    def count_values(self, rows, epoch):
        valued.append(epoch)
        return value(self, rows, epoch)

    monkeypatch.setattr(loop, "advance", count)
    monkeypatch.setattr(context.RunContext, "value", count_values)
    return done, valued


@given(
    rows=st.integers(0, 500),
    batch=st.integers(1, 64),
    world=st.integers(1, 7),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 99),
)
def test_I01_ranks_share_the_rows(rows, batch, world, seed, epoch):
    """Every row once over all ranks, the same number of steps on each, no row to fill up."""
    batches = epoch_batches(Plan(np.arange(rows), np.ones(rows, np.int64)), batch, seed, epoch)
    ranks = [rank_batches(batches, rank, world) for rank in range(world)]
    assert sorted(int(row) for steps in ranks for part, _ in steps for row in part) == list(range(rows))
    assert {len(steps) for steps in ranks} == {-(-rows // batch)}


def test_I01_an_epoch_trains_its_plan(tmp_path, dataset, monkeypatch):
    """Also after the run was interrupted."""
    seen, read = [], BatchReader.batch

    def spy(self, index, mask=None, keys=None):
        if keys is not None:
            seen.extend(zip(index.tolist(), (mask @ [1, 2]).tolist(), strict=True))
        return read(self, index, mask, keys)

    monkeypatch.setattr(BatchReader, "batch", spy)
    run = made(tmp_path / "r", dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(1)))
    train(open_run(run.path), dataset, Backends())
    plans = [read_checkpoint(run.path, epoch).plan for epoch in range(1, EPOCHS)]
    first = [(int(row), 3) for row in dataset.rows("train")]
    planned = [first, *([*zip(plan.index.tolist(), plan.keep.tolist(), strict=True)] for plan in plans)]
    for rows in planned:
        part, seen = seen[: len(rows)], seen[len(rows) :]
        assert sorted(part) == sorted(rows)
        assert part != rows
    assert seen == []
    assert len(planned[-1]) > len(first)


@pytest.mark.parametrize("epochs", range(EPOCHS))
def test_I10_resumed_after_any_epoch(tmp_path, dataset, whole, epochs):
    run = made(tmp_path / "r", dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(epochs)))
    assert committed_epochs(run.path) == list(range(1, epochs + 1))
    train(open_run(run.path), dataset, Backends())
    assert bits(run.path) == bits(whole)


def test_I10_another_seed_ends_elsewhere(tmp_path, dataset, whole):
    other = trained(tmp_path / "r", dataset, training={"seed": 1})
    assert not set(bits(other)[:1]) & set(bits(whole)[:1])


@pytest.mark.parametrize("method", ["sample", "modality", "random"])
def test_I12_plan(tmp_path, dataset, method):
    """A function of the run's seed; every sample of the split once, whole, and no more copies than the budget."""
    sections = {"method": {"name": method, "warmup": 1, "row_budget": 0.5}}
    one, again = (trained(tmp_path / name, dataset, **sections) for name in "ab")
    other = trained(tmp_path / "c", dataset, **sections, training={"seed": 1})
    rows, extra, differs = dataset.rows("train"), 0, False
    for epoch in range(1, EPOCHS):
        plan, same, another = (read_checkpoint(run, epoch).plan for run in (one, again, other))
        assert np.array_equal(plan.index, same.index)
        assert np.array_equal(plan.keep, same.keep)
        differs |= plan.index.tolist() != another.index.tolist()
        assert np.array_equal(plan.index[: len(rows)], rows)
        assert (plan.keep[: len(rows)] == 3).all()
        assert set(plan.index.tolist()) == set(rows.tolist())
        assert len(plan) - len(rows) <= 0.5 * len(rows)
        extra += len(plan) - len(rows)
    assert extra > 0
    assert differs


def test_D1_the_same_twice(tmp_path, dataset, whole):
    again = trained(tmp_path / "r", dataset)
    assert bits(again) == bits(whole)
    last = [read_checkpoint(run, EPOCHS).history[-1]["metrics"] for run in (again, whole)]
    assert untimed(last[0]) == untimed(last[1])


@pytest.mark.chaos
def test_D2_other_processes_and_chunks(tmp_path, dataset, whole):
    other = trained(tmp_path / "r", dataset, training={"loader_workers": 2}, valuation={"batch_size": 7})
    assert bits(other) == bits(whole)


def test_D3_one_epoch_is_trained_again(tmp_path, dataset, whole, epochs_trained, monkeypatch):
    """The process dies when all of the third epoch is done but its commit."""
    done, _ = epochs_trained
    run = made(tmp_path / "r", dataset)
    real = epoch_end.plan_and_commit

    def dies(of_run, state, *more, **named):
        if state.epoch == EPOCHS - 1:
            raise StopError
        return real(of_run, state, *more, **named)

    monkeypatch.setattr(epoch_end, "plan_and_commit", dies)
    with pytest.raises(StopError):
        train(run, dataset, Backends())
    assert done == [1, 2, 3]
    monkeypatch.setattr(epoch_end, "plan_and_commit", real)
    train(open_run(run.path), dataset, Backends())
    assert done == [1, 2, 3, 3]
    assert bits(run.path) == bits(whole)


def test_D4_a_run_that_has_ended(tmp_path, dataset, whole, epochs_trained):
    copy = shutil.copytree(whole, tmp_path / "r")
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    result = train(open_run(copy), dataset, Backends())
    assert epochs_trained == ([], [])
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    assert result.metrics


def test_D5_one_epoch_back(tmp_path, dataset, whole, epochs_trained):
    done, _ = epochs_trained
    run = made(tmp_path / "r", dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(2)))
    weights = epoch_folder(run.path, 2) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    train(open_run(run.path), dataset, Backends())
    assert done == [1, 2, 2, 3]
    assert bits(run.path) == bits(whole)
