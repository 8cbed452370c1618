"""What is not read does not tell runs apart; what is read does."""

import pytest

from raymm.config import Config, load
from raymm.errors import ConfigError
from raymm.methods import STRATEGIES
from raymm.methods.canonical import canonical, parameters
from raymm.methods.strategies import READS, register_strategy


def config(*overrides: str) -> Config:
    return load(None, overrides)


UNREAD = [
    ("resampling.strategy=joint", "resampling.fs.family=tanh"),
    ("resampling.strategy=joint", "resampling.warmup=2"),
    ("resampling.strategy=joint", "resampling.row_budget=0.5"),
    ("resampling.strategy=sample", "resampling.fs.rate=3"),
    ("resampling.strategy=sample", "resampling.fm.family=tanh"),
    ("resampling.strategy=sample", "resampling.subset=0.5"),
    ("resampling.strategy=sample", "resampling.random_rows=0.5"),
    ("resampling.strategy=modality", "resampling.fs.scale=3"),
    ("resampling.strategy=class resampling.fm.scale=1", "resampling.fm.steps=3"),
    ("resampling.strategy=random resampling.random_rows=0.5", "resampling.fs.scale=3"),
    ("optimizer.name=adamw", "optimizer.momentum=0.5"),
    ("optimizer.schedule=cosine", "optimizer.step_factor=0.5"),
    ("valuation.method=exact", "valuation.budget=99"),
    ("view.augment=false", "view.shift=0.2"),
]
READ = [
    ("resampling.strategy=sample", "resampling.fs.scale=3"),
    ("resampling.strategy=sample", "resampling.warmup=2"),
    ("resampling.strategy=sample", "resampling.every=2"),
    ("resampling.strategy=sample resampling.fs.family=tanh", "resampling.fs.rate=3"),
    ("resampling.strategy=modality resampling.fm.family=tanh", "resampling.fm.scale=3"),
    ("resampling.strategy=modality", "resampling.subset=0.5"),
    ("resampling.strategy=random", "resampling.fs.scale=3"),
    ("resampling.strategy=random", "resampling.random_rows=0.5"),
    ("optimizer.name=sgd", "optimizer.momentum=0.5"),
    ("optimizer.schedule=step", "optimizer.step_factor=0.5"),
    ("valuation.method=auto", "valuation.budget=99"),
    ("view.augment=true", "view.shift=0.2"),
]


@pytest.mark.parametrize(("base", "change"), UNREAD)
def test_a_setting_that_is_not_read_is_put_back_and_not_shown(base, change):
    plain, changed = config(*base.split()), config(*base.split(), change)
    key = change.partition("=")[0]
    assert plain.fingerprint() != changed.fingerprint()
    assert canonical(plain).fingerprint() == canonical(changed).fingerprint()
    assert key not in parameters(changed)


@pytest.mark.parametrize(("base", "change"), READ)
def test_a_setting_that_is_read_tells_runs_apart(base, change):
    plain, changed = config(*base.split()), config(*base.split(), change)
    key = change.partition("=")[0]
    assert canonical(plain).fingerprint() != canonical(changed).fingerprint()
    assert key in parameters(changed)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_canonical_form_is_canonical_and_reads_as_before(name):
    given = config(
        f"resampling.strategy={name}", "resampling.fs.family=step", "optimizer.name=sgd", "training.seed=3"
    )
    once = canonical(given)
    assert canonical(once) == once
    assert parameters(once) == parameters(given)


def test_joint_shows_nothing_of_resampling_but_its_name():
    shown = parameters(config("resampling.strategy=joint"))
    assert [key for key in shown if key.startswith("resampling.")] == ["resampling.strategy"]
    assert shown["optimizer.lr"] == 0.001


def test_the_default_of_fm_is_its_own():
    given = config("resampling.strategy=sample", "resampling.fm.scale=3")
    assert canonical(given).resampling.fm == Config().resampling.fm != Config().resampling.fs


def test_a_strategy_that_does_not_say_what_it_reads_is_taken_to_read_all(monkeypatch):
    monkeypatch.setattr("raymm.methods.strategies.STRATEGIES", dict(STRATEGIES))
    monkeypatch.setitem(STRATEGIES, "own", STRATEGIES["sample"])
    monkeypatch.setitem(READS, "own", ())
    register_strategy("own", needs="all")(STRATEGIES["sample"][0])
    shown = parameters(config("resampling.strategy=own"))
    assert {"resampling.fs.family", "resampling.fm.family", "resampling.subset", "resampling.random_rows"} <= set(
        shown
    )


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'sample'"):
        parameters(config("resampling.strategy=sampel"))
