"""The trials of a sweep: drawn from a space in advance, or proposed one by one by an optimiser.

Every proposal is written (`raymm.sweep.store`) before Ray Tune gets it. Its key is the fingerprint of its canonical
configuration, so equal configurations are tried once. A resumed sweep proposes its pending trials first, and tells
the optimiser the scores of all trials that have ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ray import tune
from ray.tune.search import Searcher
from ray.tune.search.sample import Categorical, Domain, Float, Integer
from ray.tune.search.variant_generator import generate_variants

from raymm.config.base import flatten
from raymm.config.sections import Config
from raymm.errors import ConfigError, Problems, messages_of
from raymm.sweep.reported import AIM, SCORE
from raymm.sweep.runs import current_config, trial_row, trial_rows
from raymm.sweep.space import plain_value, resolve
from raymm.sweep.store import key_of, pending, read_outcome, read_trials, write_trial
from raymm.training.run import problems_of, validate_run

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.sweep.store import Sweep, Trial

__all__ = ["EXAMPLES", "Proposals", "check_draws", "draw", "population", "proposals_of", "propose_all", "write_all"]

MOST_DRAWS = 20
"""Times as many draws as trials are asked for, to find that many that differ."""

EXAMPLES = 32
"""Draws of a space that stand for what an optimiser will choose of it."""

Drawn = tuple[dict[str, Any], Config]


class Optimiser(Protocol):
    """Part of the interface of `ray.tune.search.Searcher`."""

    def suggest(self, trial_id: str) -> Any:
        """Values for one trial."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Receive the score of a trial that was suggested."""

    def learn(self, sampled: Mapping[str, Any], score: float) -> None:
        """Receive the score of values that were not suggested."""


def draw(space: Mapping[str, Any], count: int, base: Config, seed: int, where: str = "space") -> list[Drawn]:
    """Draw different configurations of a space; they are a function of the seed.

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
            found.setdefault(key_of(config), (plain_value(sampled), config))
            if len(found) == wanted:
                break
        if len(found) == wanted:
            break
    Problems(where, mistakes).raise_if_any(ConfigError)
    return list(found.values())


def check_draws(sweep: Sweep, space: Mapping[str, Any], dataset: Dataset) -> list[Drawn]:
    """Refuse a space of which a trial could not be run on this data, by trials that are drawn of it.

    Without an optimiser they are the trials of the sweep; an optimiser will choose others, for which they stand.

    Returns
    -------
    What was drawn.

    Raises
    ------
    ConfigError
        With everything that is wrong, under the name of the space, or of the settings that all trials share.
    DataError
        When a split has no samples.
    """
    count = min(sweep.settings.trials, EXAMPLES) if sweep.settings.search == "optuna" else sweep.settings.trials
    drawn = draw(space, count, sweep.config, sweep.settings.seeds[0], sweep.settings.space)
    tried: dict[str, list[str]] = {}
    found = [problems_of(config, dataset.schema, tried) for _, config in drawn]
    of_base = problems_of(sweep.config, dataset.schema, tried)
    shared = [mistake for mistake in of_base if all(mistake in mistakes for mistakes in found)]
    Problems("configuration", shared).raise_if_any(ConfigError)
    Problems(sweep.settings.space, dict.fromkeys(chain.from_iterable(found))).raise_if_any(ConfigError)
    validate_run(drawn[0][1], dataset)
    return drawn


def propose_all(sweep: Sweep, space: Mapping[str, Any]) -> list[Trial]:
    """Draw and write all trials of a sweep without an optimiser."""
    drawn = draw(space, sweep.settings.trials, sweep.config, sweep.settings.seeds[0], sweep.settings.space)
    return write_all(sweep, drawn)


def write_all(sweep: Sweep, drawn: Sequence[Drawn]) -> list[Trial]:
    """Write the trials of a sweep without an optimiser, which were drawn before."""
    return [write_trial(sweep, number, sampled, config) for number, (sampled, config) in enumerate(drawn)]


def proposals_of(sweep: Sweep, space: Mapping[str, Any]) -> Proposals:
    """The search algorithm of a sweep, for its pending trials."""
    pending_trials = pending(read_trials(sweep))
    return Proposals(sweep, pending_trials, _optuna(sweep, space) if sweep.settings.search == "optuna" else None)


def population(sweep: Sweep, changing: Collection[str]) -> dict[str, Any]:
    """The pending trials of a sweep as a space of Tune; population based training allows no search algorithm.

    Parameters
    ----------
    sweep
        Its trials are written.
    changing
        Settings that the scheduler may change during a trial; it must see their values.
    """
    settings = {trial.name: flatten(current_config(trial)) for trial in pending(read_trials(sweep))}
    values = {key: {name: of_trial[key] for name, of_trial in settings.items()} for key in changing}
    return {
        "sweep": str(sweep.path),
        "trial": tune.grid_search(list(settings)),
        **{key: tune.sample_from(partial(_value_of, of_trials)) for key, of_trials in values.items()},
    }


def _value_of(of_trials: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    return of_trials[config["trial"]]


class Proposals(Searcher):  # type: ignore[misc]
    """A search algorithm for Tune that gives it one trial after the other.

    Parameters
    ----------
    sweep
        Its folder gets the proposals.
    pending_trials
        Trials that were proposed before and have no outcome.
    optimiser
        Proposes new trials; None when all trials are written.
    """

    def __init__(self, sweep: Sweep, pending_trials: list[Trial], optimiser: Optimiser | None = None) -> None:
        super().__init__(**AIM)
        self._sweep = sweep
        self._pending = deque(pending_trials)
        self._optimiser = optimiser
        self._known = {trial.key: trial for trial in read_trials(sweep)}
        self._names: dict[str, str] = {}
        self._retried: dict[str, Trial] = {}

    @property
    def count(self) -> int:
        """Trials that are left at most."""
        left = self._sweep.settings.trials - len(self._known) if self._optimiser is not None else 0
        return len(self._pending) + max(0, left)

    def suggest(self, trial_id: str) -> Any:
        """The configuration of the next trial, or that there is no more."""
        if self._pending:
            self._retried[trial_id] = self._pending.popleft()
            return self._given(self._retried[trial_id])
        trial = self._next(trial_id)
        return Searcher.FINISHED if trial is None else self._given(trial)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass the score on to the optimiser, also of trials that it proposed before an interruption."""
        if self._optimiser is None:
            return
        if trial_id in self._names:
            self._optimiser.on_trial_complete(self._names[trial_id], result, error=error)
        elif trial_id in self._retried and SCORE in (result or {}):
            self._optimiser.learn(self._retried[trial_id].sampled, (result or {})[SCORE])

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file for Tune: the folder of the sweep holds the state."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""

    def _given(self, trial: Trial) -> dict[str, Any]:
        return {"sweep": str(self._sweep.path), "trial": trial.name}

    def _next(self, trial_id: str) -> Trial | None:
        """A new proposal of the optimiser; for one that was made before it gets the known score at once."""
        if self._optimiser is None or len(self._known) >= self._sweep.settings.trials:
            return None
        for attempt in range(MOST_DRAWS):
            name = trial_id if attempt == 0 else f"{trial_id}-{attempt}"
            sampled = self._optimiser.suggest(name)
            config = resolve(self._sweep.config, sampled)
            if key_of(config) in self._known:
                self._repeat(name, key_of(config))
                continue
            self._names[trial_id] = name
            trial = write_trial(self._sweep, len(self._known), plain_value(sampled), config)
            self._known[trial.key] = trial
            return trial
        return None

    def _repeat(self, name: str, key: str) -> None:
        assert self._optimiser is not None
        trial = self._known[key]
        outcome = read_outcome(trial)
        score = None if outcome is None else trial_row(self._sweep, trial, outcome, trial.searched).score
        self._optimiser.on_trial_complete(name, None if score is None else {SCORE: score}, error=score is None)


