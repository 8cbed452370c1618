"""Training ends once validation has not improved for so long, and a resumed run ends at the same epoch."""

import logging

import numpy as np
import pytest

from raymm.config.sections import Config
from raymm.errors import ConfigError
from raymm.methods.registry import get_method
from raymm.storage.layout import committed_epochs
from raymm.study.configs import config_of
from raymm.study.settings import StudySettings
from raymm.tasks import get_task
from raymm.tracking.metrics import STOPPED_EPOCH, VALUE_ENCODINGS
from raymm.training import epoch_end, loop, selection
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open, open_run
from raymm.training.selection import stops_early
from tests.games import settings

SAMPLES = 60
TASK = get_task("classification")


def config(patience, min_delta=0.0, method="joint", warmup=0, selection="accuracy", own=None) -> Config:
    training = {"epochs": 20, "patience": patience, "min_delta": min_delta, "selection": selection}
    return settings(training=training, method={"name": method, "warmup": warmup, "settings": own})


def epochs_until_stop(scores, settings_of_run):
    """Epochs that are trained, by asking after each as the loop does."""
    name = f"val/{settings_of_run.training.selection}"
    for count in range(1, len(scores) + 1):
        history = [{"epoch": n, "metrics": {name: score}} for n, score in enumerate(scores[:count])]
        if stops_early(history, settings_of_run, TASK):
            return count
    return None


SCORES = [0.5, 0.6, 0.6, 0.55, 0.61, 0.6, 0.6, 0.6, 0.6, 0.9]


@pytest.mark.parametrize(
    ("patience", "min_delta", "expected"),
    [(1, 0.0, 3), (2, 0.0, 4), (3, 0.0, 8), (4, 0.0, 9), (5, 0.0, None), (2, 0.02, 4), (3, 0.02, 5), (7, 0.02, 9)],
)
def test_epochs_without_a_better_score_are_counted(patience, min_delta, expected):
    assert epochs_until_stop(SCORES, config(patience, min_delta)) == expected
    losses = [1 - score for score in SCORES]
    assert epochs_until_stop(losses, config(patience, min_delta, selection="loss")) == expected


@pytest.mark.parametrize("places", [2, 3, 4])
@pytest.mark.parametrize("selection", ["accuracy", "loss"])
def test_an_improvement_of_exactly_min_delta_is_none_and_a_larger_one_is(places, selection):
    """Of scores in hundredths, thousandths and so on, the tenth of a step more or less decides, not rounding."""
    step, sign = 10**-places, 1 if selection == "accuracy" else -1
    for start in range(0, 10**places, 10**places // 50):
        first, same = round(start * step, places), round((start + sign) * step, places)
        for more in (0.9, 1.0, 1.1):
            expected = None if more > 1 else 2
            second = same if more == 1.0 else first + sign * more * step
            settings_of_run = config(1, step, selection=selection)
            assert epochs_until_stop([first, second], settings_of_run) == expected, (first, second)


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0, 1e6])
def test_without_min_delta_the_least_improvement_counts(size):
    losses = [size, np.nextafter(size, 0), np.nextafter(np.nextafter(size, 0), 0)]
    assert epochs_until_stop(losses, config(1, selection="loss")) is None
    assert epochs_until_stop(losses, config(1, size * 1e-3, selection="loss")) == 2
    assert epochs_until_stop([np.inf, size, size / 2], config(2, size * 0.4, selection="loss")) is None


def test_a_method_acts_before_training_may_end():
    flat = [0.5] * 12
    assert epochs_until_stop(flat, config(2)) == 3
    assert epochs_until_stop(flat, config(2, method="sample", warmup=6)) == 8
    assert epochs_until_stop(flat, config(2, method="joint", warmup=6)) == 3  # which has no plan


