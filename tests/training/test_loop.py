"""The loop: it learns, follows its plan, picks on validation, reads test once, and stops at nonsense."""

import multiprocessing
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_of_tests
from hypothesis import strategies as st

from raymm.config.registries import METHODS
from raymm.data import BatchReader, open_dataset
from raymm.errors import CheckpointError, ConfigError, TrainingError
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.training import loop
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.result import read_result
from raymm.training.run import create_or_open, open_run
from raymm.valuation import read_table
from raymm.valuation.engine import value_parts
from tests.games import settings, small_dataset
from tests.methods.test_every_method import NEEDS


def run_of(path, dataset, **sections):
    return create_or_open(path, settings(**sections), dataset)


@pytest.fixture(scope="module")
def another(tmp_path_factory, dataset):
    """A run that is there, its data set, and another one."""
    folder = tmp_path_factory.mktemp("another")
    run_of(folder / "r", dataset)
    return folder / "r", dataset, small_dataset(folder / "other", 90)


COPYING = {"sample", "random", "modality", "modality_reference", "class"}

STAGED = {"greedy", "pretrained", "reconboost", "umt"}
"""Methods that train a part of the model in a part of the steps, so that four epochs are few."""


@pytest.mark.parametrize("strategy", sorted(METHODS))
def test_every_strategy_trains_a_model_that_beats_chance(tmp_path, dataset, strategy):
    needs = NEEDS.get(strategy, {})
    sections = {**needs, "method": {"name": strategy, **needs.get("method", {})}}
    if strategy in STAGED:
        sections["training"] = {"epochs": 24}
    result = train(run_of(tmp_path / "r", dataset, **sections), dataset, Backends())
    assert result.metrics["test/accuracy"] > 0.6
    assert result.metrics["best/accuracy"] == max(e["metrics"]["val/accuracy"] for e in result.history)
    extra = result.history[-1]["metrics"]["rows/epoch"] - len(dataset.rows("train"))
    assert (extra > 0) == (strategy in COPYING)


@pytest.mark.parametrize("fusion", ["concat", "sum", "gated", "film", "attention"])
@pytest.mark.parametrize("baseline", ["zeros", "mean", "learned"])
def test_every_fusion_and_baseline_trains(tmp_path, dataset, fusion, baseline):
    model = {"fusion": fusion, "baseline": baseline, "feature_size": 16, "fusion_size": 16}
    config = {"model": model, "training": {"epochs": 2}}
    result = train(run_of(tmp_path / "r", dataset, **config), dataset, Backends())
    assert np.isfinite(result.metrics["test/loss"])
    assert result.metrics["test/accuracy"] > 0.4


def test_every_row_of_every_plan_is_trained_exactly_once(tmp_path, dataset, monkeypatch):
    seen: list[tuple[int, int, int]] = []
    read = BatchReader.batch

    def spy(view, index, mask=None, keys=None):
        if mask is not None:
            codes = (mask * 2 ** np.arange(mask.shape[1])).sum(axis=1)
            seen.extend((int(keys is None), int(i), int(c)) for i, c in zip(index, codes, strict=True))
        return read(view, index, mask, keys)

    monkeypatch.setattr(BatchReader, "batch", spy)
    run = run_of(tmp_path / "r", dataset, training={"keep": 9})
    train(run, dataset, Backends())
    plans = [read_checkpoint(run.path, epoch).plan for epoch in range(1, 4)]
    first = len(dataset.rows("train"))
    planned = [(0, int(i), int(c)) for plan in plans for i, c in zip(plan.index, plan.keep, strict=True)]
    assert len(planned) > 3 * first
    start = first
    for plan in plans:
        part = seen[start : start + len(plan)]
        expected = [(0, int(i), int(c)) for i, c in zip(plan.index, plan.keep, strict=True)]
        assert sorted(part) == sorted(expected)
        assert part != expected
        start += len(plan)
    assert start == len(seen)


