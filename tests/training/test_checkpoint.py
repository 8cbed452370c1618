"""The commit of an epoch: what is written is what is read, what is kept, passed over, shared and refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.errors import CheckpointError
from raymm.methods.plan import Plan
from raymm.storage import layout
from raymm.storage.directory import commit_directory, is_committed, read_manifest
from raymm.storage.layout import committed_epochs, epoch_folder, valuation_file
from raymm.training.checkpoint import (
    Checkpoint,
    clear_unfinished,
    commit,
    drop_damaged,
    link_checkpoint,
    load_latest,
    new_epoch,
    read_checkpoint,
    read_history,
    restore,
    restore_method,
    restore_method_state,
    restore_model,
    restore_weights,
)
from raymm.valuation import read_table, write_table
from tests.methods.updates import backward, begin, part_of, trainer_of
from tests.valuation.test_table import make_table

REQUIRED = ("model.safetensors", "optimizer.safetensors", "plan.safetensors", "state.json")


@pytest.fixture(autouse=True)
def _no_waiting(without_waiting_for_the_disk):
    pass


def trained(seed=0, method="mmpareto", **training):
    """A trainer after two updates of its own."""
    trainer = trainer_of(method, training=training)
    trainer.optimizer.param_groups[0]["momentum"] = 0.9
    for number in range(2):
        begin(trainer)
        backward(trainer, part_of(trainer, seed=seed + number))
        trainer.optimizer.step()
        if trainer.average is not None:
            trainer.average.update()
    return trainer


def state_of(epoch, best=None, **given):
    plan = given.pop("plan", Plan(np.arange(5), np.array([3, 3, 3, 1, 2]), dropped=epoch))
    history = tuple({"epoch": number, "metrics": {"loss": 0.5 * number}} for number in range(epoch))
    return Checkpoint(epoch, plan, history=history, best_epoch=best, **given)


def write(run, state, trainer=None, tables=None, unplanned=None, keep=9):
    trainer = trainer or trained()
    with new_epoch(run, state.epoch) as folder, trainer.evaluated():
        for name, table in (tables or {}).items():
            write_table(valuation_file(folder, name), table)
        commit(run, state, trainer, unplanned or {}, keep)
    return trainer


def same(one, other):
    for name in ("index", "keep", "weight", "group"):
        first, second = getattr(one.plan, name), getattr(other.plan, name)
        assert (first is None) == (second is None)
        assert first is None or first.tolist() == second.tolist()
    assert (one.plan.dropped, one.plan.base) == (other.plan.dropped, other.plan.base)
    assert (one.epoch, one.best_epoch, one.history) == (other.epoch, other.best_epoch, other.history)
    for name in ("phi", "online"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        assert first is None or np.array_equal(first, second, equal_nan=True)


PLANS = {
    "plain": {},
    "weighed": {"plan": Plan(np.arange(3), np.ones(3, np.int64), 2, np.array([1, 0.5, 0], np.float32))},
    "alone": {"plan": Plan(np.arange(2), np.ones(2, np.int64), group=np.array([1, 0]), base=0)},
    "based": {"plan": Plan(np.arange(2), np.ones(2, np.int64), base=2)},
    "wide": {"plan": Plan(np.arange(2), np.array([2**40 - 1, 2**39]))},
    "valued": {"phi": np.array([[1.0, np.nan], [0.25, -3.0]])},
    "online": {"online": np.array([[np.nan, 2.0]]), "best": 1},
}


@pytest.mark.parametrize("kind", PLANS)
def test_a_state_is_read_as_it_was_committed(tmp_path, kind):
    state = state_of(3, **PLANS[kind])
    write(tmp_path, state)
    same(read_checkpoint(tmp_path, 3), state)
    same(read_checkpoint(tmp_path, 3, check=True), state)
    same(load_latest(tmp_path), state)
    everything = np.arange(len(state.plan))
    assert np.array_equal(read_checkpoint(tmp_path, 3).plan.masks(everything, 41), state.plan.masks(everything, 41))
    assert read_history(tmp_path) == state.history
    assert state_of(1).phi is state_of(1).online is state_of(1).best_epoch is None
    assert Checkpoint(0, state.plan).history == ()
    with pytest.raises(AttributeError):
        state.epoch = 9


@pytest.mark.parametrize("spoil", [lambda folder: (folder / "part").touch(), shutil.rmtree], ids=["part", "gone"])
def test_an_epoch_that_comes_to_nothing_is_removed_and_its_error_stays(tmp_path, spoil):
    def fail():
        with new_epoch(tmp_path, 3) as folder:
            spoil(folder)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not epoch_folder(tmp_path, 3).exists()


def test_tables_and_what_the_method_had_before_its_plan_are_beside(tmp_path):
    table = make_table(rows=6)
    write(tmp_path, state_of(2), tables={"train": table}, unplanned={"x": torch.ones(2)})
    folder = epoch_folder(tmp_path, 2)
    assert read_table(valuation_file(folder, "train")).phi.tolist()[1:] == table.phi.tolist()[1:]
    assert load_file(folder / layout.METHOD)["unplanned.x"].tolist() == [1, 1]
    files = read_manifest(folder)["files"]
    assert set(REQUIRED) < set(files)
    assert read_manifest(folder)["epoch"] == 2
    assert "trained.safetensors" not in files
    write(tmp_path, state_of(2), trained(method="joint"))  # over it: nothing is left of what was there
    assert sorted(read_manifest(folder)["files"]) == sorted(REQUIRED)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*REQUIRED, "manifest.json"])


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_trainer_goes_on_where_another_was(tmp_path, ema):
    first = write(tmp_path, state_of(2), trained(seed=4, ema=ema))
    other = trained(seed=8, ema=ema)
    assert not torch.equal(first.model.fusion.weight, other.model.fusion.weight)
    restore(tmp_path, 2, other)
    for one in (first, other):
        begin(one)
        backward(one, part_of(one, seed=20))
        one.optimizer.step()
    for (name, value), again in zip(first.model.state_dict().items(), other.model.state_dict().values(), strict=True):
        assert torch.equal(value, again), name
    for value, again in zip(first.method.module.parameters(), other.method.module.parameters(), strict=True):
        assert torch.equal(value, again)
    assert ((epoch_folder(tmp_path, 2) / layout.TRAINED).exists()) == (ema is not None)


def test_parts_are_restored_alone(tmp_path):
    first = write(tmp_path, state_of(1), trained(seed=4))

    def differs(trainer):
        return [
            not torch.equal(first.model.fusion.weight, trainer.model.fusion.weight),
            not torch.equal(first.method.module[0].weight, trainer.method.module[0].weight),
        ]

    for action, left in (
        (restore_weights, [False, True]),
        (restore_model, [False, True]),
        (restore_method, [True, False]),
    ):
        trainer = trained(seed=8)
        assert differs(trainer) == [True, True]
        action(tmp_path, 1, trainer)
        assert differs(trainer) == left
    for action in (restore_weights, restore_model, restore):
        with pytest.raises(CheckpointError, match="does not fit this model and optimizer"):
            action(tmp_path, 1, trainer_of("joint", classes=4))
    with pytest.raises(CheckpointError, match=r"does not fit this method \(weights of another method\)"):
        restore(tmp_path, 1, trained(method="joint"))
    flip(epoch_folder(tmp_path, 1) / layout.WEIGHTS)
    for action in (restore_weights, restore_model, restore):
        with pytest.raises(CheckpointError, match=r"model\.safetensors was changed after it was written"):
            action(tmp_path, 1, trained())


class Counting:
    """A method that counts, with a state."""

    module = None

    def __init__(self, count=0.0):
        self.count = torch.tensor(count)

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def test_what_a_method_remembers_is_that_after_its_plan_or_before(tmp_path):
    trainer = trained(method="joint")
    trainer.method = Counting(7.0)
    write(tmp_path, state_of(1), trainer, unplanned={"count": torch.tensor(5.0)})
    for given, count in (({}, 7.0), ({"unplanned": False}, 7.0), ({"unplanned": True}, 5.0)):
        trainer.method = Counting()
        restore_method(run=tmp_path, epoch=1, trainer=trainer, **given)
        assert trainer.method.count == count
    method = Counting()
    restore_method_state(tmp_path, 1, method)
    assert method.count == 7
    write(tmp_path, state_of(2), trained(method="joint"))
    with pytest.raises(CheckpointError, match=r"does not fit this method \(no state of the method\)"):
        restore_method_state(tmp_path, 2, Counting())


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [(1, None, [5]), (2, None, [4, 5]), (2, 1, [1, 4, 5]), (9, 2, [1, 2, 3, 4, 5]), (1, 5, [5])],
)
def test_epochs_that_are_neither_new_nor_best_are_dropped(tmp_path, keep, best, left):
    trainer = trained(method="joint")
    for epoch in range(1, 5):
        write(tmp_path, state_of(epoch), trainer)
    assert committed_epochs(tmp_path) == [1, 2, 3, 4]
    write(tmp_path, state_of(5, best), trainer, keep=keep)
    assert committed_epochs(tmp_path) == left
    assert sorted(path.name for path in (tmp_path / "epochs").iterdir()) == [f"epoch-{epoch:05d}" for epoch in left]


def test_the_best_of_very_many_epochs_is_kept(tmp_path):
    trainer = trained(method="joint")
    for epoch in (300, 301):
        write(tmp_path, state_of(epoch, int("300")), trainer, keep=1)
    assert committed_epochs(tmp_path) == [300, 301]


def flip(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 64
    file.write_bytes(content)


def test_a_damaged_epoch_is_passed_over_with_a_word_and_none_is_left_at_last(tmp_path, caplog):
    trainer = trained(method="joint")
    assert load_latest(tmp_path) is None
    assert read_history(tmp_path) == ()
    for epoch in (1, 2, 3):
        write(tmp_path, state_of(epoch), trainer)
    assert load_latest(tmp_path).epoch == 3
    flip(epoch_folder(tmp_path, 3) / layout.OPTIMIZER)
    assert load_latest(tmp_path).epoch == 2
    assert "passing over a damaged epoch" in caplog.text
    for name in REQUIRED:
        write(tmp_path, state_of(3), trainer)
        (epoch_folder(tmp_path, 3) / name).unlink()
        commit_directory(epoch_folder(tmp_path, 3), {"epoch": 3})  # a manifest that does not name it
        assert load_latest(tmp_path).epoch == 2
        with pytest.raises(CheckpointError, match=f"{name} is not in manifest.json"):
            read_checkpoint(tmp_path, 3, check=True)
        with pytest.raises(CheckpointError, match=f"{name} is not in manifest.json"):
            link_checkpoint(tmp_path, 3, tmp_path / "other")
    for epoch in (1, 2):
        flip(epoch_folder(tmp_path, epoch) / layout.PLAN)
    with pytest.raises(
        CheckpointError, match=r"every committed epoch is damaged, start a new run; .*00003.*00002.*00001"
    ):
        load_latest(tmp_path)


@pytest.mark.parametrize(("damaged", "left"), [([], 4), ([4], 3), ([3, 4], 2), ([1, 3], 4), ([1, 2, 4], 3)])
def test_damaged_epochs_above_the_one_to_go_on_from_are_deleted_and_others_stay(tmp_path, caplog, damaged, left):
    drop_damaged(tmp_path, 0)  # nothing is there
    trainer = trained(method="joint")
    for epoch in (1, 2, 3, 4):
        write(tmp_path, state_of(epoch), trainer)
    for epoch in damaged:
        flip(epoch_folder(tmp_path, epoch) / layout.OPTIMIZER)
    drop_damaged(tmp_path, load_latest(tmp_path).epoch)
    assert committed_epochs(tmp_path) == list(range(1, left + 1))
    assert (f"epoch-{left + 1:05d}: deleted, the run goes on from epoch {left}" in caplog.text) == (left < 4)
    assert len(list((tmp_path / "epochs").iterdir())) == left
    write(tmp_path, state_of(left + 1, best=1), trainer, keep=1)
    assert committed_epochs(tmp_path) == sorted({1, left + 1})


def test_nothing_is_deleted_where_every_epoch_is_damaged(tmp_path):
    write(tmp_path, state_of(1), trained(method="joint"))
    flip(epoch_folder(tmp_path, 1) / layout.WEIGHTS)
    with pytest.raises(CheckpointError, match="every committed epoch is damaged"):
        drop_damaged(tmp_path, load_latest(tmp_path).epoch)
    assert committed_epochs(tmp_path) == [1]


def test_a_plan_that_cannot_be_read_is_named_and_its_checksum_is_compared_where_asked(tmp_path):
    write(tmp_path, state_of(1), trained(method="joint"))
    plan = epoch_folder(tmp_path, 1) / layout.PLAN
    flip(plan)
    assert read_checkpoint(tmp_path, 1).epoch == 1  # the checksums are not asked for
    with pytest.raises(CheckpointError, match=r"plan\.safetensors was changed"):
        read_checkpoint(tmp_path, 1, check=True)
    for content in (b"", b"x" * 40, plan.read_bytes()[:-1]):
        plan.write_bytes(content)
        with pytest.raises(CheckpointError, match="epoch-00001: cannot be read"):
            read_checkpoint(tmp_path, 1)
    plan.unlink()
    with pytest.raises(CheckpointError, match="epoch-00001: cannot be read"):
        read_checkpoint(tmp_path, 1)


def test_histories_are_those_of_the_newest_epoch_that_is_still_there(tmp_path):
    for epoch in (1, 2):
        write(tmp_path, state_of(epoch), trained(method="joint"))
    assert len(read_history(tmp_path)) == 2
    state = epoch_folder(tmp_path, 2) / layout.STATE
    state.write_text("{")
    assert len(read_history(tmp_path)) == load_latest(tmp_path).epoch == 1
    state.unlink()  # as another process that drops the epoch does
    assert len(read_history(tmp_path)) == 1
    (epoch_folder(tmp_path, 1) / layout.STATE).write_text("{")
    assert read_history(tmp_path) == ()


def test_unfinished_epochs_are_cleared_and_others_stay(tmp_path):
    clear_unfinished(tmp_path)
    for epoch in (1, 2):
        write(tmp_path, state_of(epoch), trained(method="joint"))
    (epoch_folder(tmp_path, 2) / layout.MANIFEST).unlink()
    (tmp_path / "epochs" / "note.txt").write_text("mine")
    clear_unfinished(tmp_path)
    assert sorted(path.name for path in (tmp_path / "epochs").iterdir()) == ["epoch-00001", "note.txt"]


@pytest.mark.parametrize("shared", [True, False])
def test_an_epoch_of_another_run_is_shared_or_copied(tmp_path, shared, monkeypatch):
    write(tmp_path / "a", state_of(2), trained(method="joint"))
    if not shared:
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError("another drive")))
    stale = epoch_folder(tmp_path / "b", 2)
    stale.mkdir(parents=True)
    (stale / "stale").write_text("old")
    link_checkpoint(tmp_path / "a", 2, tmp_path / "b")
    same(load_latest(tmp_path / "b"), load_latest(tmp_path / "a"))
    assert is_committed(stale)
    assert [path.name for path in (tmp_path / "b" / "epochs").iterdir()] == ["epoch-00002"]
    there = [sorted(path.name for path in epoch_folder(tmp_path / run, 2).iterdir()) for run in "ab"]
    assert there[0] == there[1]
    one, other = (epoch_folder(tmp_path / run, 2) / layout.WEIGHTS for run in "ab")
    assert one.samefile(other) == shared
    link_checkpoint(tmp_path / "a", 2, tmp_path / "new" / "run")
    same(load_latest(tmp_path / "new" / "run"), load_latest(tmp_path / "a"))
    flip(other)
    with pytest.raises(CheckpointError, match="was changed after it was written"):
        link_checkpoint(tmp_path / "b", 2, tmp_path / "c")


def test_the_state_says_its_format_and_the_scale_of_losses(tmp_path):
    write(tmp_path, state_of(2, best=1), trained(method="joint"))
    values = json.loads((epoch_folder(tmp_path, 2) / layout.STATE).read_text())
    assert (values["epoch"], values["best_epoch"], values["dropped"], len(values["history"])) == (2, 1, 2, 2)
    assert values["format"] == 1
    assert isinstance(values["scaler"], dict)
