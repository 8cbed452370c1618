"""What is not read does not tell runs apart; what is read does."""

import re

import pytest

from raymm.config import Config, load
from raymm.config.canonical import canonical, parameters
from raymm.errors import ConfigError
from raymm.methods import METHODS


def config(*overrides: str) -> Config:
    return load(None, overrides)


UNREAD = [
    ("method.name=joint", "method.settings.fs.family=tanh"),
    ("method.name=joint", "method.warmup=2"),
    ("method.name=joint", "method.row_budget=0.5"),
    ("method.name=sample", "method.settings.fs.rate=3"),
    ("method.name=sample", "method.settings.fm.family=tanh"),
    ("method.name=sample", "method.settings.subset=0.5"),
    ("method.name=sample", "method.settings.random_rows=0.5"),
    ("method.name=modality", "method.settings.fs.scale=3"),
    ("method.name=class method.settings.fm.scale=1", "method.settings.fm.steps=3"),
    ("method.name=random method.settings.random_rows=0.5", "method.settings.fs.scale=3"),
    ("optimizer.name=adamw", "optimizer.momentum=0.5"),
    ("optimizer.schedule=cosine", "optimizer.step_factor=0.5"),
    ("valuation.method=exact", "valuation.budget=99"),
    ("view.augment=false", "view.shift=0.2"),
]
READ = [
    ("method.name=sample", "method.settings.fs.scale=3"),
    ("method.name=sample", "method.warmup=2"),
    ("method.name=sample", "method.every=2"),
    ("method.name=sample method.settings.fs.family=tanh", "method.settings.fs.rate=3"),
    ("method.name=modality method.settings.fm.family=tanh", "method.settings.fm.scale=3"),
    ("method.name=modality", "method.settings.subset=0.5"),
    ("method.name=random", "method.settings.fs.scale=3"),
    ("method.name=random", "method.settings.random_rows=0.5"),
    ("optimizer.name=sgd", "optimizer.momentum=0.5"),
    ("optimizer.schedule=step", "optimizer.step_factor=0.5"),
    ("valuation.method=auto", "valuation.budget=99"),
    ("view.augment=true", "view.shift=0.2"),
]


@pytest.mark.parametrize(("base", "change"), UNREAD)
def test_a_setting_that_is_not_read_is_put_back_and_not_shown(base, change):
    plain, changed = config(*base.split()), config(*base.split(), change)
    key = change.partition("=")[0]
    assert canonical(plain).fingerprint() == canonical(changed).fingerprint()
    assert key not in parameters(changed)


@pytest.mark.parametrize(("base", "change"), READ)
def test_a_setting_that_is_read_tells_runs_apart(base, change):
    plain, changed = config(*base.split()), config(*base.split(), change)
    key = change.partition("=")[0]
    assert canonical(plain).fingerprint() != canonical(changed).fingerprint()
    assert key in parameters(changed)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_canonical_form_is_canonical_and_reads_as_before(name):
    given = config(f"method.name={name}", "method.settings.fs.family=step", "optimizer.name=sgd", "training.seed=3")
    once = canonical(given)
    assert canonical(once) == once
    assert parameters(once) == parameters(given)


def test_joint_shows_nothing_of_resampling_but_its_name():
    shown = parameters(config("method.name=joint"))
    assert [key for key in shown if key.startswith("method.")] == ["method.name"]
    assert shown["optimizer.lr"] == 0.001


def test_a_setting_of_another_method_is_left_out_with_a_word(caplog):
    assert config("method=modality", "method.settings.fs.scale=3") == config("method=modality")
    assert re.search(r"method\.settings\.fs: 'modality' does not read it \(sample, random.* would\)", caplog.text)


def test_a_setting_that_no_method_reads_is_refused():
    with pytest.raises(ConfigError, match=r"method\.settings\.fz: no such setting; known: fs"):
        config("method=sample", "method.settings.fz=3")


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'sample'"):
        parameters(config("method.name=sampel"))
