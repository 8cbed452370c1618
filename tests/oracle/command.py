"""`raymm study oracle`: values games of known value through the whole path and compares them with their formulas."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import FOLDER, backend_option, experiment_option
from raymm.cli.progress import follow

if TYPE_CHECKING:
    from raymm.cluster.valuation_pool import ActorPool
    from raymm.tracking import Tracker
    from raymm.valuation.jobs import Stream
    from tests.oracle.record import OracleRun
    from tests.oracle.report import Outcome
    from tests.oracle.study import OracleTrial, StreamOf

__all__ = ["oracle"]


@click.command(epilog="Example: raymm study oracle --out oracle --actors 2")
@click.option("--out", type=FOLDER, required=True, help="Folder to write; an unfinished study there goes on.")
@backend_option
@click.option("--actors", type=click.IntRange(1), default=2, show_default=True, help="Ray valuation actors.")
@click.option(
    "--samples",
    type=click.IntRange(100),
    default=10_000,
    show_default=True,
    help="Samples of each trial that is sampled; with fewer, coverage may leave its band by chance.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the games.")
@click.option("--store", type=FOLDER, default="mlflow", show_default=True, help="Folder of the local MLflow store.")
@experiment_option
@click.option("--json", "as_json", is_flag=True, help="Print every comparison as JSON.")
def oracle(
    out: Path, backend: str, actors: int, samples: int, seed: int, store: Path, experiment: str, as_json: bool
) -> None:
    """Value games of known value and compare with their formulas.

    Hard utilities must be equal in every bit, soft ones to 1e-6, and 95 % intervals of sampled votes must hold the
    truth in 93 to 97 % of all cases. The exit code is 1 where one of them fails.
    """
    from raymm.tracking import ending
    from raymm.tracking.mlflow import MlflowTracker, store_of
    from tests.oracle.record import open_folder, oracle_info
    from tests.oracle.report import csv_rows, lines
    from tests.oracle.study import check_claims, trials

    run = open_folder(out, samples, seed)
    uri, artifacts = store_of(store)
    tracker = MlflowTracker(uri, out, artifacts)
    tracker.start(oracle_info(run, out, experiment, trials(), backend))
    with ending(tracker.finish):
        outcome = _compared(out, run, backend, actors, tracker)
        if as_json:
            click.echo(json.dumps([_finite(row) for row in csv_rows(outcome)]))
        else:
            click.echo("\n".join(lines(outcome)))
            click.echo(f"wrote {out / 'README.md'}; see also `raymm ui --store {store}`")
        check_claims(outcome.comparisons, outcome.coverages)


def _compared(out: Path, run: "OracleRun", backend: str, actors: int, tracker: "Tracker") -> "Outcome":
    """Play all trials, compare, write the report and record it."""
    from tests.oracle.record import record_oracle
    from tests.oracle.report import Outcome, write_report
    from tests.oracle.study import compare, cover, run_trials, trials

    with _streams(backend, actors) as stream_of:
        results = run_trials(out, trials(), run.samples, run.seed, actors, stream_of, _follow)
    exact = [comparison for one in results if one.trial.budget is None for comparison in compare(one)]
    outcome = Outcome(exact, [cover(one) for one in results if one.trial.budget is not None])
    paths = write_report(out, outcome, results, shlex.join(["raymm", *sys.argv[1:]]))
    record_oracle(tracker, outcome, paths)
    return outcome


@contextmanager
def _streams(backend: str, actors: int) -> "Iterator[StreamOf]":
    """Where the work is done: this process, or actors of a cluster, which are started anew for each model."""
    if backend == "local":
        from raymm.valuation.engine import stream_rows

        yield lambda _: stream_rows
        return
    from raymm.cluster.connect import connect
    from raymm.cluster.valuation_pool import ActorPool
    from raymm.config import ClusterConfig

    pools: dict[str, ActorPool] = {}

    def stream_of(model: str) -> "Stream":
        if model not in pools:
            _close(pools)
            pools[model] = ActorPool(actors, model, label="oracle")
        return pools[model].stream

    with connect(ClusterConfig(workers=1, actors=actors)):
        try:
            yield stream_of
        finally:
            _close(pools)


def _close(pools: "dict[str, ActorPool]") -> None:
    for pool in pools.values():
        pool.close()
    pools.clear()


def _follow(trials: "Iterable[OracleTrial]", total: int, what: str) -> "Iterator[OracleTrial]":
    return follow(trials, total, what)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in row.items()}
