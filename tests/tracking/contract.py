"""The contract of all trackers, as tests that any implementation can run.

Subclass `TrackerContract` for a tracker, or `RecordingContract` for one that can be read back, under a name that
begins with `Test`; pytest then runs these methods with its `tmp_path`.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from raymm.errors import TrackingError
from raymm.tracking.base import RunInfo, Tracker

__all__ = ["INFO", "RecordingContract", "Seen", "TrackerContract"]

INFO = RunInfo(
    key="study-7/sample.0",
    name="sample, seed 0",
    experiment="contract",
    params={"optimizer.lr": 0.001, "model.fusion": "concat", "view.flip": False, "training.threads": None},
    tags={"raymm.kind": "train"},
    description="Strategy **sample**",
)


@dataclass(frozen=True)
class Seen:
    """A run as its store shows it.

    Attributes
    ----------
    metrics
        The (step, value) pairs of each name, by step, and of a step the newest last.
    files
        Contents by path.
    params, tags
        As text; what a store adds by itself may be among the tags.
    description
        The newest, as it was told.
    status
        None where the store knows none.
    """

    metrics: dict[str, list[tuple[int, float]]]
    files: dict[str, bytes]
    params: dict[str, str]
    tags: dict[str, str]
    description: str
    status: str | None


class TrackerContract:
    """Any tracker can record a run, and the same run again."""

    @abstractmethod
    def tracker(self, folder: Path) -> Tracker:
        """A tracker of the run whose folder this is; asked again, one that goes on."""

    def test_a_run_can_be_told(self, tmp_path: Path) -> None:
        """All calls in their usual order, from start to end, and once more."""
        file = _file(tmp_path)
        for _ in range(2):
            tracker = self.tracker(tmp_path)
            tracker.start(INFO)
            tracker.log_epoch(0, {"val/accuracy": 0.5})
            tracker.log_summary({"test/accuracy": 0.5})
            tracker.log_tags({"raymm.best_trial": "3"})
            tracker.log_description("Best so far: trial 3. [Compare](children:score)")
            tracker.log_artifact(file, "tables")
            tracker.finish("FINISHED")

    def test_a_value_that_is_not_finite_stops_nothing(self, tmp_path: Path) -> None:
        """A diverged metric is no reason for an error."""
        tracker = self.tracker(tmp_path)
        tracker.start(INFO)
        tracker.log_epoch(0, {"train/loss": float("nan"), "val/loss": float("inf")})


class RecordingContract(TrackerContract):
    """A tracker that can be read back has each thing once."""

    @abstractmethod
    def seen(self) -> Seen:
        """What the store has of the run of `INFO`."""

    def test_epochs_are_steps(self, tmp_path: Path) -> None:
        """The step is the number of the epoch."""
        tracker = self.started(tmp_path)
        for epoch in range(3):
            tracker.log_epoch(epoch, {"val/accuracy": epoch / 4, "phi/val_audio": -0.5})
        seen = self.seen()
        assert seen.metrics["val/accuracy"] == [(0, 0.0), (1, 0.25), (2, 0.5)]
        assert seen.metrics["phi/val_audio"] == [(0, -0.5), (1, -0.5), (2, -0.5)]

    def test_the_same_epoch_counts_once(self, tmp_path: Path) -> None:
        """The first telling holds, also after a second start."""
        tracker = self.started(tmp_path)
        tracker.log_epoch(0, {"val/accuracy": 0.25})
        tracker.log_epoch(0, {"val/accuracy": 0.75})
        tracker.start(INFO)
        tracker.log_epoch(0, {"val/accuracy": 0.75})
        tracker.log_epoch(1, {"val/accuracy": 0.5})
        assert self.seen().metrics["val/accuracy"] == [(0, 0.25), (1, 0.5)]

    def test_the_summary_counts_once(self, tmp_path: Path) -> None:
        """Final metrics have one value, however often they are told, also after a second start."""
        for _ in range(2):
            tracker = self.started(tmp_path)
            tracker.log_summary({"test/accuracy": 0.5, "test/loss": float("nan")})
            tracker.log_summary({"test/accuracy": 0.5})
        assert self.seen().metrics == {"test/accuracy": [(0, 0.5)]}

    def test_a_newer_summary_wins_where_it_differs(self, tmp_path: Path) -> None:
        """A value may go down and come back; what is said no more, or has become NaN, stays."""
        tracker = self.started(tmp_path)
        tracker.log_summary({"best/val_accuracy": 0.5, "trials/finished": 3.0, "trials/failed": 1.0})
        for accuracy, finished in ((0.25, 4.0), (0.5, 5.0), (0.375, 6.0)):
            tracker.start(INFO)
            tracker.log_summary({"best/val_accuracy": accuracy, "trials/finished": finished})
        tracker.log_summary({"trials/failed": float("nan")})
        metrics = self.seen().metrics
        assert {name: pairs[-1][1] for name, pairs in metrics.items()} == {
            "best/val_accuracy": 0.375,
            "trials/finished": 6.0,
            "trials/failed": 1.0,
        }
        assert len(metrics["trials/failed"]) == 1

    def test_newer_tags_win_and_the_others_stay(self, tmp_path: Path) -> None:
        """The tags of the run's start are among them."""
        tracker = self.started(tmp_path)
        tracker.log_tags({"raymm.best_trial": "3", "raymm.note": "first"})
        tracker.log_tags({"raymm.best_trial": "7"})
        tracker = self.started(tmp_path)
        tracker.log_tags({"raymm.best_trial": "3"})
        expected = {"raymm.kind": "train", "raymm.best_trial": "3", "raymm.note": "first"}
        assert {name: self.seen().tags.get(name) for name in expected} == expected

    def test_a_newer_description_wins(self, tmp_path: Path) -> None:
        """Until one is told, that of the start holds; it may come back."""
        tracker = self.started(tmp_path)
        assert self.seen().description == INFO.description
        for text in ("Best so far: **trial 3**.", "Best so far: trial 7.", INFO.description, "Done."):
            tracker = self.started(tmp_path)
            tracker.log_description(text)
            assert self.seen().description == text

    def test_bad_and_reserved_tag_names_are_refused_together(self, tmp_path: Path) -> None:
        """The message names each of them, and none of the call's tags arrives."""
        tracker = self.started(tmp_path)
        bad = ["best@trial", "näme", "/best", "a//b", "", "x" * 251]
        own = ["mlflow.user", "mlflow.parentRunId", "raymm.key", "raymm.sent", "raymm.not_finite"]
        text = _refusal(partial(tracker.log_tags, {**dict.fromkeys([*bad, *own], "1"), "raymm.best_trial": "3"}))
        assert all(f"name {name!r}: use 1 to 250" in text for name in bad)
        assert all(f"name {name!r}: is written by the tracker itself" in text for name in own)
        assert "'raymm.best_trial': " not in text
        assert not {*bad, "raymm.best_trial"} & set(self.seen().tags)

    def test_values_that_are_not_finite_are_left_out(self, tmp_path: Path) -> None:
        """The finite ones of the same epoch stay."""
        tracker = self.started(tmp_path)
        tracker.log_epoch(0, {"train/loss": float("nan"), "val/loss": float("-inf"), "val/accuracy": 0.5})
        assert self.seen().metrics == {"val/accuracy": [(0, 0.5)]}

    def test_bad_metric_names_are_refused_together(self, tmp_path: Path) -> None:
        """The message names each of them."""
        tracker = self.started(tmp_path)
        bad = ["phi@audio", "loss(1)", "näme", "/loss", "val//loss", "val/../loss", "", "x" * 251]
        text = _refusal(partial(tracker.log_epoch, 0, {**dict.fromkeys(bad, 1.0), "val/accuracy": 0.5}))
        assert all(repr(name) in text for name in bad)
        assert "val/accuracy" not in text
        assert self.seen().metrics == {}

    def test_files_go_into_their_folder(self, tmp_path: Path) -> None:
        """An artifact told twice is there once."""
        tracker, file = self.started(tmp_path), _file(tmp_path)
        tracker.log_artifact(file, "tables/test")
        tracker.log_artifact(file, "tables/test")
        tracker.log_artifact(file)
        assert self.seen().files == {"tables/test/t.csv": b"a\n1\n", "t.csv": b"a\n1\n"}

    def test_a_file_that_has_changed_is_told_again(self, tmp_path: Path) -> None:
        """The run shows its newest content, also when it is an older one again."""
        for content in (b"trial\n1\n", b"trial\n1\n2\n", b"trial\n1\n"):
            tracker, file = self.started(tmp_path), _file(tmp_path)
            file.write_bytes(content)
            tracker.log_artifact(file, "sweep")
            assert self.seen().files == {"sweep/t.csv": content}

    def test_folders_outside_the_run_are_refused(self, tmp_path: Path) -> None:
        """However the way out is spelled."""
        tracker, file = self.started(tmp_path), _file(tmp_path)
        for folder in ("..", "../x", "a/../../x", "/etc", "a\\..\\x", "%2e%2e/x", "a#b", "a?b", "a\0b"):
            assert "within the run" in _refusal(partial(tracker.log_artifact, file, folder))
        assert self.seen().files == {}

    def test_params_are_all_there(self, tmp_path: Path) -> None:
        """Defaults and None included, so that runs can be compared by them."""
        self.started(tmp_path)
        assert self.seen().params == {
            "optimizer.lr": "0.001",
            "model.fusion": "concat",
            "view.flip": "False",
            "training.threads": "None",
        }

    def test_a_run_says_how_it_ended(self, tmp_path: Path) -> None:
        """A run that goes on is no longer killed; it can end well."""
        tracker = self.started(tmp_path)
        tracker.finish("KILLED")
        assert self.seen().status == "KILLED"
        tracker = self.tracker(tmp_path)
        tracker.start(INFO)
        assert self.seen().status in {None, "RUNNING"}
        tracker.finish("FINISHED")
        assert self.seen().status == "FINISHED"

    def started(self, folder: Path) -> Tracker:
        """A tracker that has begun the run of `INFO`."""
        tracker = self.tracker(folder)
        tracker.start(INFO)
        return tracker


def _refusal(call: Callable[[], None]) -> str:
    try:
        call()
    except TrackingError as cause:
        return str(cause)
    raise AssertionError(f"{call} was accepted")


def _file(folder: Path) -> Path:
    path = folder / "t.csv"
    path.write_text("a\n1\n")
    return path
