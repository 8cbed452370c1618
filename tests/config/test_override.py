"""`Config.override`: what it makes is what the same settings make from the start."""

import logging

import numpy as np
import pytest

from raymm.api.settings import config_of
from raymm.config import Config, load
from raymm.config.registries import METHODS
from raymm.errors import ConfigError

FIRST = [
    "training.epochs=12", "optimizer.lr=0.01", "model.fusion=mlp", "model.fusion.size=48", "view.noise_db.audio=-3",
    "model.encoder.width=8", "method.warmup=2", "training.seed=4", "cluster.workers=3",
]  # fmt: skip
THEN = [
    "training.epochs=15", "optimizer.lr=0.2", "model.fusion=concat", "view.noise_db.rgb=2.5", "model.feature_size=24",
    "method.every=2", "valuation.utility=margin", "optimizer.name=sgd", "training.keep=1",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_overriding_is_loading_with_both(seed):
    generator = np.random.default_rng(seed)
    names = list(METHODS.names())
    names.remove("alone")  # it also decides the modalities, which stay
    first = [f"method={generator.choice(names)}", "method.warmup=1", *generator.choice(FIRST, 4, replace=False)]
    then = [*generator.choice(THEN, 4, replace=False)]
    if generator.random() < 0.6:
        then.append(f"method={generator.choice(names)}")
    whole = load(None, (*first, *then))
    base = load(None, tuple(first))
    assert base.override(*then) == whole
    assert base.override(then) == whole
    assert base.override(*then).fingerprint() == whole.fingerprint()
    assert base == load(None, tuple(first))  # unchanged


@pytest.mark.parametrize("name", METHODS.names())
def test_nothing_overridden_is_the_same(name):
    settings = ("method.settings.modality=rgb",) if name == "alone" else ()
    config = load(None, (f"method={name}", *settings))
    assert config.override() == config
    assert Config.model_validate(config.model_dump()).override() == config


def test_values_are_taken_as_they_are():
    config = Config().override(
        {"optimizer.clip_norm": None, "training": {"epochs": 9, "seed": 2}}, {"method": "joint"}
    )
    assert (config.optimizer.clip_norm, config.training.epochs, config.training.seed) == (None, 9, 2)
    assert config.method.name == "joint"
    assert config.override({"method.warmup": 3}).training.seed == 2


def test_settings_of_a_method_that_is_replaced_are_left_out_and_said(caplog):
    config = load(None, ("method=sample", "method.settings.fs.rate=0.5"))
    with caplog.at_level(logging.WARNING):
        other = config.override("method=joint")
    assert other == load(None, ("method=joint",))
    assert any("fs" in record.getMessage() for record in caplog.records)


def test_a_short_run_gets_a_short_warm_up_only_where_none_was_given():
    assert load(None, ("method=sample",)).override("training.epochs=3").method.warmup == 1
    with pytest.raises(ConfigError, match=r"method\.warmup=5 leaves no epoch of training\.epochs=3"):
        load(None, ("method=sample", "method.warmup=5")).override("training.epochs=3")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["training.epochs=0"], "training.epochs: must be 1 or more (got 0)"),
        ([{"training": {"epochs": "many"}}], "training.epochs: must be a whole number"),
        (["training.epochs"], "write it as section.field=value"),
        ([{"optimiser.lr": 1.0}], "optimiser: no such setting; did you mean 'optimizer'?"),
        (["training.epochs=0", "optimizer.lr=-1"], "2 problems"),
        (["model.fusion.name=3"], "model.fusion: the name of the fusion must be text (got 3)"),
        (["model.encoder.name=[cnn]"], "model.encoder: name: the name of the encoder must be text (got ['cnn'])"),
        (
            ["method=sample", "method.settings.fs.family=2"],
            "the name of the family of fs and fm must be text (got 2)",
        ),
        ([{"training.epochs": 5, "training.epochs.more": 1}], "'epochs' is a value, not a section"),
    ],
)
def test_mistakes_are_said(settings, words):
    with pytest.raises(ConfigError) as raised:
        Config().override(*settings)
    assert words in str(raised.value)


def test_patterns_and_classes_of_a_mapping_may_have_dots():
    groups, weights = {"encoders.rgb.*": {"lr": 1e-4}}, {"st.": 2.0}
    given = {"optimizer": {"groups": groups}, "training": {"loss": {"class_weights": weights}}}
    dotted = {"optimizer.groups": groups, "training.loss.class_weights": weights}
    for config in (Config().override(given), Config().override(dotted), config_of(given)):
        assert [group.pattern for group in config.optimizer.groups] == ["encoders.rgb.*"]
        assert config.training.loss.class_weights == weights
