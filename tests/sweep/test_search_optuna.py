"""Optuna as the optimiser of a sweep: the same proposals for a seed, and nothing forgotten over a stop."""

import pytest
from ray import tune

from raymm.errors import ConfigError
from raymm.sweep.reported import SCORE
from raymm.sweep.runs import trial_rows
from raymm.sweep.search import _draws, proposals_of
from raymm.sweep.store import TrialOutcome, open_trial, read_trials, write_outcome
from tests.sweeps import finish, propose, sweep_of

SAMPLES = 60

SCALE = "method.settings.fs.scale"
SPACE = {
    SCALE: tune.loguniform(0.5, 4.0),
    "optimizer.momentum": tune.quniform(0.1, 0.9, 0.1),
    "method.every": tune.randint(1, 4),
    "model.fusion": "sum",
    "optimizer.name": tune.choice(["sgd", "adam"]),
}


def proposed(sweep, count, space=SPACE, goal=1.5):
    """Tune's way through a sweep whose score is how near the scale comes to a goal."""
    proposals = proposals_of(sweep, space)
    made = []
    for number in range(count):
        trial = open_trial(sweep.path / "trials" / proposals.suggest(f"t{number}")["trial"])
        proposals.on_trial_complete(
            f"t{number}", {SCORE: -abs(trial.config.method.settings.fs.settings.scale - goal)}
        )
        made.append(dict(trial.sampled))
    return made


def test_a_seed_decides_the_proposals(tmp_path, dataset):
    made = [
        proposed(sweep_of(tmp_path / name, dataset, search="optuna", trials=14, seeds=(seed,)), 14)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert all(set(sampled) == set(SPACE) and sampled["model.fusion"] == "sum" for sampled in made[0])


def test_proposals_come_nearer_to_what_scores(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna", trials=30)
    scales = [sampled[SCALE] for sampled in proposed(sweep, 30, {SCALE: tune.uniform(0.5, 4.0)}, goal=1.0)]
    assert sum(abs(scale - 1.0) for scale in scales[-10:]) < sum(abs(scale - 1.0) for scale in scales[:10])


def study_of(proposals):
    return proposals._optimiser._search._ot_study


def test_after_a_stop_the_optimiser_knows_what_has_ended(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna", trials=5)
    proposals = proposals_of(sweep, SPACE)
    trials = [open_trial(sweep.path / "trials" / proposals.suggest(f"t{n}")["trial"]) for n in range(3)]
    finish(sweep, trials[0], dataset)
    write_outcome(trials[1], TrialOutcome("failed", 0, "x"))
    again = proposals_of(sweep, SPACE)
    (told,) = study_of(again).trials
    assert told.value == trial_rows(sweep)[0].score
    assert {**told.params, "model.fusion": "sum"} == dict(trials[0].sampled)
    assert again.count == 3
    assert again.suggest("a")["trial"] == trials[2].name
    again.on_trial_complete("a", {SCORE: 0.25})
    assert [told.value for told in study_of(again).trials] == [trial_rows(sweep)[0].score, 0.25]
    new = open_trial(sweep.path / "trials" / again.suggest("b")["trial"])
    assert new.number == 3
    assert len({trial.key for trial in read_trials(sweep)}) == 4


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_sections_can_be_chosen_and_are_remembered(tmp_path, dataset):
    sections = [{"family": "linear"}, {"family": "tanh", "rate": 0.5}]
    space = {"method.settings.fs": tune.choice(sections), "optimizer.lr": tune.loguniform(1e-3, 1e-2)}
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna", trials=9)
    propose(sweep, 0, **{"method.settings.fs": sections[1], "optimizer.lr": 0.005})
    finish(sweep, read_trials(sweep)[0], dataset)
    again = proposals_of(sweep, space)
    assert [trial.params["method.settings.fs"] for trial in study_of(again).trials] == [sections[1]]
    families = {
        open_trial(sweep.path / "trials" / again.suggest(f"t{n}")["trial"]).config.method.settings.fs.name
        for n in range(6)
    }
    assert families == {"linear", "tanh"}


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_lists_can_be_chosen_and_are_remembered(tmp_path, dataset):
    names = dataset.schema.names
    space = {"model.modalities": tune.choice([(names[0],), list(names)]), "optimizer.lr": tune.loguniform(1e-3, 1e-2)}
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna", trials=4)
    proposals = proposals_of(sweep, space)
    trial = open_trial(sweep.path / "trials" / proposals.suggest("t")["trial"])
    assert trial.config.model.modalities in {(names[0],), tuple(names)}
    finish(sweep, trial, dataset)
    (told,) = study_of(proposals_of(sweep, space)).trials
    assert dict(told.params) == dict(trial.sampled)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({SCALE: tune.choice(["a", None])}, "is no longer drawn (trial 0)"),
        ({"optimizer.name": tune.uniform(0, 1)}, "is no longer drawn (trial 0)"),
        ({SCALE: tune.loguniform(0.1, 0.2)}, "is no longer drawn (trial 0)"),
        ({"optimizer.name": tune.choice(["adamw"])}, "is no longer drawn (trial 0)"),
        ({"model.fusion": "concat"}, "model.fusion: 'sum' is no longer drawn (trial 0)"),
        ({"optimizer.lr": tune.uniform(0.1, 0.2)}, "optimizer.lr: is new in the space (trial 0)"),
        ({SCALE: None}, f"{SCALE}: is no longer in the space (trial 0)"),
    ],
)
def test_a_sweep_goes_on_with_the_space_that_it_was_made_with(tmp_path, dataset, change, words):
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna", trials=3)
    proposals_of(sweep, SPACE).suggest("t")
    assert proposals_of(sweep, {**SPACE, SCALE: tune.loguniform(0.4, 5.0)}).count == 3  # may be wider
    with pytest.raises(ConfigError) as caught:
        proposals_of(sweep, {key: value for key, value in {**SPACE, **change}.items() if value is not None})
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{sweep.path} was made with another space than this; give that one by ")


def test_what_a_quantized_sampler_drew_is_known_at_its_ends():
    for upper in (0.3, 0.6, 0.7):
        sampler = tune.quniform(0.1, upper, 0.1)
        assert all(_draws(sampler, sampler.sample(random_state=seed)) for seed in range(20))
    assert _draws(tune.randn(0.0, 1.0), 7.5)
    assert not _draws(tune.randint(1, 4), 5)
