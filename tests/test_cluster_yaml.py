"""`cluster.yaml` against the schema and the checks of Ray's own launcher, without a cloud."""

import copy
from pathlib import Path

import pytest
import yaml

FILE = Path(__file__).parents[1] / "cluster.yaml"
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")


@pytest.fixture
def cluster():
    return yaml.safe_load(FILE.read_text())


def launcher_accepts(config):
    from ray.autoscaler._private.util import prepare_config, validate_config

    filled = prepare_config(copy.deepcopy(config))
    validate_config(filled)
    return filled


def start_lines(config):
    return [line for key in STARTS for line in config[key] if "ray start" in line]


def test_the_launcher_accepts_it(cluster):
    filled = launcher_accepts(cluster)
    assert filled["available_node_types"]["gpu"]["min_workers"] == 0
    assert filled["available_node_types"]["gpu"]["resources"]["GPU"] == 1
    assert filled["available_node_types"]["head"]["resources"] == {"CPU": 0}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("max_worker",), 4, "'max_worker' was unexpected"),
        (("docker", "imagee"), "rayproject/ray", "'imagee' was unexpected"),
        (("head_node_type",), "nobody", "must be one of `available_node_types`"),
        (("available_node_types", "gpu", "min_workers"), 9, "min_workers"),
    ],
)
def test_the_launcher_refuses_mistakes(cluster, path, value, words):
    node = cluster
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(Exception, match=words):
        launcher_accepts(cluster)


def test_every_ray_starts_with_the_token(cluster):
    lines = start_lines(cluster)
    assert len(lines) == 2
    for line in lines:
        assert line.index("RAY_AUTH_MODE=token") < line.index("ray start")
    assert "~/.ray/auth_token" in cluster["file_mounts"]


def test_nothing_listens_to_the_world(cluster):
    assert "--dashboard-host=127.0.0.1" in start_lines(cluster)[0]
    assert "0.0.0.0" not in FILE.read_text()
    assert "security_group" not in cluster["provider"]


def test_image_is_the_ray_that_is_installed(cluster):
    import ray

    assert cluster["docker"]["image"].startswith(f"rayproject/ray:{ray.__version__}-py311")


def test_what_it_ships_is_there(cluster):
    shipped = [source for source in cluster["file_mounts"].values() if not source.startswith("~")]
    assert shipped
    assert all((FILE.parent / source).is_file() for source in shipped)
