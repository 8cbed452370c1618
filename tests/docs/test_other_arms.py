"""What the page of arms beside the tables of all methods says is what its raw tables hold."""

import pandas as pd
import pytest

from tests.docs.result_tables import against_matched, p_of_all, shown
from tests.docs.test_main_study import OTHER_ARMS


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
