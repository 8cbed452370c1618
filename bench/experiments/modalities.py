"""From 2 to 16 modalities: accuracy, contributions and cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.planted import prototypes, show, write_vectors
from bench.experiments.sections import add_costs, add_runs, add_scores, mean_text
from bench.experiments.sets import entry, real
from bench.experiments.studies import runs_of, study_of
from raymm.data import Dataset, Sample, Schema, open_dataset, write_dataset
from raymm.reports.plots import COLOURS, new_figure, style_axis
from raymm.study.figures import arms_of, data_of
from raymm.study.results import StudyResults
from raymm.tracking.of_an_epoch import phi_by_modality

__all__ = ["run", "subset"]

ARMS: dict[str, dict[str, Any]] = {"joint": {}, "coalition": {}, "sample": {}}
OTHERS = ("emoji", "mfeat")
SENSORS = (2, 3, 4, 5, 6, 7)
SYNTHETIC = (2, 4, 8, 12, 16)
SETTINGS = {"training.epochs": 10, "method.warmup": 3, "model.feature_size": 16, "optimizer.lr": 0.005}
CLASSES, SIZE, NOISE = 6, 8, (0.4, 1.2)
LOW = 0.5

QUESTION = (
    "What happens to accuracy, contributions and cost when there are more than three modalities? The first 2 to 7"
    " sensor streams of imu_digits, nested; the four of emoji and the six of mfeat; and 2 to 16 synthetic ones, "
    "each of which shows one of six classes in noise that grows from 0.4 to 1.2 standard deviations. "
    "Contributions are exact to 12 modalities (16 where logits are sums, as here with `concat`)."
)
BY_N = (
    "Means over seeds. Balance is the smallest mean phi over the mean of all; low is the share of modalities with a "
    "mean phi below half the fair share; costs are of a whole run, processor seconds relative to joint."
)


def run(inputs: Inputs) -> Page:
    """Train all arms on nested sensors, on two other sets, and on synthetic modalities."""
    streams = open_dataset(Path(real(inputs, "imu_digits")["path"]))
    settings = real(inputs, "imu_digits")["settings"]
    nested = {n: subset(inputs, streams, n) for n in _counts(inputs, SENSORS)}
    sensors = {f"imu_{n}": entry(inputs, folder, settings) for n, folder in nested.items()}
    others = {name: real(inputs, name) for name in OTHERS}
    synthetic = {f"planted_{n:02d}": entry(inputs, _planted(inputs, n), SETTINGS) for n in _counts(inputs, SYNTHETIC)}
    page = Page("More than three modalities", QUESTION)
    groups = {"sensors": sensors, "other data": others, "synthetic": synthetic}
    found = {name: study_of(inputs, name.replace(" ", "_"), data, ARMS) for name, data in groups.items()}
    page.head("By number of modalities", BY_N)
    page.table(["data", "n", "arm", "accuracy (%)", "mean phi", "balance", "low", "processor seconds"], _rows(found))
    page.plot("modalities", _plot(found), "accuracy, balance and cost over the number of modalities")
    for name, results in found.items():
        add_scores(page, results, f": {name}")
        add_costs(page, results, f": {name}")
        add_runs(page, results, f"runs-{name.split()[0]}.csv")
    return page


def subset(inputs: Inputs, dataset: Dataset, n: int) -> Path:
    """The folder of a copy of a data set with its first n modalities."""
    folder = inputs.work / "data" / f"first-{n}"
    if not (folder / "manifest.json").exists():
        schema = dataset.schema
        write_dataset(folder, _first(dataset, n), Schema(modalities=schema.modalities[:n], classes=schema.classes))
    return folder


def _first(dataset: Dataset, n: int) -> Iterator[Sample]:
    rows = np.arange(len(dataset))
    values = {spec.name: dataset.shards.read(spec.name, rows) for spec in dataset.schema.modalities[:n]}
    for row in rows:
        split, label = str(dataset.shards.split[row]), int(dataset.label[row])
        yield Sample(
            str(dataset.shards.sample_id[row]), split, label, {name: of_name[row] for name, of_name in values.items()}
        )


def _counts(inputs: Inputs, ns: tuple[int, ...]) -> tuple[int, ...]:
    return (ns[0], ns[1]) if inputs.quick else ns


def _planted(inputs: Inputs, n: int) -> Path:
    folder = inputs.work / "data" / f"planted-{n}"
    if not (folder / "manifest.json").exists():
        generator = np.random.default_rng(n)
        label = np.arange(120 if inputs.quick else 600) % CLASSES
        shown = np.repeat(label[:, None], n, axis=1)
        values = show(prototypes(n, CLASSES, SIZE, generator), shown, np.linspace(*NOISE, n), generator)
        write_vectors(folder, values, label, [f"m{i:02d}" for i in range(n)])
    return folder


def _figures(results: StudyResults, data: str, arm: str) -> dict[str, list[float]]:
    """What is said of an arm on a data set, by seed."""
    runs = runs_of(results, data, arm)
    phi = [np.array(list(phi_by_modality(one.metrics, "test").values())) for one in runs]
    return {
        "n": [float(len(of_run)) for of_run in phi],
        "accuracy": [one.metrics["test/accuracy"] for one in runs],
        "phi": [float(of_run.mean()) for of_run in phi],
        "balance": [float(of_run.min() / of_run.mean()) for of_run in phi],
        "low": [float((of_run < LOW).mean()) for of_run in phi],
        "seconds": [one.cost["cpu_seconds"] for one in runs],
    }


def _ratio(results: StudyResults, data: str, arm: str) -> float:
    """Processor seconds relative to joint."""
    spent = [np.mean(_figures(results, data, name)["seconds"]) for name in (arm, "joint")]
    return float(spent[0] / spent[1])


def _rows(found: dict[str, StudyResults]) -> list[list[str]]:
    rows = []
    for results in found.values():
        for data in data_of(results):
            for arm in arms_of(results):
                of_arm = _figures(results, data, arm)
                means = [f"{np.mean(of_arm[name]):.2f}" for name in ("phi", "balance", "low")]
                scores = mean_text(of_arm["accuracy"], 100, 1)
                seconds = f"{np.mean(of_arm['seconds']):.1f} ({_ratio(results, data, arm):.2f})"
                rows.append([data, f"{of_arm['n'][0]:.0f}", arm, scores, *means, seconds])
    return rows


def _plot(found: dict[str, StudyResults]) -> Figure:
    figure = new_figure(12.0, 3.4)
    axes = figure.subplots(1, 3)
    titles = ("accuracy, test (%)", "smallest phi / mean phi", "processor seconds, of joint")
    for dashes, name in (("-", "sensors"), ("--", "synthetic")):
        results = found[name]
        for place, arm in enumerate(arms_of(results)):
            of_arm = [_figures(results, data, arm) for data in data_of(results)]
            n = [one["n"][0] for one in of_arm]
            lines = (
                [100 * np.mean(one["accuracy"]) for one in of_arm],
                [np.mean(one["balance"]) for one in of_arm],
                [_ratio(results, data, arm) for data in data_of(results)],
            )
            for axis, title, line in zip(axes, titles, lines, strict=True):
                axis.plot(n, line, f"o{dashes}", color=COLOURS[place], markersize=4, label=f"{arm}, {name}")
                axis.set(title=title, xlabel="modalities")
    for axis in axes:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        style_axis(axis)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    return figure
