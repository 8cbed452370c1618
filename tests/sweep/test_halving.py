"""Successive halving: who trains next, against its rules written once more; after a stop as if there was none."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.sweep.halving import Halving, Job, first_level, levels_of

NAN = math.nan


@pytest.mark.parametrize(
    ("first", "warmup", "epochs", "factor", "levels"),
    [
        (1, 0, 9, 3, (1, 3, 9)),
        (1, 0, 27, 3, (1, 3, 9, 27)),
        (2, 0, 32, 4, (2, 8, 32)),
        (6, 0, 60, 3, (6, 19, 60)),  # 60 / 6 is 3.16 squared
        (11, 5, 60, 3, (11, 23, 60)),  # 6, 18 and 55 after the warm-up
        (4, 5, 32, 2, (4, 8, 16, 32)),  # within the warm-up: it counts as any epoch
        (54, 0, 60, 3, (54, 60)),
        (60, 5, 60, 3, (60,)),
        (7, 0, 3, 2, (3,)),
        (1, 0, 2, 2, (1, 2)),
        (2, 0, 3, 100, (2, 3)),
    ],
)
def test_levels_lie_in_equal_ratios_from_the_first_to_the_end(first, warmup, epochs, factor, levels):
    assert levels_of(first, warmup, epochs, factor) == levels


@given(st.integers(1, 300), st.integers(0, 100), st.integers(1, 300), st.integers(2, 6))
def test_levels_grow_from_the_first_to_the_end(first, warmup, epochs, factor):
    levels = levels_of(first, warmup, epochs, factor)
    assert list(levels) == sorted(set(levels))
    assert levels[0] == min(first, epochs)
    assert levels[-1] == epochs


@pytest.mark.parametrize(
    ("trials", "warmup", "epochs", "factor", "first"),
    [
        (9, 0, 81, 3, 9),
        (26, 0, 81, 3, 9),
        (27, 0, 81, 3, 3),
        (2, 0, 81, 3, 27),  # once at least
        (12, 5, 60, 3, 11),
        (1000, 5, 10, 2, 6),  # an epoch after the warm-up at least
        (8, 0, 1, 2, 1),
    ],
)
def test_the_first_level_is_as_late_as_the_number_of_trials_allows(trials, warmup, epochs, factor, first):
    assert first_level(trials, warmup, epochs, factor) == first


@given(st.integers(2, 400), st.integers(0, 20), st.integers(21, 300), st.integers(2, 5))
def test_trials_are_divided_at_every_level_until_fewer_than_one_in_so_many_are_left(trials, warmup, epochs, factor):
    """Where there are enough epochs to tell levels apart."""
    levels = levels_of(first_level(trials, warmup, epochs, factor), warmup, epochs, factor)
    divisions = next(k for k in range(1, 20) if factor ** (k + 1) > trials)
    if epochs - warmup >= 4 * factor**divisions:
        assert len(levels) == divisions + 1


def names_of(count):
    return [f"t{number}" for number in range(count)]


def play(halving, scores, lanes, generator, jobs=None, most=10_000):
    """Train what is asked for, `lanes` at once, each job of any length; the jobs in order, and what still runs."""
    jobs, running = [] if jobs is None else jobs, []
    for _ in range(most):
        while len(running) < lanes and (job := halving.take()) is not None:
            running.append(job)
            jobs.append(job)
        if not running:
            break
        job = running.pop(generator.randrange(len(running)))
        halving.done(job.name, scores[job.name][job.level])
    return jobs, running


def test_nine_trials_one_after_the_other_by_hand():
    """All begin before the three best are promoted, and one of these trains to the end."""
    names = names_of(9)
    halving = Halving(names, levels=3, factor=3)
    scores = {name: [9.0 - number] * 3 for number, name in enumerate(names)}
    jobs, _ = play(halving, scores, 1, random.Random(0))
    assert jobs == [*[Job(name, 0) for name in names], *[Job(name, 1) for name in names[:3]], Job("t0", 2)]
    assert halving.over
    assert halving.waiting == names[1:]


@given(st.permutations(range(10)), st.integers(2, 4))
def test_one_after_the_other_the_best_of_all_are_promoted_in_whatever_order_they_came(ranks, factor):
    scores = {name: [float(rank)] * 2 for name, rank in zip(names_of(10), ranks, strict=True)}
    jobs, _ = play(Halving(list(scores), 2, factor), scores, 1, random.Random(0))
    promoted = [scores[job.name][0] for job in jobs if job.level == 1]
    assert promoted == list(range(9, 9 - 10 // factor, -1))


def test_with_a_place_for_each_who_comes_first_may_be_one_too_many():
    """The price of waiting for nobody, as in the paper: all have begun, and a place is free."""
    halving = Halving(names_of(6), levels=2, factor=3)
    taken = [halving.take() for _ in range(6)]
    promoted = []
    for score, job in enumerate(taken):
        halving.done(job.name, float(score))
        promoted.append(halving.take())
    assert promoted == [None, None, *[Job(f"t{number}", 1) for number in range(2, 6)]]


@st.composite
def games(draw):
    count, levels, factor = draw(st.integers(1, 12)), draw(st.integers(1, 4)), draw(st.integers(2, 4))
    of_a_trial = st.lists(st.integers(0, 5).map(float) | st.just(NAN), min_size=levels, max_size=levels)
    scores = {name: draw(of_a_trial) for name in names_of(count)}
    return scores, levels, factor, draw(st.integers(1, 4)), random.Random(draw(st.integers(0, 9)))


def allowed(told: Sequence[tuple[str, Job, float]], factor: int, names: Sequence[str]) -> bool:
    """Each promotion came after all had begun and was of one of the best so far, one in `factor` rounded down, or was
    of the best when all were idle."""
    reached: dict[int, dict[str, float]] = {}
    begun: set[str] = set()
    open_jobs = 0
    for what, job, score in told:
        if what == "done":
            reached.setdefault(job.level, {})[job.name] = -math.inf if math.isnan(score) else score
            open_jobs -= 1
            continue
        if job.level > 0:
            there = reached[job.level - 1]
            better = sum(
                (there[other], -names.index(other)) > (there[job.name], -names.index(job.name)) for other in there
            )
            if (better >= len(there) // factor and open_jobs) or begun != set(names):
                return False
        begun.add(job.name)
        open_jobs += 1
    return True


@given(games())
def test_any_number_at_once_in_any_order_follows_the_rules(game):
    scores, levels, factor, lanes, generator = game
    halving, told, running = Halving(list(scores), levels, factor), [], []
    while True:
        while len(running) < lanes and (job := halving.take()) is not None:
            running.append(job)
            told.append(("take", job, 0.0))
        assert bool(running) != halving.over
        if not running:
            break
        job = running.pop(generator.randrange(len(running)))
        halving.done(job.name, scores[job.name][job.level])
        told.append(("done", job, scores[job.name][job.level]))
    taken = [job for what, job, _ in told if what == "take"]
    assert len(set(taken)) == len(taken)
    assert {job.name for job in taken if job.level == 0} == set(scores)
    assert all(Job(job.name, job.level - 1) in taken for job in taken if job.level)
    assert any(job.level == levels - 1 for job in taken)
    assert allowed(told, factor, list(scores))
    ended = {job.name for job in taken if job.level == levels - 1}
    assert set(halving.waiting) == set(scores) - ended


@given(games(), st.integers(0, 20), st.booleans())
def test_a_resumed_one_goes_on_as_if_it_had_not_stopped(game, cut, in_the_middle):
    """One at once, so that there is one order; stopped between two jobs or in the middle of one."""
    scores, levels, factor, _, generator = game
    whole, _ = play(Halving(list(scores), levels, factor), scores, 1, generator)
    begun = whole[: cut + 1]
    done, rest = begun[:-1], whole[len(begun) - 1 :]
    again = Halving(list(scores), levels, factor)
    for name in scores:
        reached = [scores[name][job.level] for job in done if job.name == name]
        under_way = in_the_middle and begun[-1].name == name
        again.restore(name, reached, under_way=under_way, ended=len(reached) == levels)
    assert play(again, scores, 1, generator)[0] == rest


def test_too_few_for_one_in_so_many_let_the_best_go_to_the_end():
    scores = {"t0": [0.1, 0.5, 0.5], "t1": [0.2, 0.4, 0.4]}
    halving = Halving(list(scores), levels=3, factor=3)
    jobs, _ = play(halving, scores, 2, random.Random(0))
    assert jobs[-2:] == [Job("t1", 1), Job("t1", 2)]
    assert halving.waiting == ["t0"]


def test_where_the_last_one_fails_the_next_best_takes_its_place():
    halving = Halving(["a", "b"], levels=2, factor=3)
    for score in (0.9, 0.8):
        halving.done(halving.take().name, score)
    assert halving.take() == Job("a", 1)
    assert halving.take() is None
    assert not halving.over
    halving.lost("a")
    assert halving.take() == Job("b", 1)
    halving.lost("b")
    assert halving.over
    assert halving.waiting == []


def test_a_trial_that_fails_before_the_first_level_is_no_measure():
    halving = Halving(["a", "b", "c"], levels=2, factor=2)
    halving.take()
    halving.lost("a")
    halving.done(halving.take().name, 0.5)
    assert halving.take() == Job("c", 0)  # one of one is not one in two
    halving.done("c", 0.4)
    assert halving.take() == Job("b", 1)


def test_nan_is_the_worst_and_of_equals_the_first_is_better():
    halving = Halving(["a", "b", "c", "d"], levels=2, factor=2)
    for score in (NAN, 0.5, 0.5, -math.inf):
        halving.done(halving.take().name, score)
    assert [halving.take(), halving.take(), halving.take()] == [Job("b", 1), Job("c", 1), None]
    assert halving.waiting == ["a", "d"]
