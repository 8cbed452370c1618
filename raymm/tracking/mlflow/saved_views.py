"""Views that MLflow's UI saves with an experiment: which columns its table of runs has, and which charts there are.

MLflow keeps a view as a tag of the experiment, `mlflow.sharedViewState.KEY`, and opens it where the address of the
runs has `viewStateShareKey=KEY`. The views of raymm have what the runs of the experiment want to show (`View`), all
kinds of runs and all their modalities together; that is kept in tags of its own, of which the views are a function:
`raymm.view` has all, in the order in which it came, and `raymm.view.DIGEST` the part of one kind of run.
The views of people have other keys and are left alone.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, urlencode

from raymm.tracking.about import View
from raymm.tracking.mlflow.links import NOTE

__all__ = ["CHARTS", "TABLE", "children_view", "has_views", "record_views", "view_address"]

TABLE, CHARTS = "raymm-table", "raymm-charts"
"""Keys of the views."""

STATE = "mlflow.sharedViewState."
KIND = "mlflow.experimentKind"
OWN = "raymm.view"
LONGEST = 20_000
"""Characters of an experiment's tag."""
MOST_LOOKS = 8
"""Looks at what others wrote at the same time; they agree after two or three."""

NAMES = {TABLE: "raymm: scores and contributions", CHARTS: "raymm: contributions over epochs"}
AS_CHARTS = {"compareRunsMode": "CHART"}
SECTION = "Contributions and scores"
RUN_NAME, CREATED = "attributes.`Run Name`", "runDateAndNestInfo"
LAST = ("attributes.`Dataset`", "attributes.`Models`")
LETTER, AROUND = 7, 36
"""Width of a column: pixels of a letter, and beside the name."""


def record_views(client: Any, experiment_id: str, view: View) -> None:
    """Add what a run shows first to the views of its experiment, and say there where they are.

    Writes what has changed. A description that the experiment has already is kept. A store cannot change a tag by
    what it holds, so of two runs that begin together each may overwrite what the other wrote. Each therefore leaves
    its part in a tag of its own first, and looks again after it has written: the last to write has seen all parts.
    """
    part = _json(asdict(view))
    key = f"{OWN}.{hashlib.sha256(part.encode()).hexdigest()[:12]}"
    own = {key: part} if view != View() and len(part) <= LONGEST else {}
    for _ in range(MOST_LOOKS):
        tags = client.get_experiment(experiment_id).tags
        wanted = {**own, **_wanted(experiment_id, {**tags, **own})}
        changed = {name: value for name, value in wanted.items() if tags.get(name) != value}
        if not changed:
            return
        for name, value in changed.items():
            client.set_experiment_tag(experiment_id, name, value)


def _wanted(experiment_id: str, tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that an experiment should have, by those that it has."""
    first = {} if KIND in tags else {KIND: "custom_model_development"}
    if not tags.get(NOTE):
        first[NOTE] = _description(experiment_id)
    joined = View.of(json.loads(tags.get(OWN, "{}")))
    for name in sorted(tags):
        if name.startswith(f"{OWN}."):
            joined = joined.joined(View.of(json.loads(tags[name])))
    text = _json(asdict(joined))
    if len(text) > LONGEST or joined == View():
        return first
    views = {STATE + key: _envelope(NAMES[key], _state(joined)) for key in (TABLE, CHARTS)}
    return {**first, OWN: text, **{name: value for name, value in views.items() if len(value) <= LONGEST}}


def has_views(experiment: Any) -> bool:
    """Whether an experiment has the views of raymm."""
    return STATE + TABLE in experiment.tags


def view_address(experiment_id: str, key: str) -> str:
    """The part of a view's address that follows the server's."""
    mode = {} if key == TABLE else AS_CHARTS
    return f"#/experiments/{experiment_id}/runs?{urlencode({**_of_view(key), **mode}, quote_via=quote, safe='')}"


def children_view(client: Any, experiment_id: str, run_id: str, metric: str, view: View | None) -> str:
    """The address, as in `view_address`, of charts of a run's children, highest metric first.

    With a view it is saved for them, under a key that MLflow's list of views leaves out; else, or where a tag has no
    room for it, MLflow draws its own.
    """
    search = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'",
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": "false",
    }
    packed = "" if view is None else _packed({**_state(view), **search, "orderByAsc": False})
    if not 0 < len(packed) <= LONGEST:
        query = {**search, **AS_CHARTS, "workflowType": "machine_learning"}
        return f"#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote, safe='')}"
    key = f"raymm-{run_id}-{metric.replace('/', '-')}"
    client.set_experiment_tag(experiment_id, STATE + key, packed)
    return view_address(experiment_id, key)


def _of_view(key: str) -> dict[str, str]:
    return {"workflowType": "machine_learning", "viewStateShareKey": key}


def _description(experiment_id: str) -> str:
    table, charts = (view_address(experiment_id, key) for key in (TABLE, CHARTS))
    return (
        "What each modality contributes (phi): "
        f"**[Table of runs]({table})** with method, best validation and test score; "
        f"**[Charts]({charts})** over the epochs. Also under *Views*."
    )


def _state(view: View) -> dict[str, Any]:
    """The state of MLflow's page of runs, in its names."""
    columns = [_column(name) for name in view.columns]
    charts = [
        *(_chart("LINE", title, names) for title, names in view.curves.items() if names),
        *(_chart("BAR", title, names) for title, names in view.bars.items() if names),
    ]
    return {
        "selectedColumns": [*columns, *LAST],
        "columnOrder": [RUN_NAME, CREATED, *columns, *LAST],
        "columnWidths": {RUN_NAME: 220, CREATED: 150, **_widths(view.columns)},
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": "raymm", "name": SECTION, "display": True, "isReordered": True, "columns": 2}
        ],
        "isAccordionReordered": True,
    }


def _column(name: str) -> str:
    kind, _, of_kind = name.partition(".")
    return f"{kind}.`{of_kind}`"


def _widths(names: Iterable[str]) -> dict[str, int]:
    """Wide enough for the whole name: MLflow's own width clips names after twelve letters."""
    return {_column(name): LETTER * len(name.partition(".")[2]) + AROUND for name in names}


def _chart(kind: str, title: str, metrics: Iterable[str]) -> dict[str, Any]:
    names = list(metrics)
    both = {
        "uuid": f"raymm-{title}",
        "type": kind,
        "displayName": title,
        "metricKey": names[0],
        "selectedMetricKeys": names,
        "metricSectionId": "raymm",
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": False,
    }
    titled = {"nodeLevelSystemMetricConfiguration": {"metric": title, "type": "raymm"}}  # else "NAME vs NAME vs ..."
    return both if kind == "BAR" else {**both, **_LINE, **titled}


_LINE: Mapping[str, Any] = {
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "lineSmoothness": 0,
    "scaleType": "linear",
    "xAxisScaleType": "linear",
    "range": {},
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}


def _envelope(name: str, state: Mapping[str, Any]) -> str:
    """A view that MLflow lists under its name; the times are 0, so that equal views are equal texts."""
    return _json({"name": name, "createdAt": 0, "updatedAt": 0, "state": _packed(state)})


def _packed(state: Mapping[str, Any]) -> str:
    """As MLflow packs a state: zlib, base64."""
    return "deflate;" + base64.b64encode(zlib.compress(_json(state).encode(), 9)).decode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
