"""Arms are named by what differs, and by nothing else."""

import pytest

from raymm.config import load
from raymm.study.arm_names import arm_names


def named(*settings, data=None):
    configs = [load(None, list(each)) for each in settings]
    return [(each.name, each.note) for each in arm_names(configs, data or ["digits"] * len(configs))]


def test_methods_are_enough_where_nothing_else_differs():
    found = named(
        ["method=joint", "training.seed=0"],
        ["method=sample", "training.seed=0"],
        ["method=sample", "training.seed=1", "training.keep=5", "cluster.workers=4"],
    )
    assert found == [("joint", ""), ("sample", ""), ("sample", "")]


def test_settings_of_one_method_follow_in_the_name():
    found = named(
        ["method=sample", "method.settings.fs.scale=2"],
        ["method=sample", "method.settings.fs.scale=3"],
        ["method=joint"],
    )
    assert found == [("sample fs.scale=2", ""), ("sample fs.scale=3", ""), ("joint", "")]


def test_settings_of_different_methods_are_said_beside_the_name():
    found = named(
        ["method=joint", "optimizer.lr=0.1"],
        ["method=joint", "optimizer.lr=0.1", "training.seed=1"],
        ["method=sample", "optimizer.lr=0.01"],
    )
    assert found == [("joint", "lr=0.1"), ("joint", "lr=0.1"), ("sample", "lr=0.01")]


def test_a_setting_that_is_not_read_makes_no_difference():
    """`joint` has no warm-up; both warm-ups of sample are one arm's only where they are equal."""
    assert named(["method=joint", "method.warmup=3"], ["method=joint", "method.warmup=4"]) == [("joint", "")] * 2
    found = named(["method=sample", "method.warmup=3"], ["method=sample", "method.warmup=4"], ["method=joint"])
    assert found == [("sample warmup=3", ""), ("sample warmup=4", ""), ("joint", "")]


def test_what_differs_between_data_sets_only_makes_no_arms():
    found = named(
        ["method=joint", "training.epochs=10"],
        ["method=sample", "training.epochs=10"],
        ["method=joint", "training.epochs=30"],
        ["method=sample", "training.epochs=30"],
        data=["digits", "digits", "emoji", "emoji"],
    )
    assert found == [("joint", ""), ("sample", "")] * 2


def test_settings_are_named_in_the_order_of_the_configuration():
    found = named(
        ["method=joint", "model.fusion=sum", "view.noise_db.audio=-10"],
        ["method=joint", "model.fusion=gated", "view.noise_db.audio=-5"],
    )
    assert found == [("joint noise_db.audio=-10 fusion=sum", ""), ("joint noise_db.audio=-5 fusion=gated", "")]


@pytest.mark.parametrize("method", ["joint", "sample"])
def test_settings_that_only_some_runs_have_tell_them_apart(method):
    noisy = [f"method={method}", "view.noise_db.audio=-10"]
    found = named([f"method={method}"], noisy, ["method=random"])
    assert found == [(method, ""), (f"{method} noise_db.audio=-10", ""), ("random", "")]
    assert named(noisy, [f"method={method}", "view.noise_db.rgb=-10"]) == [
        (f"{method} noise_db.audio=-10", ""),
        (f"{method} noise_db.rgb=-10", ""),
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_names_do_not_depend_on_the_order_of_runs(order):
    settings = [["method=joint"], ["method=sample", "optimizer.lr=0.1"], ["method=sample", "optimizer.lr=0.2"]]
    found = dict(zip(order, named(*(settings[place] for place in order)), strict=True))
    assert [found[place][0] for place in range(3)] == ["joint", "sample lr=0.1", "sample lr=0.2"]
