"""What a sweep tries: drawn from a space beforehand, or proposed one by one by an optimiser that learns from scores.

Every proposal is written down (`raymm.sweep.store`) before Ray Tune hears of it, and is named by the
fingerprint of its canonical configuration: what does the same is tried once. After a stop, what was proposed and has
not ended is proposed again first, and an optimiser is told of all that has ended.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ray import tune
from ray.tune.search import Searcher
from ray.tune.search.sample import Domain
from ray.tune.search.variant_generator import generate_variants

from raymm.config import Config, flatten
from raymm.data import Dataset
from raymm.errors import ConfigError, Problems, messages_of
from raymm.sweep.runs import current_config, trial_rows
from raymm.sweep.space import resolve
from raymm.sweep.store import Sweep, Trial, key_of, missing, read_trials, write_trial
from raymm.training.run import problems_of, validate_run

__all__ = [
    "EXAMPLES",
    "GIVEN",
    "SCORE",
    "Proposals",
    "check_draws",
    "draw",
    "population",
    "proposals_of",
    "propose_all",
]

SCORE = "score"
"""The name under which trials report to Tune what is to be made as large as possible."""

GIVEN = ("sweep", "trial")
"""What Tune hands to a trial beside values that may change while it goes on."""

MOST_DRAWS = 20
"""Times as many draws as trials are asked for, to find that many that differ."""

EXAMPLES = 32
"""Draws of a space that stand for what an optimiser will choose of it."""

STUDY_METRIC = {"metric": SCORE, "mode": "max"}

Drawn = tuple[dict[str, Any], Config]


class Optimiser(Protocol):
    """Part of the interface of `ray.tune.search.Searcher`."""

    def suggest(self, trial_id: str) -> Any:
        """Values for one trial."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear of the score of one trial."""

    def learn(self, sampled: Mapping[str, Any], score: float) -> None:
        """Hear of values that it did not propose, and of their score."""


def draw(space: Mapping[str, Any], count: int, base: Config, seed: int, where: str = "space") -> list[Drawn]:
    """Configurations of a space that differ, always the same ones for a seed.

    Parameters
    ----------
    space
        As `load_space` returns it.
    count
        Draws of each point of the space's grid; a space without samplers has nothing to draw but its grid.
    base
        Settings that the space does not name.
    seed
        Decides the draws.
    where
        What the space is called in messages.

    Raises
    ------
    ConfigError
        When draws do not fit the other settings, with everything that does not.
    """
    found: dict[str, Drawn] = {}
    mistakes: dict[str, None] = {}
    random = np.random.RandomState(seed)
    grid = int(np.prod([len(value["grid_search"]) for value in space.values() if _is_grid(value)], initial=1))
    wanted = grid * count if any(isinstance(value, Domain) for value in space.values()) else grid
    for _ in range(count * MOST_DRAWS if wanted > grid else 1):
        for sampled in _points(space, random):
            try:
                config = resolve(base, sampled)
            except ConfigError as error:
                mistakes |= dict.fromkeys(messages_of(error))
                continue
            found.setdefault(key_of(config), (_plain(sampled), config))
            if len(found) == wanted:
                break
        if len(found) == wanted:
            break
    Problems(where, mistakes).raise_if_any(ConfigError)
    return list(found.values())


def check_draws(sweep: Sweep, space: Mapping[str, Any], dataset: Dataset) -> None:
    """Refuse a space of which a trial could not be run on this data, by trials that are drawn of it.

    Without an optimiser they are the trials of the sweep; an optimiser will choose others, for which they stand.

    Raises
    ------
    ConfigError
        With everything that is wrong, under the name of the space, or of the settings that all trials share.
    DataError
        When a split has no samples.
    """
    count = min(sweep.plan.trials, EXAMPLES) if sweep.plan.search == "optuna" else sweep.plan.trials
    configs = [config for _, config in draw(space, count, sweep.config, sweep.plan.seeds[0], sweep.plan.space)]
    found = [problems_of(config, dataset.schema) for config in configs]
    of_base = problems_of(sweep.config, dataset.schema)
    shared = [mistake for mistake in of_base if all(mistake in mistakes for mistakes in found)]
    Problems("configuration", shared).raise_if_any(ConfigError)
    Problems(sweep.plan.space, dict.fromkeys(chain.from_iterable(found))).raise_if_any(ConfigError)
    validate_run(configs[0], dataset)


def propose_all(sweep: Sweep, space: Mapping[str, Any]) -> list[Trial]:
    """Write down every trial of a sweep that needs no scores to choose them."""
    drawn = draw(space, sweep.plan.trials, sweep.config, sweep.plan.seeds[0], sweep.plan.space)
    return [write_trial(sweep, number, sampled, config) for number, (sampled, config) in enumerate(drawn)]


def proposals_of(sweep: Sweep, space: Mapping[str, Any]) -> "Proposals":
    """The proposals that a sweep still owes."""
    owed = missing(read_trials(sweep))
    return Proposals(sweep, owed, _optuna(sweep, space) if sweep.plan.search == "optuna" else None)


def population(sweep: Sweep, changing: Collection[str]) -> dict[str, Any]:
    """The trials that a sweep still owes as a space of Tune, which lets no searcher into population based training.

    Parameters
    ----------
    sweep
        Its trials are written down.
    changing
        Settings that the scheduler may change while a trial goes on; it must see their values.
    """
    settings = {trial.name: flatten(current_config(trial)) for trial in missing(read_trials(sweep))}
    values = {key: {name: of_trial[key] for name, of_trial in settings.items()} for key in changing}
    return {
        "sweep": str(sweep.path),
        "trial": tune.grid_search(list(settings)),
        **{key: tune.sample_from(partial(_value_of, of_trials)) for key, of_trials in values.items()},
    }


