"""Look before the run starts: everything that would fail late, or hang, on this cluster, said at once.

The size of the cluster, a tracking store that only one host can reach, a run folder that some node does not
see, and other versions of raymm, torch or Python on some node. Nodes are asked by one tiny task each.
"""

from __future__ import annotations

import importlib.metadata
import platform
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raymm import __version__
from raymm.cluster.connect import is_multi_node
from raymm.cluster.resources import check_resources, cluster_totals
from raymm.config.plugins import load_plugins
from raymm.errors import ClusterError, ConfigError, Problems, last_line

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig

__all__ = ["NodeReport", "ask_nodes", "check_nodes", "check_resources", "check_tracking", "preflight"]

ONE_HOST_STORES = ("sqlite:", "file:")


@dataclass(frozen=True)
class NodeReport:
    """What one node said.

    Attributes
    ----------
    node
        Its address.
    sees_run
        Whether it can read the file that the driver wrote into the run folder.
    versions
        `{"python": ..., "raymm": ..., "torch": ...}`.
    failure
        Why it could not be asked; empty when it could.
    plugins
        Why plug-ins cannot be imported there; empty when they can.
    """

    node: str
    sees_run: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    plugins: str = ""


def preflight(config: ClusterConfig, run_dir: Path, tracking_uri: str | None, plugins: Sequence[str] = ()) -> None:
    """Check that a run can be trained on the connected cluster.

    Parameters
    ----------
    config
        What the run asks of the cluster.
    run_dir
        Folder of the run; it must exist, and every node must see it.
    tracking_uri
        MLflow tracking URI that the run will write to; None where it is not recorded.
    plugins
        Plug-ins that every process of the run imports.

    Raises
    ------
    ClusterError
        With every problem at once, among them plug-ins that some node cannot import, with the node and the reason.
    """
    totals = cluster_totals()
    problems = Problems("Ray cluster", check_resources(config, totals.cpus, totals.gpus))
    several = is_multi_node()
    reports = _reports_of_nodes(run_dir, config.start_timeout, plugins) if several or plugins else []
    if several:
        problems.items += check_tracking(tracking_uri) if tracking_uri is not None else []
        problems.items += check_nodes(reports, run_dir, _versions())
    problems.items += [f"node {report.node}: {report.plugins}" for report in reports if report.plugins]
    problems.raise_if_any(ClusterError)


def check_tracking(tracking_uri: str) -> list[str]:
    """Refuse a store of one host on a cluster with several."""
    if "://" in tracking_uri and not tracking_uri.startswith(ONE_HOST_STORES):
        return []
    problem = (
        f"the tracking URI {tracking_uri} is a file on one host, and this cluster has several: other nodes would "
        "write to a file of their own, and SQLite's locks do not hold on network drives; start `mlflow server` "
        "on the head and give http://HEAD:5000"
    )
    return [problem]


def check_nodes(reports: Iterable[NodeReport], run_dir: Path, here: dict[str, str]) -> list[str]:
    """Say which nodes cannot take part, and why.

    Parameters
    ----------
    reports
        One per node.
    run_dir
        Folder of the run, for the message.
    here
        The driver's versions, which every node must share.
    """
    problems = []
    for report in reports:
        if report.failure:
            problems.append(f"node {report.node}: {report.failure}")
            continue
        if not report.sees_run:
            problems.append(
                f"node {report.node}: does not see the run folder {run_dir}; put --out on a drive that all nodes "
                "mount at the same place (NFS, EFS, FSx)"
            )
        problems += [
            f"node {report.node}: has {name} {report.versions.get(name, 'missing')}, the driver has {version}; "
            "install the same requirements.lock or use the same image on all nodes"
            for name, version in here.items()
            if report.versions.get(name) != version
        ]
    return problems


def ask_nodes(marker: Path, timeout: float, plugins: Sequence[str] = ()) -> list[NodeReport]:
    """Run one task on every living node; `marker` is a file that each of them should be able to read.

    Parameters
    ----------
    marker
        A file in the run folder.
    timeout
        Seconds to wait for all of them together.
    plugins
        Plug-ins to import there.
    """
    task = ray.remote(num_cpus=0, max_retries=0)(_inspect_node)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    pinned = [NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False) for node in nodes]
    asked = [task.options(scheduling_strategy=place).remote(str(marker), list(plugins)) for place in pinned]
    ray.wait(asked, num_returns=len(asked), timeout=timeout)
    return [_node_report(node["NodeManagerAddress"], reference) for node, reference in zip(nodes, asked, strict=True)]


def _reports_of_nodes(run_dir: Path, timeout: float, plugins: Sequence[str]) -> list[NodeReport]:
    marker = run_dir / f".seen-{uuid.uuid4().hex}"
    marker.touch()
    try:
        return ask_nodes(marker, timeout, plugins)
    finally:
        marker.unlink()


def _inspect_node(marker: str, plugins: Sequence[str] = ()) -> dict[str, Any]:
    """Report, on the node where it runs."""
    return {"sees_run": Path(marker).is_file(), "versions": _versions(), "plugins": _plugin_problems(plugins)}


def _plugin_problems(plugins: Sequence[str]) -> str:
    try:
        load_plugins(plugins)
    except ConfigError as cause:
        return str(cause)
    return ""


def _node_report(address: str, reference: Any) -> NodeReport:
    try:
        return NodeReport(address, **ray.get(reference, timeout=0.1))
    except GetTimeoutError:
        return NodeReport(address, failure="did not answer in time; is it overloaded, or cut off by a firewall?")
    except (RayError, ImportError) as cause:
        last = last_line(cause, type(cause).__name__)
        return NodeReport(address, failure=f"cannot run raymm ({last}); install the same raymm there")


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "raymm": __version__,
        "torch": importlib.metadata.version("torch"),
    }
