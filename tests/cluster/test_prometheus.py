"""Gauges: what they say of a history, and that Ray's metrics agent exports it."""

import time
import urllib.request

import pytest
import ray

from raymm.cluster import prometheus
from raymm.cluster.prometheus import export_epoch_metrics, export_valuation_rate, run_label
from raymm.tracking.gauges import GAUGES

FIRST = {"epoch": 0, "metrics": {"time/train_s": 1.0, "rows/epoch": 100.0, "phi/val_audio": 0.25}}
SECOND = {
    "epoch": 1,
    "metrics": {
        "time/train_s": 4.0,
        "rows/epoch": 600.0,
        "phi/val_audio": 0.5,
        "phi/val_rgb": 1.5,
        "phi/train_rgb": 9.0,
    },
}


@pytest.fixture
def seen(monkeypatch):
    """What is set, instead of setting it."""
    values = {}
    monkeypatch.setattr(
        prometheus, "_set", lambda name, value, **tags: values.update({(name, *tags.values()): value})
    )
    return values


def test_the_newest_epoch_is_shown(seen):
    export_epoch_metrics("a", [FIRST, SECOND])
    assert seen == {
        ("raymm_epoch", "a"): 2,
        ("raymm_rows_per_second", "a"): 150.0,
        ("raymm_mean_phi", "a", "audio"): 0.5,
        ("raymm_mean_phi", "a", "rgb"): 1.5,
    }


def test_before_the_first_epoch_there_is_nothing_to_show(seen):
    export_epoch_metrics("a", [])
    export_valuation_rate("a", 0, 0.0)
    assert seen == {}


def test_valued_samples_are_a_rate(seen):
    export_valuation_rate("a", 300, 1.5)
    assert seen == {("raymm_valued_samples_per_second", "a"): 200.0}


def test_runs_of_one_name_have_labels_of_their_own():
    assert run_label("seed-0", "1234567890") == "seed-0-123456"
    assert run_label("seed-0", "1234567890") != run_label("seed-0", "2234567890")


def test_ray_exports_every_gauge(ray_local):
    export_epoch_metrics("exported", [FIRST, SECOND])
    export_valuation_rate("exported", 300, 1.5)
    exported = wait_for('run="exported"', GAUGES)
    assert set(exported) == {f"ray_{gauge.pattern}" for gauge in GAUGES}
    assert exported["ray_raymm_epoch"] == ["2.0"]
    assert exported["ray_raymm_rows_per_second"] == ["150.0"]
    assert sorted(exported["ray_raymm_mean_phi"]) == ["0.5", "1.5"]


def wait_for(tag, names, seconds=60):
    """Values of each series with a tag, once all names are there; the agent exports every few seconds."""
    end = time.monotonic() + seconds
    exported = {}
    while len(exported) < len(names) and time.monotonic() < end:
        time.sleep(0.5)
        exported = {}
        for line in scraped():
            if tag in line:
                exported.setdefault(line.partition("{")[0], []).append(line.rpartition(" ")[2])
    return exported


def scraped():
    node = next(node for node in ray.nodes() if node["Alive"])
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode().splitlines()
