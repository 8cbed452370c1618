"""Tables of published results: what stands in their pages, and the same from the raw tables."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import raymm

__all__ = [
    "ALL_METHODS",
    "NAMES",
    "OTHER_ARMS",
    "RESULTS",
    "ROOT",
    "SETS",
    "against_matched",
    "numbers",
    "on_the_present_split",
    "p_of_all",
    "points",
    "rows_of",
    "shown",
]

ROOT = Path(raymm.__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
ALL_METHODS, OTHER_ARMS = RESULTS / "all_methods", RESULTS / "other_arms"

SETS = ["grid_digits", "imu_digits", "mfeat", "emoji", "openclipart"]
NAMES = {"joint, matched": "joint_matched", "joint, as given": "joint", "ensemble (each modality apart)": "ensemble"}
NAMES |= {"coalition (the default)": "coalition", "random copies": "random"}


def rows_of(path, first):
    """Cells of the table whose header begins with some words, without marks."""
    lines = path.read_text().split(f"\n| {first} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().replace("**", "") for cell in line.strip("|").split("|")] for line in lines]


def points(runs, metric):
    """Means over seeds in points, arm by data set."""
    return 100 * runs.pivot_table(index="arm", columns="data", values=metric, aggfunc="mean")[SETS]


def against_matched(runs, arm, control="joint_matched", metric="test/accuracy"):
    """Mean difference in points and its 95 % interval over the pairs of data set and seed."""
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values=metric)
    found = stats.ttest_1samp(100 * (wide[arm] - wide[control]).dropna(), 0)
    low, high = found.confidence_interval(0.95)
    return float(100 * (wide[arm] - wide[control]).mean()), float(low), float(high)


def p_of_all(runs, control="joint_matched", metric="test/accuracy"):
    """p of the paired t test of every arm but joint training against a control, after Holm's correction, by arm."""
    wide = runs.pivot_table(index=["data", "seed"], columns="arm", values=metric)
    arms = [arm for arm in wide if arm not in ("joint", "joint_matched", control)]
    each = pd.Series({arm: stats.ttest_1samp((wide[arm] - wide[control]).dropna(), 0).pvalue for arm in arms})
    each = each.sort_values()
    return (each * np.arange(len(each), 0, -1)).cummax().clip(upper=1)


def shown(runs, control="joint_matched", metric="test/accuracy"):
    """Arms that are shown to be better than a control, and those shown to be worse."""
    p = p_of_all(runs, control, metric)
    means = {arm: against_matched(runs, arm, control, metric)[0] for arm in p.index if p[arm] < 0.05}
    return {arm for arm, mean in means.items() if mean > 0}, {arm for arm, mean in means.items() if mean < 0}


def numbers(text):
    """Numbers with a decimal point that stand before a p in a cell."""
    return [float(number) for number in re.findall(r"[+-]?\d+\.\d+", text.split("p .")[0])]


def on_the_present_split():
    """All methods by encoder rows, openclipart on its present split."""
    runs = pd.read_csv(ALL_METHODS / "runs.csv")
    return pd.concat([runs[runs.data != "openclipart"], pd.read_csv(ALL_METHODS / "openclipart" / "runs.csv")])
