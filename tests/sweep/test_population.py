"""Population based training: who goes on from whom, and that nobody is lost on the way."""

import random

import cloudpickle
import pytest
from ray import tune
from ray.train._internal.session import _TrainingResult
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from raymm.sweep.reported import EPOCHS, SCORE
from raymm.sweep.schedule import scheduler_of
from tests.sweeps import propose, sweep_of

SAMPLES = 60

SCALE = "method.settings.fs.scale"
SPACE = {
    SCALE: tune.uniform(0.5, 4.0),
    "method.settings.fs.steps": tune.randint(1, 5),
    "method.settings.fs.family": tune.choice(["linear", "tanh", "step"]),
    "method.name": tune.choice(["sample", "class"]),
    "optimizer.lr": 0.01,
}
CONTINUE, PAUSE = TrialScheduler.CONTINUE, TrialScheduler.PAUSE


class Controller:
    """Stands in for Tune's controller."""

    search_alg = None

    def __init__(self, *trials):
        self.trials = list(trials)

    def get_trials(self):
        return self.trials

    def get_live_trials(self):
        return [trial for trial in self.trials if not trial.is_finished()]

    def pause_trial(self, trial, **_):
        trial.status = Trial.PAUSED

    def _schedule_trial_save(self, trial, **_):
        return f"checkpoint of {trial.trial_id}"


def member(name, scale, family="linear"):
    trial = Trial("stub", stub=True, trial_id=name)
    trial.config = {
        "sweep": "/s",
        "trial": name,
        SCALE: scale,
        "method.settings.fs.steps": 2,
        "method.settings.fs.family": family,
    }
    trial.status = Trial.RUNNING
    return trial


@pytest.fixture
def population(tmp_path, dataset):
    """Three trials of ten epochs that are looked at after epochs 3, 5, 7 and 9."""
    sections = {"training": {"epochs": 10}, "method": {"warmup": 2}}
    sweep = sweep_of(tmp_path / "s", dataset, sections, scheduler="pbt")
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(3)]
    scheduler = cloudpickle.loads(cloudpickle.dumps(scheduler_of(sweep, SPACE)))
    scheduler._log_config = False
    members = [member(trial.name, scale) for trial, scale in zip(trials, (3.9, 2.0, 0.6), strict=True)]
    controller = Controller(*members)
    for each in members:
        scheduler.on_trial_add(controller, each)
    return scheduler, controller, members


def report(population, trial, epoch, score):
    """A trial comes as far as an epoch, and is paused where that is decided."""
    scheduler, controller, _ = population
    trial.status = Trial.RUNNING
    result = {EPOCHS: epoch, SCORE: score, "training_iteration": epoch}
    saved = _TrainingResult(checkpoint=f"{trial.trial_id} at {epoch}", metrics=result)
    trial.run_metadata.checkpoint_manager._latest_checkpoint_result = saved
    decision = scheduler.on_trial_result(controller, trial, result)
    if decision == PAUSE:
        trial.status = Trial.PAUSED
    return decision


def test_the_worst_goes_on_from_the_best_and_keeps_its_own_folder(population):
    random.seed(0)
    scheduler, controller, (best, middle, worst) = population
    names = [trial.config["trial"] for trial in (best, middle, worst)]
    assert report(population, best, 3, 0.9) == PAUSE
    assert report(population, worst, 3, 0.1) == PAUSE
    assert scheduler._num_perturbations == 0
    report(population, middle, 3, 0.5)
    assert scheduler._num_perturbations == 1
    assert worst.checkpoint == f"{best.trial_id} at 3"
    assert [trial.config["trial"] for trial in (best, middle, worst)] == names
    assert [trial.config[SCALE] for trial in (best, middle)] == [3.9, 2.0]
    assert 0.5 <= worst.config[SCALE] <= 4.0
    assert worst.config[SCALE] != 0.6
    assert worst.config["sweep"] == "/s"
    assert worst.config["method.settings.fs.family"] in SPACE["method.settings.fs.family"].categories
    assert 1 <= worst.config["method.settings.fs.steps"] <= 4
    assert scheduler.choose_trial_to_run(controller) is not None


def test_perturbed_values_stay_in_the_ranges_of_the_space(population):
    """Times 1.2 the scale of the best would leave its range."""
    random.seed(0)
    scheduler, _, (best, _, worst) = population
    scales = {scheduler._get_new_config(worst, best)[0][SCALE] for _ in range(50)}
    assert max(scales) == 4.0
    assert min(scales) < 3.9


def test_nobody_is_exchanged_in_the_warmup_or_at_the_last_epoch(population):
    scheduler, _, members = population
    for epoch in (1, 2, 10):
        assert [report(population, trial, epoch, 0.1 * n) for n, trial in enumerate(members)] == [CONTINUE] * 3
    assert scheduler._num_perturbations == 0


def test_a_trial_that_fails_last_does_not_keep_the_others_waiting(population):
    scheduler, controller, (first, second, third) = population
    for trial in (first, second, third):
        trial.status = Trial.PENDING
    for trial in (first, second):
        assert scheduler.choose_trial_to_run(controller) is trial
        assert report(population, trial, 3, 0.5) == PAUSE
    assert scheduler.choose_trial_to_run(controller) is third
    third.status = Trial.RUNNING
    assert scheduler.choose_trial_to_run(controller) is None
    third.status = Trial.TERMINATED
    assert scheduler.choose_trial_to_run(controller) is first
    assert report(population, first, 5, 0.5) == CONTINUE
    assert report(population, first, 6, 0.5) == PAUSE
    assert scheduler.choose_trial_to_run(controller) is second
    report(population, second, 6, 0.9)
    assert scheduler._num_perturbations == 1


def test_a_population_whose_last_trial_failed_comes_to_its_end(population):
    scheduler, controller, (first, second, third) = population
    second.status = third.status = Trial.TERMINATED
    assert report(population, first, 3, 0.5) == PAUSE
    assert scheduler.choose_trial_to_run(controller) is first
    first.status = Trial.TERMINATED
    assert scheduler.choose_trial_to_run(controller) is None
