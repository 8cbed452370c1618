"""What a configuration asks of a Ray cluster, against what the cluster has or could grow to.

Ray waits without a message for resources that the cluster never gets, so the numbers are compared beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raymm.counts import counted

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig

__all__ = [
    "Totals",
    "check_resources",
    "cluster_totals",
    "living_nodes",
    "needed_cpus",
    "needed_gpus",
    "runs_at_once",
]

MOST_AT_ONCE = 1_000


@dataclass(frozen=True)
class Totals:
    """CPUs and GPUs of a whole cluster, or of one of its nodes, used or free."""

    cpus: float
    gpus: float


def needed_cpus(config: ClusterConfig) -> float:
    """CPUs that training workers and valuation actors hold at the same time."""
    return config.workers * config.cpus_per_worker + config.actors * config.cpus_per_actor


def needed_gpus(config: ClusterConfig) -> float:
    """GPUs that training workers and valuation actors hold at the same time."""
    return config.workers * config.gpus_per_worker + config.actors * config.gpus_per_actor


def check_resources(config: ClusterConfig, cpus: float, gpus: float) -> list[str]:
    """Say what a cluster of this size lacks; an empty list when the configuration fits.

    Parameters
    ----------
    config
        Workers and actors, with what each of them holds.
    cpus, gpus
        All that the cluster has, or could grow to.
    """
    problems = []
    if needed_cpus(config) > cpus:
        problems.append(
            f"{counted(needed_cpus(config), 'CPU')} asked for, the cluster has {cpus:g}: "
            f"{counted(config.workers, 'worker')} of {config.cpus_per_worker:g} and "
            f"{counted(config.actors, 'actor')} of "
            f"{config.cpus_per_actor:g}; lower cluster.workers or cluster.cpus_per_worker, or add nodes"
        )
    if needed_gpus(config) > gpus:
        problems.append(
            f"{counted(needed_gpus(config), 'GPU')} asked for, the cluster has {gpus:g}: "
            f"{counted(config.workers, 'worker')} of {config.gpus_per_worker:g} and "
            f"{counted(config.actors, 'actor')} of "
            f"{config.gpus_per_actor:g}; lower cluster.gpus_per_worker and cluster.gpus_per_actor "
            "(fractions share a GPU, 0 uses none), or add nodes with GPUs"
        )
    return problems


def cluster_totals() -> Totals:
    """What the connected cluster has, or what its autoscaler may add up to.

    A worker group that has scaled to zero counts in full: its nodes come when they are asked for.
    """
    import ray  # noqa: PLC0415  (reads its settings from the environment when it is imported)

    # The autoscaler's limits have no public reader; Ray Train decides by the same call.
    grown = ray._private.state.state.get_max_resources_from_cluster_config() or {}  # noqa: SLF001
    there = ray.cluster_resources()
    return Totals(
        cpus=max(there.get("CPU", 0.0), grown.get("CPU", 0)),
        gpus=max(there.get("GPU", 0.0), grown.get("GPU", 0)),
    )


def runs_at_once(config: ClusterConfig, totals: Totals, nodes: Sequence[Totals]) -> int:
    """How many runs of this configuration fit beside each other, so that none waits for what another one holds.

    Workers and actors are laid out over the living nodes one by one, since none may be split over two nodes; a
    cluster that can still grow is counted by its totals.
    """
    if totals.cpus > sum(node.cpus for node in nodes) or totals.gpus > sum(node.gpus for node in nodes):
        needs = ((needed_cpus(config), totals.cpus), (needed_gpus(config), totals.gpus))
        return min([MOST_AT_ONCE, *(int(has / need + 1e-6) for need, has in needs if need)])
    parts = [Totals(config.cpus_per_worker, config.gpus_per_worker)] * config.workers
    parts += [Totals(config.cpus_per_actor, config.gpus_per_actor)] * config.actors
    free = list(nodes)
    count = 0
    while count < MOST_AT_ONCE and all(_lay_out(part, free) for part in parts):
        count += 1
    return count


def living_nodes() -> list[Totals]:
    """What each living node of the connected cluster has."""
    import ray  # noqa: PLC0415

    has = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Totals(cpus=node.get("CPU", 0.0), gpus=node.get("GPU", 0.0)) for node in has]


def _lay_out(part: Totals, free: list[Totals]) -> bool:
    """Take a part from the first node that has room for it."""
    for number, node in enumerate(free):
        left = Totals(node.cpus - part.cpus, node.gpus - part.gpus)
        if min(left.cpus, left.gpus) > -1e-6:
            free[number] = left
            return True
    return False
