"""What the chaos tests share: a time limit each, the mark of those that `make test` leaves out, and a data set."""

import shutil
from pathlib import Path

import pytest

LIMIT_S = 120


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMIT_S))
        if "ray_local" in getattr(item, "fixturenames", ()) or item.get_closest_marker("ray"):
            item.add_marker("chaos")


@pytest.fixture
def data(dataset, tmp_path):
    """A copy of the small planted data set, to be damaged."""
    return shutil.copytree(dataset.path, tmp_path / "data")
