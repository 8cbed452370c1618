"""What the page of arms beside the tables of all methods says is what its raw tables hold."""

import pandas as pd
import pytest
from scipy import stats

from tests.docs.result_tables import OTHER_ARMS, SETS, against_matched, on_the_present_split, p_of_all, rows_of, shown


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


@pytest.fixture(scope="module")
def alone():
    """Runs of the studies of single modalities by data set, arm and seed."""
    runs = [pd.read_csv(OTHER_ARMS / "alone" / name / "runs.csv") for name in SETS]
    return pd.concat(runs).set_index(["data", "arm", "seed"]).sort_index()


def mean_of(differences):
    """Mean in points and its 95 % interval, from fractions paired by seed."""
    found = 100 * differences.to_numpy()
    return (found.mean(), *stats.ttest_1samp(found, 0).confidence_interval(0.95))


def of_modality(alone, data, modality):
    """What the table says of a modality, as numbers."""
    joint, own = alone.loc[data, "joint"], alone.loc[data, f"alone_{modality}"]["test/accuracy"]
    left = joint[f"test/accuracy_{modality}"]
    return 100 * own.mean(), 100 * left.mean(), *mean_of(own - left), joint[f"phi/test_{modality}"].mean()


def test_the_table_of_single_modalities(alone):
    rows = rows_of(OTHER_ARMS / "README.md", "set | modality")
    trained = [row for row in rows if row[1] != "all, joint"]
    assert len(alone) == 140
    assert {(data, f"alone_{name}") for data, name, *_ in trained} | {(data, "joint") for data in SETS} == set(
        alone.index.droplevel("seed")
    )
    for data, _, accuracy, *_ in (row for row in rows if row[1] == "all, joint"):
        assert float(accuracy) == pytest.approx(100 * alone.loc[data, "joint"]["test/accuracy"].mean(), abs=0.051)
    for data, name, own, left, difference, phi in trained:
        low, high = difference.split("(")[1].rstrip(")").split(" to ")
        found = [float(cell) for cell in (own, left, difference.split(" (")[0], low, high, phi)]
        assert found == pytest.approx(of_modality(alone, data, name), abs=0.051)
    gains = {(data, name): of_modality(alone, data, name) for data, name, *_ in trained}
    assert len(gains) == 23
    assert [place for place, gain in gains.items() if gain[3] < 0] == [("grid_digits", "flow")]
    del gains["grid_digits", "flow"]
    assert (min(gain[2] for gain in gains.values()), max(gain[2] for gain in gains.values())) == pytest.approx(
        (8.5, 62.8), abs=0.051
    )


def test_what_is_said_of_the_best_modality_alone(alone, variants):
    longer = variants.set_index(["data", "arm", "seed"])["test/accuracy"].sort_index()
    said = {
        "grid_digits": ("audio", (7.4, 2.3, 12.5), (-4.8, -9.3, -0.3)),
        "imu_digits": ("gyroscope", (8.8, 0.1, 17.5), (9.1, 2.1, 16.0)),
        "mfeat": ("pix", (-1.0, -1.6, -0.4), (-0.9, -1.5, -0.4)),
        "emoji": ("en", (1.5, -2.7, 5.7), (-5.1, -9.5, -0.7)),
        "openclipart": ("tags", (6.9, 4.4, 9.5), (0.8, -3.2, 4.8)),
    }
    for data, (name, same_rows, twice) in said.items():
        by_arm = alone.loc[data].groupby("arm")["best/accuracy"].mean().drop("joint")
        assert by_arm.idxmax() == f"alone_{name}"
        best = alone.loc[data, f"alone_{name}"]["test/accuracy"]
        assert mean_of(best - alone.loc[data, "joint"]["test/accuracy"]) == pytest.approx(same_rows, abs=0.051)
        assert mean_of(best - longer[data, "joint_matched"]) == pytest.approx(twice, abs=0.051)


def test_what_single_modalities_cost(alone):
    means = alone.groupby(["data", "arm"])["cost_cpu_seconds"].mean()
    ratios = (means / means.xs("joint", level="arm")).drop("joint", level="arm")
    assert (ratios.min(), ratios.max()) == pytest.approx((1.1, 4.8), abs=0.051)
