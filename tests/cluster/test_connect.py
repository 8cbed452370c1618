"""Connecting: what is refused, what is started, what is left running, and what is cleaned up."""

import os

import pytest

from raymm.cluster.connect import connect, is_multi_node
from raymm.cluster.resources import Totals
from raymm.config import ClusterConfig
from raymm.errors import ClusterError


def test_a_dashboard_is_not_a_cluster_to_join(ray_free):
    done = ray_free(
        """
        try:
            with connect(ClusterConfig()):
                pass
        except ClusterError as cause:
            print(json.dumps(str(cause)))
        """,
        RAY_ADDRESS="http://127.0.0.1:8265",
    )
    assert "RAY_ADDRESS=http://127.0.0.1:8265 is the address of a dashboard" in done
    assert "host:6379" in done


@pytest.mark.parametrize(
    ("address", "words"), [("127.0.0.1:1", "does not answer"), ("head", "write it as host:port")]
)
def test_an_address_where_nobody_answers(ray_free, address, words):
    done = ray_free(
        """
        try:
            with connect(ClusterConfig()):
                pass
        except ClusterError as cause:
            print(json.dumps(str(cause)))
        """,
        RAY_ADDRESS=address,
    )
    assert done.startswith(f"RAY_ADDRESS={address}: {words}")
    assert "unset RAY_ADDRESS to work alone" in done


def test_a_local_ray_is_private_and_goes_away(ray_free, tmp_path):
    found = ray_free(
        """
        import os, pathlib, psutil, ray, urllib.error, urllib.request
        try:
            with connect(ClusterConfig(workers=2 * os.cpu_count(), actors=1)):
                url = os.environ["RAY_API_SERVER_ADDRESS"]
                try:
                    urllib.request.urlopen(url + "/api/v0/nodes", timeout=10)
                    status = 200
                except urllib.error.HTTPError as cause:
                    status = cause.code
                session = ray._private.worker._global_node.get_session_dir_path()
                seen = {"url": url, "status": status, "folder": str(pathlib.Path(session).parent)}
                seen["cpus"] = ray.cluster_resources()["CPU"]
                ray.get(ray.remote(num_cpus=0)(lambda: 1).remote())
                processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
                sockets = [socket for process in processes for socket in process.net_connections("inet")]
                seen["listening"] = sorted({s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN})
                seen["count"] = len(processes)
                raise KeyError("the block fails")
        except KeyError:
            pass
        seen["down"] = not ray.is_initialized()
        seen["alive"] = [process.pid for process in processes[1:] if process.is_running()]
        seen["left"] = os.path.exists(seen["folder"])
        seen["after"] = "RAY_API_SERVER_ADDRESS" in os.environ
        print(json.dumps(seen))
        """
    )
    assert found["cpus"] == 2 * os.cpu_count()
    assert found["count"] > 5
    assert set(found["listening"]) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert found["alive"] == []
    assert found["url"].startswith("http://127.0.0.1:")
    assert found["status"] == 401
    assert found["down"]
    assert not found["left"]
    assert not found["after"]


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({"workers": 8}, True),
        ({"workers": 9}, False),
        ({"workers": 2, "cpus_per_worker": 5}, False),
        ({"workers": 2, "actors": 7, "cpus_per_actor": 1}, False),
        ({"workers": 2, "actors": 100}, True),
    ],
)
def test_more_than_four_times_the_cores_are_refused_before_ray_starts(caplog, monkeypatch, settings, fits):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    started = []
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # the suite's Ray is left alone
    monkeypatch.setattr("ray.shutdown", lambda: None)
    monkeypatch.setattr("ray.init", lambda **given: started.append(given["num_cpus"]))
    config = ClusterConfig(**{"actors": 0, **settings})
    monkeypatch.setattr("raymm.cluster.connect.cluster_totals", lambda: Totals(started[0], 0))
    if fits:
        with connect(config):
            pass
        assert started == [max(2, settings["workers"])]
        assert ("this machine has 2 cores; Ray is told of 8" in caplog.text) == (settings["workers"] == 8)
        return
    with (
        pytest.raises(ClusterError, match=r"this machine has 2 cores; .* at most \(8\)\. Lower --workers"),
        connect(config),
    ):
        pass
    assert not started


def test_a_ray_that_runs_is_used_and_left_running(ray_local):
    import ray

    before = ray.get_runtime_context().get_node_id()
    with connect(ClusterConfig(workers=2)):
        assert ray.get_runtime_context().get_node_id() == before
    assert ray.is_initialized()


def test_too_small_a_cluster_is_refused_at_once(ray_local):
    import ray

    with (
        pytest.raises(ClusterError, match="64 CPUs asked for, the cluster has 4") as refused,
        connect(ClusterConfig(workers=64, gpus_per_worker=1)),
    ):
        pass
    assert "64 GPUs asked for" in str(refused.value)
    assert ray.is_initialized()


def test_one_machine_is_one_node(ray_local):
    assert is_multi_node() is False


def test_tasks_ask_their_own_cluster(ray_local):
    import ray

    @ray.remote(num_cpus=0)
    def nodes():
        from ray.util.state import list_nodes

        return [node.node_id for node in list_nodes()]

    assert ray.get(nodes.remote()) == [ray.get_runtime_context().get_node_id()]