def _value_of(of_trials: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    return of_trials[config["trial"]]


class Proposals(Searcher):  # type: ignore[misc]
    """Gives Tune the key of one trial after the other.

    Parameters
    ----------
    sweep
        Where proposals are written down.
    owed
        Trials that were proposed and have not ended.
    optimiser
        Proposes the others; None when there are no others.
    """

    def __init__(self, sweep: Sweep, owed: list[Trial], optimiser: Optimiser | None = None) -> None:
        super().__init__(**STUDY_METRIC)
        self._sweep = sweep
        self._owed = deque(owed)
        self._optimiser = optimiser
        self._known = {trial.key: trial for trial in read_trials(sweep)}
        self._names: dict[str, str] = {}
        self._again: dict[str, Trial] = {}

    @property
    def count(self) -> int:
        """Trials that are left at most."""
        left = self._sweep.plan.trials - len(self._known) if self._optimiser is not None else 0
        return len(self._owed) + max(0, left)

    def suggest(self, trial_id: str) -> Any:
        """What one trial of Tune is to do, or that there is no more."""
        if self._owed:
            self._again[trial_id] = self._owed.popleft()
            return self._given(self._again[trial_id])
        trial = self._next(trial_id)
        return Searcher.FINISHED if trial is None else self._given(trial)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the optimiser, also of what it proposed before a stop."""
        if self._optimiser is None:
            return
        if trial_id in self._names:
            self._optimiser.on_trial_complete(self._names[trial_id], result, error=error)
        elif trial_id in self._again and SCORE in (result or {}):
            self._optimiser.learn(self._again[trial_id].sampled, (result or {})[SCORE])

    def save(self, checkpoint_path: str) -> None:
        """Leave an empty file for Tune: the sweep's folder has it all."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""

    def _given(self, trial: Trial) -> dict[str, Any]:
        return {"sweep": str(self._sweep.path), "trial": trial.name}

    def _next(self, trial_id: str) -> Trial | None:
        """A new proposal of the optimiser; one that was made before tells it the same score at once."""
        if self._optimiser is None or len(self._known) >= self._sweep.plan.trials:
            return None
        for attempt in range(MOST_DRAWS):
            name = trial_id if attempt == 0 else f"{trial_id}-{attempt}"
            sampled = self._optimiser.suggest(name)
            config = resolve(self._sweep.config, sampled)
            if key_of(config) in self._known:
                self._repeat(name, key_of(config))
                continue
            self._names[trial_id] = name
            trial = write_trial(self._sweep, len(self._known), _plain(sampled), config)
            self._known[trial.key] = trial
            return trial
        return None

    def _repeat(self, name: str, key: str) -> None:
        assert self._optimiser is not None
        row = next((row for row in trial_rows(self._sweep) if row.key == key), None)
        known = row is not None and row.score is not None
        self._optimiser.on_trial_complete(name, {SCORE: row.score} if known and row else None, error=not known)


def _points(space: Mapping[str, Any], random: np.random.RandomState) -> Iterator[dict[str, Any]]:
    """One draw at every point of the grid."""
    for _, sampled in generate_variants(dict(space), random_state=random):
        yield {key: sampled[key] for key in space}


def _plain(sampled: Mapping[str, Any]) -> dict[str, Any]:
    """Drawn values as JSON can hold them."""
    return {key: _plain(value) if isinstance(value, Mapping) else _number(value) for key, value in sampled.items()}


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_grid(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"grid_search"}


def _optuna(sweep: Sweep, space: Mapping[str, Any]) -> Optimiser:
    """Optuna's TPE over the space, told of everything that has ended."""
    try:
        import optuna  # noqa: PLC0415  (an optional extra)
        from ray.tune.search.optuna import OptunaSearch  # noqa: PLC0415
    except ImportError as cause:
        raise ConfigError(
            "--search optuna: the package is not there; install raymm with the extra 'optuna'"
        ) from cause
    grids = [key for key, value in space.items() if _is_grid(value)]
    if grids:
        raise ConfigError(
            f"--search optuna: {', '.join(grids)} is a grid, from which nothing is learnt; write tune.choice, "
            "or use --search random"
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fixed = {key: value for key, value in space.items() if not isinstance(value, Domain)}
    search = OptunaSearch(
        OptunaSearch.convert_search_space({key: value for key, value in space.items() if key not in fixed}),
        seed=sweep.plan.seeds[0],
        **STUDY_METRIC,
    )
    optimiser = _WithFixed(search, fixed)
    told = {trial.key: trial for trial in read_trials(sweep)}
    for row in trial_rows(sweep):
        if row.score is not None:
            optimiser.learn(told[row.key].sampled, row.score)
    return optimiser


class _WithFixed:
    """An optimiser of the samplers of a space, whose plain values are added to each proposal."""

    def __init__(self, search: Any, fixed: Mapping[str, Any]) -> None:
        self._search, self._fixed = search, fixed

    def suggest(self, trial_id: str) -> dict[str, Any]:
        return {**self._fixed, **self._search.suggest(trial_id)}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._search.on_trial_complete(trial_id, result, error)

    def learn(self, sampled: Mapping[str, Any], score: float) -> None:
        self._search.add_evaluated_point({key: sampled[key] for key in sampled if key not in self._fixed}, score)
