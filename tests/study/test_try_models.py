"""What is wrong with a model is said once, with all arms that have it."""

from types import SimpleNamespace

import pytest

from raymm.config import load
from raymm.errors import ConfigError
from raymm.study import configs


def test_all_arms_that_share_a_model_are_named(monkeypatch):
    arms = {"joint": (), "sample": ("method=sample",), "wide": ("model.feature_size=64",)}
    monkeypatch.setattr(configs, "config_of", lambda study, name, arm: load(None, study.arms[arm]))
    monkeypatch.setattr(configs.BatchReader, "of", lambda dataset, config: dataset)
    monkeypatch.setattr(configs, "trial_mistakes", lambda reader, model: [f"features of {model.feature_size}"])
    study = SimpleNamespace(arms=arms)
    datasets = {name: SimpleNamespace(rows=lambda split: [0]) for name in ("digits", "letters")}
    with pytest.raises(ConfigError) as caught:
        configs.try_models(study, datasets)
    assert str(caught.value).splitlines()[1:] == [
        f"  - {arm} on {name}: features of {size}"
        for name in datasets
        for arm, size in (("arms.joint and arms.sample", 128), ("arms.wide", 64))
    ]
