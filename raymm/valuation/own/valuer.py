"""The game that is played, and the valuation of one batch after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError
from torch import nn

from raymm.config.argument_lists import classes_in
from raymm.config.mistakes import settings_mistakes
from raymm.config.sections import ValuationConfig
from raymm.errors import ConfigError, DataError, Problems
from raymm.seeds import derive
from raymm.tasks.base import Task
from raymm.tasks.registry import task_fields
from raymm.valuation.conformance import ModelError
from raymm.valuation.engine import BATCHES_PER_BLOCK, to_arrays
from raymm.valuation.enumeration import value_source
from raymm.valuation.given_arrays import is_integer
from raymm.valuation.logit_sources import SumSource
from raymm.valuation.method import ValuationMethod, choose_for
from raymm.valuation.own.labels import check_labels
from raymm.valuation.own.reading import Given
from raymm.valuation.own.sources import Opened
from raymm.valuation.own.ways import Way
from raymm.valuation.protocol import fingerprint
from raymm.valuation.sample_values import SampleValues
from raymm.valuation.sampling.designs import refuse_impossible
from raymm.valuation.sampling.estimator import value_closed_form, value_sampled
from raymm.valuation.structure import name_of
from raymm.valuation.table import TableInfo, ValuationTable
from raymm.valuation.utilities import Utility, get_utility

__all__ = ["Game", "Valuer"]


@dataclass(frozen=True)
class Game:
    """The utility and the task, how exactly values are found, and what the table says of all samples.

    Attributes
    ----------
    class_names
        Empty where only their number, or nothing, was given.
    classes
        Their number; None: as many as the model has logits.
    """

    utility: Utility
    task: Task
    settings: ValuationConfig
    seed: int
    split: str
    class_names: tuple[str, ...]
    classes: int | None

    @classmethod
    def of(
        cls,
        utility: str | Utility | None,
        task: Task,
        classes: int | Sequence[str] | None,
        method: str,
        budget: int | str | None,
        refine: bool,
        seed: int,
        split: str,
    ) -> Game:
        """The game of the arguments of `value_batches`; raises `ConfigError` with what is wrong with them."""
        chosen = _utility_of(utility, task)
        given = {"utility": chosen.name, "method": method, "budget": budget, "refine": refine}
        try:
            settings = ValuationConfig.model_validate(given)
        except ValidationError as cause:
            Problems("", settings_mistakes(cause, ValuationConfig)).raise_if_any(ConfigError)
            raise
        refuse_impossible(settings.budget)
        names, count = _classes_of(classes)
        if count is not None and count < task.fewest_classes:
            raise ConfigError(f"classes: {count}, and the task {task.name} has at least {task.fewest_classes}")
        return cls(chosen, task, settings, seed, split, names, count)


def _utility_of(given: object, task: Task) -> Utility:
    name = task.default_utility if given is None else given
    if isinstance(name, Utility):
        return name.of(task)
    if not isinstance(name, str):
        made = f"raymm.valuation.Utility('mine', {name_of(name)})" if callable(name) else "a raymm.valuation.Utility"
        raise ConfigError(f"utility= is a {type(name).__name__}; give the name of one, or {made}")
    return get_utility(name, task)


def _classes_of(given: object) -> tuple[tuple[str, ...], int | None]:
    """Names of the classes, none where only their number was given; and their number, where either was."""
    if given is None:
        return (), None
    if is_integer(given):
        return (), int(given)
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str | bytes) or np.ndim(given) != 1:
        raise ConfigError(f"classes={given!r}: give their number, a whole one, or a list of their names")
    names = tuple(map(str, classes_in(given)))
    return names, len(names) or None


class Valuer:
    """Values batches in turn; the first decides the method and the number of classes.

    `numbers` are the places of the samples of each batch in their data set, by which those without ids are named;
    None counts them.
    """

    def __init__(self, way: Way, game: Game, model: Any, numbers: Iterator[Sequence[int]] | None = None) -> None:
        self.way, self.game, self.model, self.numbers = way, game, model, numbers
        self.done = self.samples = self.classes = 0
        self.method: ValuationMethod | None = None
        self.info: TableInfo | None = None

    def value(self, given: Given) -> ValuationTable:
        """The table of one batch."""
        opened = self._opened(given)
        if self.info is None or self.method is None:
            self.classes = self._count_classes()
            self.method = self._method(opened, given)
            self.info = self._table_info(self.method)
        ids = given.ids or self._numbered(len(given))
        check_labels(given.labels, self.game.task, self.classes, ids)
        arrays = to_arrays(self._values(opened, given, self.method))
        self.done, self.samples = self.done + 1, self.samples + len(given)
        return ValuationTable(
            info=self.info,
            sample_id=np.array(ids, dtype=np.str_),
            split=np.array([self.game.split] * len(given), dtype=np.str_),
            label=given.labels.cpu().numpy(),
            source=None if given.sources is None else np.array(given.sources, dtype=np.str_),
            **arrays,
        )

    def _opened(self, given: Given) -> Opened:
        try:
            return self.way.open(given, first=self.info is None)
        except ModelError as cause:
            rows = given.rows_of_inputs()
            if rows in {None, len(given)}:
                raise
            raise DataError(
                f"labels and tensors differ in number, {len(given)} and {rows}; give one label a sample ({cause})"
            ) from cause

    def _numbered(self, rows: int) -> list[str]:
        """Names of the samples of a batch by their places in the data set."""
        if self.numbers is None:
            return [str(self.samples + row) for row in range(rows)]
        drawn = next(self.numbers, ())
        if len(drawn) != rows:
            raise DataError(
                f"it has {rows} samples, and the sampler of the loader drew {len(drawn)} for it: which of them these "
                "are is not known; give ids="
            )
        return [str(number) for number in drawn]

    def _values(self, opened: Opened, given: Given, method: ValuationMethod) -> SampleValues:
        utility = self.game.utility
        if method.name == "sampled":
            sampling = method.sampling(self.done // BATCHES_PER_BLOCK)
            return value_sampled(opened.some, given.labels, opened.whole.present, utility, sampling)
        if method.name == "closed_form":
            assert isinstance(opened.whole, SumSource)
            return value_closed_form(opened.whole, given.labels, utility.task)
        return value_source(opened.whole, given.labels, utility)

    def _method(self, opened: Opened, given: Given) -> ValuationMethod:
        seed = derive(self.game.seed, "valuation", 0)
        return choose_for(opened.whole, self.game.settings, seed, lambda: self.way.encodings(given))

    def _count_classes(self) -> int:
        """Number of classes, which the logits must be as many as; 0 where a task has none."""
        task, width = self.game.task, self.way.outputs.width or 0
        classes = self.game.classes
        if classes is None:
            classes = width if task.width(width) == width else 0
        if task.width(classes) != width:
            raise ConfigError(
                f"classes: {classes}, for which the task {task.name} has {task.width(classes)} logits a sample; "
                f"the model gives {width}"
            )
        return classes

    def _table_info(self, method: ValuationMethod) -> TableInfo:
        return TableInfo(
            modalities=self.way.outputs.names,
            utility=self.game.utility.name,
            masking=self.way.masking,
            fingerprint=fingerprint(self.model) if isinstance(self.model, nn.Module) else name_of(self.model),
            method=method.name,
            budget=method.budget,
            task=task_fields(self.game.task),
            classes=self.classes,
            class_names=self.game.class_names,
        )
