"""What is said before a run starts: pure rules, then the questions to a real node."""

import platform

import pytest

from raymm.cluster.preflight import NodeReport, ask_nodes, check_nodes, check_resources, check_tracking, preflight
from raymm.cluster.resources import cluster_totals, needed_cpus, needed_gpus
from raymm.config import ClusterConfig
from raymm.errors import ClusterError

HERE = {"python": "3.11.7", "raymm": "0.1.0", "torch": "2.14.1"}


def test_what_fits_is_not_a_problem():
    config = ClusterConfig(workers=2, cpus_per_worker=2, gpus_per_worker=0.5, actors=2, gpus_per_actor=0.5)
    assert (needed_cpus(config), needed_gpus(config)) == (4, 2)
    assert check_resources(config, cpus=4, gpus=2) == []


def test_one_cpu_too_few_is_said_with_the_numbers():
    config = ClusterConfig(workers=4, cpus_per_worker=2, actors=1, cpus_per_actor=1)
    (problem,) = check_resources(config, cpus=8, gpus=0)
    assert problem.startswith("9 CPUs asked for, the cluster has 8: 4 workers of 2 and 1 actor of 1")
    assert "lower cluster.workers" in problem


def test_actors_count_beside_the_workers():
    config = ClusterConfig(workers=1, gpus_per_worker=1, actors=2, gpus_per_actor=0.25)
    (problem,) = check_resources(config, cpus=8, gpus=1)
    assert "1.5 GPUs asked for, the cluster has 1" in problem


@pytest.mark.parametrize("asked", [{"gpus_per_worker": 1}, {"gpus_per_actor": 0.5}, {"gpus_per_worker": 0.01}])
def test_gpus_of_a_cluster_without_any_are_refused_with_their_settings(asked):
    (problem,) = check_resources(ClusterConfig(workers=1, actors=1, **asked), cpus=8, gpus=0)
    assert f"{max(asked.values()):g} GPU" in problem
    assert "asked for, the cluster has 0" in problem
    assert "lower cluster.gpus_per_worker and cluster.gpus_per_actor (fractions share a GPU, 0 uses none)" in problem


def test_cpus_and_gpus_are_said_together():
    problems = check_resources(ClusterConfig(workers=9, gpus_per_worker=1), cpus=8, gpus=8)
    assert len(problems) == 2


@pytest.mark.parametrize("uri", ["sqlite:////runs/mlflow.db", "file:///runs/mlruns", "/runs/mlruns", "mlruns"])
def test_a_store_of_one_host_is_refused_on_several(uri):
    (problem,) = check_tracking(uri)
    assert uri in problem
    assert "mlflow server" in problem


@pytest.mark.parametrize("uri", ["http://head:5000", "https://mlflow.example.org", "postgresql://db/mlflow"])
def test_a_served_store_is_fine(uri):
    assert check_tracking(uri) == []


def test_nodes_alike_are_no_problem(tmp_path):
    assert check_nodes([NodeReport("10.0.0.1", sees_run=True, versions=HERE)], tmp_path, HERE) == []


def test_every_fault_of_every_node_is_said(tmp_path):
    reports = [
        NodeReport("10.0.0.1", sees_run=True, versions={**HERE, "torch": "2.10.0"}),
        NodeReport("10.0.0.2", sees_run=False, versions={"python": "3.11.7", "raymm": "0.1.0"}),
        NodeReport("10.0.0.3", failure="did not answer in time"),
    ]
    problems = check_nodes(reports, tmp_path, HERE)
    assert [problem.split(":")[0] for problem in problems] == [
        "node 10.0.0.1",
        "node 10.0.0.2",
        "node 10.0.0.2",
        "node 10.0.0.3",
    ]
    assert "has torch 2.10.0, the driver has 2.14.1" in problems[0]
    assert str(tmp_path) in problems[1]
    assert "has torch missing" in problems[2]


def test_a_real_node_sees_what_is_there_and_only_that(ray_local, tmp_path):
    marker = tmp_path / "marker"
    marker.touch()
    (there,) = ask_nodes(marker, timeout=60)
    (absent,) = ask_nodes(tmp_path / "nothing", timeout=60)
    assert (there.sees_run, absent.sees_run) == (True, False)
    assert there.failure == ""
    assert there.versions["python"] == platform.python_version()


def test_preflight_on_one_node(ray_local, tmp_path):
    totals = cluster_totals()
    assert totals.cpus == 4
    preflight(ClusterConfig(workers=4, actors=1), tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ClusterError, match="5 CPUs asked for, the cluster has 4"):
        preflight(ClusterConfig(workers=5), tmp_path, "http://head:5000")


def test_plugins_that_a_node_cannot_import_are_refused_at_the_start_with_node_and_reason(ray_local, tmp_path):
    good, bad = tmp_path / "good_parts.py", tmp_path / "bad_parts.py"
    good.write_text("X = 1\n")
    bad.write_text("import a_module_that_is_not_there\n")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    preflight(ClusterConfig(workers=1), tmp_path, uri, [str(good)])
    words = r"node [\d.]+: plugins: .*bad_parts\.py': cannot be imported on .*No module named 'a_module_that_is"
    with pytest.raises(ClusterError, match=words):
        preflight(ClusterConfig(workers=1), tmp_path, uri, [str(good), str(bad)])
