"""Valuation against an oracle: games of known value, valued the way any data set is, compared with their formulas.

A trial values the samples of one data set with one model and one utility: the data set is on disk, the model is named
as "package.module:function", batches stream through this process or through actors, and the table is read back from
its Parquet file. Hard utilities must be equal, soft ones equal to 1e-6; of sampled values, 95 % intervals must hold
the truth in 93 to 97 % of all cases: in votes, where answers are right or wrong, also in those that everyone together
loses, of which often no winning coalition is drawn; and in products, which are smooth.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from raymm.data import Dataset
from raymm.errors import DataError, RaymmError
from raymm.models.valued import load_own
from raymm.valuation import ValuationTable, read_table
from raymm.valuation.engine import BATCHES_PER_BLOCK
from raymm.valuation.jobs import Stream, value_to_file
from raymm.valuation.sampling.designs import design
from raymm.valuation.sampling.estimator import margin_of_error
from tests.oracle.formulas import HARD, known, true_phi
from tests.oracle.games import CHANNEL_OF, GameSamples, sample_games, samples_on_disk

__all__ = [
    "ClaimError",
    "Comparison",
    "Coverage",
    "OracleTrial",
    "TrialResult",
    "check_claims",
    "compare",
    "cover",
    "run_trials",
    "trials",
]

PLAYERS = (2, 3, 4, 5, 6, 7, 8)
MANY = 14
"""Modalities of the trials that are sampled, and of one that is exact on the shortcut of sums."""

PER_GAME = 16
"""Samples of each game and channel in a data set."""

DESIGNS = 40
"""Sampling designs over which coverage is measured, where there are enough samples."""

BUDGETS = (16 * MANY, 512)
"""Coalitions of a sample: half of the default, nearly, and the default."""

SAMPLED = {"vote won": ("linear", "count"), "vote lost": ("linear", "count"), "product": ("summed", "logit")}
"""Games that are sampled, and by which model and utility."""

BAND = (0.93, 0.97)
"""Part of the cases in which 95 % intervals must hold the truth."""

TOLERANCE = 1e-6

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

StreamOf = Callable[[str], Stream]
"""`model -> stream`: in this process, or through actors that make the model of that name."""

Follow = Callable[[Iterable["OracleTrial"], int, str], Iterator["OracleTrial"]]
"""`(trials, total, what) -> trials`, shows how far it is."""


class ClaimError(RaymmError):
    """A comparison failed: what was computed is not what is true."""

    exit_code = 1


@dataclass(frozen=True)
class OracleTrial:
    """One valuation of one data set.

    Attributes
    ----------
    game_samples
        Name of the data set: "games", or of its one game where values are sampled.
    players
        Modalities.
    model
        Function of `tests.oracle.models`.
    utility
        What a coalition is worth.
    budget
        Coalitions of a sample where values are sampled; None where all are evaluated.
    """

    game_samples: str
    players: int
    model: str
    utility: str
    budget: int | None = None

    @property
    def name(self) -> str:
        """As its table is called."""
        method = "exact" if self.budget is None else f"sampled{self.budget}"
        return f"{self.game_samples}-n{self.players:02d}-{self.model}-{self.utility}-{method}"


@dataclass(frozen=True)
class TrialResult:
    """A trial with its outcome, phi [N, n] of each of its samples: by formula and as the table has it."""

    trial: OracleTrial
    game_samples: GameSamples
    truth: Array
    table: ValuationTable


@dataclass(frozen=True)
class Comparison:
    """How the values of one game in one channel compare.

    Attributes
    ----------
    trial, game, channel
        What was compared.
    samples, values
        How many samples, and how many contributions of theirs.
    unequal
        Contributions that differ from the formula in any bit.
    largest
        Largest absolute difference; infinite where a contribution is missing that should be there, or the reverse.
    passed
        Whether hard utilities are equal, or soft ones equal to the tolerance.
    """

    trial: OracleTrial
    game: str
    channel: str
    samples: int
    values: int
    unequal: int
    largest: float
    passed: bool


@dataclass(frozen=True)
class Coverage:
    """How honest the standard errors of a sampled trial are.

    Attributes
    ----------
    values
        Contributions, without those that are stated to be exact and are.
    by_design
        Part of them within their 95 % interval, one a design [designs].
    share, error
        The same over all values, and the standard error of that share over designs (NaN for one design).
    rmse, stderr
        Root mean squares of the errors made and of the errors stated.
    silent
        Part of the values that are stated to be exact and are not; their intervals do not hold the truth.
    passed
        Whether the share lies in the band.
    """

    trial: OracleTrial
    values: int
    by_design: Array
    share: float
    error: float
    rmse: float
    stderr: float
    silent: float
    passed: bool


def trials() -> list[OracleTrial]:
    """All trials, model by model: every utility by some way that a model offers, for 2 to 8 modalities and for 14."""
    ways = [("linear", "count"), ("fused", "count"), ("summed", "correct"), ("summed", "logit"), ("linear", "margin")]
    ways += [("fused", "probability"), ("summed", "log_probability")]
    exact = [OracleTrial("games", n, model, utility) for n in PLAYERS for model, utility in ways]
    exact += [OracleTrial("games", MANY, model, utility) for model, utility in ways if model != "fused"]
    sampled = [OracleTrial(game, MANY, *SAMPLED[game], budget) for game in SAMPLED for budget in BUDGETS]
    return sorted(exact + sampled, key=lambda trial: trial.model)


def run_trials(
    out: Path,
    chosen: Sequence[OracleTrial],
    samples: int,
    seed: int,
    actors: int,
    stream_of: StreamOf,
    follow: Follow,
) -> list[TrialResult]:
    """Value all trials; data sets go to OUT/data, tables to OUT/tables. What is there already is not valued again.

    Parameters
    ----------
    samples
        Samples of each trial that is sampled.
    seed
        Decides the games.
    actors
        Valuation actors, where the stream is one of actors.
    stream_of
        Where the work is done.
    follow
        Shows how far it is.

    Raises
    ------
    DataError
        When a table has not exactly one row a sample.
    """
    data_sets: dict[tuple[str, int], tuple[GameSamples, Dataset]] = {}
    results = []
    for trial in follow(chosen, len(chosen), "playing games"):
        key = (trial.game_samples, trial.players)
        if key not in data_sets:
            game_samples = _sample(*key, samples, seed)
            folder = out / "data" / f"{trial.game_samples}-n{trial.players:02d}-seed{seed}-{len(game_samples)}"
            data_sets[key] = (game_samples, samples_on_disk(folder, game_samples))
        results.append(
            _run_trial(out / "tables" / f"{trial.name}.parquet", trial, *data_sets[key], actors, stream_of)
        )
    return results


def compare(results: TrialResult) -> list[Comparison]:
    """Compare an exact trial with the formulas, game by game."""
    trial, game_samples = results.trial, results.game_samples
    found = []
    for game, channel in sorted(set(zip(game_samples.game.tolist(), game_samples.channel.tolist(), strict=True))):
        rows = (game_samples.game == game) & (game_samples.channel == channel)
        truth, phi = results.truth[rows], results.table.phi[rows]
        largest = _largest(truth, phi)
        there = ~np.isnan(truth)
        unequal = int((truth != phi)[there].sum()) + int((np.isnan(phi) != ~there).sum())
        passed = unequal == 0 if trial.utility in HARD else largest <= TOLERANCE
        found.append(Comparison(trial, game, channel, int(rows.sum()), int(there.sum()), unequal, largest, passed))
    return found


def cover(results: TrialResult) -> Coverage:
    """How often the intervals of a sampled trial hold the truth, design by design."""
    trial, table = results.trial, results.table
    assert trial.budget is not None
    width = margin_of_error(design(trial.players, trial.budget, 0).errors.dof)
    wrong = np.abs(table.phi - results.truth)
    silent = (table.stderr == 0) & (wrong > TOLERANCE)
    counted = (table.stderr > 0) | silent
    inside = wrong <= width * table.stderr
    block = np.arange(len(table)) // (_batch_size(len(table)) * BATCHES_PER_BLOCK)
    by_design = np.array([_mean(inside[rows], counted[rows]) for rows in (block == k for k in range(block[-1] + 1))])
    share = _mean(inside, counted)
    return Coverage(
        trial=trial,
        values=int(counted.sum()),
        by_design=by_design,
        share=share,
        error=float(by_design.std(ddof=1) / np.sqrt(len(by_design))) if len(by_design) > 1 else float("nan"),
        rmse=_mean(wrong**2, counted) ** 0.5,
        stderr=_mean(table.stderr**2, counted) ** 0.5,
        silent=_mean(silent, counted),
        passed=BAND[0] <= share <= BAND[1],
    )


def check_claims(comparisons: Sequence[Comparison], coverages: Sequence[Coverage]) -> None:
    """Return when every comparison passed.

    Raises
    ------
    ClaimError
        With the number of comparisons that failed and the first of them.
    """
    failed = [
        f"game '{one.game}' in channel '{one.channel}', n={one.trial.players}, {one.trial.model} model, utility "
        f"'{one.trial.utility}': {one.unequal} of {one.values} contributions differ from the formula, by at most "
        f"{one.largest:.3g}"
        for one in comparisons
        if not one.passed
    ]
    failed += [
        f"game '{one.trial.game_samples}', n={one.trial.players}, budget {one.trial.budget}, utility "
        f"'{one.trial.utility}': 95 % intervals hold the truth in {100 * one.share:.1f} % of {one.values} cases, "
        f"not in {100 * BAND[0]:.0f} to {100 * BAND[1]:.0f} %"
        for one in coverages
        if not one.passed
    ]
    if failed:
        total = len(comparisons) + len(coverages)
        raise ClaimError(f"{len(failed)} of {total} comparisons failed; the first: {failed[0]}")


def _sample(name: str, players: int, samples: int, seed: int) -> GameSamples:
    if name in SAMPLED:
        channel = "product" if name == "product" else "linear"
        return sample_games(players, {(name, channel): samples}, seed, missing=0.0, spread=0.5)
    return sample_games(
        players, {(game, channel): PER_GAME for channel, games in CHANNEL_OF.items() for game in games}, seed
    )


def _run_trial(
    path: Path, trial: OracleTrial, game_samples: GameSamples, dataset: Dataset, actors: int, stream_of: StreamOf
) -> TrialResult:
    spec = f"tests.oracle.models:{trial.model}"
    settings: dict[str, str | int | bool] = {"utility": trial.utility, "method": "exact"}
    if trial.budget is not None:
        settings |= {
            "method": "sampled",
            "budget": trial.budget,
            "refine": False,
            "batch_size": _batch_size(len(game_samples)),
        }
    rows = np.flatnonzero(
        known(game_samples, trial.utility) & ((trial.model != "linear") | (game_samples.channel == "linear"))
    )
    job = load_own(spec, dataset, "test", settings).on_cluster(actors=actors, workers=1)
    job = replace(job, rows=rows)
    if path.exists():
        table = read_table(path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = value_to_file(job, stream_of(spec), path, lambda shards, _: shards)
    if table.sample_id.tolist() != dataset.shards.sample_id[rows].tolist():
        raise DataError(
            f"{path}: {len(table)} rows, which are not the {len(rows)} samples in their order, one row each"
        )
    some = game_samples.some(rows)
    return TrialResult(trial, some, true_phi(some, trial.utility), table)


def _batch_size(samples: int) -> int:
    """Samples of a batch, so that the blocks of a sampled trial make about `DESIGNS` designs."""
    return max(1, round(samples / (DESIGNS * BATCHES_PER_BLOCK)))


def _largest(truth: Array, phi: Array) -> float:
    """Largest difference where both are known; infinite where only one is."""
    if (np.isnan(truth) != np.isnan(phi)).any():
        return float("inf")
    return float(np.nan_to_num(np.abs(truth - phi)).max(initial=0.0))


def _mean(values: npt.NDArray[np.generic], where: npt.NDArray[np.bool_]) -> float:
    """Mean where there is something to count; NaN elsewhere."""
    kept = values[where].astype(np.float64)
    return float(kept.mean()) if len(kept) else float("nan")
