"""Draw docs/pictures/methods.png, the picture of the README, from the table of the main study.

python -m bench.readme_picture
"""

import csv
from pathlib import Path

from matplotlib.figure import Figure

from raymm.reports.plots import COLOURS, new_figure, style_axis

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "results" / "study" / "comparisons.csv"
PICTURE = ROOT / "docs" / "pictures" / "methods.png"
CONTROL = "joint_matched"
COLOUR = {"better": COLOURS[2], "worse": COLOURS[5], "not shown": COLOURS[6]}
WORDS = {"random": "random copies", "ensemble": "ensemble (each apart)", "coalition": "coalition (the default)"}


def differences() -> list[tuple[str, float, float, str]]:
    """Arm, mean difference to joint training of equal cost and its 95 % margin in points, and the verdict."""
    with TABLE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["second"] == CONTROL and row["figure"] == "accuracy"]
    found = [
        (row["first"], 100 * float(row["pairs_mean"]), 100 * float(row["pairs_margin"] or "nan"), row["outcome"])
        for row in rows
    ]
    return sorted(found, key=lambda one: one[1])


def draw() -> Figure:
    """Differences with their intervals, the best arm on top."""
    figure = new_figure(8, 3.9)
    axis = figure.subplots()
    for place, (_, mean, margin, verdict) in enumerate(differences()):
        label = None if verdict in axis.get_legend_handles_labels()[1] else verdict
        axis.errorbar(mean, place, xerr=margin, fmt="o", color=COLOUR[verdict], capsize=3, label=label)
    axis.axvline(0, color="black", linewidth=1, linestyle="--")
    axis.set_yticks(range(len(differences())), [WORDS.get(arm, arm) for arm, *_ in differences()])
    axis.set_xlabel("test accuracy less that of joint training of equal cost (points, 95 %)")
    axis.legend(frameon=False, loc="lower right", reverse=True)
    style_axis(axis, "x")
    return figure


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    draw().savefig(PICTURE, dpi=110)
