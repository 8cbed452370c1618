"""Learning rates are those of torch's schedulers, also where a run is resumed: they follow from the history."""

import math

import pytest
import torch
from torch.optim import lr_scheduler as torch_lr

from raymm.config import load
from raymm.errors import ConfigError
from raymm.tasks import get_task
from raymm.tracking.metrics import ROWS, UPDATES
from raymm.training.schedule import epoch_rates, updates_in

EPOCHS, UPDATES_OF_AN_EPOCH, LR = 12, 5, 0.02
TASK = get_task("classification")


def config_of(*settings, epochs=EPOCHS):
    given = [f"optimizer.{one}" if not one.startswith("training.") else one for one in settings]
    return load(None, (f"optimizer.lr={LR}", f"training.epochs={epochs}", "method=joint", *given))


def history_of(epochs, scores=None, updates=UPDATES_OF_AN_EPOCH):
    scores = [0.5] * epochs if scores is None else scores
    return [
        {"epoch": n, "metrics": {ROWS: 32.0 * updates, UPDATES: float(updates), "val/accuracy": scores[n]}}
        for n in range(epochs)
    ]


def rates_of(*settings, epochs=EPOCHS, scores=None, updates=UPDATES_OF_AN_EPOCH):
    """The rates of all updates of a run, each epoch's from the history before it alone."""
    config = config_of(*settings, epochs=epochs)
    history = history_of(epochs, scores, updates)
    return [rate for n in range(epochs) for rate in epoch_rates(config, n, updates, history[:n], TASK)]


def torch_rates(make, count, metrics=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler, rates = make(optimizer), []
    for number in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*(() if metrics is None else (metrics[number],)))
    return rates


def by_epoch(rates):
    """The rate of each epoch; within one it does not change."""
    epochs = [rates[start : start + UPDATES_OF_AN_EPOCH] for start in range(0, len(rates), UPDATES_OF_AN_EPOCH)]
    assert all(len(set(rates_of_one)) == 1 for rates_of_one in epochs)
    return [rates_of_one[0] for rates_of_one in epochs]


STEPS = EPOCHS * UPDATES_OF_AN_EPOCH
BY_TIME = {
    "constant": ([], lambda o, n: torch_lr.ConstantLR(o, factor=1.0)),
    "cosine": (["min_lr=0.001"], lambda o, n: torch_lr.CosineAnnealingLR(o, n, eta_min=0.001)),
    "linear": ([], lambda o, n: torch_lr.LinearLR(o, 1.0, 0.0, n)),
}


@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("name", BY_TIME)
def test_schedules_by_time_are_those_of_torch(name, per):
    more, make = BY_TIME[name]
    found = rates_of(f"schedule={name}", f"per={per}", *more)
    found = by_epoch(found) if per == "epoch" else found
    assert found == pytest.approx(torch_rates(lambda o: make(o, len(found)), len(found)), rel=1e-9, abs=1e-12)


def test_the_default_is_the_cosine_of_0_1_0_to_the_bit():
    expected = [LR * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS)) for epoch in range(EPOCHS)]
    assert by_epoch(rates_of()) == expected


def test_steps_are_those_of_torch():
    found = by_epoch(rates_of("schedule=step", "step_epochs=4", "step_factor=0.3"))
    assert found == pytest.approx(torch_rates(lambda o: torch_lr.StepLR(o, 4, 0.3), EPOCHS), rel=1e-12)
    assert len(set(found)) == 3


