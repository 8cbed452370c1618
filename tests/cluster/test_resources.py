"""How many runs fit beside each other, worked out by hand for small clusters."""

import pytest

from raymm.cluster.resources import MOST_AT_ONCE, Totals, runs_at_once
from raymm.config import ClusterConfig


def at_once(nodes, totals=None, **cluster):
    has = [Totals(*node) for node in nodes]
    whole = totals or (sum(node.cpus for node in has), sum(node.gpus for node in has))
    return runs_at_once(ClusterConfig(**{"actors": 0, **cluster}), Totals(*whole), has)


@pytest.mark.parametrize(
    ("nodes", "workers", "count"),
    [
        ([(4, 0)], 2, 1),  # one node of four: a run of two workers of two
        ([(3, 0), (3, 0)], 1, 2),  # a CPU of each node is left over, and two halves are no worker
        ([(3, 0), (3, 0)], 2, 1),
        ([(3, 0), (3, 0), (3, 0)], 2, 1),  # 9 CPUs would be two runs of four
        ([(3, 0), (5, 0)], 1, 3),
        ([(1, 0), (1, 0), (1, 0), (1, 0)], 1, 0),
        ([(2, 0)], 2, 0),
        ([], 1, 0),
    ],
)
def test_a_worker_of_two_cpus_is_not_split_over_nodes(nodes, workers, count):
    assert at_once(nodes, workers=workers, cpus_per_worker=2) == count


def test_workers_of_one_run_may_lie_on_different_nodes():
    assert at_once([(1, 0), (1, 0)], workers=2) == 1
    assert at_once([(1, 0), (2, 0), (1, 0)], workers=2) == 2


def test_actors_without_cpus_take_no_room_and_others_do():
    assert at_once([(4, 0)], workers=2, actors=5) == 2
    assert at_once([(4, 0)], workers=2, actors=1, cpus_per_actor=1) == 1
    assert at_once([(4, 0)], workers=2, actors=3, cpus_per_actor=1) == 0


def test_actors_share_gpus_by_fractions():
    fractions = {"workers": 1, "gpus_per_worker": 0.5, "actors": 2, "gpus_per_actor": 0.25}
    assert at_once([(8, 1)], **fractions) == 1
    assert at_once([(8, 3)], **fractions) == 3
    assert at_once([(8, 1), (8, 1)], **fractions) == 2
    assert at_once([(8, 0)], **fractions) == 0
    assert at_once([(8, 1)], workers=1, gpus_per_worker=0.5, actors=1, gpus_per_actor=0.75) == 0


def test_tenths_of_a_gpu_add_up_to_one():
    assert at_once([(16, 1)], workers=1, gpus_per_worker=0.1) == 10


def test_a_part_needs_its_cpus_and_its_gpus_on_one_node():
    assert at_once([(8, 0), (0, 8)], workers=1, gpus_per_worker=1) == 0
    assert at_once([(4, 4), (4, 4)], workers=1, gpus_per_worker=1) == 8


def test_a_cluster_that_can_grow_counts_as_grown():
    cluster = {"workers": 2, "cpus_per_worker": 2, "actors": 1, "cpus_per_actor": 0}
    assert at_once([(2, 0)], **cluster) == 0
    assert at_once([(2, 0)], totals=(16, 0), **cluster) == 4
    assert at_once([], totals=(3, 0), **cluster) == 0
    assert at_once([(2, 0)], totals=(16, 4), workers=2, gpus_per_worker=1) == 2
    assert at_once([(2, 0)], totals=(16, 0), workers=2, gpus_per_worker=1) == 0


def test_there_is_an_end_to_it():
    assert at_once([(10**6, 0)], workers=1) == MOST_AT_ONCE
    assert at_once([(1, 0)], totals=(10**6, 0), workers=1) == MOST_AT_ONCE
