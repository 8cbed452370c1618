"""The cluster files against the schema and the checks of Ray's own launcher, without a cloud."""

import copy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = ("cluster.yaml", "cluster-on-premise.yaml")
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")


@pytest.fixture(params=FILES)
def each(request):
    """Each of the files."""
    return read(request.param)


@pytest.fixture
def cloud():
    return read("cluster.yaml")


@pytest.fixture
def own():
    return read("cluster-on-premise.yaml")


def read(name):
    return yaml.safe_load((ROOT / name).read_text())


def launcher_accepts(config):
    from ray.autoscaler._private.util import prepare_config, validate_config

    filled = prepare_config(copy.deepcopy(config))
    validate_config(filled)
    return filled


def start_lines(config):
    return [line for key in STARTS for line in config[key] if "ray start" in line]


def test_the_launcher_accepts_the_cloud(cloud):
    filled = launcher_accepts(cloud)
    assert filled["available_node_types"]["gpu"]["min_workers"] == 0
    assert filled["available_node_types"]["gpu"]["resources"]["GPU"] == 1
    assert filled["available_node_types"]["head"]["resources"] == {"CPU": 0}


def test_the_launcher_accepts_own_machines_and_uses_all_of_them(own):
    (kind,) = launcher_accepts(own)["available_node_types"].values()
    machines = len(own["provider"]["worker_ips"])
    assert (kind["min_workers"], kind["max_workers"]) == (machines, machines)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("max_worker",), 4, "'max_worker' was unexpected"),
        (("docker", "imagee"), "rayproject/ray", "'imagee' was unexpected"),
    ],
)
def test_the_launcher_refuses_mistakes(each, path, value, words):
    refuses(each, path, value, words)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("head_node_type",), "nobody", "must be one of `available_node_types`"),
        (("available_node_types", "gpu", "min_workers"), 9, "min_workers"),
    ],
)
def test_the_launcher_refuses_mistakes_in_the_cloud(cloud, path, value, words):
    refuses(cloud, path, value, words)


def refuses(config, path, value, words):
    node = config
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(Exception, match=words):
        launcher_accepts(config)


def test_every_ray_starts_with_the_token(each):
    lines = start_lines(each)
    assert len(lines) == 2
    for line in lines:
        assert line.index("RAY_AUTH_MODE=token") < line.index("ray start")
    assert "~/.ray/auth_token" in each["file_mounts"]


def test_the_head_of_own_machines_does_no_work(own):
    head, worker = start_lines(own)
    assert "--num-cpus=0 --num-gpus=0" in head
    assert "--num" not in worker


@pytest.mark.parametrize("name", FILES)
def test_nothing_listens_to_the_world(name):
    cluster = read(name)
    assert "--dashboard-host=127.0.0.1" in start_lines(cluster)[0]
    assert "0.0.0.0" not in (ROOT / name).read_text()
    assert "security_group" not in cluster["provider"]
    assert not any(option.startswith(("-p ", "--publish")) for option in cluster["docker"]["run_options"])


def test_image_is_the_ray_that_is_installed(each):
    import ray

    assert each["docker"]["image"].startswith(f"rayproject/ray:{ray.__version__}-py311")


def test_what_it_ships_is_there(each):
    shipped = [source for source in each["file_mounts"].values() if not source.startswith("~")]
    assert shipped
    assert all((ROOT / source).is_file() for source in shipped)
