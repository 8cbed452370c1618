"""What a configuration asks of a Ray cluster, against what the cluster has or could grow to.

Ray itself waits without a word for resources that can never come, so the numbers are compared beforehand.
"""

from dataclasses import dataclass

from raymm.config import ClusterConfig

__all__ = ["Totals", "check_resources", "cluster_totals", "needed_cpus", "needed_gpus"]


@dataclass(frozen=True)
class Totals:
    """CPUs and GPUs of a whole cluster, used or free."""

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
            f"{_count(needed_cpus(config), 'CPU')} asked for, the cluster has {cpus:g}: "
            f"{config.workers} workers of {config.cpus_per_worker:g} and {config.actors} actors of "
            f"{config.cpus_per_actor:g}; lower cluster.workers or cluster.cpus_per_worker, or add nodes"
        )
    if needed_gpus(config) > gpus:
        problems.append(
            f"{_count(needed_gpus(config), 'GPU')} asked for, the cluster has {gpus:g}: "
            f"{config.workers} workers of {config.gpus_per_worker:g} and {config.actors} actors of "
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


def _count(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
