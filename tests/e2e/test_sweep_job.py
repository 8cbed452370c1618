"""A submitted sweep whose driver is killed, and whose second job finishes exactly the trials that are missing."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.e2e.sweep_job import ended, story
from tests.games import small_dataset
from tests.mlflow_ui import serve

pytestmark = [pytest.mark.ray, pytest.mark.slow]

EPOCHS = 30
"""Workers stay from trial to trial: with a few epochs the second would end before the driver is killed."""

SETTINGS = [
    "method=sample",
    f"training.epochs={EPOCHS}",
    "training.batch_size=32",
    "training.threads=1",
    "method.warmup=1",
    "model.feature_size=16",
    "model.encoder.width=8",
    "cluster.workers=1",
    "cluster.actors=0",
]

SPACE = """
from ray import tune

def scales():
    return {"method.settings.fs.scale": tune.grid_search([0.5, 2.0])}
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A data set, a space of two trials, and a store."""
    folder = tmp_path_factory.mktemp("sweep")
    small_dataset(folder / "data")
    (folder / "scales.py").write_text(SPACE)
    (folder / "mlflow").mkdir()
    MlflowClient(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}").search_experiments()
    return folder


def options(given):
    return ["--data", str(given / "data"), "--space", str(given / "scales.py"), *SETTINGS]


@pytest.mark.long
def test_a_killed_driver_costs_no_trial_and_makes_none_twice(head, given):
    with serve(given / "mlflow", given) as server:
        outcome = story(head, server, given / "sweep", [*options(given), "--concurrent", "1"])
    assert outcome.statuses == {"finished": 2}
    assert len(outcome.ended_first) == 1
    assert {name: outcome.ended[name] for name in outcome.ended_first} == outcome.ended_first
    assert [run.info.status for run in outcome.parents] == ["FINISHED"]
    assert Counter(run.info.status for run in outcome.children) == {"FINISHED": 2}
    assert len({run.data.tags["raymm.trial"] for run in outcome.children}) == 2
    assert {row.epochs for row in outcome.rows} == {EPOCHS}
    scores = {run.data.tags["raymm.trial"]: run.data.metrics["score"] for run in outcome.children}
    assert scores == {str(row.number): pytest.approx(row.score) for row in outcome.rows}


@pytest.mark.long
def test_ctrl_c_keeps_what_has_ended_and_says_how_to_go_on(given):
    sweep = given / "interrupted"
    command = [
        str(Path(sys.executable).parent / "raymm"),
        "sweep",
        "--out",
        str(sweep),
        "--store",
        str(given / "own"),
        *options(given),
    ]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process that ignores it has children who do
    process = subprocess.Popen([*command, "--concurrent", "1", "--own-warmup"], stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    patience = time.monotonic() + 300
    while not (ended(sweep) and list(sweep.glob("trials/001-*/trial.log"))) and time.monotonic() < patience:
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert f"go on with: raymm sweep --resume {sweep}" in said
    assert "Traceback" not in said
    assert len(ended(sweep)) == 1
    client = MlflowClient(f"sqlite:///{given / 'own' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("raymm").experiment_id])
    assert Counter(run.info.status for run in runs)["RUNNING"] == 0
    stopped = [run for run in runs if run.data.tags.get("raymm.ended", "").startswith("interrupted")]
    assert {run.info.status for run in stopped} == {"KILLED"}
