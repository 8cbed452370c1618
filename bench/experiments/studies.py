"""Studies of an experiment: arms on data sets over seeds, in this process or in lanes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.experiments.inputs import Inputs
from bench.experiments.sets import SETTINGS
from raymm.study.driver import run_study
from raymm.study.jobs import Job
from raymm.study.lanes import Lane
from raymm.study.local_lanes import LocalLane
from raymm.study.results import RunRecord, StudyResults
from raymm.study.session import Silent
from raymm.study.settings import parse_study
from raymm.study.store import create_or_open
from raymm.training.whole_runs import train_folder

__all__ = ["runs_of", "study_of"]


def study_of(
    inputs: Inputs, name: str, data: Mapping[str, Any], arms: Mapping[str, Any], **asked: Any
) -> StudyResults:
    """Train the arms on the data sets, or what is missing of them, and read the results.

    Parameters
    ----------
    data
        Entries of `bench.experiments.sets` by name.
    arms
        Settings of each arm by its name.
    asked
        Other fields of `raymm.study.settings.StudySettings`, such as match.
    """
    values = {"title": name, "data": dict(data), "arms": dict(arms), "seeds": list(inputs.seeds)}
    study = create_or_open(inputs.work / name, parse_study({"settings": SETTINGS, **values, **asked}, name))
    lanes = _lanes(inputs, study.path)
    try:
        return run_study(study, lanes, _Printed())
    finally:
        for lane in lanes:
            lane.close()


def runs_of(results: StudyResults, data: str, arm: str) -> list[RunRecord]:
    """The runs of an arm on a data set, by seed."""
    return sorted((run for run in results.runs if (run.data, run.arm) == (data, arm)), key=lambda run: run.seed)


class _Here:
    """A lane that is this process."""

    started = True

    def train(self, path: Path, until: int | None) -> str:
        """Train the run of a folder."""
        return train_folder(path, until)

    def close(self) -> None:
        """Do nothing."""


def _lanes(inputs: Inputs, folder: Path) -> list[Lane]:
    if inputs.lanes == 1:
        return [_Here()]
    return [LocalLane(folder / "lanes" / f"lane-{number}.log") for number in range(inputs.lanes)]


@dataclass
class _Printed(Silent):
    """A line a run."""

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """Print it."""
        print(f"{job.label}  {cause or f'{seconds:.1f} s'}", flush=True)
