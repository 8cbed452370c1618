"""A real head node, started as `cluster.yaml` does, and jobs submitted to it the way the documentation says."""

import csv
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest

from raymm.valuation import read_table
from tests.games import small_dataset
from tests.head import ROOT

JOIN = """
import ray
from raymm.config import ClusterConfig
from raymm.cluster.connect import connect
with connect(ClusterConfig()):
    print("CPUs", ray.cluster_resources()["CPU"])
"""

pytestmark = pytest.mark.ray


def test_a_submitted_job_runs_the_verb(head):
    code, output = head.submit("python", "jobs/train.py", "--help")
    assert code == 0, output
    assert "raymm train --data DATA" in output
    assert "succeeded" in output


def test_a_job_that_fails_says_so(head):
    code, output = head.submit("python", "jobs/value.py", "--no-such-option")
    assert code != 0
    assert "--no-such-option" in output
    assert "Traceback" not in output


@pytest.mark.long
def test_a_driver_joins_with_the_token_and_not_without(head):
    code, output = head.run(sys.executable, "-c", JOIN, RAY_ADDRESS=head.address)
    assert (code, output.splitlines()[-1]) == (0, "CPUs 2.0"), output
    code, output = head.run(sys.executable, "-c", JOIN, RAY_ADDRESS=head.address, RAY_AUTH_TOKEN="0" * 64)
    assert code != 0
    assert f"ClusterError: RAY_ADDRESS={head.address}: cannot join" in output


@pytest.mark.long
def test_submitted_jobs_prepare_train_and_value(head, tmp_path):
    data, run, store = (str(tmp_path / name) for name in ("data", "run", "mlflow"))
    collection = arrays_and_texts(small_dataset(tmp_path / "given"), tmp_path)
    prepare = ["python", "jobs/prepare.py", *collection, "--out", data, "--json"]
    code, output = head.submit(*prepare)
    assert code == 0, output
    assert '"rows": 240, "quarantined": []' in output
    assert '"what": "preparing", "done": 1, "of": 1' in output  # small rows: one shard
    settings = ["training.epochs=2", "method.warmup=1", "model.feature_size=16", "cluster.actors=1"]
    train = [
        "python",
        "-m",
        "raymm",
        "train",
        "--data",
        data,
        "--out",
        run,
        "--store",
        store,
        "--workers",
        "2",
        *settings,
    ]
    code, output = head.submit(*train)
    assert code == 0, output
    assert "epoch   2/2" in output
    table = tmp_path / "test.parquet"
    value = ["python", "jobs/value.py", "--data", data, "--checkpoint", run, "--out", str(table)]
    code, output = head.submit(*value)
    assert code == 0, output
    assert read_table(table).info.modalities == ("m0", "m1", "title")
    assert (tmp_path / "mlflow" / "mlflow.db").is_file()


@pytest.mark.long
def test_a_job_from_any_folder_brings_its_own_modules_to_the_actors(head, tmp_path):
    project, data, table = tmp_path / "project", tmp_path / "data", tmp_path / "test.parquet"
    project.mkdir()
    (project / "mymodel.py").write_text("from tests.games import HALF, own_model as load\n")
    small_dataset(data)
    value = ["python", "-m", "raymm", "value", "--data", str(data), "--model", "mymodel:load", "--out", str(table)]
    installed = {"PYTHONPATH": str(ROOT)}  # in the place of an installed raymm
    code, output = head.submit(*value, "--utility", "mymodel:HALF", working_dir=project, **installed)
    assert code == 0, output
    assert read_table(table).info.utility == "mymodel:HALF"
    (project / "mymodel.py").unlink()
    table.unlink()
    code, output = head.submit(*value, working_dir=project, **installed)
    assert code != 0
    assert "there is no module 'mymodel'" in output


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/v0/nodes"])
def test_without_the_token_the_answer_is_401(head, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(head.url + path, timeout=10)
    assert refused.value.code == 401


def test_with_the_token_the_answer_is_200(head):
    request = urllib.request.Request(f"{head.url}/api/jobs/", headers={"Authorization": f"Bearer {head.token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def arrays_and_texts(given, folder):
    """A collection with the vectors of a data set and a text for each; returns the options that name it."""
    shards = given.shards
    np.savez(folder / "all.npz", **{name: shards.read(name, np.arange(len(given))) for name in ("m0", "m1")})
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sample_id", "label", "split", "m0", "m1", "title"])
        for n, (sample, label, split) in enumerate(zip(shards.sample_id, given.label, shards.split, strict=True)):
            rows.writerow([sample, label, split, f"all.npz#m0[{n}]", f"all.npz#m1[{n}]", f"number {n}"])
    paths = ["--manifest", str(folder / "labels.csv"), "--media-root", str(folder)]
    return [*paths, "--modalities", "m0:vector,m1:vector,title:text"]
