"""The tables of the main study and of all methods, in their pages and in the README, are those of the raw tables."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import raymm
from raymm.config.method import DEFAULT_METHOD
from raymm.methods import METHODS

ROOT = Path(raymm.__file__).parents[1]
STUDY = ROOT / "docs" / "results" / "study"
ALL_METHODS = ROOT / "docs" / "results" / "all_methods"
SETS = ["grid_digits", "imu_digits", "mfeat", "emoji", "openclipart"]
NAMES = {"joint, matched": "joint_matched", "joint, as given": "joint", "ensemble (each modality apart)": "ensemble"}
NAMES |= {"coalition (the default)": "coalition", "random copies": "random"}


@pytest.fixture(scope="module")
def runs():
    return pd.read_csv(STUDY / "runs.csv")


def rows_of(path, first):
    """Cells of the table whose header begins with a word, without marks."""
    lines = path.read_text().split(f"\n| {first} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().replace("**", "") for cell in line.strip("|").split("|")] for line in lines]


def points(runs, metric):
    """Means over seeds in points, arm by data set."""
    return 100 * runs.pivot_table(index="arm", columns="data", values=metric, aggfunc="mean")[SETS]


def against_matched(runs, arm):
    """Mean difference in points and its 95 % interval over the pairs of data set and seed."""
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy")
    found = stats.ttest_1samp(100 * (wide[arm] - wide["joint_matched"]).dropna(), 0)
    low, high = found.confidence_interval(0.95)
    return float(100 * (wide[arm] - wide["joint_matched"]).mean()), float(low), float(high)


def numbers(text):
    return [float(number) for number in re.findall(r"[+-]?\d+\.\d+", text.split("p .")[0])]


def test_the_study_is_whole(runs):
    assert len(runs) == 375
    assert (runs.groupby(["data", "arm"]).seed.nunique() == 5).all()
    assert set(runs.data) == set(SETS)


@pytest.mark.parametrize("folder", [STUDY, ALL_METHODS])
def test_a_page_has_the_means_of_its_raw_table(folder):
    runs = pd.read_csv(folder / "runs.csv")
    calibrated, trained = points(runs, "test/accuracy"), points(runs, "uncalibrated_test/accuracy")
    rows = rows_of(folder / "README.md", "arm")
    assert {NAMES.get(row[0], row[0]) for row in rows} == set(runs.arm)
    for name, *cells in rows:
        arm = NAMES.get(name, name)
        means = [calibrated.loc[arm].mean(skipna=False), trained.loc[arm].mean(skipna=False)]
        found = [np.nan if cell == "-" else float(cell) for cell in cells[:7]]
        assert found == pytest.approx([*calibrated.loc[arm], *means], abs=0.051, nan_ok=True)
        if found := numbers(cells[7]):
            assert found == pytest.approx(against_matched(runs, arm), abs=0.051)


def test_all_methods_were_run_on_all_sets_but_where_their_schedule_does_not_fit():
    runs = pd.read_csv(ALL_METHODS / "runs.csv")
    known = set(METHODS) - {"alone", "greedy"}  # one trains a single modality, one is defined for two
    assert set(runs.arm) == known | {"joint_matched"}
    each = runs.pivot_table(index="data", columns="arm", values="seed", aggfunc="nunique")
    assert (each.drop(columns="reconboost") == 5).all(axis=None)
    assert each["reconboost"].dropna().index.tolist() == ["grid_digits", "imu_digits", "openclipart"]


def test_what_is_said_of_all_methods():
    runs, said = pd.read_csv(ALL_METHODS / "runs.csv"), (ALL_METHODS / "README.md").read_text()
    arms = [arm for arm in set(runs.arm) if arm not in ("joint", "joint_matched")]
    bold = {arm for arm in arms if f"| {arm} |" in said and "| **+" in said.split(f"| {arm} |")[1].split("\n")[0]}
    assert bold == {"mbsd", "ensemble", "multitask", "arl", "mcr", "coalition", "valued"}
    assert all(against_matched(runs, arm)[1] > 0 for arm in bold)
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy").groupby("data").mean()
    for arm, interval in {"coalition": (0.5, 6.6), "valued": (0.8, 4.9)}.items():
        over_sets = stats.ttest_1samp(100 * (wide[arm] - wide["joint_matched"]), 0).confidence_interval(0.95)
        assert tuple(over_sets) == pytest.approx(interval, abs=0.051)


def test_the_readme_has_the_means_of_the_raw_table(runs):
    means = points(runs, "test/accuracy").mean(axis=1)
    for name, accuracy, difference in rows_of(ROOT / "README.md", "arm"):
        arms = [NAMES.get(name, name)] if name in NAMES else [each.strip() for each in re.split(r"[,;]", name)]
        arms = [{"joint": "joint_matched", "of equal cost": "", "as given": "joint"}.get(arm, arm) for arm in arms]
        arms = [arm for arm in arms if arm]
        assert [float(value) for value in re.findall(r"\d+\.\d", accuracy)] == pytest.approx(
            list(means[arms]), abs=0.051
        )
        if found := numbers(difference):
            assert found == pytest.approx(against_matched(runs, arms[0]), abs=0.051)


def test_what_is_said_of_sample_and_of_the_default(runs):
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy")
    difference = 100 * (wide["sample"] - wide["random"])
    low, high = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    assert (difference.mean(), low, high) == pytest.approx((-2.1, -3.5, -0.7), abs=0.051)
    assert against_matched(runs, DEFAULT_METHOD)[1] > 0
