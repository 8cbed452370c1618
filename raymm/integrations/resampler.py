"""Re-sampling in a training loop of somebody's own: a batch sampler over the rows of each epoch's plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils import data

from raymm.config.arguments import named_arguments
from raymm.errors import ConfigError, DataError, Problems, TrainingError
from raymm.integrations.methods import config_of, is_planned, method_of, names_of, planned_methods
from raymm.integrations.plans import Plans
from raymm.integrations.ranks import (
    SPLIT_TWICE,
    check_all_read,
    check_ranks,
    communicator_of,
    device_of_messages,
    rank_and_world,
)
from raymm.integrations.reading import Reading
from raymm.integrations.rows import Collate, ResampledDataset, Row, key_of, read_fields
from raymm.integrations.samples import samples_of
from raymm.integrations.values import read_contributions
from raymm.methods.plan import epoch_batches, rank_batches
from raymm.methods.registry import get_method
from raymm.tasks.registry import as_task
from raymm.training.communicator import on_first_rank

if TYPE_CHECKING:
    from raymm.methods.plan import Plan
    from raymm.tasks.base import Task

__all__ = ["Resampler"]

OF_SAMPLERS = {
    **dict.fromkeys(("batch_size", "drop_last"), "it is an argument of the Resampler"),
    **dict.fromkeys(
        ("shuffle", "sampler", "batch_sampler"), "the Resampler draws the order of the rows, by its seed"
    ),
}
"""Options of a `DataLoader` that the Resampler stands for, and why."""


class Resampler(data.Sampler[list[Row]]):
    """The batch sampler of a `DataLoader`: every sample once, and the rows that a method adds, in batches.

    Rows, order, masks and their split over processes are those of raymm's own loop with the same seed. An epoch ends
    with `update`, which takes contributions where the next plan reads new ones (`due`) and goes on to the next epoch.

    Parameters
    ----------
    samples
        Number of samples; or the map-style data set; or the positions in it that are trained, ascending, as an
        array or a list, tuple or range of whole numbers.
    modalities
        Names of the n modalities, in the order of the columns of phi; or n.
    method, settings
        A method that acts by rows and masks (`sample`, `modality`, `class`, `random`, `dropout`, ...) and its own
        settings, such as `{"fs": {"scale": 1.0}}`.
    batch_size
        Rows of a batch, over all ranks together.
    seed
        Decides all draws.
    warmup, every, epochs, row_budget
        Epochs before the first plan (default: 5, or a third of `epochs` where that leaves none); value every so many
        epochs; epochs of the training, where values are not due after the last; extra rows at most, as a multiple of
        the samples.
    labels, classes, task
        Labels of the samples [N], for methods that read them, the number of classes (default: the largest label
        and one), and the task.
    present
        Modalities that each sample has, bool [N, n]; default: all.
    ids
        Ids of the samples, by which tables of values are matched.
    utility
        The utility that contributions are computed with; default: the task's.
    drop_last
        Leave out a last batch that is smaller. With several ranks, one with fewer rows than ranks is always left out.
    fields
        What items are given: of `mask` (bool [n]), `weight` of the row's loss, `key` (for
        `CoalitionLoss(keys=...)`) and `batch_rows`; a mapping names the keys under which.
    rank, world
        Of this process; default: those of torch.distributed at the time. Where it has no such ranks, nothing is sent,
        and all processes have to give equal values.

    Raises
    ------
    ConfigError, DataError
        With everything that is wrong.

    Examples
    --------
    Four samples; `audio` contributes nothing to the first, which gets two copies that keep `audio` alone.

    >>> samples = [{"x": float(number), "label": number % 2} for number in range(4)]
    >>> resampler = Resampler(samples, ("audio", "rgb"), warmup=1)
    >>> loader = resampler.loader(samples)
    >>> sorted(next(iter(loader))["mask"].tolist())
    [[True, True], [True, True], [True, True], [True, True]]
    >>> resampler.due
    True
    >>> resampler.update([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])["rows/epoch"]
    6.0
    >>> sorted(next(iter(loader))["mask"].tolist())
    [[True, False], [True, False], [True, True], [True, True], [True, True], [True, True]]
    """

    @named_arguments
    def __init__(
        self,
        samples: int | Sized | npt.NDArray[np.int64],
        modalities: Sequence[str] | int,
        *,
        method: str = "sample",
        settings: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        seed: int = 0,
        warmup: int | None = None,
        every: int = 1,
        epochs: int | None = None,
        row_budget: float | None = None,
        labels: Any = None,
        classes: int | None = None,
        task: str | Task = "classification",
        present: Any = None,
        ids: Sequence[str] | None = None,
        utility: str | None = None,
        drop_last: bool = False,
        fields: Sequence[str] | Mapping[str, str] = ("mask",),
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        Problems("Resampler", check_ranks(rank, world)).raise_if_any(ConfigError)
        self.modalities, self.drop_last = names_of(modalities), drop_last
        self._rank, self._world, self._fields = rank, world, read_fields(fields)
        labelled = as_task(task)
        config = config_of(
            method=method,
            settings=settings,
            utility=labelled.default_utility if utility is None else utility,
            where="Resampler",
            epochs=epochs,
            resampling={"every": every, "row_budget": row_budget} | ({} if warmup is None else {"warmup": warmup}),
            training={"seed": seed, "batch_size": batch_size},
        )
        _check_method(method)
        trained = samples_of(
            samples, self.modalities, labelled, labels=labels, classes=classes, present=present, ids=ids
        )
        make = partial(method_of, config, self.modalities, labelled, trained.classes)
        self._plans = Plans(config, make, trained, weighted="weight" in self._fields)
        self._reading = Reading()

    @property
    def epoch(self) -> int:
        """The epoch whose rows are read now, from 0."""
        return self._plans.epoch

    @property
    def plan(self) -> Plan:
        """Rows of this epoch; `index` are positions in the data set."""
        return self._plans.plan

    @property
    def ranks(self) -> tuple[int, int]:
        """The rank of this process, and the number of them."""
        return rank_and_world(self._rank, self._world)

    @property
    def batch_size(self) -> int:
        """No attribute; with several processes, a refusal of libraries that ask for it to split batches once more."""
        if self.ranks[1] > 1:
            raise ConfigError(SPLIT_TWICE)
        raise AttributeError("a Resampler has batches of different sizes")

    @property
    def due(self) -> bool:
        """Whether the plan of the next epoch reads new contributions, so that `update` needs them."""
        return self._plans.due

    @property
    def to_value(self) -> npt.NDArray[np.int64]:
        """Positions of the samples whose contributions the plan of the next epoch reads, ascending."""
        return self._plans.to_value

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of this epoch's plan, and mean contributions that it was made of, by their names in raymm."""
        return self._plans.metrics

    def update(
        self,
        values: Any = None,
        *,
        ids: Sequence[str] | None = None,
        positions: Sequence[int] | npt.NDArray[np.int64] | None = None,
    ) -> dict[str, float]:
        """End an epoch: take contributions where they are `due`, and plan the next; returns its `metrics`.

        With several processes all of them call it; the values of the first are taken, and the others may pass None.

        Parameters
        ----------
        values
            A `ValuationTable`, what `raymm.value` returns, or phi [M, n]: of all samples, or of those of `to_value`,
            in order. Ignored where none are due.
        ids, positions
            Which samples the rows of an array are of.

        Raises
        ------
        TrainingError
            When values are due and there are none.
        DataError
            Naming what does not fit; the epoch is then not ended.
        """
        self._plans.advance(self._of_first_rank(values, ids, positions) if self.due else None)
        return self.metrics

    def set_epoch(self, epoch: int) -> None:
        """Read the rows of an epoch; loops that call `update` need not call it.

        Raises
        ------
        TrainingError
            When the epoch lies before the values that are kept, or after ones that are due and were not given.
        """
        self._plans.set_epoch(epoch)

    def skip(self, batches: int) -> None:
        """Leave out the first batches of this epoch when it is read next, once: a loop goes on in its middle.

        Raises
        ------
        ConfigError
            When that is no whole number from 0 to those of the epoch.

        Examples
        --------
        >>> resampler = Resampler(8, 2, batch_size=2)
        >>> whole = list(resampler)
        >>> resampler.skip(3)
        >>> list(resampler) == whole[3:], list(resampler) == whole
        (True, True)
        """
        self._reading.skip(self.epoch, batches, len(self))

    def __iter__(self) -> Iterator[list[Row]]:
        parts = self._parts()
        return self._batches(self.plan, self.epoch, parts[self._reading.begin(self.epoch) :])

    def __len__(self) -> int:
        return len(self._parts())

    def dataset(self, inner: Any) -> ResampledDataset:
        """A map-style data set whose items are given the mask of their row, and the other `fields`.

        Raises
        ------
        DataError
            When it has fewer items than the samples that are planned.
        """
        last = int(self._plans.samples.rows[-1])
        if hasattr(inner, "__len__") and len(inner) <= last:
            raise DataError(
                f"Resampler: the data set has {len(inner)} items, and the samples reach to position {last}; give the "
                "data set that the Resampler was made for"
            )
        return ResampledDataset(inner, self._fields)

    def collate(self, inner: Callable[[list[Any]], Any] = data.default_collate) -> Collate:
        """A collate function of one's own, to which items come without the fields; these are stacked beside."""
        return Collate(inner, self._fields)

    def loader(
        self, inner: Any, *, collate_fn: Callable[[list[Any]], Any] = data.default_collate, **options: Any
    ) -> data.DataLoader[Any]:
        """A `DataLoader` over a map-style data set, with further options of it, such as `num_workers`.

        It has a generator of its own, so that the random numbers of a training do not depend on it.

        Raises
        ------
        ConfigError
            When an option says which rows make a batch, which the Resampler does.
        """
        problems = Problems("Resampler.loader")
        for name in sorted(OF_SAMPLERS.keys() & options.keys()):
            problems.add(f"{name}= is no option of it: {OF_SAMPLERS[name]}")
        problems.raise_if_any(ConfigError)
        given = {"generator": torch.Generator(), **options}
        return data.DataLoader(self.dataset(inner), batch_sampler=self, collate_fn=self.collate(collate_fn), **given)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed training needs, for the current epoch from its start: numbers, texts and a tensor.

        It says whether batches of the epoch were read, and not how many were trained, which a loader that reads ahead
        hides.
        """
        return self._plans.state_dict() | self._reading.state_dict(self.epoch)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the epoch of the state from its start; `skip`, called after this, leaves out what was trained.

        A warning says where the state was taken within an epoch that is then read without `skip`.

        Raises
        ------
        CheckpointError
            Naming each setting that differs from that of the state.
        """
        self._plans.load_state_dict(state)
        self._reading.load_state_dict(state, self.epoch)

    def _of_first_rank(self, values: Any, ids: Any, positions: Any) -> npt.NDArray[np.float64]:
        """phi [N, n] by the values of the first rank, on every rank; what is wrong with them is raised on all."""
        plans = self._plans
        communicator, device = communicator_of(*self.ranks), device_of_messages()
        phi = torch.zeros(plans.samples.present.shape, dtype=torch.float64)

        check_all_read(communicator, device, self.epoch, self._reading.read)

        def read() -> None:
            if values is None:
                raise TrainingError(
                    f"the plan of epoch {self.epoch + 1} reads contributions of {len(self.to_value)} samples "
                    "(resampler.to_value); give them, by update(values)"
                )
            expected = plans.samples.expected(self.modalities, plans.config.valuation.utility)
            phi.copy_(torch.from_numpy(read_contributions(values, expected, self.to_value, ids, positions)))

        on_first_rank(communicator, device, read)
        shared = phi.to(device)
        communicator.all_reduce_sum(shared)
        return np.asarray(shared.cpu())

    def _parts(self) -> list[tuple[npt.NDArray[np.int64], int]]:
        """Plan rows of this rank in each batch of the epoch, and rows of that batch."""
        training, (rank, world) = self._plans.config.training, self.ranks
        if training.batch_size < world:
            raise ConfigError(
                f"Resampler: batch_size={training.batch_size} counts rows of all {world} processes; each needs one"
            )
        least = training.batch_size if self.drop_last else world
        batches = epoch_batches(self.plan, training.batch_size, training.seed, self.epoch)
        return rank_batches([batch for batch in batches if len(batch) >= least], rank, world)

    def _batches(self, plan: Plan, epoch: int, parts: list[tuple[npt.NDArray[np.int64], int]]) -> Iterator[list[Row]]:
        """The batches of this rank; from the first on the epoch counts as read."""
        for rows, total in parts:
            self._reading.read = epoch
            yield self._rows_of(plan, epoch, rows, total)

    def _rows_of(self, plan: Plan, epoch: int, rows: npt.NDArray[np.int64], total: int) -> list[Row]:
        weight = np.ones(len(rows)) if plan.weight is None else plan.weight[rows]
        kept, keys = self._plans.kept(plan, epoch, rows).tolist(), key_of(epoch, rows).tolist()
        each = zip(plan.index[rows].tolist(), kept, keys, weight.tolist(), strict=True)
        return [Row(position, keep, key, own, total) for position, keep, key, own in each]


def _check_method(name: str) -> None:
    """Refuse a method of which a plan and masks are not all."""
    if is_planned(get_method(name)):
        return
    other = "; use raymm.CoalitionLoss for it" if name in {"coalition", "valued"} else ""
    raise ConfigError(
        f"method={name} changes more than rows and masks, which a sampler cannot{other}; methods that it can plan: "
        f"{', '.join(planned_methods())}"
    )
