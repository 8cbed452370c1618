"""Who is told of progress: a bar, a subclass, nobody."""

import io

import pytest
from rich.console import Console

from raymm.api.bars import Bar
from raymm.api.progress import Epoch, Progress
from raymm.api.showing import showing
from raymm.api.stores import Store
from raymm.api.tracked import train_tracked
from raymm.errors import ConfigError
from raymm.tracking import MemoryTracker
from raymm.tracking.metrics import ROWS, TRAIN_LOSS, phi_metric, split_metric
from raymm.training.run import create_or_open
from tests.games import settings

METRICS = {TRAIN_LOSS: 0.5, ROWS: 96.0, split_metric("val", "accuracy"): 0.75, phi_metric("val", "m0"): 1.25}


def epoch(number, **more):
    return Epoch("run", number, 3, {**METRICS, **more}, "accuracy")


def test_an_epoch_is_a_line():
    assert str(epoch(2)) == "epoch   2/3  loss 0.500  val 0.750  phi m0 +1.25  96 rows"
    without = {name: value for name, value in METRICS.items() if name != split_metric("val", "accuracy")}
    other = Epoch("run", 1, 3, {**without, split_metric("val", "mAP"): 0.5}, "mAP")
    assert other.score() == "val mAP 0.500"
    small = Epoch("run", 1, 3, {**without, split_metric("val", "mae"): 4e-6}, "mae")
    assert small.score() == "val mae 4e-06"
    assert Epoch("run", 1, 3, without, "mAP").score() == "val mAP nan"


def test_a_bar_shows_epochs_items_and_lines_and_goes():
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=100))
    bar.on_epoch(epoch(1))
    bar.on_epoch(epoch(2))
    bar.on_line("trial [1] begins")
    bar.on_note("a window")
    assert list(bar.follow("abc", 3, "preparing")) == ["a", "b", "c"]
    bar.close()
    shown = screen.getvalue()
    assert "2/3" in shown
    assert "val accuracy 0.750" in shown
    assert "trial [1] begins" in shown
    assert "note: a window" in shown
    assert "preparing" in shown
    bar.close()  # once more does no harm


def test_auto_is_nothing_where_nobody_looks(monkeypatch):
    with showing("auto") as told:
        assert type(told) is Progress
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with showing("auto") as told:
        assert type(told) is Bar
    with showing(None) as told:
        assert type(told) is Progress
        assert list(told.follow([1, 2], 2, "")) == [1, 2]
    mine = Progress()
    with showing(mine) as told:
        assert told is mine


@pytest.mark.parametrize("wrong", [True, 3, "rich", Progress])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"give a raymm\.Progress"), showing(wrong):
        pass


def test_a_run_whose_heading_nobody_can_take_has_ended_in_the_store(tmp_path, dataset):
    class Closed(Progress):
        def on_start(self, heading):
            raise BrokenPipeError(heading.run)

    tracker, run = MemoryTracker(), create_or_open(tmp_path / "run", settings(), dataset)
    with pytest.raises(BrokenPipeError):
        train_tracked(run, dataset, "local", Store(tracker=lambda _: tracker), "e", Closed())
    assert tracker.info.key == run.key
    assert tracker.status == "FAILED"
