"""What a sweep tries: always the same draws for a seed, equal configurations once, and nothing that was known."""

import sys

import cloudpickle
import pytest
from ray import tune
from ray.tune.search import Searcher
from ray.tune.search.variant_generator import generate_variants

from raymm.config import load
from raymm.config.canonical import canonical
from raymm.errors import ConfigError
from raymm.sweep import search
from raymm.sweep.reported import SCORE
from raymm.sweep.search import Proposals, check_draws, draw, population, proposals_of, propose_all
from raymm.sweep.store import TrialOutcome, open_trial, read_trials, write_outcome
from raymm.training import run
from raymm.training.run import problems_of
from tests.games import settings
from tests.sweeps import finish, propose, sweep_of

SAMPLES = 60

BASE = load(None, ("method=sample",))
SCALE, FAMILY, RATE = "method.settings.fs.scale", "method.settings.fs.family", "method.settings.fs.rate"


def drawn(space, count, seed=0):
    return [sampled for sampled, _ in draw(space, count, BASE, seed)]


def test_a_seed_decides_the_draws():
    space = {SCALE: tune.loguniform(0.5, 4.0), FAMILY: tune.choice(["linear", "tanh"]), "method.every": 2}
    assert drawn(space, 5) == drawn(space, 5)
    assert drawn(space, 5) != drawn(space, 5, seed=1)
    assert drawn(space, 3) == drawn(space, 5)[:3]
    assert all(set(values) == set(space) and values["method.every"] == 2 for values in drawn(space, 5))


def test_draws_are_plain_values_in_a_valid_configuration():
    space = {"method.settings.fs.steps": tune.randint(1, 5), FAMILY: "step", SCALE: tune.uniform(0.5, 1.0)}
    (sampled, config), *_ = draw(space, 3, BASE, 0)
    assert [type(sampled[name]) for name in space] == [int, str, float]
    assert config.method.settings.fs.settings.scale == sampled[SCALE]
    with pytest.raises(ConfigError, match=r"trial: .*leaves no epoch"):
        draw({"method.warmup": tune.choice([99])}, 1, BASE, 0)


def test_a_grid_is_tried_once_whatever_the_count():
    grid = {SCALE: tune.grid_search([1.0, 2.0, 3.0]), "method.every": tune.grid_search([1, 2])}
    assert len(drawn(grid, 1)) == len(drawn(grid, 50)) == 6


def test_samplers_are_drawn_at_every_point_of_a_grid():
    space = {"method.every": tune.grid_search([1, 2, 4]), SCALE: tune.uniform(0.5, 4.0)}
    found = drawn(space, 4)
    assert sorted(values["method.every"] for values in found) == [1] * 4 + [2] * 4 + [4] * 4
    assert len({values[SCALE] for values in found}) > 4


def test_choices_are_exhausted_and_then_there_are_no_more():
    assert sorted(values[SCALE] for values in drawn({SCALE: tune.choice([1.0, 2.0, 3.0])}, 50)) == [1.0, 2.0, 3.0]
    assert len(drawn({SCALE: tune.choice([1.0, 2.0, 3.0])}, 2)) == 2
    assert len(drawn({SCALE: 2.0}, 5)) == 1


def test_draws_that_do_the_same_are_tried_once():
    """tanh's rate is not read where fs is linear."""
    space = {FAMILY: tune.grid_search(["linear", "tanh"]), RATE: tune.grid_search([0.5, 1.0, 2.0])}
    found = draw(space, 1, BASE, 0)
    assert len(found) == 4
    assert len({config.fingerprint() for _, config in found}) == 4
    assert [values[RATE] for values, _ in found if values[FAMILY] == "linear"] == [0.5]


def test_every_draw_is_written_down_in_order(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, trials=4, seeds=(7,))
    trials = propose_all(sweep, {SCALE: tune.uniform(0.5, 4.0)})
    assert read_trials(sweep) == trials
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert [dict(trial.sampled) for trial in trials] == drawn({SCALE: tune.uniform(0.5, 4.0)}, 4, seed=7)


def test_trials_are_drawn_once_and_each_model_is_built_once_to_check_them(tmp_path, dataset, monkeypatch):
    """Twelve draws of three models, checked together with the settings that they are laid over."""
    sweep = sweep_of(tmp_path / "s", dataset, trials=4)
    space = {SCALE: tune.uniform(0.5, 4.0), "model.fusion": tune.grid_search(["concat", "sum", "film"])}
    built, plain = [], run.model_mistakes
    monkeypatch.setattr(run, "model_mistakes", lambda schema, model: built.append(model) or plain(schema, model))
    drawn = check_draws(sweep, space, dataset)
    assert len(drawn) == 12
    assert len({model.fusion.name for model in built}) == 3
    assert len(built) == 3 + 1  # the first trial is validated whole
    propose_all(sweep, space)
    written = [(dict(trial.sampled), trial.config) for trial in read_trials(sweep)]
    assert [(dict(sampled), config) for sampled, config in drawn] == written


def test_a_mistake_in_a_model_is_found_in_every_draw_that_has_it(dataset):
    """What was found before is remembered with the settings of the model, not beyond them."""
    tried = {}
    good, bad = (canonical(settings(model={"encoders": {name: {"name": "mlp"}}})) for name in ("m0", "m9"))
    for config in (good, bad, good, bad):
        assert bool(problems_of(config, dataset.schema, tried)) == (config is bad)
        assert problems_of(config, dataset.schema, tried) == problems_of(config, dataset.schema)
    assert len(tried) == 2


