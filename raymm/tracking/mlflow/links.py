"""Links in descriptions, which are written before the address of the run in the store is known."""

import re
from urllib.parse import quote, urlencode

__all__ = ["NOTE", "has_links", "with_links"]

NOTE = "mlflow.note.content"
"""The tag that holds a description."""

CHILDREN = re.compile(r"\(children:([^()\s]+)\)")


def has_links(text: str) -> bool:
    """Whether a description has links to the run's children."""
    return CHILDREN.search(text) is not None


def with_links(text: str, experiment_id: str, run_id: str) -> str:
    """A description with MLflow's addresses in place of `children:METRIC`: charts of the children, best first."""

    def address(found: re.Match[str]) -> str:
        query = {
            "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'",
            "orderByKey": f"metrics.`{found[1]}`",
            "orderByAsc": "false",
            "compareRunsMode": "CHART",
            "workflowType": "machine_learning",
        }
        return f"(#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote, safe='')})"

    return CHILDREN.sub(address, text)
