"""What people see of runs, of a sweep and of a study: the MLflow UI, served by `raymm ui`, in a headless Chromium.

One server shows a store that was moved after it was written: with a sweep, told epoch by epoch, and with runs that
were trained on clips, two of them as arms of a study.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image

import raymm
from raymm.cli.demo_clips import write_collection
from raymm.config import Config, load
from raymm.config.canonical import parameters
from raymm.reports.run_about import trial_view
from raymm.sweep.rows import TrialRow
from raymm.sweep.summary import write_sweep_summary
from raymm.tracking import RunInfo
from raymm.tracking.mlflow import MlflowTracker, local_store
from tests.browser import Browser, open_browser
from tests.mlflow_ui import MlflowUi, serve

pytestmark = pytest.mark.slow

EXPERIMENT = "digits"
SWEEP = "fs families on digits"
STUDY = "arms"
SPACE = (
    {"method.name": "joint"},
    {"method.name": "sample", "method.settings.fs.family": "linear", "method.settings.fs.scale": 2.0},
    {"method.name": "sample", "method.settings.fs.family": "tanh", "method.settings.fs.rate": 0.5},
    {"method.name": "sample", "method.settings.fs.family": "tanh", "method.settings.fs.rate": 2.0},
    {"method.name": "modality", "method.settings.fm.family": "step", "method.settings.fm.steps": 4},
)
EPOCHS = 6
SHORT = ("training.epochs=2", "training.threads=1", "training.batch_size=32", "model.encoder.width=4")
VIEW = trial_view("accuracy", ["audio", "rgb"], ["method.name"])
GAINS = (0.0, 0.05, 0.11, 0.08, 0.03)
"""What each trial's accuracy on validation ends above that of the first."""


def config_of(number: int) -> Config:
    return load(None, [f"{name}={value}" for name, value in SPACE[number].items()])


def name_of(number: int) -> str:
    return f"{number} {' '.join(map(str, SPACE[number].values()))}"


def history_of(number: int) -> list[dict[str, float]]:
    """Metrics of each epoch, in the names of the training loop."""
    rise = 1 - np.exp(-0.6 * np.arange(1, EPOCHS + 1))
    audio = 1.5 - 3 * GAINS[number] * rise
    return [
        {
            "train/loss": 1.6 - (1.1 + GAINS[number]) * x,
            "val/accuracy": 0.3 + (0.4 + GAINS[number]) * x,
            "val/loss": 1.6 - (1.0 + GAINS[number]) * x,
            "val/macro_f1": 0.28 + (0.4 + GAINS[number]) * x,
            "phi/val_audio": phi,
            "phi/val_rgb": 1.9 - phi,
            "rows/epoch": 480.0 * (1 + 8 * GAINS[number]),
        }
        for x, phi in zip(rise.tolist(), audio.tolist(), strict=True)
    ]


def row_of(number: int) -> TrialRow:
    score = history_of(number)[-1]["val/accuracy"]
    return TrialRow(
        key=config_of(number).fingerprint(),
        number=number,
        params=dict(SPACE[number]),
        status="finished",
        scores=(score - 0.01, score + 0.01),
        metrics={"val/accuracy": score},
        epochs=2 * EPOCHS,
        rows=2 * EPOCHS * 480.0 * (1 + 8 * GAINS[number]),
        seconds=20.0 + number,
    )


def write_trial(store: tuple[str, Path], folder: Path, number: int) -> str:
    config, history, row = config_of(number), history_of(number), row_of(number)
    settings = ", ".join(f"{name.removeprefix('method.settings.')} {value}" for name, value in SPACE[number].items())
    tracker = MlflowTracker(store[0], folder, store[1])
    tracker.start(
        RunInfo(
            key=f"sweep/{row.key}",
            name=name_of(number),
            experiment=EXPERIMENT,
            params=parameters(config),
            tags={"raymm.kind": "trial", "raymm.trial": str(number)},
            description=f"Trial {number} of the sweep: {settings}.",
            parent_key="sweep",
            view=VIEW,
        )
    )
    for epoch, metrics in enumerate(history, start=1):
        tracker.log_epoch(epoch, metrics)
    tracker.log_summary({"best/accuracy": history[-1]["val/accuracy"], "score": row.score or 0.0})
    tracker.log_tags({"raymm.status": "finished"})
    tracker.finish("FINISHED")
    assert tracker.run_id is not None
    return tracker.run_id


