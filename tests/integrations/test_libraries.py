"""Lightning, the Hugging Face Trainer and Accelerate beyond the examples: refusals, steps, states within epochs."""

import math
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from accelerate import Accelerator
from datasets import Dataset as Columns
from transformers import TrainingArguments, set_seed

from raymm import Resampler
from raymm.errors import CheckpointError, ConfigError, TrainingError
from raymm.integrations.accelerate import prepare_loader
from raymm.integrations.lightning import ResamplingCallback
from raymm.integrations.trainer_arguments import unfit_arguments
from raymm.integrations.transformers import STATE, ResamplingTrainer
from tests.examples import example

NAMES = ("audio", "video")


def low(count=24):
    return [[0.0, 2.0]] + [[1.0, 1.0]] * (count - 1)


# Lightning


def fit(resampler, **options):
    module = example("lightning_callback")
    samples = module.make_samples(24)
    given = {
        "reload_dataloaders_every_n_epochs": 1,
        "max_epochs": 2,
        "accelerator": "cpu",
        "logger": False,
        **options,
    }
    callback = ResamplingCallback(resampler, lambda module: low())
    trainer = pl.Trainer(
        **given,
        callbacks=[callback],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module.Model(), resampler.loader(samples))
    return trainer


def test_lightning_that_would_train_as_many_batches_as_in_the_first_epoch_is_refused():
    with pytest.raises(ConfigError, match=r"Trainer: .* set reload_dataloaders_every_n_epochs=1"):
        fit(Resampler(24, NAMES), reload_dataloaders_every_n_epochs=0)


def test_lightning_in_another_epoch_than_the_resampler_is_refused():
    resampler = Resampler(24, NAMES)
    resampler.update()
    with pytest.raises(
        TrainingError, match=r"Trainer is in epoch 0, .* Resampler in 1; make a new Resampler .*, or resume from"
    ):
        fit(resampler)


def test_lightning_that_would_overfit_batches_is_refused():
    with pytest.raises(ConfigError, match=r"Trainer: overfit_batches=2 is about .*, or set limit_train_batches"):
        fit(Resampler(24, NAMES), overfit_batches=2)


def test_lightning_is_told_the_metrics_of_the_plan():
    trainer = fit(Resampler(24, NAMES, warmup=1))
    assert trainer.callback_metrics["rows/epoch"] == 26
    assert trainer.callback_metrics["phi/train_audio"] == pytest.approx(23 / 24)


LAST = (4, 9)
"""Steps after the last batch of an epoch, before its end, of 12 rows and then 14."""


