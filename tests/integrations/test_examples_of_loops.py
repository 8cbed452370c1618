"""The examples of the four loops: they re-sample, train the same rows, and go on from what they saved."""

import logging

import pytest
import torch

from tests.examples import EXAMPLES, example

EPOCHS = 6


def rows_of(module, call):
    """What `call` returns, and of each epoch that it trained the rows: position and mask."""
    seen, update = [], module.Resampler.update

    def spied(resampler, values=None, **options):
        seen.append([[(int(row), row.keep) for row in rows] for rows in resampler])
        return update(resampler, values, **options)

    trained, item = [], module.Resampler._rows_of

    def read(resampler, plan, epoch, rows, total):
        found = item(resampler, plan, epoch, rows, total)
        trained.append((epoch, tuple((int(row), row.keep) for row in found)))
        return found

    module.Resampler.update, module.Resampler._rows_of = spied, read
    try:
        result = call()
    finally:
        module.Resampler.update, module.Resampler._rows_of = update, item
    return result, seen, trained


def accuracy(module, model):
    whole = torch.utils.data.default_collate(module.make_samples())
    with torch.no_grad():
        if module.__name__.endswith("trainer"):
            logits = model(whole["audio"], whole["video"])["logits"]
        else:
            logits = model.fuse(model.encode(whole), torch.ones(len(whole["labels"]), 2, dtype=torch.bool))
    return float((logits.argmax(dim=1) == whole["labels"]).float().mean())


def test_plain_torch():
    module = example("plain_torch")
    model, rows = module.train(EPOCHS)
    assert rows[:2] == [120, 120]
    assert len(rows) == EPOCHS
    assert all(count > 120 for count in rows[2:5])
    assert accuracy(module, model) > 0.9


@pytest.mark.parametrize("name", ["lightning_callback", "hugging_face_trainer", "accelerate_loop"])
def test_other_loops_train_every_row_of_each_plan_and_go_on_where_they_stopped(name, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "raymm")
    module = example(name)
    (model, resampler), planned, read = rows_of(module, lambda: module.train(EPOCHS, str(tmp_path / "whole")))
    assert [sum(map(len, plan)) for plan in planned[:2]] == [120, 120]
    assert len(planned) == EPOCHS
    assert all(sum(map(len, plan)) > 120 for plan in planned[2:5])
    for epoch, plan in enumerate(planned):  # what the loop read, and the spy once more
        of_epoch = [rows for number, rows in read if number == epoch]
        assert of_epoch == [tuple(rows) for rows in plan] * 2
    assert accuracy(module, model) > 0.9
    assert resampler.epoch == EPOCHS
    saved = sorted((tmp_path / "whole").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(saved) == EPOCHS
    again, resumed = module.train(EPOCHS, str(tmp_path / "again"), str(saved[3]))
    assert resumed.epoch == EPOCHS
    for one, other in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert len(list((tmp_path / "again").iterdir())) == EPOCHS - 4
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", ["plain_torch", "lightning_callback", "hugging_face_trainer", "accelerate_loop"])
def test_the_users_own_part_is_short(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    own = text[text.index("def train(") :].split('if __name__ == "__main__":')[0]
    assert len([line for line in own.splitlines() if line.strip()]) <= 40
