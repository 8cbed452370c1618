"""Parts from outside raymm train on two Ray workers, are valued by actors, swept, killed and resumed, and served.

Everything is started as a person starts it, in processes of their own whose current folder holds the package; the
workers of a Ray that knows nothing of it must find the parts by themselves. This test closes the door on changes that
would close a seam.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from safetensors.torch import load_file

from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.valuation import read_table
from tests.guests import guest

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
CLASSES = ("low", "middle", "high")
EPOCHS = 4
SETTINGS = {
    "training": {"epochs": EPOCHS, "batch_size": 16, "threads": 1},
    "optimizer": {"lr": 0.01},
    "model": {
        "feature_size": 8,
        "encoders": {"taps": {"name": "rates", "hidden": 8}, "pose": {"width": 4}},
        "fusion": {"name": "committee", "temperature": 0.5},
    },
    "method": {
        "name": "balance",
        "warmup": 1,
        "settings": {"momentum": 0.5, "fs": {"family": "smooth", "height": 2.5}},
    },
    "valuation": {"utility": "triple"},
    "cluster": {"workers": 2, "actors": 1},
}
SPACE = """
from ray import tune

def space():
    return {
        "method.name": tune.grid_search(["multitask_alone", "partpack.multitask:MultiTask"]),
        "method.settings.alpha": 0.5,
    }
"""
PREDICT = """
import json, sys
from raymm.data import open_dataset
from raymm.models.predictor import load

dataset = open_dataset(sys.argv[2])
rows = dataset.rows("test")
columns = {name: list(dataset.shards.read(name, rows)) for name in dataset.schema.names}
print(json.dumps(load(sys.argv[1]).predict(columns)))
"""


@dataclass(frozen=True)
class House:
    """The current folder of all commands, and where the plug-in that is a file lies."""

    folder: Path
    file: Path
    env: dict[str, str]

    @property
    def plugins(self):
        return ("--plugins", f"partpack,{self.file}")

    def start(self, *words):
        command = [sys.executable, *[str(word) for word in words]]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    def run(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, f"{' '.join(map(str, words))}\n{out}\n{err}"
        return out

    def raymm(self, *words):
        return self.run("-m", "raymm", *words)

    def train(self, out):
        return ("train", "--data", "DATA", "--out", out, "--config", "settings.yaml", *self.plugins)


@pytest.fixture(scope="module")
def house(ray_local, tmp_path_factory, bring):
    import ray

    folder = tmp_path_factory.mktemp("house")
    file = bring(folder, folder / "elsewhere")
    (folder / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    (folder / "space.py").write_text(SPACE)
    (folder / "predict.py").write_text(PREDICT)
    write_collection(folder)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    made = House(folder, Path(file), env)
    kinds = "taps=partpack.events:Events,pose:vector"
    made.raymm(
        *("prepare", "--manifest", "labels.csv", "--media-root", "media", "--modalities", kinds, "--out", "DATA"),
        *("--classes", ",".join(CLASSES), "--set", "taps.bins=4"),
        *("--task", "partpack.ordinal:Ordinal", "--task-setting", "tolerance=1"),
    )
    with guest(folder):  # here, for the tables; Ray runs already, and other processes have their own paths
        yield made


def write_collection(folder):
    """90 samples: the number of taps, and the first number of the pose, rise with the class."""
    media, generator = folder / "media", np.random.default_rng(0)
    media.mkdir()
    lines = ["sample_id,taps,pose,label,split"]
    for number in range(90):
        level = number % 3
        times = np.sort(generator.random(2 + 4 * level + generator.integers(0, 3)))
        (media / f"{number}.csv").write_text("".join(f"{at:.4f},{1 + level}\n" for at in times))
        np.save(media / f"{number}.npy", generator.normal([1.5 * level, 0, 0, 0], 1).astype(np.float32))
        split = ("train", "train", "train", "val", "test")[number // 3 % 5]
        lines.append(f"s{number},{number}.csv,{number}.npy,{CLASSES[level]},{split}")
    (folder / "labels.csv").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def straight(house):
    house.raymm(*house.train("straight"))
    return house.folder / "straight"


def train_workers():
    """Processes of Ray Train, which are children of this process's Ray."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("RayTrainWorker" in part for part in process.cmdline()):
                found.append(process.pid)
    return found


def contents(run, epoch=EPOCHS):
    return {file.name: sha256_of(file) for file in epoch_folder(run, epoch).glob("*.safetensors")}


def history_of(run):
    return [entry["metrics"] for entry in json.loads((run / "result" / "result.json").read_text())["history"]]


def test_two_workers_train_with_all_of_them(house, straight):
    norms = load_file(epoch_folder(straight, EPOCHS) / "method.safetensors")["state.norms"]
    assert (norms > 0).all()
    assert len(norms) == 2
    history = history_of(straight)
    assert [metrics["rows/epoch"] > 54 for metrics in history] == [False, True, True, True]
    table = read_table(straight / "result" / "valuation-test.parquet")
    away = np.abs(table.prediction - table.label)
    result = json.loads((straight / "result" / "result.json").read_text())["metrics"]
    assert result["test/accuracy"] == (away <= 1).mean() > (away == 0).mean()


@pytest.mark.long
def test_a_run_that_was_killed_ends_like_one_that_was_not(house, straight):
    killed = house.folder / "killed"
    process = house.start("-m", "raymm", *house.train("killed"))
    workers = []
    while len(workers) < 2 or not committed_epochs(killed):
        assert process.poll() is None, process.communicate()
        workers = workers if len(workers) == 2 else train_workers()
        time.sleep(0.002)
    for pid in [*workers, process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert committed_epochs(killed)[-1] < EPOCHS
    house.raymm(*house.train("killed"))
    assert contents(killed) == contents(straight)
    assert contents(killed) != contents(straight, EPOCHS - 1)
    assert set(contents(killed)) >= {"model.safetensors", "method.safetensors", "plan.safetensors"}


def test_actors_value_with_the_utility_of_the_file(house, straight):
    words = ("--checkpoint", "straight", "--split", "test", "--out", "test.parquet", "--actors", 1)
    house.raymm("value", "--data", "DATA", *words)
    table = read_table(house.folder / "test.parquet")
    assert table.info.utility == "triple"
    _, taps, pose, both = (3 * table.correct()[:, code] * code.bit_count() for code in range(4))
    by_formula = np.stack([taps + both - pose, pose + both - taps], axis=1) / 2
    np.testing.assert_array_equal(table.phi, by_formula)
    np.testing.assert_array_equal(table.phi, read_table(straight / "result" / "valuation-test.parquet").phi)
    assert np.abs(table.phi).sum() > 0


@pytest.mark.long
def test_a_sweep_tries_methods_by_name_and_by_place(house):
    out = house.raymm(
        *("sweep", "--data", "DATA", "--space", "space.py", "--out", "sweep", "--trials", 1, "--json"),
        *("--config", "settings.yaml", *house.plugins, "--workers", 1, "--concurrent", 1),
        *("cluster.actors=0", "training.epochs=2"),
    )
    trials = json.loads(out.splitlines()[-1])["trials"]
    assert [trial["status"] for trial in trials] == ["finished", "finished"]
    assert trials[0]["score"] == trials[1]["score"]


def test_the_model_is_served_to_a_process_that_was_told_of_no_plugin(house, straight):
    answer = json.loads(house.run("predict.py", straight / "result" / "model", "DATA"))
    table = read_table(straight / "result" / "valuation-test.parquet")
    assert answer["prediction"] == [CLASSES[number] for number in table.prediction]