class Line(pl.LightningModule):
    """A model that remembers what it reads."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.read, self.fails_at = torch.nn.Linear(1, 2), [], None

    def training_step(self, batch, number):
        if self.fails_at == (self.current_epoch, number):
            self.fails_at = None
            raise RuntimeError("a failure")
        self.read.append((self.current_epoch, number, batch["x"].flatten().tolist(), batch["mask"].tolist()))
        return torch.nn.functional.cross_entropy(self.layer(batch["x"] / 12), batch["labels"])

    def validation_step(self, batch, number):
        del number
        self.log("val", self.layer(batch["x"]).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


SAMPLES = [{"x": torch.tensor([float(i)]), "labels": torch.tensor(i % 2)} for i in range(12)]


def line_callback():
    return ResamplingCallback(Resampler(SAMPLES, NAMES, warmup=1, batch_size=3), lambda module: low(12))


def line_trainer(callback, saving=None, **options):
    return pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        callbacks=[callback, *([saving] if saving else [])],
        reload_dataloaders_every_n_epochs=1,
        enable_checkpointing=saving is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def train_line(checkpoint=None, saving=None, without=None, **options):
    callback = line_callback()
    trainer = line_trainer(callback, saving, **options)
    if checkpoint is not None and without is not None:
        kept = torch.load(checkpoint, weights_only=True)
        for name, state in kept["callbacks"].items():
            if name.startswith("ResamplingCallback"):
                kept["callbacks"][name] = without(state)
        torch.save(kept, checkpoint)
    model, validated = Line(), torch.utils.data.DataLoader(SAMPLES, 6)
    trainer.fit(model, callback.resampler.loader(SAMPLES), validated, ckpt_path=checkpoint)
    return model


def fit_after_failure(callback, trainers, fails_at):
    """What the second of two Trainers reads, once the first has failed."""
    first, second = trainers
    model, loader = Line(), callback.resampler.loader(SAMPLES)
    model.fails_at = fails_at
    with pytest.raises(RuntimeError, match="a failure"):
        first.fit(model, loader)
    model.read.clear()
    second.fit(model, loader)
    return model.read


@pytest.mark.parametrize("fails_at", [(0, 0), (0, 2), (1, 1), (2, 3)])
def test_a_trainer_fitted_again_after_a_failure_begins_the_epoch_again(fails_at):
    callback = line_callback()
    trainer = line_trainer(callback)
    read = fit_after_failure(callback, (trainer, trainer), fails_at)
    assert read == [each for each in train_line().read if each[0] >= fails_at[0]]


def test_a_new_trainer_after_a_failure_begins_again_or_is_refused():
    callback = line_callback()
    assert fit_after_failure(callback, (line_trainer(callback), line_trainer(callback)), (0, 2)) == train_line().read
    callback = line_callback()
    with pytest.raises(TrainingError, match="Trainer is in epoch 0, and the Resampler in 1; make a new Resampler"):
        fit_after_failure(callback, (line_trainer(callback), line_trainer(callback)), (1, 2))


def test_a_checkpoint_that_was_loaded_but_not_trained_leaves_nothing_out_later(tmp_path):
    saving = pl.callbacks.ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=2, save_top_k=-1)
    whole = train_line(saving=saving)
    callback = line_callback()
    callback.load_state_dict(torch.load(tmp_path / "step=2.ckpt", weights_only=True)["callbacks"][callback.state_key])
    model = Line()
    line_trainer(callback).fit(model, callback.resampler.loader(SAMPLES))
    assert model.read == whole.read


@pytest.mark.parametrize(
    ("options", "moment"),
    [
        ({}, {"every_n_train_steps": 1}),
        ({"val_check_interval": 2, "num_sanity_val_steps": 0}, {"monitor": "val"}),
        ({"val_check_interval": 3}, {"every_n_train_steps": 2}),
        ({}, {"save_on_train_epoch_end": True}),
        ({}, {"monitor": "val"}),
    ],
)
def test_a_checkpoint_of_lightning_goes_on_where_it_was_saved(tmp_path, options, moment, caplog):
    saving = pl.callbacks.ModelCheckpoint(tmp_path, "{epoch}-{step}", save_top_k=-1, **moment)
    whole = train_line(saving=saving, **options)
    steps = {path: int(path.stem.split("step=")[1].split("-")[0]) for path in tmp_path.glob("*.ckpt")}
    assert len(steps) >= 3
    for path, step in steps.items():
        again = pl.callbacks.ModelCheckpoint(tmp_path / "again")
        if "every_n_train_steps" in moment and step in LAST:
            with pytest.raises(TrainingError, match=r"goes on with batch 0 of epoch \d, .* before the last batch of"):
                train_line(path, again, **options)
            continue
        resumed = train_line(path, again, **options)
        assert resumed.read == whole.read[step:], path
        assert torch.equal(resumed.layer.weight, whole.layer.weight)
    assert "within epoch" not in caplog.text


def test_a_checkpoint_within_an_epoch_that_does_not_say_what_was_read_is_refused(tmp_path):
    saving = pl.callbacks.ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=6, save_top_k=-1)
    train_line(saving=saving)
    with pytest.raises(
        TrainingError, match="goes on with batch 2 of epoch 1, and the Resampler with batch 0 of epoch 1"
    ):
        train_line(tmp_path / "step=6.ckpt", without=lambda state: state["resampler"])


# Hugging Face


def hugging_face(folder, resume=None, samples=None, **options):
    module = example("hugging_face_trainer")
    samples = samples or module.make_samples(24)
    set_seed(0)
    model = module.Model()
    resampler = Resampler(samples, NAMES, batch_size=8, warmup=1)
    given = {"num_train_epochs": 3, "lr_scheduler_type": "constant", "save_strategy": "no", **options}
    arguments = TrainingArguments(str(folder), report_to=[], use_cpu=True, disable_tqdm=True, **given)
    trainer = ResamplingTrainer(
        model, arguments, train_dataset=samples, resampler=resampler, values=lambda model: low()
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer, model


def test_what_the_model_does_not_take_is_left_out_and_workers_read(tmp_path):
    module = example("hugging_face_trainer")
    samples = [sample | {"path": f"{i}.mp4"} for i, sample in enumerate(module.make_samples(24))]
    options = {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}
    _, whole = hugging_face(tmp_path / "a")
    _, named = hugging_face(tmp_path / "b", samples=samples, **options)
    for one, other in zip(whole.state_dict().values(), named.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("accumulated", [1, 2, 3])
def test_an_epoch_of_the_trainer_has_the_steps_of_its_plan(tmp_path, accumulated, caplog):
    trainer, _ = hugging_face(tmp_path, gradient_accumulation_steps=accumulated)
    assert trainer.resampling.resampler.epoch == 3
    batches = [3, 4, 4]  # 24 rows of 8, and two copies more
    assert trainer.state.global_step == sum(math.ceil(count / accumulated) for count in batches)
    assert trainer.state.epoch == pytest.approx(3.0)
    assert "schedule" not in caplog.text


def test_a_schedule_that_ends_before_the_training_is_said(tmp_path, caplog):
    hugging_face(tmp_path, lr_scheduler_type="linear")
    assert "training has about 11 steps by the plan of epoch 1, and the schedule" in caplog.text
    assert "was made for 9; use lr_scheduler_type=constant" in caplog.text


@pytest.mark.parametrize("step", [2, 4, 5, 7])
def test_a_checkpoint_within_an_epoch_goes_on_there(tmp_path, step, caplog):
    _, whole = hugging_face(tmp_path / "a", save_strategy="steps", save_steps=1)
    trainer, resumed = hugging_face(tmp_path / "b", tmp_path / "a" / f"checkpoint-{step}")
    assert trainer.state.global_step == 11
    assert "within epoch" not in caplog.text
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


class Reader(torch.nn.Module):
    """A model that remembers the rows and masks that it trains."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.read = torch.nn.Linear(1, 2), []

    def forward(self, x, mask, labels):
        self.read.append((x.flatten().tolist(), mask.tolist()))
        logits = self.layer(x / 12)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def reading(folder, resume=None, resampler=None, trained=True, **options):
    """Train 12 samples, 3 batches, each with two copies from epoch 1 on, 9 batches."""
    samples = [{"x": torch.tensor([float(i)]), "labels": torch.tensor(i % 2)} for i in range(12)]
    resampler = resampler or Resampler(samples, NAMES, warmup=1, batch_size=4)
    given = {"lr_scheduler_type": "constant", "save_strategy": "no", "report_to": [], "disable_tqdm": True, **options}
    arguments = TrainingArguments(str(folder), use_cpu=True, **given)
    trainer = ResamplingTrainer(
        Reader(), arguments, train_dataset=samples, resampler=resampler, values=lambda model: [[0.0, 2.0]] * 12
    )
    if trained:
        trainer.train(resume_from_checkpoint=resume)
    return trainer