def write_sweep(store: tuple[str, Path], folder: Path) -> tuple[str, list[str]]:
    """MLflow's names of the sweep and of its trials, in order."""
    tracker = MlflowTracker(store[0], folder / "sweep", store[1])
    tracker.start(
        RunInfo(
            key="sweep",
            name=SWEEP,
            experiment=EXPERIMENT,
            params={"sweep.space": "tune_spaces/fs_only.py", "sweep.metric": "val/accuracy", "sweep.seeds": 2},
            tags={"raymm.kind": "sweep"},
            description="Which **fs** helps on `digits`? [Compare the trials](children:best/accuracy)",
            view=VIEW,
        )
    )
    rows, trials = [], []
    for number in range(len(SPACE)):
        trials.append(write_trial(store, folder / f"trial-{number}", number))
        rows.append(row_of(number))
        best = max(rows, key=lambda row: row.scores)
        tracker.log_summary({"best/accuracy": best.score, "trials/finished": float(len(rows))})
        tracker.log_tags({"raymm.best_trial": str(best.number)})
        tracker.log_description(
            f"Best of {len(rows)} trials on `digits`: **{name_of(best.number)}**, {best.score:.3f} on validation. "
            "[Compare the trials](children:best/accuracy)"
        )
    for file in write_sweep_summary(folder / "sweep" / "summary", rows, "val/accuracy"):
        tracker.log_artifact(file, "summary")
    tracker.finish("FINISHED")
    assert tracker.run_id is not None
    return tracker.run_id, trials


def write_run(folder: Path) -> None:
    """Train on clips with sound, so that there is something to see and to hear."""
    made = write_collection(folder, 48)
    raymm.prepare(made.manifest, made.clips, "audio,rgb", out=folder / "data", progress=None)
    store = folder / "store"
    for method in ("joint", "sample"):
        place = {"out": folder / method, "store": store, "experiment": "clips"}
        raymm.train(folder / "data", settings=SHORT, method=method, progress=None, **place)
    arms = {"plain": {"method": "joint"}, "dropped": {"method": "dropout"}}
    place = {"out": folder / STUDY, "store": store, "experiment": STUDY}
    raymm.study(folder / "data", arms, seeds=[0], lanes=1, settings=SHORT, pages=True, progress=None, **place)


@dataclass(frozen=True)
class Shown:
    """A store in the UI: where its pictures go, and MLflow's names of experiments, the sweep, its trials, runs."""

    ui: MlflowUi
    folder: Path
    experiment: str
    sweep: str
    trials: list[str]
    clips: str
    study: str
    runs: dict[str, str]

    def photograph(self, name: str) -> None:
        self.ui.browser.screenshot(self.folder / f"{name}.png")

    def printed(self) -> dict[str, str]:
        """What `raymm ui` printed: names and addresses."""
        lines = (self.folder / "ui.log").read_text().split(" (Ctrl-C")[0].splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The browser comes first, so that nothing is written where there is none."""
    first, folder = tmp_path_factory.mktemp("first") / "made", tmp_path_factory.mktemp("moved") / "here"
    sweep, trials = write_sweep(local_store(first / "store"), first)
    write_run(first)
    shutil.move(first, folder)
    with serve(folder / "store", folder) as url:
        client = MlflowClient(local_store(folder / "store")[0])
        names = (EXPERIMENT, "clips", STUDY)
        digits, clips, study = (client.get_experiment_by_name(name).experiment_id for name in names)
        runs = {run.info.run_name: run.info.run_id for run in client.search_runs([clips, study])}
        yield Shown(MlflowUi(browser, url), folder, digits, sweep, trials, clips, study, runs)


GENAI = ("Evaluation", "Judges", "Prompts")
"""Entries of MLflow's menus for language models."""


def test_a_new_browser_opens_on_the_newest_experiment_and_on_training(shown: Shown):
    browser, url = shown.ui.browser, shown.ui.url
    browser.open(url)
    browser.see("3 matching runs", "test/accuracy", "phi/test_audio", STUDY)
    shown.photograph("front")
    assert not [name for name in GENAI if name in browser.text()]
    shown.ui.open_run(shown.clips, shown.runs["joint"])  # its address says nothing of training
    browser.see("Method joint on data", "Model training")
    assert not [name for name in GENAI if name in browser.text()]
    browser.open(f"{url}/#/")
    browser.see("Model training")
    assert browser.js("location.hash") == "#/"
    shown.photograph("home")


def test_what_a_reader_chooses_stays(shown: Shown):
    browser = shown.ui.browser
    browser.open(f"{shown.ui.url}/#/experiments/{shown.clips}/runs")
    browser.see("Model training", "GenAI")
    browser.click("button, [role=radio], label, span", "GenAI")
    browser.wait("localStorage.getItem('mlflow.workflowType_v1') === '\"genai\"'")
    browser.open(shown.ui.url)
    assert browser.js("localStorage.getItem('mlflow.workflowType_v1')") == '"genai"'
    browser.js("localStorage.removeItem('mlflow.workflowType_v1')")


