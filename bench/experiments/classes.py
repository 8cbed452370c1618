"""Classes with different carriers: half of them are carried by the first modality, half by the second.

In `absent` the other modality of a class is noise; in `weak` it shows the class too, in more noise. On average over
the classes both modalities contribute alike, so a rule on the level of modalities has nothing to see.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.planted import noisy_prototypes, write_vectors
from bench.experiments.sections import add_costs, add_runs, add_scores
from bench.experiments.sets import entry
from bench.experiments.studies import runs_of, study_of
from raymm.reports.plots import COLOURS, panels, style_axis
from raymm.storage.layout import result_folder, valuation_file
from raymm.study.figures import arms_of, data_of
from raymm.study.results import StudyResults
from raymm.valuation import read_table

__all__ = ["phi_by_carrier", "run"]

CLASSES, SIZE = 8, 16
NAMES = ("first", "second")
CARRIER_NOISE, OTHER_NOISE = 0.25, 0.6
ARMS = {"joint": {}, "random": {}, "sample": {}, "modality": {}, "class": {}}
SETTINGS = {"training.epochs": 20, "method.warmup": 5, "model.feature_size": 16, "optimizer.lr": 0.005}
ROLES = ("carrier", "other")
TRUTH = {"carrier": 1.5, "other": 0.5}
"""Of an observer in `absent` that is right with the carrier and wrong without it: v = 0, 1, 0, 2."""

QUESTION = (
    "Two modalities, eight classes: the first carries the classes 0 to 3, the second 4 to 7. Of the other one of "
    "a class, `absent` shows noise, and `weak` the class in more noise. Averaged over classes both contribute the "
    "same. Does class-level phi see who carries what, and does a method that re-samples class by class gain from it, "
    "at the encoder rows of `sample`?"
)


def run(inputs: Inputs) -> Page:
    """Train all arms on both data sets and split contributions by the carrier of the class."""
    data = {name: _data(inputs, name) for name in ("absent", "weak")}
    results = study_of(inputs, "classes", data, ARMS, match="encodings", to="sample")
    page = Page("Classes with different carriers", QUESTION)
    add_scores(page, results)
    _add_phi(page, results)
    add_costs(page, results)
    add_runs(page, results)
    return page


def phi_by_carrier(results: StudyResults, data: str, arm: str) -> np.ndarray:
    """Mean phi on test of the carrier of each sample's class, and of the other modality; [seeds, 2]."""
    found = []
    for each in runs_of(results, data, arm):
        table = read_table(valuation_file(result_folder(each.path), "test"))
        carrier = _carrier(table.label)
        rows = np.arange(len(table))
        found.append([table.phi[rows, carrier].mean(), table.phi[rows, 1 - carrier].mean()])
    return np.array(found)


def _carrier(label: np.ndarray) -> np.ndarray:
    return (label >= CLASSES // 2).astype(np.int64)


def _data(inputs: Inputs, name: str) -> dict[str, object]:
    folder = inputs.work / "data" / name
    if not (folder / "manifest.json").exists():
        count = 240 if inputs.quick else 1600
        generator = np.random.default_rng(4)
        label = np.arange(count) % CLASSES
        carries = np.arange(2) == _carrier(label)[:, None]
        shown = np.where(carries | (name == "weak"), label[:, None], -1)
        noise = np.where(carries, CARRIER_NOISE, OTHER_NOISE)
        values = noisy_prototypes(shown, noise, classes=CLASSES, size=SIZE, generator=generator)
        write_vectors(folder, values, label, NAMES)
    return entry(inputs, folder, SETTINGS)


def _add_phi(page: Page, results: StudyResults) -> None:
    page.head(
        "Contributions on test, by the carrier of the class",
        f"Mean phi over seeds. In `absent`, an observer that is right with the carrier and wrong without it has "
        f"{TRUTH['carrier']} and {TRUTH['other']}; one that guesses among the four classes that the other modality "
        "does not carry has 1.375 and 0.625. Over all classes, both modalities then have 1.",
    )
    arms = arms_of(results)
    rows = []
    for data in data_of(results):
        for arm in arms:
            means = phi_by_carrier(results, data, arm).mean(axis=0)
            whole = [
                np.mean([each.metrics[f"phi/test_{name}"] for each in runs_of(results, data, arm)]) for name in NAMES
            ]
            rows.append([data, arm, *(f"{value:.2f}" for value in (*means, *whole))])
    page.table(["data", "arm", "carrier", "other", *(f"{name}, all classes" for name in NAMES)], rows)
    page.plot("phi", _plot(results, arms), "contributions of the carrier and of the other modality, by arm")


def _plot(results: StudyResults, arms: Sequence[str]) -> Figure:
    data = data_of(results)
    figure, axes = panels(len(data), "mean phi, test", width=4.2, margin=0.6)
    for axis, name in zip(axes, data, strict=True):
        for place, role in enumerate(ROLES):
            found = [phi_by_carrier(results, name, arm)[:, place] for arm in arms]
            axis.errorbar(
                range(len(arms)),
                [of_arm.mean() for of_arm in found],
                yerr=[of_arm.std(ddof=1) if len(of_arm) > 1 else 0.0 for of_arm in found],
                fmt="o",
                capsize=3,
                color=COLOURS[place],
                label=role,
            )
            if name == "absent":
                axis.axhline(TRUTH[role], color=COLOURS[place], linewidth=1, linestyle="--")
        axis.set_xticks(range(len(arms)), arms, rotation=30, ha="right")
        axis.set_title(name)
        style_axis(axis)
    axes[0].legend(frameon=False, fontsize=8)
    return figure