@pytest.mark.parametrize(
    ("options", "batches", "steps"),
    [
        ({"max_steps": 8}, [3, 5], 8),
        ({"max_steps": 14, "save_steps": 4}, [3, 9, 2], 14),
        ({"max_steps": 5, "gradient_accumulation_steps": 2}, [3, 6], 5),
        ({"num_train_epochs": 1.5}, [3, 5], 8),  # ceil(1.5 * 9) - 9 of the epoch 1
        ({"num_train_epochs": 0.5}, [2], 2),
        ({"num_train_epochs": 1.3, "gradient_accumulation_steps": 2}, [3, 4], 4),  # ceil(1.3 * 5) - 5 steps
    ],
)
def test_a_training_that_ends_within_an_epoch_goes_on_from_all_of_its_checkpoints(tmp_path, options, batches, steps):
    options = {"save_strategy": "steps", "save_steps": 1, **options}
    whole = reading(tmp_path, **options)
    assert len(whole.model.read) == sum(batches)
    assert whole.state.global_step == steps
    assert whole.resampling.resampler.epoch == len(batches) - 1  # which is not over
    for step in (*range(options["save_steps"], steps, options["save_steps"]), steps):
        resumed = reading(tmp_path / "again", tmp_path / f"checkpoint-{step}", **options)
        assert resumed.state.global_step == steps
        trained = len(whole.model.read) - len(resumed.model.read)
        assert resumed.model.read == whole.model.read[trained:]
        assert bool(resumed.model.read) == (step < steps)
        assert torch.equal(resumed.model.layer.weight, whole.model.layer.weight)


