"""Classes with different carriers: half of them are carried by the first modality, half by the second.

In `absent` the other modality of a class is noise; in `weak` it shows the class too, in more noise. On average over
the classes both modalities contribute alike, so a rule on the level of modalities has nothing to see. Contributions
are known: those of the observer who knows the prototypes and the noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.planted import prototypes, show, write_vectors
from bench.experiments.sections import add_costs, add_runs, add_scores
from bench.experiments.sets import entry
from bench.experiments.studies import runs_of, study_of
from raymm.reports.plots import COLOURS, panels, style_axis
from raymm.study.figures import arms_of, data_of
from raymm.study.results import StudyResults
from raymm.valuation import shapley_values
from raymm.valuation.table_file import read_test_table

__all__ = ["Planted", "observed_phi", "phi_by_carrier", "planted", "run"]

CLASSES, SIZE = 8, 16
NAMES = ("first", "second")
NOISE = 0.35
OTHER_NOISE = {"absent": 0.35, "weak": 0.7}
ARMS: dict[str, dict[str, object]] = {"joint": {}, "random": {}, "sample": {}, "modality": {}, "class": {}}
SETTINGS = {"training.epochs": 16, "method.warmup": 4, "model.feature_size": 16, "optimizer.lr": 0.005}
ROLES = ("carrier", "other")

QUESTION = (
    "Two modalities, eight classes: the first carries the classes 0 to 3, the second 4 to 7. Of the other modality "
    "of a class, `absent` shows noise, and `weak` the class in more noise. Averaged over classes both contribute "
    "the same. Does class-level phi see who carries what, and does a method that re-samples class by class gain "
    "from it, at the encoder rows of `sample`?"
)


@dataclass(frozen=True)
class Planted:
    """Vectors [N, 2, size] and labels [N], with the prototypes and the noise that they are made of."""

    values: npt.NDArray[np.float32]
    label: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float64]
    other_noise: float


def run(inputs: Inputs) -> Page:
    """Train all arms on both data sets and split contributions by the carrier of the class."""
    made = {name: planted(name, 240 if inputs.quick else 800) for name in OTHER_NOISE}
    data = {}
    for name, of_name in made.items():
        folder = inputs.work / "data" / name
        if not (folder / "manifest.json").exists():
            write_vectors(folder, of_name.values, of_name.label, NAMES)
        data[name] = entry(inputs, folder, SETTINGS)
    results = study_of(inputs, "classes", data, ARMS, match="encodings", to="sample")
    page = Page("Classes with different carriers", QUESTION)
    add_scores(page, results)
    _add_phi(page, results, {name: _by_role(observed_phi(one), one.label) for name, one in made.items()})
    add_costs(page, results)
    add_runs(page, results)
    return page


def planted(name: str, count: int) -> Planted:
    """The samples of `absent` or `weak`."""
    generator = np.random.default_rng(4)
    label = np.arange(count) % CLASSES
    centres = prototypes(2, CLASSES, SIZE, generator)
    carries = np.arange(2) == _carrier(label)[:, None]
    shown = np.where(carries | (name == "weak"), label[:, None], -1)
    noise = np.where(carries, NOISE, OTHER_NOISE[name])
    if name == "absent":
        centres[0, CLASSES // 2 :] = centres[1, : CLASSES // 2] = 0.0
    return Planted(show(centres, shown, noise, generator), label, centres, OTHER_NOISE[name])


def observed_phi(of: Planted) -> npt.NDArray[np.float64]:
    """phi [N, 2] of an observer who knows prototypes and noise and takes the likeliest class; utility `count`."""
    classes = np.arange(CLASSES)
    carries = np.arange(2)[:, None] == _carrier(classes)
    noise = np.where(carries, NOISE, of.other_noise)  # [2, classes]
    distance = ((of.values[:, :, None] - of.centres) ** 2).sum(axis=-1)
    likelihood = -distance / (2 * noise**2) - SIZE * np.log(noise)  # [N, 2, classes]
    totals = [np.zeros((len(of.label), CLASSES)), likelihood[:, 0], likelihood[:, 1], likelihood.sum(axis=1)]
    right = np.stack([total.argmax(axis=1) == of.label for total in totals], axis=1)
    return shapley_values(torch.from_numpy(right * np.array([0, 1, 1, 2]))).numpy()


def phi_by_carrier(results: StudyResults, data: str, arm: str) -> npt.NDArray[np.float64]:
    """Mean phi on test of the carrier of each sample's class, and of the other modality; [seeds, 2]."""
    tables = [read_test_table(one.path) for one in runs_of(results, data, arm)]
    return np.array([_by_role(table.phi, np.asarray(table.label)) for table in tables])


def _by_role(phi: npt.NDArray[np.float64], label: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    rows, carrier = np.arange(len(label)), _carrier(label)
    return np.array([phi[rows, carrier].mean(), phi[rows, 1 - carrier].mean()])


def _carrier(label: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (label >= CLASSES // 2).astype(np.int64)


def _add_phi(page: Page, results: StudyResults, known: dict[str, npt.NDArray[np.float64]]) -> None:
    page.head(
        "Contributions on test, by the carrier of the class",
        "Mean phi over seeds. The observer knows the prototypes and the noise, and names the likeliest class. It "
        "is right of some samples without the carrier, since it sees which half of the classes the other modality "
        "does not carry. Over all classes both modalities contribute alike.",
    )
    arms, rows = arms_of(results), []
    for data in data_of(results):
        for arm in arms:
            runs = runs_of(results, data, arm)
            whole = [np.mean([one.metrics[f"phi/test_{name}"] for one in runs]) for name in NAMES]
            means = phi_by_carrier(results, data, arm).mean(axis=0)
            rows.append([data, arm, *(f"{value:.2f}" for value in (*means, *whole))])
        rows.append([data, "the observer", *(f"{value:.2f}" for value in known[data]), "", ""])
    page.table(["data", "arm", *ROLES, *(f"{name}, all classes" for name in NAMES)], rows)
    page.plot(
        "phi", _plot(results, arms, known), "phi of the carrier and of the other modality; dashed: the observer"
    )


def _plot(results: StudyResults, arms: Sequence[str], known: dict[str, npt.NDArray[np.float64]]) -> Figure:
    data = data_of(results)
    figure, axes = panels(len(data), "mean phi, test", width=4.2, margin=0.6)
    for axis, name in zip(axes, data, strict=True):
        for place, role in enumerate(ROLES):
            found = [phi_by_carrier(results, name, arm)[:, place] for arm in arms]
            spread = [of_arm.std(ddof=1) if len(of_arm) > 1 else 0.0 for of_arm in found]
            look = {"fmt": "o", "capsize": 3, "color": COLOURS[place], "label": role}
            axis.errorbar(range(len(arms)), [of_arm.mean() for of_arm in found], yerr=spread, **look)
            axis.axhline(known[name][place], color=COLOURS[place], linewidth=1, linestyle="--")
        axis.set_xticks(range(len(arms)), arms, rotation=30, ha="right")
        axis.set_title(name)
        style_axis(axis)
    axes[0].legend(frameon=False, fontsize=8)
    return figure
