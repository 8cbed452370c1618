"""The tables of the main study and of all methods, in their pages and in the README, are those of the raw tables."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raymm.config.method import DEFAULT_METHOD
from raymm.methods import METHODS
from tests.docs.result_tables import (
    ALL_METHODS,
    NAMES,
    OTHER_ARMS,
    RESULTS,
    ROOT,
    SETS,
    against_matched,
    numbers,
    on_the_present_split,
    p_of_all,
    points,
    rows_of,
    shown,
)

STUDY = RESULTS / "study"
FRESH = STUDY / "fresh_seeds"
BY_SECONDS = RESULTS / "all_methods_seconds"


@pytest.fixture(scope="module")
def runs():
    return pd.read_csv(STUDY / "runs.csv")


def test_the_study_is_whole(runs):
    assert len(runs) == 375
    assert (runs.groupby(["data", "arm"]).seed.nunique() == 5).all()
    assert set(runs.data) == set(SETS)


@pytest.mark.parametrize(
    ("folder", "page", "header"),
    [
        (STUDY, STUDY, "arm"),
        (ALL_METHODS, ALL_METHODS, "arm"),
        (BY_SECONDS, BY_SECONDS, "arm"),
        (FRESH, STUDY, "arm, seeds 5 to 9"),
        (OTHER_ARMS / "two_modalities", OTHER_ARMS, "arm, two modalities"),
        (OTHER_ARMS / "variants", OTHER_ARMS, "arm, settings"),
    ],
)
def test_a_page_has_the_means_of_its_raw_table(folder, page, header):
    runs = pd.read_csv(folder / "runs.csv")
    calibrated, trained, p = points(runs, "test/accuracy"), points(runs, "uncalibrated_test/accuracy"), p_of_all(runs)
    rows = rows_of(page / "README.md", header)
    assert {NAMES.get(row[0], row[0]) for row in rows} == set(runs.arm)
    for name, *cells in rows:
        arm = NAMES.get(name, name)
        means = [calibrated.loc[arm].mean(skipna=False), trained.loc[arm].mean(skipna=False)]
        found = [np.nan if cell == "-" else float(cell) for cell in cells[:7]]
        assert found == pytest.approx([*calibrated.loc[arm], *means], abs=0.051, nan_ok=True)
        if found := numbers(cells[7]):
            assert found == pytest.approx(against_matched(runs, arm), abs=0.051)
            assert ("not shown" in cells[7]) == (p[arm] >= 0.05)


def near_budget(folder, tolerance=0.1):
    """Runs by method where it used the time of joint training; its part of that on all sets; how many are near."""
    runs = pd.read_csv(folder / "runs.csv")
    used = runs.pivot_table(index="arm", columns="data", values="cost_cpu_seconds")
    part = (used / used.loc["joint_matched"]).drop(["joint", "joint_matched"])
    near = (part - 1).abs() <= tolerance
    sets = {arm: near.columns[near.loc[arm]].tolist() for arm in part.index if near.loc[arm].any()}
    return {arm: runs[runs.data.isin(found)] for arm, found in sets.items()}, part, int(near.sum().sum())


def compared_near(folder):
    """Difference from joint training with its interval, p after Holm and pairs, by method, near the budget."""
    runs, _, _ = near_budget(folder)
    pairs = {
        arm: of_arm.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy")
        for arm, of_arm in runs.items()
    }
    pairs = {arm: (wide[arm] - wide["joint_matched"]).dropna() for arm, wide in pairs.items()}
    p = pd.Series({arm: stats.ttest_1samp(each, 0).pvalue for arm, each in pairs.items()}).sort_values()
    p = (p * np.arange(len(p), 0, -1)).cummax().clip(upper=1)
    return {arm: (*against_matched(of_arm, arm), p[arm], len(pairs[arm])) for arm, of_arm in runs.items()}


def test_the_comparisons_near_the_budget():
    for name, *cells in rows_of(STUDY / "README.md", "arm, near the budget"):
        for folder, cell in zip((STUDY, FRESH), cells, strict=True):
            mean, low, high, p, pairs = compared_near(folder)[name]
            assert [float(number) for number in re.findall(r"[+-]?\d+\.\d+", cell)[:3]] == pytest.approx(
                [mean, low, high], abs=0.051
            )
            assert float(re.search(r"p ([\d.]+)", cell)[1]) == pytest.approx(p, abs=0.0051)
            assert int(re.search(r"(\d+) pairs", cell)[1]) == pairs
    better = {arm for arm, (mean, _, _, p, _) in compared_near(FRESH).items() if mean > 0 and p < 0.05}
    assert better == {"ensemble", "valued", "coalition"}
    assert {arm for arm, (_, _, _, p, _) in compared_near(STUDY).items() if p < 0.05} == {"ogm_ge", "remix"}
    assert {arm for arm, (_, _, _, p, _) in compared_near(BY_SECONDS).items() if p < 0.05} == {"ogm_ge", "umt"}


@pytest.mark.parametrize(
    ("folder", "near", "of", "least", "most"),
    [(STUDY, 33, 65, 0.74, 1.41), (FRESH, 21, 30, 0.86, 1.40), (BY_SECONDS, 81, 153, 0.68, 1.45)],
)
def test_how_equal_the_costs_were(folder, near, of, least, most):
    _, part, found = near_budget(folder)
    assert (found, part.notna().sum().sum()) == (near, of)
    assert (part.min().min(), part.max().max()) == pytest.approx((least, most), abs=0.0051)
    page = folder if folder != FRESH else STUDY
    assert f"{near} of {of}" in " ".join((page / "README.md").read_text().split())


@pytest.mark.parametrize("folder", [ALL_METHODS, BY_SECONDS])
def test_all_methods_were_run_on_all_sets_but_where_their_schedule_does_not_fit(folder):
    runs = pd.read_csv(folder / "runs.csv")
    known = set(METHODS) - {"alone", "greedy"}  # one trains a single modality, one is defined for two
    assert set(runs.arm) == known | {"joint_matched"}
    each = runs.pivot_table(index="data", columns="arm", values="seed", aggfunc="nunique")
    assert (each.drop(columns="reconboost") == 5).all(axis=None)
    assert each["reconboost"].dropna().index.tolist() == ["grid_digits", "imu_digits", "openclipart"]


def test_what_is_said_of_all_methods():
    runs, said = pd.read_csv(ALL_METHODS / "runs.csv"), (ALL_METHODS / "README.md").read_text()
    said = said.split("## With openclipart as it was")[1]
    arms = [arm for arm in set(runs.arm) if arm not in ("joint", "joint_matched")]
    bold = {arm for arm in arms if f"| {arm} |" in said and "| **+" in said.split(f"| {arm} |")[1].split("\n")[0]}
    assert bold == {"mbsd", "ensemble", "multitask", "arl", "mcr", "coalition", "valued"}
    assert all(against_matched(runs, arm)[1] > 0 for arm in bold)
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy").groupby("data").mean()
    for arm, interval in {"coalition": (0.5, 6.6), "valued": (0.8, 4.9)}.items():
        over_sets = stats.ttest_1samp(100 * (wide[arm] - wide["joint_matched"]), 0).confidence_interval(0.95)
        assert tuple(over_sets) == pytest.approx(interval, abs=0.051)


@pytest.fixture(scope="module")
def present():
    return on_the_present_split()


def test_the_table_of_all_methods_on_the_present_split(present):
    calibrated, trained = points(present, "test/accuracy"), points(present, "uncalibrated_test/accuracy")
    rows, p = rows_of(ALL_METHODS / "README.md", "arm, present split"), p_of_all(present)
    assert {NAMES.get(row[0], row[0]) for row in rows} == set(present.arm)
    for name, *cells in rows:
        arm = NAMES.get(name, name)
        expected = [
            calibrated.loc[arm, "openclipart"],
            *(of.loc[arm].mean(skipna=False) for of in (calibrated, trained)),
        ]
        found = [np.nan if cell == "-" else float(cell) for cell in cells[:3]]
        assert found == pytest.approx(expected, abs=0.051, nan_ok=True)
        if found := numbers(cells[3]):
            assert found == pytest.approx(against_matched(present, arm), abs=0.051)
            assert ("not shown" in cells[3]) == (p[arm] >= 0.05)


def test_what_is_said_of_all_methods_on_the_present_split(present):
    six = {"mbsd", "ensemble", "mla", "arl", "multitask", "coalition"}
    assert shown(present)[0] == six
    assert shown(present, metric="uncalibrated_test/accuracy") == (set(), {"ogm_ge", "remix"})
    assert shown(present, "random")[0] == {"multitask", "arl", "mla", "mbsd"}
    better, worse = shown(present, "multitask")
    assert "sample" in worse
    assert not (better | worse) & six
    assert against_matched(present, "sample", "random") == pytest.approx((-0.6, -1.4, 0.2), abs=0.051)
    assert against_matched(present, "sample", "multitask") == pytest.approx((-2.9, -4.4, -1.4), abs=0.051)
    wide = present.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy").groupby("data").mean()
    said = {"coalition": (0.0, 5.4), "valued": (0.6, 3.8)}
    for arm in set(wide) - {"joint", "joint_matched"}:
        over_sets = stats.ttest_1samp((100 * (wide[arm] - wide["joint_matched"])).dropna(), 0).confidence_interval(
            0.95
        )
        assert (over_sets.low > 0) == (arm in said)
        assert arm not in said or tuple(over_sets) == pytest.approx(said[arm], abs=0.051)


def test_what_is_said_of_all_methods_by_processor_time():
    runs, said = pd.read_csv(BY_SECONDS / "runs.csv"), (BY_SECONDS / "README.md").read_text()
    said = " ".join(said.split("## What is shown")[1].split())
    p = p_of_all(runs)
    assert shown(runs) == (set(), {"mmpareto", "mcr", "umt", "remix"})
    assert p["multitask"] == pytest.approx(0.053, abs=0.0006)
    assert p["mbsd"] == pytest.approx(0.16, abs=0.006)
    near = ["arl", "valued", "coalition", "ensemble"]
    assert (p[near].min(), p[near].max()) == pytest.approx((0.24, 0.30), abs=0.006)
    assert all(against_matched(runs, arm)[1] > 0 for arm in ["multitask", "mbsd", *near])
    higher, lower = shown(runs, "multitask")
    assert not higher
    named = re.findall(r"`(\w+)`", said.split("Nineteen methods")[1].split("**Four")[0])
    assert set(named) == lower | {"multitask"}
    assert len(lower) == 19
    trained = "uncalibrated_test/accuracy"
    assert shown(runs, metric=trained) == (set(), {"mmpareto", "mcr", "umt", "remix", "ogm_ge"})
    assert shown(runs, "random", trained)[0] == {"multitask"}
    for words, arm, control, metric in (
        ("against `random`", "sample", "random", "test/accuracy"),
        ("`ogm_ge` is too", "ogm_ge", "joint_matched", trained),
        ("beats `random` by", "multitask", "random", trained),
    ):
        found = numbers(said.split(words)[1].split(")")[0])
        assert found == pytest.approx(against_matched(runs, arm, control, metric), abs=0.051)


def test_what_is_said_of_costs_by_processor_time():
    runs = pd.read_csv(BY_SECONDS / "runs.csv")
    seconds, rows = (
        runs.pivot_table(index="arm", columns="data", values=f"cost_{what}", aggfunc="mean")
        for what in ("cpu_seconds", "encodings")
    )
    seconds = (seconds / seconds.loc["joint_matched"]).mean(axis=1)
    said = {"pretrained": 0.78, "sample": 0.84, "umt": 1.18}
    assert seconds[list(said)].to_dict() == pytest.approx(said, abs=0.0051)
    assert (seconds.drop("joint").idxmin(), seconds.idxmax()) == ("pretrained", "umt")
    assert seconds.between(0.895, 1.105).mean() > 0.7
    rows = (rows / rows.loc["joint"]).mean(axis=1)
    assert rows[["mcr", "mmpareto", "mla"]].to_list() == pytest.approx([0.8, 1.2, 1.3], abs=0.051)
    assert rows.between(1.7, 2.2).mean() > 0.6
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy").groupby("data").mean()
    for arm in set(wide) - {"joint", "joint_matched", "reconboost"}:
        over_sets = stats.ttest_1samp(100 * (wide[arm] - wide["joint_matched"]), 0).confidence_interval(0.95)
        assert over_sets.low < 0 < over_sets.high
        assert arm != "valued" or tuple(over_sets) == pytest.approx((-0.1, 4.7), abs=0.051)


def test_the_readme_has_the_means_of_the_raw_tables(runs):
    means, fresh = points(runs, "test/accuracy").mean(axis=1), pd.read_csv(FRESH / "runs.csv")
    for name, accuracy, difference, again in rows_of(ROOT / "README.md", "arm"):
        arms = [NAMES.get(name, name)] if name in NAMES else [each.strip() for each in re.split(r"[,;]", name)]
        arms = [{"joint": "joint_matched", "of equal cost": "", "as given": "joint"}.get(arm, arm) for arm in arms]
        arms = [arm for arm in arms if arm]
        assert [float(value) for value in re.findall(r"\d+\.\d", accuracy)] == pytest.approx(
            list(means[arms]), abs=0.051
        )
        for cell, of in ((difference, runs), (again, fresh)):
            if found := numbers(cell):
                assert found == pytest.approx(against_matched(of, arms[0]), abs=0.051)
                assert ("not shown" in cell) == (p_of_all(of)[arms[0]] >= 0.05)


def test_the_study_of_fresh_seeds_is_whole():
    runs = pd.read_csv(FRESH / "runs.csv")
    assert set(runs.seed) == {5, 6, 7, 8, 9}
    assert (runs.groupby(["data", "arm"]).seed.nunique() == 5).all()


def test_what_is_said_of_fresh_seeds():
    runs = pd.read_csv(FRESH / "runs.csv")
    p, trained = p_of_all(runs), p_of_all(runs, metric="uncalibrated_test/accuracy")
    assert {arm for arm in p.index if p[arm] < 0.05} == {"ensemble", "multitask", "valued", "coalition", "sample"}
    assert p[DEFAULT_METHOD] == pytest.approx(0.006, abs=0.0006)
    assert trained.min() == pytest.approx(0.084, abs=0.0006)
    assert against_matched(runs, "sample", "random") == pytest.approx((0.8, -0.8, 2.3), abs=0.051)
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test/accuracy").groupby("data").mean()
    for arm in p.index:  # over data sets
        assert stats.ttest_1samp(wide[arm] - wide["joint_matched"], 0).confidence_interval(0.95).low < 0


def test_what_is_said_of_sample_and_of_the_default(runs):
    assert against_matched(runs, "sample", "random") == pytest.approx((0.4, -1.0, 1.7), abs=0.051)
    assert against_matched(runs, "class", "random") == pytest.approx((-0.8, -2.2, 0.7), abs=0.051)
    assert against_matched(runs, "joint_matched", "joint") == pytest.approx((4.9, 2.6, 7.2), abs=0.051)
    assert against_matched(runs, DEFAULT_METHOD)[1] > 0


def test_no_method_is_shown_to_beat_joint_training_of_equal_cost(runs):
    p, table = p_of_all(runs), (STUDY / "README.md").read_text()
    worse = {"ogm_ge", "mmpareto", "remix"}
    assert shown(runs) == (set(), worse)
    for arm in ("coalition", "valued", "ensemble", "multitask"):
        assert against_matched(runs, arm)[1] > 0
        cell = next(line for line in table.splitlines() if line.startswith(f"| {arm} |"))
        assert float(cell.split(", p ")[1].split(" ")[0]) == pytest.approx(p[arm], abs=0.006)
    assert shown(runs, metric="uncalibrated_test/accuracy") == (set(), worse)


def test_without_openclipart_three_of_all_methods_are_shown():
    runs, said = pd.read_csv(ALL_METHODS / "runs.csv"), (ALL_METHODS / "README.md").read_text()
    runs = runs[runs.data != "openclipart"]
    assert shown(runs) == ({"ensemble", "mbsd", "mla"}, {"remix"})
    trained = p_of_all(runs, metric="uncalibrated_test/accuracy")
    better = {arm: against_matched(runs, arm, metric="uncalibrated_test/accuracy") for arm in ("ensemble", "mbsd")}
    assert {arm for arm in trained.index if trained[arm] < 0.05} - {"remix"} == set(better)
    uncalibrated = " ".join(said.split("Without calibration")[1].split())
    for arm, each in better.items():
        assert numbers(uncalibrated.split(f"`{arm}` ")[1].split(")")[0]) == pytest.approx(each, abs=0.051)
    below = p_of_all(runs, "multitask")[["sample", "class", "ogm_ge", "agm", "g_blend"]]
    assert below.index[below < 0.05].tolist() == ["ogm_ge"]
    for arm in ("ensemble", "mbsd", "mla", "multitask", "coalition"):
        words = " ".join(said.replace("\n> ", " ").split()).split(f"`{arm}` +")[1]
        assert numbers("+" + words.split(")")[0]) == pytest.approx(against_matched(runs, arm), abs=0.051)