def test_a_study_says_its_data_and_report_and_its_arms_what_a_run_does(shown: Shown):
    browser = shown.ui.browser
    shown.ui.open_run(shown.study, shown.runs[STUDY])
    browser.see("Study of 2 arms on data, 1 seed each", "Compare the runs", "data (", "Finished", "Child runs")
    browser.see("dropped against plain", "in one pair: no interval", "runs/finished")
    browser.see("data plain seed 0", "data dropped seed 0")
    shown.photograph("study")
    browser.open(browser.js("[...document.links].find(link => link.innerText === 'Compare the runs').href"))
    browser.see("2 matching runs", "phi of each modality (validation)")
    shown.photograph("arms")
    arm = shown.runs["data dropped seed 0"]
    shown.ui.open_run(shown.study, arm)
    browser.see("Arm dropped of arms on data", "data (", "Finished", "test/accuracy", "study.arm")
    shown.photograph("arm")
    shown.ui.open_run(shown.study, arm, "system-metrics")
    browser.see("cpu_utilization_percentage", "system_memory_usage_percentage")
    shown.ui.open_run(shown.study, arm, "artifacts/report.html")
    browser.wait("document.querySelector('iframe') !== null")
    shown.ui.open_run(shown.study, shown.runs[STUDY], "artifacts/report/report.html")
    browser.wait("document.querySelector('iframe') !== null")
    shown.photograph("study-report")


def test_runs_open_on_scores_contributions_method_and_rows(shown: Shown):
    browser = shown.ui.browser
    browser.open(shown.printed()["clips"])
    browser.see(
        "2 matching runs", "Model training", "method.name", "best/accuracy", "test/accuracy", "phi/test_audio"
    )
    browser.see("phi/test_rgb", "rows/total", "Table of runs", "Charts", "joint", "sample")
    shown.photograph("runs")
    clipped = browser.js(
        "[...document.querySelectorAll('.ag-header-cell *')].filter(n => n.innerText && n.scrollWidth > n.clientWidth"
        " && getComputedStyle(n).textOverflow === 'ellipsis').map(n => n.innerText.trim())"
    )
    assert not [name for name in clipped if "/" in name]


def test_charts_have_all_modalities_in_one_and_count_epochs_from_1(shown: Shown):
    browser = shown.ui.browser
    browser.open(shown.printed()["clips, charts"])
    browser.see("phi of each modality (validation)", "Loss: training and validation", "phi/val_audio", "phi/val_rgb")
    browser.wait("document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= 4")
    shown.photograph("phi")
    ticks = browser.js("[...document.querySelectorAll('.js-plotly-plot')].flatMap(p => p.data[0].x || [])")
    assert {1, 2} <= set(ticks)
    assert 0 not in ticks


def test_a_run_says_its_data_model_and_pages(shown: Shown):
    browser = shown.ui.browser
    shown.ui.open_run(shown.clips, shown.runs["joint"])
    browser.see("Method joint on data", "which modality is under-used", "data (", "Finished", "raymm-model")
    shown.photograph("run")
    shown.ui.open_run(shown.clips, shown.runs["joint"], "system-metrics")
    browser.see("cpu_utilization_percentage", "system_memory_usage_percentage")
    shown.photograph("system")
    shown.ui.open_run(shown.clips, shown.runs["joint"], "artifacts/samples/lowest-rgb.json")
    browser.see("rank", "expected phi", "picture")
    browser.wait("[...document.images].filter(i => i.src.includes('artifact') && i.naturalWidth > 40).length")
    shown.photograph("lowest")
    shown.ui.open_run(shown.clips, shown.runs["joint"], "artifacts/report.html")
    browser.wait("document.querySelector('iframe') !== null")
    shown.photograph("report")


def test_the_model_page_says_what_goes_in(shown: Shown):
    browser = shown.ui.browser
    browser.open(f"{shown.ui.url}/#/experiments/{shown.clips}/models")
    browser.see("raymm-model", "Ready", "joint", "sample")
    shown.photograph("models")
    browser.click("a", "raymm-model")
    browser.see("Ready", "test/accuracy", "data", "optimizer.lr", "Method", "48 samples")
    shown.photograph("model")