def test_warmup_is_joint_and_valuation_follows_its_interval(tmp_path, dataset):
    config = {"training": {"epochs": 6, "keep": 9}, "method": {"warmup": 2, "every": 2}}
    run = run_of(tmp_path / "r", dataset, **config)
    result = train(run, dataset, Backends())
    base = len(dataset.rows("train"))
    rows = [entry["metrics"]["rows/epoch"] for entry in result.history]
    assert rows[:2] == [base, base]
    assert all(count > base for count in rows[2:])
    valued = [e for e in range(1, 7) if (epoch_folder(run.path, e) / "valuation-train.parquet").exists()]
    assert valued == [2, 4]


def test_modality_level_values_only_its_subset(tmp_path, dataset):
    config = {"method": {"name": "modality", "settings": {"subset": 0.25}}, "training": {"keep": 9}}
    run = run_of(tmp_path / "r", dataset, **config)
    train(run, dataset, Backends())
    tables = [read_table(epoch_folder(run.path, e) / "valuation-train.parquet") for e in (1, 2)]
    assert {len(table) for table in tables} == {round(0.25 * len(dataset.rows("train")))}
    assert tables[0].sample_id.tolist() != tables[1].sample_id.tolist()


def test_the_test_split_is_read_once_and_after_the_rest(tmp_path, dataset):
    order = []

    def value(model, view, rows, config, epoch):
        order.append(str(view.dataset.shards.split[rows][0]))
        return value_parts(model, view, rows, config, epoch)

    run = run_of(tmp_path / "r", dataset)
    first = train(run, dataset, Backends(value=value))
    assert order.count("test") == 1
    assert order[-1] == "test"
    order.clear()
    assert train(open_run(run.path), dataset, Backends(value=value)) == first
    assert order == []


def test_the_picked_model_is_the_one_of_the_best_epoch(tmp_path, dataset):
    run = run_of(tmp_path / "r", dataset, training={"epochs": 6, "keep": 1, "selection": "loss"})
    result = train(run, dataset, Backends())
    losses = [entry["metrics"]["val/loss"] for entry in result.history]
    assert result.best_epoch == int(np.argmin(losses))
    assert set(committed_epochs(run.path)) == {6, result.best_epoch + 1}
    table = read_table(run.path / "result" / "valuation-test.parquet")
    assert result.metrics["test/accuracy"] == float((table.prediction == table.label).mean())
    assert read_result(run.path) == result


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_last_epoch(tmp_path, dataset, monkeypatch):
    run = run_of(tmp_path / "r", dataset)
    plain = loop.epoch_rates
    monkeypatch.setattr(loop, "epoch_rates", lambda c, e, n, *more: [1e30] * n if e == 2 else plain(c, e, n, *more))
    with pytest.raises(TrainingError, match=r"epoch 2, step \d+: the loss is (nan|inf); lower optimizer\.lr"):
        train(run, dataset, Backends())
    assert committed_epochs(run.path)[-1] == 2
    monkeypatch.undo()
    assert np.isfinite(train(run, dataset, Backends()).metrics["test/loss"])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_weights_do_not_depend_on_the_processes_that_read(tmp_path):
    """Sound, frames, flow, text, a vector with noise and a sequence, augmented; with dropout."""
    dataset = open_dataset(Path(__file__).parents[1] / "compat" / "v0_1_0" / "data" / "six")
    ends = []
    for number, (workers, seed) in enumerate([(0, 0), (1, 0), (3, 0), (1, 1)]):
        run = run_of(
            tmp_path / f"{number}",
            dataset,
            training={"epochs": 2, "batch_size": 5, "loader_workers": workers, "seed": seed},
            view={"noise_db": {"points": 0.0}, "flip": True},
            method={"name": "joint"},
            model={"feature_size": 8, "encoder": {"width": 8, "dropout": 0.2}},
        )
        train(run, dataset, Backends())
        ends.append([sha256_of(epoch_folder(run.path, epoch) / "model.safetensors") for epoch in (1, 2)])
        assert multiprocessing.active_children() == []
    assert ends[0] == ends[1] == ends[2]
    assert ends[0] != ends[3]