class Scripted:
    """An optimiser that proposes what a test wants, and remembers what it was told."""

    def __init__(self, *scales):
        self.scales, self.asked, self.told, self.learnt = list(scales), [], [], []

    def suggest(self, trial_id):
        self.asked.append(trial_id)
        return {SCALE: self.scales.pop(0)}

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.told.append((trial_id, result and result[SCORE], error))

    def learn(self, sampled, score):
        self.learnt.append((dict(sampled), score))


def names(proposals, *ids):
    given = [proposals.suggest(name) for name in ids]
    return [each if each == Searcher.FINISHED else each["trial"] for each in given]


def test_what_is_owed_comes_first_and_then_the_end(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(3)]
    write_outcome(trials[1], TrialOutcome("failed", 0, "x"))
    proposals = proposals_of(sweep, {})
    assert proposals.count == 2
    assert proposals.suggest("a") == {"sweep": str(sweep.path), "trial": trials[0].name}
    assert names(proposals, "b", "c", "d") == [trials[2].name, Searcher.FINISHED, Searcher.FINISHED]
    assert proposals.count == 0


def test_a_population_is_what_is_owed_with_the_settings_that_may_change(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [propose(sweep, number, fs__scale=1.5 + number) for number in range(3)]
    write_outcome(trials[1], TrialOutcome("failed", 0, "x"))
    space = population(sweep, [SCALE, "optimizer.lr"])
    given = [config for _, config in generate_variants(space)]
    assert given == [
        {"sweep": str(sweep.path), "trial": trial.name, SCALE: 1.5 + trial.number, "optimizer.lr": 0.005}
        for trial in (trials[0], trials[2])
    ]
    copy = cloudpickle.loads(cloudpickle.dumps(space))
    assert [config for _, config in generate_variants(copy)] == given


def test_an_optimiser_proposes_once_nothing_is_owed_and_hears_of_its_own(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, trials=3)
    pending_trials = propose(sweep, 0, fs__scale=1.0)
    optimiser = Scripted(2.0, 3.0, 4.0)
    proposals = Proposals(sweep, [pending_trials], optimiser)
    assert proposals.count == 3
    first, second, third, end = names(proposals, "a", "b", "c", "d")
    assert (first, end) == (pending_trials.name, Searcher.FINISHED)
    assert [
        open_trial(sweep.path / "trials" / name).config.method.settings.fs.settings.scale for name in (second, third)
    ] == [
        2,
        3,
    ]
    for name in ("a", "b", "unknown"):
        proposals.on_trial_complete(name, {SCORE: 0.5})
    proposals.on_trial_complete("c", None, error=True)
    assert optimiser.asked == ["b", "c"]
    assert optimiser.told == [("b", 0.5, False), ("c", None, True)]
    assert optimiser.learnt == [({SCALE: 1.0}, 0.5)]


def test_a_duplicate_is_told_the_known_score_and_not_tried_again(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, trials=9)
    done, failed, running = (propose(sweep, number, fs__scale=1.0 + number) for number in range(3))
    finish(sweep, done, dataset)
    write_outcome(failed, TrialOutcome("failed", 0, "x"))
    score = search.trial_rows(sweep)[0].score
    optimiser = Scripted(1.0, 2.0, 3.0, 4.0)
    proposals = Proposals(sweep, [], optimiser)
    (name,) = names(proposals, "a")
    assert open_trial(sweep.path / "trials" / name).config.method.settings.fs.settings.scale == 4.0
    assert optimiser.told == [("a", score, False), ("a-1", None, True), ("a-2", None, True)]
    proposals.on_trial_complete("a", {SCORE: 0.7})
    assert optimiser.told[-1] == ("a-3", 0.7, False)
    assert [trial.key for trial in read_trials(sweep)][:3] == [done.key, failed.key, running.key]
    assert len(read_trials(sweep)) == 4


def test_an_optimiser_that_only_repeats_itself_comes_to_an_end(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, trials=9)
    propose(sweep, 0, fs__scale=1.0)
    optimiser = Scripted(*[1.0] * 99)
    assert names(Proposals(sweep, [], optimiser), "a") == [Searcher.FINISHED]
    assert len(optimiser.told) == search.MOST_DRAWS
    assert len(read_trials(sweep)) == 1


@pytest.mark.parametrize("kind", ["random", "optuna"])
def test_proposals_travel_as_tune_sends_them(tmp_path, dataset, kind):
    sweep = sweep_of(tmp_path / "s", dataset, search=kind, trials=2)
    trial = propose(sweep, 0, fs__scale=1.0)
    space = {SCALE: tune.uniform(0.5, 4.0)}
    config = tune.TuneConfig(search_alg=proposals_of(sweep, space))
    copy = cloudpickle.loads(cloudpickle.dumps(config)).search_alg
    assert copy.suggest("a") == {"sweep": str(sweep.path), "trial": trial.name}
    assert (copy.suggest("b") == Searcher.FINISHED) == (kind == "random")
    copy.save(str(tmp_path / "state"))
    copy.restore(str(tmp_path / "state"))


def test_a_grid_is_refused_by_an_optimiser(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna")
    with pytest.raises(
        ConfigError, match=rf"--search optuna: {SCALE} is a grid, from which nothing is learnt; write"
    ):
        proposals_of(sweep, {SCALE: tune.grid_search([1.0, 2.0])})


@pytest.mark.parametrize("absent", ["optuna", "ray.tune.search.optuna"])
def test_an_absent_optimiser_is_named_with_its_extra(tmp_path, dataset, monkeypatch, absent):
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna")
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(ConfigError, match=r"--search optuna: the package is not there; .* the extra 'optuna'"):
        proposals_of(sweep, {SCALE: tune.uniform(1.0, 2.0)})