def test_a_checkpoint_of_the_end_within_an_epoch_goes_on_in_it(tmp_path):
    whole = reading(tmp_path / "whole", num_train_epochs=2)
    reading(tmp_path, num_train_epochs=1.5, save_strategy="epoch")
    longer = reading(tmp_path, True, num_train_epochs=2)
    assert longer.model.read == whole.model.read[8:]
    assert torch.equal(longer.model.layer.weight, whole.model.layer.weight)


def test_an_epoch_is_begun_again_where_that_is_asked_for(tmp_path):
    options = {"num_train_epochs": 2, "save_strategy": "steps", "save_steps": 5}
    whole = reading(tmp_path, **options)
    again = reading(tmp_path / "again", tmp_path / "checkpoint-5", ignore_data_skip=True, **options)
    assert again.model.read == whole.model.read[3:]
    assert again.state.global_step == 5 + 9
    third = reading(tmp_path / "third", tmp_path / "again" / "checkpoint-10", **options)
    assert third.model.read == whole.model.read[3 + 5 :]


def test_a_resampler_that_has_gone_on_is_not_trained_from_the_start(tmp_path):
    resampler = reading(tmp_path, num_train_epochs=2).resampling.resampler
    with pytest.raises(
        TrainingError, match="begins with epoch 0, and the Resampler is in 2; make a new Resampler, or"
    ):
        reading(tmp_path, resampler=resampler, num_train_epochs=4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"dataloader_drop_last": True},
            r"dataloader_drop_last=True: .* set Resampler\(drop_last=True\), or leave it",
        ),
        ({"data_seed": 3}, r"data_seed=3: .* by its own seed: leave it out, and set Resampler\(seed=...\)"),
        (
            {"train_sampling_strategy": "group_by_length"},
            "train_sampling_strategy='group_by_length': the Resampler d",
        ),
        ({"train_sampling_strategy": "sequential"}, "train_sampling_strategy='sequential': the Resampler draws the"),
        ({"dataloader_in_order": False}, "dataloader_in_order=False: rows are trained in the order of their plan"),
        ({"auto_find_batch_size": True}, "auto_find_batch_size=True: .* batch_size of the Resampler: leave it out"),
        (
            {"dataloader_drop_last": True, "data_seed": 0},
            "TrainingArguments: 2 problems.*data_seed=0.*dataloader_drop_last=True",
        ),
    ],
)
def test_arguments_that_would_train_other_rows_are_refused(tmp_path, options, words):
    with pytest.raises(ConfigError, match=f"(?s){words}"):
        reading(tmp_path, trained=False, **options)


def test_arguments_that_fit_the_resampler_are_not_refused():
    drops, keeps = (Resampler(12, NAMES, drop_last=given) for given in (True, False))
    for dropped in (True, False):
        assert unfit_arguments(SimpleNamespace(dataloader_drop_last=dropped), drops) == []
    plain = {"train_sampling_strategy": "random", "group_by_length": False, "data_seed": None}
    assert unfit_arguments(SimpleNamespace(dataloader_drop_last=False, **plain), keeps) == []


