"""What the workers of a standing group are handed, tried with threads in the place of workers."""

import threading

import pytest

from raymm.cluster.standing_group import Desk

PATHS = [f"run-{number}" for number in range(5)]
NEVER = lambda: False  # noqa: E731


RANKS = 3


def work(desk, trained, rank, together, lost_at=()):
    """Do as `_serve_on_rank`; ranks wait for each other in a run, and one that is lost leaves what it has begun."""
    number = 0
    while (order := desk.next(number)) is not None:
        number = order.number
        if order.path in lost_at:
            return
        together.wait(10)
        trained.append((rank, order.path, order.until))
        if rank == 0:
            desk.done(number, {})


def group(desk, trained, **more):
    together = threading.Barrier(RANKS)
    threads = [
        threading.Thread(target=work, args=(desk, trained, rank, together), kwargs=more) for rank in range(RANKS)
    ]
    for thread in threads:
        thread.start()
    return threads


def ended(threads):
    for thread in threads:
        thread.join(10)
    return not any(thread.is_alive() for thread in threads)


def test_every_rank_trains_every_run_in_order():
    desk, trained = Desk(), []
    threads = group(desk, trained)
    for until, path in enumerate(PATHS):
        assert desk.outcome(desk.give(path, until), NEVER) == {}
    desk.close()
    assert ended(threads)
    for rank in range(RANKS):
        found = [(path, until) for who, path, until in trained if who == rank]
        assert found == list(zip(PATHS, range(5), strict=True))


def test_the_next_group_is_handed_what_is_to_be_trained_now_and_nothing_else():
    desk, trained = Desk(), []
    threads = group(desk, trained, lost_at=("run-1",))
    assert desk.outcome(desk.give("run-0", None), NEVER) == {}
    lost = desk.give("run-1", None)
    assert ended(threads)
    assert desk.outcome(lost, lambda: True) is None
    number = desk.give("run-2", None)  # run-1 has been given up
    threads = group(desk, trained)
    assert desk.outcome(number, NEVER) == {}
    desk.close()
    assert ended(threads)
    assert {path for _, path, _ in trained} == {"run-0", "run-2"}


def test_an_outcome_that_came_before_its_group_was_lost_counts():
    desk = Desk()
    number = desk.give("run-0", None)
    desk.done(number, {"error": "DataError", "message": "words"})
    assert desk.outcome(number, lambda: True) == {"error": "DataError", "message": "words"}


@pytest.mark.parametrize("given", [0, 1])
def test_a_desk_that_is_closed_lets_its_workers_go(given):
    desk = Desk()
    for _ in range(given):
        desk.done(desk.give("run-0", None), {})
    desk.close()
    assert desk.next(given) is None
