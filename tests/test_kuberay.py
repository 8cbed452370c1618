"""`rayjob.yaml` against the part of KubeRay's schema that it uses, and against the project it runs.

`RAY_JOB` says in our words what the custom resource definition of RayJob says of these fields. Sources: the file
helm-chart/kuberay-operator/crds/ray.io_rayjobs.yaml of ray-project/kuberay at commit 037e91b0 (types and required
fields) and the "KubeRay CRD API reference" of KubeRay 1.6 (authOptions). Unlike that schema it refuses fields that
it does not name, since the API server drops such fields without a word.
"""

import copy
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from raymm.config import load

ROOT = Path(__file__).parents[1]
FILE = ROOT / "rayjob.yaml"

TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}
QUANTITY = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\d+(\.\d+)?(m|[KMGTPE]i?)?$"}]}


def strict(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def listed(items):
    return {"type": "array", "items": items, "minItems": 1}


def mapped(values):
    return {"type": "object", "additionalProperties": values}


CONTAINER = strict(
    ("name", "image"),
    name=TEXT,
    image=TEXT,
    env=listed(strict(("name",), name=TEXT, value=TEXT)),
    resources=strict(requests=mapped(QUANTITY), limits=mapped(QUANTITY)),
    volumeMounts=listed(strict(("name", "mountPath"), name=TEXT, mountPath=TEXT)),
)
VOLUME = strict(
    ("name",),
    name=TEXT,
    persistentVolumeClaim=strict(("claimName",), claimName=TEXT),
    emptyDir=strict(medium=TEXT, sizeLimit=QUANTITY),
)
POD = strict(
    ("spec",),
    spec=strict(
        ("containers",),
        containers=listed(CONTAINER),
        volumes=listed(VOLUME),
        tolerations=listed(strict(key=TEXT, operator={"enum": ["Exists", "Equal"]}, value=TEXT, effect=TEXT)),
    ),
)
CLUSTER = strict(
    ("headGroupSpec",),
    rayVersion=TEXT,
    authOptions=strict(mode={"enum": ["disabled", "token"]}),
    enableInTreeAutoscaling={"type": "boolean"},
    autoscalerOptions=strict(
        idleTimeoutSeconds=WHOLE, upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]}
    ),
    headGroupSpec=strict(("rayStartParams", "template"), serviceType=TEXT, rayStartParams=mapped(TEXT), template=POD),
    workerGroupSpecs=listed(
        strict(
            ("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
            groupName=TEXT,
            replicas=WHOLE,
            minReplicas=WHOLE,
            maxReplicas=WHOLE,
            rayStartParams=mapped(TEXT),
            template=POD,
        )
    ),
)
RAY_JOB = strict(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=strict(("name",), name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}),
    spec=strict(
        ("entrypoint", "rayClusterSpec"),
        entrypoint=TEXT,
        runtimeEnvYAML=TEXT,
        backoffLimit=WHOLE,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE,
        rayClusterSpec=CLUSTER,
    ),
)


@pytest.fixture
def job():
    return yaml.safe_load(FILE.read_text())


def pods(job):
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_the_schema_accepts_it(job):
    jsonschema.validate(job, RAY_JOB)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("spec", "entryPoint"), "python", "'entryPoint' was unexpected"),
        (("spec", "backoffLimit"), "2", "is not of type 'integer'"),
        (("spec", "rayClusterSpec", "authOptions", "mode"), "tokens", "is not one of"),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0, "0 is not of type 'string'"),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "groupName"), None, "is not of type 'string'"),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "template", "spec", "container"), [], "was unexpected"),
    ],
)
def test_the_schema_refuses_mistakes(job, path, value, words):
    broken = copy.deepcopy(job)
    node = broken
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError, match=words):
        jsonschema.validate(broken, RAY_JOB)


def test_ray_is_the_one_that_is_installed_and_asks_for_a_token(job):
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token"}


def test_the_head_does_no_work_and_the_workers_go_when_idle(job):
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (workers,) = cluster["workerGroupSpecs"]
    assert cluster["enableInTreeAutoscaling"]
    assert (workers["minReplicas"], workers["replicas"]) == (0, 0)
    (container,) = workers["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in pods(job)[0]["containers"][0]["resources"]["limits"]


def test_nothing_is_open_to_the_world(job):
    assert job["spec"]["rayClusterSpec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert not re.search(r"LoadBalancer|NodePort|hostNetwork|Ingress", FILE.read_text())


def test_every_pod_has_the_same_project_and_the_same_drive(job):
    images = {container["image"] for pod in pods(job) for container in pod["containers"]}
    assert len(images) == 1
    for pod in pods(job):
        (container,) = pod["containers"]
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted == {"raymm": "/mnt/raymm", "shm": "/dev/shm"}
        assert {volume["name"] for volume in pod["volumes"]} == set(mounted)


def test_it_runs_a_job_that_exists_with_options_that_exist(job):
    from raymm.cli.train import train

    python, script, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert python == "python"
    assert (ROOT / Path(script).relative_to("/home/ray/raymm")).is_file()
    given = train.make_context("train", arguments).params
    load(None, given["overrides"])
    assert all(str(given[name]).startswith("/mnt/raymm/") for name in ("data", "out"))


def test_its_environment_names_the_tracking_server(job):
    environment = yaml.safe_load(job["spec"]["runtimeEnvYAML"])
    assert environment["env_vars"]["MLFLOW_TRACKING_URI"].startswith("http://")