@pytest.mark.parametrize("ending", ["raise", "abandon"])
def test_no_process_outlives_a_run_that_does_not_end(tmp_path, dataset, ending):
    run = run_of(tmp_path / "r", dataset, training={"loader_workers": 2})
    seen = []

    def value(*given):
        seen.append(len(multiprocessing.active_children()))
        if ending == "raise":
            raise ArithmeticError
        return value_parts(*given)

    states = iter_epochs(run, dataset, Backends(value=value))
    next(states)
    if ending == "raise":
        with pytest.raises(ArithmeticError):
            next(states)
    else:
        next(states)
        states.close()
    assert set(seen) == {2}
    assert multiprocessing.active_children() == []


def test_precision_that_the_device_lacks_is_refused(tmp_path, dataset):
    with pytest.raises(ConfigError, match=r"training\.precision=float16 needs a GPU"):
        train(run_of(tmp_path / "r", dataset, training={"precision": "float16"}), dataset, Backends())


def test_bfloat16_trains_on_a_cpu(tmp_path, dataset):
    result = train(run_of(tmp_path / "r", dataset, training={"precision": "bfloat16"}), dataset, Backends())
    assert result.metrics["test/accuracy"] > 0.6


def test_a_folder_of_another_run_is_refused_with_every_difference(tmp_path, dataset):
    run_of(tmp_path / "r", dataset)
    with pytest.raises(CheckpointError) as caught:
        run_of(tmp_path / "r", dataset, training={"seed": 1}, method={"name": "joint"})
    assert "training.seed: 0 then, 1 now" in str(caught.value)
    assert "method.name: sample then, joint now" in str(caught.value)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="not empty, and no run of raymm"):
        run_of(tmp_path / "other", dataset)


OTHER = {
    "training.seed": [1, 7],
    "training.epochs": [3, 9],
    "training.batch_size": [16, 64],
    "optimizer.lr": [0.1, 0.0051],
    "optimizer.name": ["sgd"],
    "model.feature_size": [8, 17],
    "model.fusion": ["sum", "gated"],
    "model.baseline": ["learned"],
    "method.warmup": [0, 2],
    "method.name": ["joint", "random"],
    "valuation.utility": ["probability"],
    "view.noise_db": [{"m0": 3.0}],
}


@settings_of_tests(max_examples=20)
@given(drawn=st.dictionaries(st.sampled_from(sorted(OTHER)), st.integers(0, 1), max_size=4), moved=st.booleans())
def test_exactly_the_drawn_differences_to_the_run_that_is_there_are_named(another, drawn, moved):
    """Settings that do not decide the numbers may differ."""
    path, dataset, other = another
    sections = {"cluster": {"workers": 3}}
    for key, number in drawn.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = OTHER[key][number % len(OTHER[key])]
    given_one = other if moved else dataset
    if not drawn and not moved:
        assert run_of(path, given_one, **sections).path == path
        return
    with pytest.raises(CheckpointError) as caught:
        run_of(path, given_one, **sections)
    named = re.findall(r"(?:: |- )(data|\w+\.[\w.]+): .* then, .* now", str(caught.value))
    assert {re.match(r"data|\w+\.\w+", key)[0] for key in named} >= {*drawn, *(["data"] if moved else [])}
    assert moved == ("data" in named)


def test_the_threads_of_a_run_are_its_own(tmp_path, dataset, monkeypatch):
    """Runs of several numbers of threads that are trained in turn leave the process as it was, however they end."""
    before, seen = torch.get_num_threads(), {}
    plain = loop.train_epoch

    def noted(trainer, *given):
        seen.setdefault(trainer.config.training.threads, []).append(torch.get_num_threads())
        return plain(trainer, *given)

    monkeypatch.setattr(loop, "train_epoch", noted)
    counts = {before + 2: 2, before + 1: 3, None: 3}
    runs = [
        run_of(tmp_path / f"{threads}", dataset, training={"epochs": epochs, "threads": threads})
        for threads, epochs in counts.items()
    ]
    ongoing = [iter_epochs(run, dataset, Backends()) for run in runs]
    while ongoing:
        ongoing = [one for one in ongoing if next(one, None) is not None]
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
    assert seen == {threads: [threads or before] * epochs for threads, epochs in counts.items()}
    monkeypatch.setattr(loop.RunContext, "build", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        train(run_of(tmp_path / "r", dataset, training={"threads": before + 1}), dataset, Backends())
    assert torch.get_num_threads() == before


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no run there"):
        open_run(tmp_path / "gone")