@pytest.mark.parametrize("per", ["step", "epoch"])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("updates", [1, 3, 7, 10, 49])
def test_steps_come_whole_epochs_after_the_warm_up_to_the_update(updates, step, per):
    """By whole numbers of updates: the first drop is `step_epochs` after the warm-up."""
    for steps in {1, updates // 3 + 1, updates, updates + 3, 2 * updates + 1}:
        given = f"step_epochs={step}", "step_factor=0.5", f"per={per}", f"warmup={steps}steps"
        found = rates_of("schedule=step", *given, updates=updates)
        for update, rate in enumerate(found[steps:], steps):
            since = update - steps if per == "step" else max(0, update // updates * updates - steps)
            assert rate == LR * 0.5 ** (since // (step * updates)), (steps, update)


@pytest.mark.parametrize("warmup", ["2", "'10'"])
@pytest.mark.parametrize("name", BY_TIME)
def test_a_warm_up_comes_before_the_schedule_as_in_torch(name, warmup):
    """Ten updates either way: by epochs of five, and by their number."""
    more, make = BY_TIME[name]
    found = rates_of(f"schedule={name}", "per=step", f"warmup={warmup}", *more)

    def both(optimizer):
        rise = torch_lr.LinearLR(optimizer, 0.1, 1.0, 9)
        return torch_lr.SequentialLR(optimizer, [rise, make(optimizer, STEPS - 10)], milestones=[10])

    assert found == pytest.approx(torch_rates(both, STEPS), rel=1e-9, abs=1e-12)
    assert found[0] == pytest.approx(LR / 10)


def test_a_warm_up_may_end_within_an_epoch():
    found = rates_of("schedule=constant", "warmup=0.6")
    assert found[:4] == pytest.approx([LR / 3, 2 * LR / 3, LR, LR])
    assert rates_of("schedule=constant", "warmup=3steps") == pytest.approx(found)
    assert rates_of("schedule=constant", "warmup=0") == [LR] * STEPS
    assert rates_of("schedule=constant", "warmup=1000steps")[-1] == pytest.approx(
        LR * STEPS / 1000
    )  # longer than all


@pytest.mark.parametrize("updates", [3, 7])
def test_a_warm_up_by_updates_counts_those_that_were_made(updates):
    found = rates_of("schedule=linear", "per=step", "warmup=8 steps", updates=updates)
    assert found[:8] == pytest.approx([LR * (n + 1) / 8 for n in range(8)])
    rest = EPOCHS * updates - 8
    assert found[8:] == pytest.approx([LR * (1 - n / rest) for n in range(rest)])


@pytest.mark.parametrize("form", ["linear", "cosine", "sqrt"])
def test_wsd_is_a_warm_up_a_plain_and_a_fall(form):
    found = rates_of("schedule=wsd", "per=step", "warmup=1", "wsd_stable=0.6", f"wsd_decay={form}", "min_lr=0.002")
    rest = STEPS - 5
    assert found[:5] == pytest.approx([LR * (n + 1) / 5 for n in range(5)])
    for number, rate in enumerate(found[5:]):
        part = max(0.0, number - 0.6 * rest) / (0.4 * rest)
        fall = {"linear": 1 - part, "cosine": (1 + math.cos(math.pi * part)) / 2, "sqrt": 1 - part**0.5}[form]
        assert rate == pytest.approx(0.002 + 0.018 * fall, rel=1e-9)
    assert found[5] == found[5 + int(0.6 * rest)] == LR


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("selection", ["accuracy", "loss"])
def test_plateaus_are_those_of_torch(patience, selection):
    generator = torch.Generator().manual_seed(patience)
    scores = torch.rand(40, generator=generator).double().tolist()
    scores[7] = scores[8] = scores[3]
    config = config_of(
        "schedule=plateau", f"plateau_patience={patience}", "plateau_factor=0.5", "min_lr=0.001",
        f"training.selection={selection}", epochs=40,
    )  # fmt: skip
    history = [{"epoch": n, "metrics": {ROWS: 32.0, f"val/{selection}": score}} for n, score in enumerate(scores)]
    found = [epoch_rates(config, n, 1, history[:n], TASK)[0] for n in range(40)]

    def make(optimizer):
        mode = "max" if selection == "accuracy" else "min"
        return torch_lr.ReduceLROnPlateau(
            optimizer, mode, 0.5, patience, threshold=0.0, threshold_mode="abs", min_lr=0.001
        )

    assert found == pytest.approx(torch_rates(make, 40, scores), rel=1e-9)
    assert len(set(found)) > 2


def test_an_epoch_whose_metric_was_not_finite_is_no_better():
    config = config_of("schedule=plateau", "plateau_patience=1", "plateau_factor=0.5")
    history = history_of(4)
    for entry in history:
        del entry["metrics"]["val/accuracy"]
    assert epoch_rates(config, 2, 1, history[:2], TASK) == [LR * 0.5]


def test_updates_of_an_epoch_that_0_1_0_trained_follow_from_its_rows():
    config = load(None, ("training.batch_size=32",))
    assert updates_in({"metrics": {ROWS: 65.0}}, config) == 3
    assert updates_in({"metrics": {ROWS: 65.0, UPDATES: 2.0}}, config) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("warmup=-1", "optimizer.warmup: must be epochs, such as 1.5, or updates, such as '500 steps' (got -1)"),
        ("warmup=5 stepps", "optimizer.warmup: must be epochs, such as 1.5, or updates"),
        ("warmup=12", "optimizer.warmup=12.0 leaves no epoch of training.epochs=12 at the full rate"),
        ("min_lr=0.1", "min_lr=0.1 is above lr=0.02"),
        ("schedule=cosin", "optimizer.schedule: must be 'constant', 'cosine'"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(given, words):
    with pytest.raises(ConfigError) as raised:
        config_of(given)
    assert words in str(raised.value)


def test_settings_that_a_schedule_does_not_read_are_said(caplog):
    load(
        None, ("optimizer.schedule=constant", "optimizer.min_lr=0.0001", "optimizer.momentum=0.5", "training.seed=1")
    )
    assert [record.getMessage() for record in caplog.records] == [
        "optimizer.momentum: is not read with optimizer.name=adamw, so it changes nothing",
        "optimizer.min_lr: is not read with optimizer.schedule=constant, so it changes nothing",
    ]
