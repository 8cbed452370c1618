"""Settings of the whole suite, made before anything reads them, and the fixtures that several folders share."""

import gc
import os
import secrets

os.environ.update(
    RAY_AUTH_TOKEN=secrets.token_hex(32),  # so that no test reads or makes ~/.ray/auth_token
    RAY_USAGE_STATS_ENABLED="0",
    RAY_TRAIN_HEALTH_CHECK_INTERVAL_S="0.1",
    RAY_worker_niceness="0",
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
)
for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "MLFLOW_TRACKING_URI"):
    os.environ.pop(name, None)

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from raymm.data import Dataset

settings.register_profile("raymm", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("raymm")

SAY_RAY = ("ray_local", "mark.ray")
"""Words by which `make test` finds the files whose tests it runs on Ray."""

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses `ray_local`, so that `-m "not ray"` leaves it out; refuse what `make test` would not find."""
    for item in items:
        if "ray_local" in getattr(item, "fixturenames", ()):
            item.add_marker("ray")
        if item.get_closest_marker("ray") and not any(words in item.path.read_text() for words in SAY_RAY):
            raise pytest.UsageError(f"{item.nodeid} uses Ray, so its file must name ray_local or mark.ray")


def pytest_collection_finish() -> None:
    """Leave tests and modules alone when objects are collected, which some tests ask for at each step."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def ray_local() -> Iterator[None]:
    """A local Ray with four logical CPUs, started the way the product starts it."""
    from raymm.cluster.connect import connect
    from raymm.config import ClusterConfig

    with connect(ClusterConfig(workers=1), local_cpus=4):
        yield


@pytest.fixture
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of many small runs, whose commits would wait for the disk most of the time."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(autouse=True)
def _no_ray_by_accident(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that does not say it needs Ray must not start or join a cluster."""
    if "ray_local" in request.fixturenames or request.node.get_closest_marker("ray"):
        return
    import ray

    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("ray.init() in a test without the mark `ray`"))
    monkeypatch.setenv("RAY_ENABLE_AUTO_CONNECT", "0")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real data is not there ({SHARED.parent.name}/{SHARED.name} beside the checkout)")
    return SHARED


@pytest.fixture(scope="module")
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Dataset":
    """A small planted data set of a module, of as many samples as its `SAMPLES` says, or 240."""
    from tests.games import small_dataset

    return small_dataset(tmp_path_factory.mktemp("data") / "d", getattr(request.module, "SAMPLES", 240))
