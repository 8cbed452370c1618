"""The plans of a training, epoch by epoch: a function of the settings, the newest contributions and the epoch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from raymm.errors import CheckpointError, ConfigError, Problems, RaymmError, TrainingError
from raymm.integrations.samples import NoLabelsError
from raymm.methods.extra_rows import mean_contributions
from raymm.methods.plan import base_plan
from raymm.tracking import metrics as names
from raymm.training import planning
from raymm.training.epoch import kept_modalities
from raymm.valuation.given_arrays import as_array, is_integer

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.integrations.samples import TrainedSamples
    from raymm.methods.base import Method
    from raymm.methods.plan import Plan

__all__ = ["Plans"]

log = logging.getLogger(__name__)

STATE = "the state of the Resampler"


class Plans:
    """The plan of the current epoch, and what it takes to make those that follow.

    Parameters
    ----------
    config, make, samples
        The settings, what makes the method, and the samples that are planned.
    weighted
        Whether whoever trains the rows reads their weights.

    Attributes
    ----------
    epoch, plan
        The current epoch, from 0, and its rows; `plan.index` are positions in the data set.
    """

    epoch: int
    plan: Plan

    def __init__(
        self, config: Config, make: Callable[[], Method], samples: TrainedSamples, *, weighted: bool
    ) -> None:
        self.config, self._make, self.samples, self._weighted = config, make, samples, weighted
        self.method = make()
        self._phi: npt.NDArray[np.float64] | None = None
        self._valued_for: int | None = None
        self._go_to(0)
        if samples.label is None:
            self._refuse_without_labels()

    def __getstate__(self) -> dict[str, Any]:
        """All but the method, whose functions cannot be sent to another process; it is made there."""
        return {name: value for name, value in self.__dict__.items() if name != "method"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.method = self._make()

    @property
    def due(self) -> bool:
        """Whether the plan of the next epoch reads new contributions."""
        return planning.valuation_due(self.method, self.config, self.epoch + 1)

    @property
    def to_value(self) -> npt.NDArray[np.int64]:
        """Positions of the samples whose contributions that plan reads."""
        return planning.samples_to_value(self.method, self.samples.rows, self.config, self.epoch + 1)

    @property
    def metrics(self) -> dict[str, float]:
        """Rows of this epoch, and the mean contributions that they were planned by."""
        found = {names.ROWS: float(len(self.plan)), names.ROWS_DROPPED: float(self.plan.dropped)}
        if self._phi is not None:
            for name, mean in zip(self.method.context.modalities, mean_contributions(self._phi), strict=True):
                found[names.phi_metric("train", name)] = float(mean)
        return found

    def advance(self, phi: npt.NDArray[np.float64] | None) -> None:
        """Go on to the next epoch, with new contributions [N, n] where they are due."""
        following, before = self.epoch + 1, (self._phi, self._valued_for)
        if phi is not None:
            phi = planning.only_those(phi, self.method, self.samples.rows, self.config, following)
            self._phi, self._valued_for = phi, following
        try:
            self._go_to(following)
        except Exception:
            self._phi, self._valued_for = before
            raise

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch whose plan the contributions at hand give; raises `TrainingError` for others."""
        if not is_integer(epoch) or epoch < 0:
            raise ConfigError(f"set_epoch: {epoch!r} is no epoch; give a whole number from 0 on")
        if epoch == self.epoch:
            return
        due = self._latest_due(epoch)
        if due == self._valued_for:
            self._go_to(epoch)
        elif due is None or (self._valued_for is not None and due < self._valued_for):
            raise TrainingError(
                f"epoch {epoch} lies before epoch {self._valued_for}, for which contributions were taken; load the "
                "state of that epoch, by load_state_dict"
            )
        else:
            raise TrainingError(
                f"the plan of epoch {due} reads contributions; call update(values) at the end of epoch {due - 1}"
            )

    def kept(self, plan: Plan, epoch: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Modalities that rows of the plan of an epoch keep, bool [B, n]."""
        present = self.samples.present_at(plan.index[rows])
        return kept_modalities(self.method, plan, rows, present, self.config.training.seed, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Numbers, texts and a tensor."""
        state: dict[str, Any] = {"epoch": self.epoch, "settings": json.dumps(self._settings(), sort_keys=True)}
        if self._phi is not None:
            state |= {"phi": torch.from_numpy(self._phi.copy()), "valued_for": self._valued_for}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken; raises `CheckpointError` naming each setting that differs."""
        theirs, ours = _settings_in(state), self._settings()
        problems = Problems(STATE)
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                problems.add(f"{name} was {theirs.get(name)}, and is {ours.get(name)}")
        problems.raise_if_any(CheckpointError, note="make the Resampler with the settings of the state")
        phi = _phi_in(state, self.samples.present.shape)
        before = (self._phi, self._valued_for)
        self._phi, self._valued_for = phi, state.get("valued_for")
        try:
            self._go_to(int(state["epoch"]))
        except Exception:
            self._phi, self._valued_for = before
            raise

    def _refuse_without_labels(self) -> None:
        """Plan two samples, so that a method that reads labels says so before anything is trained."""
        few = replace(self.samples.as_planned(), rows=self.samples.rows[:2], present=self.samples.present[:2])
        try:
            planning.plan_of_samples(self.method, few, self.config, 0, np.zeros(few.present.shape))
        except NoLabelsError:
            raise
        except RaymmError as cause:  # two samples without values may be too few for a method of one's own
            log.debug("a plan of two samples: %s", cause)

    def _settings(self) -> dict[str, Any]:
        method, training = self.config.method, self.config.training
        return {
            **{f"method.{name}": value for name, value in method.model_dump(mode="json").items()},
            "batch_size": training.batch_size,
            "seed": training.seed,
            "utility": self.config.valuation.utility,
            "modalities": list(self.method.context.modalities),
            **self.samples.described(),
        }

    def _go_to(self, epoch: int) -> None:
        """Plan an epoch, then make it the current one."""
        samples = self.samples
        plan = base_plan(samples.rows, samples.present.shape[1])
        if self._phi is not None:
            plan = planning.plan_of_samples(self.method, samples.as_planned(), self.config, epoch, self._phi)
        if plan.weight is not None and not self._weighted:
            raise ConfigError(
                f"method={self.config.method.name} weighs the losses of rows; add 'weight' to fields, and multiply "
                "the loss of each row by it"
            )
        self.plan, self.epoch = plan, epoch

    def _latest_due(self, epoch: int) -> int | None:
        """The latest epoch from 1 up to `epoch` whose plan reads new contributions; None where there is none."""
        every, last = self.config.method.every, min(epoch, self.config.training.epochs - 1)
        candidates = range(last, max(last - every, 0), -1)
        due = (one for one in candidates if planning.valuation_due(self.method, self.config, one))
        return next(due, None)


def _settings_in(state: object) -> dict[str, Any]:
    """The settings of a state, once all of it is what `state_dict` gives; raises `CheckpointError` otherwise."""
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{STATE} is a {type(state).__name__}; give what state_dict() gave")
    problems, settings = Problems(STATE), _read_json(state.get("settings"))
    lacking = ", ".join(f"'{name}'" for name in ("epoch", "settings") if name not in state)
    if lacking:
        problems.add(f"has no {lacking}, but {', '.join(map(str, state)) or 'nothing'}")
    elif not isinstance(settings, dict):
        problems.add(f"'settings' is {state['settings']!r}, and no text of settings")
    for name, number in {"epoch": state.get("epoch", 0), "valued_for": state.get("valued_for") or 0}.items():
        if not _is_epoch(number):
            problems.add(f"'{name}' is {number!r}, and no number of an epoch")
    problems.raise_if_any(CheckpointError, note="give what state_dict() gave")
    assert isinstance(settings, dict)
    return settings


def _read_json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _is_epoch(number: Any) -> bool:
    try:
        return not isinstance(number, bool | str) and int(number) == number and number >= 0
    except (TypeError, ValueError, OverflowError):
        return False


def _phi_in(state: Mapping[str, Any], shape: tuple[int, ...]) -> npt.NDArray[np.float64] | None:
    if state.get("phi") is None:
        return None
    phi = as_array(state["phi"])
    if phi.dtype.kind not in "biuf" or phi.shape != shape:
        raise CheckpointError(f"{STATE}: 'phi' is {phi.dtype} {list(phi.shape)}; expected real numbers {list(shape)}")
    if np.isinf(phi).any():
        raise CheckpointError(f"{STATE}: 'phi' has {np.isinf(phi).sum()} infinite numbers")
    return phi.astype(np.float64)