def test_processes_that_have_to_read_the_same_rows_are_refused():
    split = SimpleNamespace(dataloader_drop_last=False, parallelism_config=SimpleNamespace(non_data_parallel_size=2))
    [found] = unfit_arguments(split, Resampler(12, NAMES))
    assert found.startswith("parallelism_config: 2 processes have to read the same rows")
    split.parallelism_config.non_data_parallel_size = 1
    assert unfit_arguments(split, Resampler(12, NAMES)) == []


def test_a_checkpoint_without_a_resampler_is_refused(tmp_path):
    hugging_face(tmp_path, save_strategy="epoch")
    last = max(tmp_path.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (last / STATE).unlink()
    with pytest.raises(CheckpointError, match=f"there is no {STATE}; it was saved without a Resampler"):
        hugging_face(tmp_path, resume=True)


def test_a_data_set_of_hugging_face_is_resampled():
    samples = Columns.from_dict({"x": [float(i) for i in range(6)], "labels": [0, 1] * 3}).with_format("torch")
    resampler = Resampler(samples, NAMES, batch_size=4, warmup=1)
    resampler.update(low(6))
    for batch, rows in zip(resampler.loader(samples), resampler, strict=True):
        assert batch["x"].tolist() == [float(row) for row in rows]
        assert batch["mask"].tolist() == [list(row.keep) for row in rows]


# Accelerate


def test_accelerate_of_other_ranks_is_refused():
    with pytest.raises(ConfigError, match=r"rank and world \(1, 2\), and the accelerator \(0, 1\); make it with"):
        prepare_loader(Accelerator(cpu=True), Resampler(8, NAMES, rank=1, world=2), [])


def test_a_prepared_loader_is_prepared_once_and_reads_the_epoch_of_the_resampler():
    accelerator, samples = Accelerator(cpu=True), [{"x": float(i)} for i in range(8)]
    resampler = Resampler(samples, NAMES, batch_size=4, warmup=1)
    loader = prepare_loader(accelerator, resampler, samples)
    assert accelerator.prepare(loader) is loader
    resampler.update(low(8))
    for _ in range(2):  # Accelerate would count two epochs
        read = [value for batch in loader for value in batch["x"].tolist()]
        assert read == [float(row) for rows in resampler for row in rows]
        assert len(read) == 10


def accelerated(folder, save_at=None, resumed_by=None):
    """Rows of three epochs; saved after so many batches of one, or gone on with from there."""
    accelerator, read = Accelerator(cpu=True), []
    resampler = Resampler(SAMPLES, NAMES, batch_size=4, warmup=1)
    loader = prepare_loader(accelerator, resampler, SAMPLES)
    accelerator.register_for_checkpointing(resampler)
    if resumed_by:
        accelerator.load_state(folder)
    for epoch in range(resampler.epoch, 3):
        use, resumed_by = (resumed_by or (lambda *_: loader))(accelerator, resampler, loader), None
        for number, batch in enumerate(use, start=1):
            read.append((epoch, batch["x"].flatten().tolist(), batch["mask"].tolist()))
            if (epoch, number) == save_at:
                accelerator.save_state(folder)
        resampler.update(low(12))
    return read


def skip(accelerator, resampler, loader):
    del accelerator
    resampler.skip(2)
    return loader


def test_accelerate_goes_on_within_an_epoch(tmp_path, caplog):
    whole = accelerated(tmp_path, save_at=(1, 2))
    left = whole[5:]  # 3 batches of epoch 0, 2 of epoch 1
    assert accelerated(tmp_path, resumed_by=skip) == left
    assert "was taken within epoch" not in caplog.text
    by_accelerate = accelerated(
        tmp_path, resumed_by=lambda accelerator, _, loader: accelerator.skip_first_batches(loader, 2)
    )
    assert by_accelerate == left
    caplog.clear()
    assert accelerated(tmp_path, resumed_by=lambda accelerator, resampler, loader: loader) == whole[3:]
    assert "was taken within epoch 1, which is read from its first batch" in caplog.text
