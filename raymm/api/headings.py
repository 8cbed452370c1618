"""What stands above the lines of a sweep or study: data, what is compared, how much of it, where results go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.storage.layout import short_path
from raymm.training.heading import (
    filled,
    inputs_in_words,
    kinds_of,
    place_of_results,
    samples_in_words,
    samples_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.data.dataset import Dataset
    from raymm.study.store import Study
    from raymm.sweep.store import Sweep

__all__ = ["study_heading", "sweep_heading"]


def sweep_heading(sweep: Sweep, dataset: Dataset, store: str) -> list[str]:
    """The heading of a sweep, in lines of at most 80 columns."""
    plan, config = sweep.settings, sweep.config
    scheduler = "" if plan.scheduler == "none" else f", ended early by {plan.scheduler}"
    trial = (
        counted(config.training.epochs, "epoch"),
        counted(len(plan.seeds), "seed"),
        counted(config.cluster.workers, "Ray worker"),
    )
    fields = {
        "data": short_path(sweep.data),
        "inputs": inputs_in_words(kinds_of(dataset)),
        "samples": samples_in_words(samples_of(dataset)),
        "search": f"{plan.space}, {plan.search}, {counted(plan.trials, 'draw')}{scheduler}",
        "trial": f"{', '.join(trial)}; scored by the best {sweep.metric}",
        "results": place_of_results(short_path(sweep.path), store),
    }
    return [*filled(fields), ""]


def study_heading(study: Study, datasets: Mapping[str, Dataset], backend: str, lanes: int, store: str) -> list[str]:
    """The heading of a study of data sets, by name, in lines of at most 80 columns."""
    settings, training = study.settings, study.config.training
    match = "" if settings.match == "none" else f"; as many {settings.match} for each as for {settings.to}"
    tune = f"; {counted(settings.tune, 'trial')} to tune each" if settings.tune else ""
    where = "processes of this machine" if backend == "local" else "Ray"
    seeds = ", ".join(map(str, settings.seeds))
    fields = {
        "arms": f"{', '.join(settings.arms)}{match}{tune}",
        "runs": f"{counted(training.epochs, 'epoch')}, seeds {seeds}; {counted(lanes, 'run')} at once, {where}",
        "results": place_of_results(short_path(study.path), store),
    }
    data = [line for name, dataset in datasets.items() for line in filled({"data": _in_words(name, dataset)})]
    return [*data, *filled(fields), ""]


def _in_words(name: str, dataset: Dataset) -> str:
    return f"{name}: {inputs_in_words(kinds_of(dataset))}; {samples_in_words(samples_of(dataset))}"
