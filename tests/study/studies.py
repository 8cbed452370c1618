"""Small studies for tests, whose runs are trained in this process or in lanes."""

import json
from dataclasses import dataclass, field

from raymm.storage import sha256_of
from raymm.study.driver import run_study
from raymm.study.session import Silent
from raymm.study.settings import parse_study
from raymm.study.store import create_or_open
from raymm.training.lane_errors import LaneLostError
from raymm.training.whole_runs import train_folder
from tests.games import untimed

__all__ = ["SETTINGS", "Events", "HereLane", "run_here", "study_of", "told"]

SETTINGS = {
    "training": {"epochs": 4, "batch_size": 32, "threads": 1},
    "method": {"warmup": 1},
    "optimizer": {"lr": 0.005},
    "model": {"feature_size": 16, "encoder": {"width": 8}},
}


@dataclass
class HereLane:
    """A lane that is this process; it is lost as often as a test wants, each time after one epoch more."""

    losses: int = 0
    started: bool = True
    trained: list = field(default_factory=list)

    def train(self, path, until):
        self.trained.append(path)
        if self.losses:
            self.losses -= 1
            train_folder(path, 1)
            raise LaneLostError("SIGKILL")
        return train_folder(path, until)

    def close(self):
        return None


@dataclass
class Events(Silent):
    """A callback that remembers."""

    setups: list = field(default_factory=list)
    ended: list = field(default_factory=list)

    def on_setup(self, text):
        self.setups.append(text)

    def on_run_end(self, job, cause, seconds):
        assert seconds >= 0
        self.ended.append((job.kind, job.data, job.arm, job.seed, cause))


def study_of(path, datasets, arms, **more):
    """A study of data sets by name."""
    settings = {"data": {name: str(dataset.path) for name, dataset in datasets.items()}, "arms": arms}
    return create_or_open(path, parse_study({**settings, "seeds": [0, 1], "settings": SETTINGS, **more}))


def run_here(study, lane=None, events=None):
    """Run a study in this process."""
    return run_study(study, [lane or HereLane()], events or Events())


def told(folder):
    """What a finished study says of its runs, without what a clock measured: metrics, and the bits of models."""
    found = {}
    for file in sorted(folder.glob("runs/*/*/*/result/result.json")):
        content = json.loads(file.read_text())
        found[str(file.relative_to(folder))] = {
            "metrics": untimed(content["metrics"]),
            "history": [untimed(entry["metrics"]) for entry in content["history"]],
            "model": sha256_of(file.parent / "model" / "model.safetensors"),
        }
    return found