@pytest.mark.parametrize(
    ("method", "own", "stage"),
    [
        ("valued", {"folds": 2, "fold_epochs": 3}, 6),
        ("valued", {"folds": 3}, 6),
        ("valued", {"folds": 2, "fold_epochs": 3, "amount": 0}, 0),
        ("valued", {"fold_epochs": 3}, 0),
        ("g_blend", {"estimate": "offline", "every": 3}, 6),
        ("g_blend", {"estimate": "online", "every": 3}, 0),
        ("pretrained", {"stage": 4}, 4),
        ("umt", {}, 10),
    ],
)
def test_epochs_of_other_models_are_not_counted(method, own, stage):
    """Nor is the model compared with them, which may be better than it is at first."""
    chosen = config(2, method=method, own=own)
    assert epochs_until_stop([0.9] * stage + [0.1, 0.2] + [0.2] * 4, chosen) == stage + 4
    assert get_method(method).stage_epochs(chosen.method.settings, 20) == stage


def test_without_patience_training_never_ends_early():
    assert epochs_until_stop([0.5] * 12, config(None)) is None


def run_of(path, dataset):
    training = {"epochs": 9, "patience": 2, "keep": 9, "threads": 1}
    return create_or_open(path, settings(training=training, method={"name": "sample", "warmup": 1}), dataset)


def test_a_run_ends_early_says_so_and_is_resumed_to_the_same_end(tmp_path, dataset, monkeypatch, caplog):
    """Validation that improves for three epochs and no longer, whatever is trained."""

    def scripted(history, *_):
        return -selection.np.minimum(selection.np.arange(len(history)), 2.0)

    monkeypatch.setattr(selection, "badness", scripted)
    whole = run_of(tmp_path / "whole", dataset)
    with caplog.at_level(logging.WARNING):
        result = train(whole, dataset, Backends())
    assert committed_epochs(whole.path)[-1] == 5
    assert len(result.history) == 5
    assert result.metrics[STOPPED_EPOCH] == 5.0
    assert result.best_epoch in {2, 3, 4}
    said = "training ended after 5 of 9 epochs: val/accuracy was no better for training.patience=2 epochs"
    assert said in caplog.messages
    valued = [VALUE_ENCODINGS in entry["metrics"] for entry in result.history]
    assert valued == [True, True, True, True, False]  # no plan follows the last
    again = run_of(tmp_path / "again", dataset)
    for epoch in (2, 4):
        for state in iter_epochs(open_run(again.path), dataset, Backends()):
            if state.epoch == epoch:
                break
    resumed = train(open_run(again.path), dataset, Backends())
    assert resumed.metrics[STOPPED_EPOCH] == 5.0
    assert resumed.metrics["test/accuracy"] == result.metrics["test/accuracy"]
    assert epoch_end.stops_early is loop.stops_early is stops_early


def test_a_run_that_trains_all_epochs_says_nothing_of_it(tmp_path, dataset, caplog):
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 2, "patience": 5}), dataset)
    assert STOPPED_EPOCH not in train(run, dataset, Backends()).metrics
    assert "training ended" not in caplog.text


def test_arms_at_a_budget_and_schedulers_refuse_it(tmp_path):
    from raymm.sweep.schedule import check_scheduler
    from raymm.sweep.store import SweepConfig

    study = StudySettings(
        data={"d": {"path": "x"}}, arms={"joint": {}, "sample": {}}, match="rows", to="sample",
        settings={"training": {"patience": 3}},
    )  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"training\.patience: arms are given the epochs of one budget \(match: rows\)"
    ):
        config_of(study, "d", "joint")
    assert config_of(study.model_copy(update={"match": "none"}), "d", "joint").training.patience == 3
    asha = SweepConfig(space="s.py", scheduler="asha")
    with pytest.raises(ConfigError, match=r"--scheduler asha: compares trials at the same epochs"):
        check_scheduler(asha, config(3), {})
    with pytest.raises(ConfigError, match=r"--scheduler asha"):
        check_scheduler(asha, config(None), {"training.patience": 3})
    check_scheduler(asha, config(None), {})
    check_scheduler(SweepConfig(space="s.py"), config(3), {})
