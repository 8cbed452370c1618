"""A standing group, with threads in the place of Ray's workers: what they are handed, and what a lost group costs."""

import threading
from types import SimpleNamespace

import pytest

from raymm.cluster import standing_group
from raymm.cluster.standing_group import Desk, StandingGroup
from raymm.cluster.worker_group import GroupLostError
from raymm.config import ClusterConfig
from raymm.errors import ClusterError, DataError

RANKS = 2
LATER = 0.2
"""Seconds in which what must not happen would have happened."""


class LostError(Exception):
    """What Ray says of a group that was lost."""


class Handle:
    """The handle of an actor that is an object of this process."""

    def __init__(self, desk):
        self.desk = desk

    def __getattr__(self, name):
        return SimpleNamespace(remote=lambda *given: lambda: getattr(self.desk(), name)(*given))


class Group:
    """A standing group whose workers are threads, which train as `trains(rank, path)` says."""

    def __init__(self, monkeypatch, trains, max_failures=0):
        self.here, self.started, self.trained, self.idle_loss = threading.local(), 0, [], threading.Event()
        self.trains = trains
        rank = SimpleNamespace(get_world_rank=lambda: self.here.rank)
        train = SimpleNamespace(get_context=lambda: rank)
        monkeypatch.setattr(standing_group, "ray", SimpleNamespace(get=lambda call: call(), train=train))
        monkeypatch.setattr(standing_group, "run_worker_group", self.run)
        monkeypatch.setattr(standing_group, "train_on_rank", self.train_on_rank)
        cluster = ClusterConfig(workers=RANKS, max_failures=max_failures)
        self.standing = StandingGroup(Handle(lambda: self.standing.desk), cluster)

    def train_on_rank(self, settings):
        (path,) = settings["runs"]
        outcome = self.trains(self.here.rank, path)
        self.trained.append((self.here.rank, path.rsplit("/", 1)[-1], settings["until"]))
        return outcome or {}

    def run(self, function, settings, *_, restarts):
        assert restarts == 0
        self.started += 1
        lost = []

        def work(rank):
            self.here.rank = rank
            try:
                function(settings)
            except LostError:
                lost.append(rank)

        threads = [threading.Thread(target=work, args=(rank,), daemon=True) for rank in range(RANKS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not lost and not self.idle_loss.is_set():
            threads[0].join(0.01)
        if lost or self.idle_loss.is_set():
            self.idle_loss.clear()
            raise GroupLostError("training on Ray failed: lost") from LostError("a worker died")

    def train(self, folder, until=None):
        folder.mkdir()
        config = SimpleNamespace(cluster=None)
        self.standing.train(SimpleNamespace(path=folder, key="k" * 20, config=config), until)


@pytest.fixture(autouse=True)
def _nothing_to_report(monkeypatch):
    monkeypatch.setattr(standing_group, "reporting", lambda *_: threading.Lock())


def test_one_group_trains_all_runs_on_every_rank(monkeypatch, tmp_path):
    group = Group(monkeypatch, lambda *_: None)
    for number in range(4):
        group.train(tmp_path / str(number), number)
    group.standing.end()
    assert group.started == 1
    for rank in range(RANKS):
        assert [(path, until) for who, path, until in group.trained if who == rank] == [(str(n), n) for n in range(4)]


def test_a_run_is_done_when_every_rank_has_left_it(monkeypatch, tmp_path):
    """A rank that fails alone would otherwise begin the next run while another is still in this one."""
    still = threading.Event()

    def trains(rank, path):
        if path.endswith("first") and rank == 0:
            return {"error": "DataError", "message": "no such clip"}
        if path.endswith("first"):
            assert still.wait(10)
        return None

    group, told = Group(monkeypatch, trains), []

    def first():
        with pytest.raises(DataError, match="no such clip"):
            group.train(tmp_path / "first")
        told.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    thread.join(LATER)
    assert not told
    still.set()
    thread.join(10)
    assert told == ["first"]
    group.train(tmp_path / "second")
    assert group.started == 1
    assert sorted(path for _, path, _ in group.trained) == ["first"] * 2 + ["second"] * 2


def test_a_lost_group_is_replaced_and_the_next_trains_what_is_to_be_trained_now(monkeypatch, tmp_path):
    lost = []

    def trains(rank, path):
        if path.endswith("1") and rank == 1 and len(lost) < 2:
            lost.append(path)
            raise LostError

    group = Group(monkeypatch, trains, max_failures=2)
    for number in range(3):
        group.train(tmp_path / str(number))
    assert group.started == 3
    assert [path for rank, path, _ in group.trained if rank == 1] == ["0", "1", "2"]


@pytest.mark.parametrize(("restarts", "often"), [(0, ""), (2, r" 3 times \(cluster.max_failures=2\)")])
def test_a_run_that_is_lost_too_often_fails_and_the_next_is_trained(monkeypatch, tmp_path, restarts, often):
    def trains(rank, path):
        if path.endswith("bad"):
            raise LostError

    monkeypatch.setattr("raymm.cluster.worker_group._is_lost", lambda cause: isinstance(cause, LostError))
    group = Group(monkeypatch, trains, max_failures=restarts)
    with pytest.raises(ClusterError, match=f"^training on Ray failed{often}: "):
        group.train(tmp_path / "bad")
    assert group.started == restarts + 1
    group.train(tmp_path / "good")
    assert {path for _, path, _ in group.trained} == {"good"}


def test_a_group_that_was_lost_before_a_run_is_no_loss_of_that_run(monkeypatch, tmp_path):
    group = Group(monkeypatch, lambda *_: None, max_failures=0)
    group.train(tmp_path / "0")
    give = group.standing.desk.give

    def late(*given):
        """The loss is noticed after the run was left at the desk, where no worker has taken it."""
        group.standing.desk._group += 1
        give(*given)
        group.idle_loss.set()
        monkeypatch.setattr(group.standing.desk, "give", give)

    monkeypatch.setattr(group.standing.desk, "give", late)
    group.train(tmp_path / "1")
    assert group.started == 2
    assert [path for rank, path, _ in group.trained if rank == 0] == ["0", "1"]


def test_another_error_of_a_group_is_not_tried_again(monkeypatch, tmp_path):
    group = Group(monkeypatch, lambda *_: None, max_failures=3)
    started = []

    def refused(*_, **__):
        started.append(1)
        raise ClusterError("no resources")

    monkeypatch.setattr(standing_group, "run_worker_group", refused)
    with pytest.raises(ClusterError, match="no resources"):
        group.train(tmp_path / "0")
    assert len(started) == 1


def test_workers_of_a_group_before_are_sent_away_and_not_heard():
    desk = Desk(1)
    old = desk.begin()
    desk.give("run-0", None)
    new = desk.begin()
    assert desk.next(old, 0) is None
    desk.done(old, 0, {"error": "DataError", "message": "old"})
    assert desk.next(new, 0).path == "run-0"
    desk.done(new, 0, {})
    assert desk.outcome(lambda: True) == {}


def test_a_desk_that_is_closed_lets_its_workers_go():
    desk = Desk(1)
    group = desk.begin()
    desk.give("run-0", None)
    desk.close()
    assert desk.next(group, 0) is None
