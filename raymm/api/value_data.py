"""A trained model, or a custom one, valued on a split of a data set: what `raymm.value` does with either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raymm.api.argument_types import check_least
from raymm.api.settings import named
from raymm.api.shown import place_of
from raymm.data.opening import Data, open_data
from raymm.errors import ConfigError
from raymm.models.valued import import_plugins, load_for, load_own, with_masking
from raymm.storage.data_layout import index_folder
from raymm.storage.layout import lock_of_file
from raymm.storage.lock import writing
from raymm.valuation.engine import stream_rows
from raymm.valuation.jobs import value_to_file
from raymm.valuation.table import join_tables

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.data.dataset import Dataset
    from raymm.valuation.jobs import Stream, Valuing
    from raymm.valuation.table import ValuationTable

__all__ = ["AS_TRAINED", "ValueOptions", "value_data"]

AS_TRAINED = "as trained"
"""The masking of a model where none is asked for."""


@dataclass(frozen=True)
class ValueOptions:
    """How a split is valued, see `raymm.value`."""

    split: str = "test"
    out: Path | None = None
    utility: str | None = None
    method: str | None = None
    budget: int | str | None = None
    plugins: Sequence[str] = ()
    data_settings: Mapping[str, Any] | None = None
    masking: Sequence[str] = ()
    backend: Literal["local", "ray"] = "local"
    actors: int = 2
    gpus_per_actor: float = 0.0

    def valuation(self) -> dict[str, Any]:
        """Settings of the section `valuation` that differ from the run's."""
        asked = {"utility": self.utility, "method": self.method, "budget": self.budget}
        return {name: given for name, given in asked.items() if given is not None}

    def check_actors(self) -> None:
        """Refuse numbers that no actors have, and GPUs where this process values, which it does on its CPU."""
        check_least("value", 1, actors=self.actors)
        check_least("value", 0, gpus_per_actor=self.gpus_per_actor)
        if self.backend == "local" and self.gpus_per_actor:
            raise ConfigError(
                f"value: gpus_per_actor={self.gpus_per_actor:g} asks for GPUs of the actors of backend='ray', and "
                "backend='local' has no actors: it values in this process, on its CPU; choose 'ray', or leave "
                "gpus_per_actor out"
            )


def value_data(
    model: Path | str, data: Data, options: ValueOptions, told: Progress
) -> tuple[dict[str, ValuationTable], Dataset]:
    """Value a split.

    Parameters
    ----------
    model
        A path: the folder of a run or of an exported model. Text: "package.module:function", which makes a custom
        model from the schema of the data.

    Returns
    -------
    A table for each masking, by its name; `AS_TRAINED` where none is asked for. The second and further ones are
    written beside `out`, as OUT-MASKING.parquet. And the data set that was opened.

    Raises
    ------
    ConfigError
        When the options ask for what no backend has, or what this one has not.
    """
    options.check_actors()
    plugins = import_plugins(named(options.plugins), model if isinstance(model, Path) else None)
    dataset = open_data(
        place_of(data),
        None if options.out is None else index_folder(options.out),
        options.data_settings,
        told.on_note,
        known=[index_folder(model)] if isinstance(model, Path) else [],
    )
    load: Callable[..., Valuing] = load_for if isinstance(model, Path) else load_own
    job = load(model, dataset, options.split, options.valuation()).with_plugins(plugins)
    job = job.on_cluster(actors=options.actors, workers=1, gpus_per_actor=options.gpus_per_actor)
    tables: dict[str, ValuationTable] = {}
    with _writing(options.out), _stream(job, options.backend, model) as stream:
        for name in options.masking or [""]:
            masked = with_masking(job, name, dataset) if name else job
            out = options.out
            if out is not None and tables:
                out = out.with_name(f"{out.stem}-{name}{out.suffix}")
            tables[name or AS_TRAINED] = _value(masked, stream, out, told)
    return tables, dataset


def _value(job: Valuing, stream: Stream, out: Path | None, told: Progress) -> ValuationTable:
    def follow(blocks: Iterator[Any], total: int) -> Iterator[Any]:
        return told.follow(blocks, total, "valuing blocks of samples")

    if out is not None:
        return value_to_file(job, stream, out, follow)
    blocks = dict(follow(stream(job.model, job.view, job.rows, job.config, None, ()), job.blocks))
    return join_tables((blocks.pop(number) for number in sorted(blocks)), len(job.rows))


@contextmanager
def _writing(out: Path | None) -> Iterator[None]:
    if out is None:
        yield
        return
    with writing(lock_of_file(out), f"the table {out}"):
        yield


@contextmanager
def _stream(job: Valuing, backend: str, model: Path | str) -> Iterator[Stream]:
    """Where the work is done: this process, or actors of a cluster."""
    if backend == "local":
        yield stream_rows
        return
    from raymm.cluster.connect import connect
    from raymm.cluster.valuation_pool import ActorPool

    with connect(job.config.cluster):
        pool = ActorPool(model=model if isinstance(model, str) else None)
        yield pool.stream
        pool.close()
