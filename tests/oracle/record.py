"""The folder of a comparison with the oracle, and what a tracker is told of it."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from raymm import __version__
from raymm.errors import DataError, Problems
from raymm.storage import write_json
from raymm.tracking import RunInfo, Tracker
from tests.oracle.report import Outcome, metrics
from tests.oracle.study import OracleTrial

__all__ = ["OracleRun", "open_folder", "oracle_info", "record_oracle"]

ABOUT = "study.json"
RESULT = "README.md"


@dataclass(frozen=True)
class OracleRun:
    """What decides the numbers of a study, and the key under which a tracker knows it."""

    samples: int
    seed: int
    key: str


def open_folder(out: Path, samples: int, seed: int) -> OracleRun:
    """Make the folder of a study, or open one that is unfinished to go on with it.

    Raises
    ------
    DataError
        When the folder holds something else, a study with other settings (naming each), or a finished one.
    """
    about = out / ABOUT
    if not about.exists():
        if out.exists() and any(out.iterdir()):
            raise DataError(f"{out}: not empty, and no study of raymm; choose another folder for --out")
        run = OracleRun(samples, seed, f"oracle-{uuid.uuid4().hex}")
        write_json(about, asdict(run))
        return run
    if (out / RESULT).exists():
        raise DataError(f"{out}: holds a finished study; choose another folder for --out, or remove it")
    try:
        run = OracleRun(**json.loads(about.read_text()))
    except (TypeError, ValueError) as cause:
        raise DataError(f"{about}: cannot be read ({cause}); choose another folder for --out") from cause
    problems = Problems(f"{out} holds another study; choose another folder for --out, or the same settings")
    for name, now in (("samples", samples), ("seed", seed)):
        if getattr(run, name) != now:
            problems.add(f"{name}: {getattr(run, name)} then, {now} now")
    problems.raise_if_any(DataError)
    return run


def oracle_info(run: OracleRun, out: Path, experiment: str, trials: Sequence[OracleTrial], backend: str) -> RunInfo:
    """How the study appears in a tracking store."""
    return RunInfo(
        key=run.key,
        name=f"oracle-{out.absolute().name}",
        experiment=experiment,
        params={
            "oracle.samples": run.samples,
            "oracle.seed": run.seed,
            "oracle.trials": len(trials),
            "oracle.players": ",".join(str(n) for n in sorted({trial.players for trial in trials})),
            "oracle.backend": backend,
        },
        tags={"raymm.kind": "oracle", "raymm.version": __version__, "raymm.run_dir": str(out.absolute())},
        description="Valuation of games of known value, compared with their formulas.",
    )


def record_oracle(tracker: Tracker, outcome: Outcome, paths: Sequence[Path]) -> None:
    """Send metrics, table, plot and summary of a study."""
    tracker.log_summary(metrics(outcome))
    for path in paths:
        tracker.log_artifact(path, "plots" if path.suffix == ".png" else "")
