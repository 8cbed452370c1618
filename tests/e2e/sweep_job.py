"""A sweep as people run it: submitted to a head node with a token, recorded by an MLflow server, its driver killed in
the middle, and finished by a second job.

    python -m tests.e2e.sweep_job --data DATA --out FOLDER --trials 12 --seeds 2
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mlflow.tracking import MlflowClient

from raymm.sweep.runs import trial_rows
from raymm.sweep.store import open_sweep, read_outcome, read_trials
from tests.head import RAY, Head, start_head
from tests.mlflow_ui import serve

__all__ = ["Outcome", "story"]

PATIENCE, ASK_EVERY = 1800.0, 20.0


@dataclass(frozen=True)
class Outcome:
    """What was there when the driver was killed, and in the end."""

    ended_first: dict[str, float]
    ended: dict[str, float]
    statuses: Counter
    rows: list
    parents: list
    children: list
    output: str


def story(head: Head, server: str, sweep: Path, arguments: list[str], kill_after: int = 1) -> Outcome:
    """Submit a sweep, kill its driver after some trials have ended, resume it in a second job, and look.

    Parameters
    ----------
    head, server
        Where jobs go, and the address of the MLflow server that they write to.
    sweep
        Folder of the sweep.
    arguments
        Further arguments of `raymm sweep`.
    kill_after
        Trials that end before the driver is killed.
    """
    job = ["python", "jobs/sweep.py"]
    code, output = head.submit(*job, "--out", str(sweep), *arguments, wait=False, MLFLOW_TRACKING_URI=server)
    assert code == 0, output
    wait_for(lambda: len(ended(sweep)) >= kill_after, f"{kill_after} trials", head, output)
    killed = drivers(sweep)
    assert killed, "the driver had ended before it could be killed\n" + logs_of(head, output)
    for number in killed:
        os.kill(number, signal.SIGKILL)
    while drivers(sweep):
        time.sleep(0.5)
    before = ended(sweep)
    code, output = head.submit(*job, "--resume", str(sweep), timeout=PATIENCE, MLFLOW_TRACKING_URI=server)
    assert code == 0, output
    made = open_sweep(sweep)
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("raymm").experiment_id
    runs = client.search_runs([experiment], f"tags.`raymm.key` LIKE '{made.key}%'", max_results=1000)
    parents = [run for run in runs if run.data.tags["raymm.kind"] == "sweep"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    statuses = Counter(read_outcome(trial).status for trial in read_trials(made))
    return Outcome(before, ended(sweep), statuses, trial_rows(made), parents, children, output)


def ended(sweep: Path) -> dict[str, float]:
    """Trials that have ended, and when that was written."""
    return {file.parent.name: file.stat().st_mtime for file in sweep.glob("trials/*/ended.json")}


def drivers(sweep: Path) -> list[int]:
    """Processes of the job that drives the sweep."""
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(maxsplit=2) for line in listing.splitlines() if f"jobs/sweep.py --out {sweep}" in line]
    return [int(number) for number, state, command in lines if not state.startswith("Z") and "submit" not in command]


def wait_for(there, what: str, head: Head, output: str) -> None:
    """Look often (the next trial may end soon, too); where it takes too long, or the job fails, say what it said."""
    job = job_of(output)
    began = asked = time.monotonic()
    while not there():
        if time.monotonic() - asked > ASK_EVERY:
            asked = time.monotonic()
            failed = "FAILED" in head.run(RAY, "job", "status", job)[1]
            if failed or asked - began > PATIENCE:
                raise AssertionError(f"waited for {what}\n" + logs_of(head, output))
        time.sleep(0.05)


def job_of(output: str) -> str:
    """The name of a job that was submitted."""
    return re.search(r"raysubmit_\w+", output)[0]


def logs_of(head: Head, output: str) -> str:
    """What a job said."""
    return head.run(RAY, "job", "logs", job_of(output))[1]


def main() -> None:
    """Run the story at its full size and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.sweep_job")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--space", default="tune_spaces/fs_fm.py")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("settings", nargs="*")
    given = parser.parse_args()
    store = given.out.absolute() / "mlflow"
    store.mkdir(parents=True)
    MlflowClient(f"sqlite:///{store / 'mlflow.db'}").search_experiments()
    arguments = ["--data", str(given.data.absolute()), "--space", given.space, "--trials", str(given.trials)]
    arguments += ["--seeds", str(given.seeds), "--scheduler", "asha", *given.settings]
    with serve(store, given.out) as server, start_head() as head:
        began = time.monotonic()
        outcome = story(head, server, given.out.absolute() / "sweep", arguments, given.trials // 3)
    print(outcome.output[-6000:])
    kept = {name: moment for name, moment in outcome.ended_first.items() if outcome.ended[name] == moment}
    print(
        json.dumps(
            {
                "trials": len(outcome.rows),
                "statuses": outcome.statuses,
                "ended before the driver was killed": len(outcome.ended_first),
                "of these left as they were": len(kept),
                "MLflow: sweeps": len(outcome.parents),
                "MLflow: trials": Counter(run.info.status for run in outcome.children),
                "minutes": round((time.monotonic() - began) / 60, 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
