"""What the page of families at equal encoder rows says is what its raw table holds."""

import pandas as pd
import pytest

from tests.docs.result_tables import RESULTS, against_matched, p_of_all, shown

FAMILIES = RESULTS / "families"
SETS = ["grid_digits", "imu_digits"]


@pytest.fixture(scope="module")
def runs():
    return pd.read_csv(FAMILIES / "encodings" / "runs.csv")


@pytest.fixture(scope="module")
def earlier():
    return pd.read_csv(FAMILIES / "matched" / "runs.csv")


def accuracy(runs):
    return 100 * runs.pivot_table(index="arm", columns="data", values="test/accuracy")[SETS]


def test_what_is_said_of_joint_training(runs):
    assert len(runs) == 96
    found = {arm: against_matched(runs, arm) for arm in runs.arm.unique() if not arm.startswith("joint")}
    assert len(found) == 14
    means = [mean for mean, _, _ in found.values()]
    assert (min(means), max(means)) == pytest.approx((1.4, 10.7), abs=0.051)
    assert {arm for arm, (_, low, _) in found.items() if low <= 0} == {"sample_power", "modality_power"}
    assert shown(runs) == (set(), set())
    nearest = p_of_all(runs)[["modality_step", "modality_logarithmic", "sample_reference"]]
    assert nearest.tolist() == pytest.approx([0.055, 0.11, 0.11], abs=0.0051)
    assert set(p_of_all(runs).index[:3]) == set(nearest.index)


def test_what_is_said_of_random_copies(runs):
    assert shown(runs, "random") == (set(), set())
    found = {arm: against_matched(runs, arm, "random") for arm in p_of_all(runs, "random").index}
    means = [mean for mean, _, _ in found.values()]
    assert (min(means), max(means)) == pytest.approx((-6.4, 2.8), abs=0.051)
    assert found["modality_power"] == pytest.approx((-6.4, -10.2, -2.7), abs=0.051)
    assert p_of_all(runs, "random")["modality_power"] == pytest.approx(0.087, abs=0.00051)
    assert found["sample"] == pytest.approx((0.4, -5.1, 6.0), abs=0.051)


def test_what_is_said_of_forms_and_levels(runs):
    macro = accuracy(runs).mean(axis=1)
    sample = [arm for arm in macro.index if arm.startswith("sample")]
    modality = [arm for arm in macro.index if arm.startswith("modality")]
    for level in (sample, modality):
        assert (macro[level].idxmin()[-5:], macro[level].idxmax()[-4:]) == ("power", "step")
    below = accuracy(runs).loc[modality] - accuracy(runs).loc["random"]
    assert below.imu_digits.drop("modality_step").max() < 0 < below.imu_digits["modality_step"]
    assert (below.grid_digits > 0).sum() == 5
    others = accuracy(runs).loc[modality].drop("modality_step").imu_digits
    assert (others.min(), others.max()) == pytest.approx((44, 50), abs=0.51)
    both = [arm for arm in sample if arm != "sample_reference"]
    levels = runs[runs.arm.isin([*both, *modality])].assign(arm=lambda rows: rows.arm.str.split("_").str[0])
    levels = levels.groupby(["data", "seed", "arm"], as_index=False)["test/accuracy"].mean()
    assert against_matched(levels, "sample", "modality") == pytest.approx((2.9, -2.2, 8.0), abs=0.051)
    by_set = accuracy(levels).loc["sample"] - accuracy(levels).loc["modality"]
    assert by_set.tolist() == pytest.approx([-1.3, 7.1], abs=0.051)


def test_what_is_said_of_budgets(runs):
    used = runs.pivot_table(index="arm", columns="data", values="cost_encodings")
    used = used / used.loc["sample"]
    for begin, low, high in (("sample_", 0.88, 0.97), ("modality_", 0.94, 1.0), ("random", 0.91, 0.93)):
        rows = used[used.index.str.startswith(begin)]
        assert (rows.min().min(), rows.max().max()) == pytest.approx((low, high), abs=0.0051)
    assert used.loc["joint_matched"].tolist() == pytest.approx([1, 1], abs=0.0051)


def test_what_is_said_of_an_earlier_run(runs, earlier):
    before, now = accuracy(earlier), accuracy(runs)
    assert before.loc["sample"].tolist() == pytest.approx([82.3, 58.9], abs=0.051)
    assert now.loc["sample"].tolist() == pytest.approx([84.7, 52.9], abs=0.051)
    assert (now.loc["joint"] - before.loc["joint"]).abs().tolist() == pytest.approx([0.7, 2.0], abs=0.051)
    assert against_matched(earlier, "sample")[0] == pytest.approx(10.9, abs=0.051)
    assert "sample" in shown(earlier)[0]
    assert set(p_of_all(earlier).index) == {"sample", "random"}
    assert against_matched(runs, "sample")[0] == pytest.approx(8.3, abs=0.051)
