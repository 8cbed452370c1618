from dataclasses import replace
from pathlib import Path

import pytest

from raymm.errors import TrackingError
from raymm.tracking import MemoryTracker, NullTracker, Tracker
from tests.tracking.contract import INFO, RecordingContract, Seen, TrackerContract


class TestNull(TrackerContract):
    def tracker(self, folder: Path) -> Tracker:
        del folder
        return NullTracker()


class TestMemory(RecordingContract):
    @pytest.fixture(autouse=True)
    def _one(self) -> None:
        self.memory = MemoryTracker()

    def tracker(self, folder: Path) -> Tracker:
        del folder
        return self.memory

    def seen(self) -> Seen:
        memory = self.memory
        metrics: dict[str, list[tuple[int, float]]] = {}
        for step, values in [*sorted(memory.epochs.items()), (0, memory.summary)]:
            for name, value in values.items():
                metrics.setdefault(name, []).append((step, value))
        files = {f"{folder}/{path.name}".lstrip("/"): path.read_bytes() for path, folder in memory.artifacts}
        params = {name: str(value) for name, value in (memory.info or INFO).params.items()}
        description = (memory.info or INFO).description if memory.description is None else memory.description
        return Seen(metrics, files, params, memory.tags, description, memory.status)

    def test_a_model_told_twice_is_kept_once(self, tmp_path: Path) -> None:
        for _ in range(2):
            self.memory.log_model(tmp_path / "model", "package.module:load")
        assert self.memory.models == [(tmp_path / "model", "package.module:load")]

    def test_a_file_told_twice_is_kept_once(self, tmp_path: Path) -> None:
        for _ in range(2):
            self.memory.log_artifact(tmp_path / "t.csv", "tables")
        assert self.memory.artifacts == [(tmp_path / "t.csv", "tables")]


@pytest.mark.parametrize("key", ["", "a'b", "a b", "x" * 201, "ключ"])
def test_a_key_that_could_not_be_searched_for_is_refused(key: str) -> None:
    with pytest.raises(TrackingError, match=r"(?s)2 problems.*key .*parent_key .*200 letters"):
        replace(INFO, key=key, parent_key=key)


def test_a_run_needs_an_experiment() -> None:
    with pytest.raises(TrackingError, match="experiment is empty"):
        replace(INFO, experiment=" ")