def _points(space: Mapping[str, Any], random: np.random.RandomState) -> Iterator[dict[str, Any]]:
    """One draw at every point of the grid."""
    for _, sampled in generate_variants(dict(space), random_state=random):
        yield {key: sampled[key] for key in space}


def _is_grid(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"grid_search"}


def _optuna(sweep: Sweep, space: Mapping[str, Any]) -> Optimiser:
    """Optuna's TPE over the space, with the scores of all trials that have ended."""
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
        OptunaSearch.convert_search_space(
            {key: _as_saved(value) for key, value in space.items() if key not in fixed}
        ),
        seed=sweep.settings.seeds[0],
        **AIM,
    )
    optimiser = _WithFixed(search, fixed)
    trials = {trial.key: trial for trial in read_trials(sweep)}
    _refuse_other_space(sweep, space, trials.values())
    for row in trial_rows(sweep):
        if row.score is not None:
            optimiser.learn(trials[row.key].sampled, row.score)
    return optimiser


def _refuse_other_space(sweep: Sweep, space: Mapping[str, Any], trials: Iterable[Trial]) -> None:
    """Refuse a space that cannot have drawn the trials of a sweep: an optimiser would learn nothing from them."""
    problems = Problems(
        f"{sweep.path} was made with another space than this; give that one by --space, or begin a new sweep"
    )
    for trial in trials:
        problems.extend(f"{key}: {words} (trial {trial.number})" for key, words in _others(trial.sampled, space))
    problems.raise_if_any(ConfigError)


def _others(sampled: Mapping[str, Any], space: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings of a trial that a space does not draw like that, and why, in words."""
    for key in {**space, **sampled}:
        if key not in sampled:
            yield key, "is new in the space"
        elif key not in space:
            yield key, "is no longer in the space"
        elif not _draws(space[key], sampled[key]):
            yield key, f"{sampled[key]!r} is no longer drawn"


def _draws(value: Any, drawn: Any) -> bool:
    """Whether a plain value or a sampler of a space can be what was drawn."""
    if not isinstance(value, Domain):
        return bool(plain_value(value) == drawn)
    if not isinstance(value, Float | Integer):
        return bool(_as_saved(value).is_valid(drawn))
    off = 1e-9 * max(abs(value.lower), abs(value.upper))  # quantized values are rounded, beyond an end too
    return isinstance(drawn, int | float) and value.lower - off <= drawn <= value.upper + off


def _as_saved(sampler: Domain) -> Domain:
    """A sampler whose choices are as trials are written down, by which Optuna knows them again."""
    return tune.choice(plain_value(sampler.categories)) if isinstance(sampler, Categorical) else sampler


class _WithFixed:
    """An optimiser over the samplers of a space, which adds the plain values of the space to each proposal."""

    def __init__(self, search: Any, fixed: Mapping[str, Any]) -> None:
        self._search, self._fixed = search, fixed

    def suggest(self, trial_id: str) -> dict[str, Any]:
        return {**self._fixed, **self._search.suggest(trial_id)}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._search.on_trial_complete(trial_id, result, error)

    def learn(self, sampled: Mapping[str, Any], score: float) -> None:
        self._search.add_evaluated_point({key: sampled[key] for key in sampled if key not in self._fixed}, score)
