"""What the page of arms beside the tables of all methods says is what its raw tables hold."""

import pandas as pd
import pytest

from tests.docs.result_tables import against_matched, p_of_all, shown
from tests.docs.test_main_study import OTHER_ARMS, on_the_present_split


@pytest.fixture(scope="module")
def two():
    return pd.read_csv(OTHER_ARMS / "two_modalities" / "runs.csv")


def test_what_is_said_of_two_modalities(two):
    assert len(two) == 100
    assert shown(two) == (set(), {"greedy"})
    assert p_of_all(two)["greedy"] == pytest.approx(0.031, abs=0.0006)
    wide = two.pivot_table(index="arm", columns="data", values="test/accuracy")
    less = 100 * (wide.loc["greedy"] - wide.loc["joint_matched"]).drop("grid_digits")
    assert (less.max(), less.min()) == pytest.approx((-0.3, -1.3), abs=0.051)
    assert against_matched(two, "greedy", "joint") == pytest.approx((5.3, 1.2, 9.4), abs=0.051)
    assert against_matched(two, "joint_matched", "joint") == pytest.approx((11.8, 3.7, 19.9), abs=0.051)
    sound = two[two.data == "grid_digits"].groupby("arm")["test/accuracy_audio"].mean()
    assert sound[["joint_matched", "greedy"]].tolist() == pytest.approx([0.74, 0.38], abs=0.0051)


@pytest.fixture(scope="module")
def variants():
    return pd.read_csv(OTHER_ARMS / "variants" / "runs.csv")


def over_studies(runs, arm, others, other):
    """Mean difference in points and its 95 % interval, of an arm of one study and one of another, by set and seed."""
    both = pd.concat([runs[runs.arm == arm].assign(arm="one"), others[others.arm == other].assign(arm="other")])
    return against_matched(both, "one", "other")


def test_what_is_said_of_settings(variants):
    assert len(variants) == 225
    trained = "uncalibrated_test/accuracy"
    for metric in ("test/accuracy", trained):
        assert shown(variants, metric=metric) == (set(), set())
        assert shown(variants, "sample", metric) == (set(), set())
    less = against_matched(variants, "sample_coalition", "sample", trained)
    assert less == pytest.approx((-1.5, -2.6, -0.4), abs=0.051)
    less = against_matched(variants, "sample_coalition", "random_coalition")
    assert less == pytest.approx((-0.7, -1.8, 0.4), abs=0.051)
    rows = variants.pivot_table(index="arm", columns="data", values="cost_encodings")
    rows = (rows / rows.loc["sample"]).drop(["joint", "sample"])
    copies = rows.loc[["sample_coalition", "random_coalition"]]
    assert (copies.min().min(), copies.max().max()) == pytest.approx((0.85, 1.09), abs=0.0051)
    others = rows.drop(copies.index)
    assert (others.min().min(), others.max().max()) == pytest.approx((0.95, 1.02), abs=0.0051)


def test_what_is_said_of_settings_beside_the_tables_of_all_methods(variants):
    others = on_the_present_split()
    for arm, other, said in (
        ("multitask_own", "multitask", (-2.8, -4.7, -0.9)),
        ("pretrained_finetuned", "pretrained", (1.3, 0.2, 2.5)),
        ("joint_matched", "joint_matched", (0.1, -0.4, 0.6)),
    ):
        assert over_studies(variants, arm, others, other) == pytest.approx(said, abs=0.051)
