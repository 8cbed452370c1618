"""The Grafana dashboard draws the gauges that raymm exports: no others, and all of them."""

import json
import re
from pathlib import Path

import pytest

from raymm.tracking.gauges import GAUGES

FILE = Path(__file__).parents[1] / "grafana" / "raymm.json"
METRIC = re.compile(r"\bray_[a-z_]+")


@pytest.fixture
def dashboard():
    return json.loads(FILE.read_text())


def expressions(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def metrics_of(expressions):
    return {name for expression in expressions for name in METRIC.findall(expression)}


def test_it_draws_every_gauge_and_no_other(dashboard):
    assert metrics_of(expressions(dashboard)) == {f"ray_{gauge.pattern}" for gauge in GAUGES}


def test_the_names_it_reads_elsewhere_are_exported_too(dashboard):
    assert metrics_of([FILE.read_text()]) == {f"ray_{gauge.pattern}" for gauge in GAUGES}


def test_it_groups_by_tags_that_the_gauge_has(dashboard):
    tags = {f"ray_{gauge.pattern}": list(gauge.tags) for gauge in GAUGES}
    for expression in expressions(dashboard):
        (name,) = metrics_of([expression])
        (groups,) = re.findall(r"by \(([^)]*)\)", expression)
        assert groups.split(", ") == tags[name]


def test_legends_name_what_is_grouped_by(dashboard):
    for panel in dashboard["panels"]:
        (target,) = panel["targets"]
        (groups,) = re.findall(r"by \(([^)]*)\)", target["expr"])
        assert target["legendFormat"] == " ".join(f"{{{{{tag}}}}}" for tag in groups.split(", "))


def test_panels_have_places_of_their_own(dashboard):
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in dashboard["panels"]]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    for x, y, w, h in places:
        assert x + w <= 24
        assert sum(x < u + s and u < x + w and y < v + t and v < y + h for u, v, s, t in places) == 1