def test_the_address_that_the_command_prints_leads_to_the_sweep_and_below_it_its_trials(shown: Shown):
    browser, url = shown.ui.browser, shown.ui.url
    printed = (shown.folder / "ui.log").read_text().splitlines()
    assert f"{url} (Ctrl-C ends it)" in printed
    assert shown.printed()[EXPERIMENT].startswith(f"{url}/#/experiments/{shown.experiment}/runs?")
    browser.open(shown.printed()[EXPERIMENT])
    browser.see("6 matching runs", SWEEP)
    assert "Evaluation" not in browser.text()  # of language models
    shown.photograph("experiment")
    names = [name_of(number) for number in range(len(SPACE))]
    assert not any(name in browser.text() for name in names)
    shown.ui.expand()
    browser.see(*names)
    shown.photograph("trials")
    shown.ui.expand()
    browser.wait(f"!document.body.innerText.includes({names[0]!r})")
    browser.see(SWEEP)


def test_the_sweep_says_what_is_best_and_leads_to_charts_of_its_trials_best_first(shown: Shown):
    browser = shown.ui.browser
    shown.ui.open_run(shown.experiment, shown.sweep)
    browser.see("Best of 5 trials on digits: 2 sample tanh 0.5, 0.796 on validation.", "Finished")
    browser.see("best/accuracy", "trials/finished", "raymm.best_trial: 2".replace(": ", "\n: "))
    browser.see("Child runs", *map(name_of, range(len(SPACE))))
    shown.photograph("sweep")
    browser.open(browser.js("[...document.links].find(link => link.innerText === 'Compare the trials').href"))
    browser.see("5 matching runs", "phi of each modality (validation)", "phi/val_audio")
    browser.wait("document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= 10")
    shown.photograph("charts")
    text = browser.text()
    assert SWEEP not in text
    ranking = [text.index(name_of(number)) for number in np.argsort(np.negative(GAINS))]
    assert ranking == sorted(ranking)


def test_trials_are_compared_by_what_differs_side_by_side(shown: Shown):
    browser = shown.ui.browser
    shown.ui.open_compare(shown.experiment, shown.trials)
    browser.see("Comparing 5 Runs from 1 Experiment", "training.batch_size")
    shown.photograph("compared")
    axes = browser.wait("[...document.querySelectorAll('.parcoords .axis-title')].map(n => n.textContent)")
    assert axes[-1] == "val/accuracy"
    browser.click("[role=switch]", "Parameters - Show diff only")
    browser.wait("!document.body.innerText.includes('training.batch_size')")
    shown.photograph("compared-settings")
    rows = {row[0]: row[1:] for row in browser.cells("tr", "th, td")}
    assert rows["Run Name:"] == [name_of(number) for number in range(len(SPACE))]
    assert rows["method.name"] == ["joint", "sample", "sample", "sample", "modality"]
    assert rows["method.settings.fs.family"] == ["", "linear", "tanh", "tanh", ""]
    assert rows["method.settings.fs.rate"] == ["", "", "0.5", "2.0", ""]
    assert rows["method.settings.fm.steps"] == ["", "", "", "", "4"]
    assert "optimizer.lr" not in rows
    metrics = {row[0]: row[1:] for row in shown.ui.metrics_compared()}
    assert metrics["val/accuracy"] == ["0.689", "0.738", "0.796", "0.767", "0.718"]
    assert metrics["phi/val_audio"] == ["1.5", "1.354", "1.179", "1.267", "1.412"]
    shown.photograph("compared-metrics")


def test_the_summary_of_a_sweep_opens_as_text_table_and_plot(shown: Shown):
    browser = shown.ui.browser
    shown.ui.open_run(shown.experiment, shown.sweep, "artifacts/summary/summary.md")
    browser.see("5 trials by val/accuracy on validation, mean over seeds.", "Strategies and families")
    assert "| trial |" not in browser.text()
    shown.photograph("summary")
    shown.ui.open_run(shown.experiment, shown.sweep, "artifacts/summary/parameters.png")
    with Image.open(shown.folder / "sweep" / "summary" / "parameters.png") as plot:
        width, height = plot.size
    browser.wait(f"[...document.images].some(i => i.naturalWidth === {width} && i.naturalHeight === {height})")
    shown.photograph("plot")
    shown.ui.open_run(shown.experiment, shown.sweep, "artifacts/summary/trials.csv")
    browser.see("Previewing the first 5 rows", "method.settings.fs.family", row_of(2).key)
    shown.photograph("table")


def test_a_trial_shows_its_curves(shown: Shown):
    browser = shown.ui.browser
    shown.ui.open_run(shown.experiment, shown.trials[2], "model-metrics")
    browser.see("val_audio", "val_rgb", "rows")
    browser.wait("document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length >= 6")
    shown.photograph("curves")
