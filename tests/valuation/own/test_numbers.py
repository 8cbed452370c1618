"""Samples without ids are named by their place in the data set, also where each rank has a part of it."""

import logging

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, RandomSampler, Sampler

from raymm.valuation.own import BatchError, value_batches

ITEMS = [{"shown": torch.tensor([float(row % 2), float(row), 1.0]), "label": 0, "place": row} for row in range(11)]


def predict(batch, mask):
    """Logits that tell the place of each sample."""
    return batch["shown"] * mask[..., :1]


def table_of(loader, **named):
    return value_batches(predict, loader, modalities=["a", "b"], utility="logit", **named)


class Backwards(Sampler):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(range(len(self.items) - 1, -1, -1))


class Sharded(BatchSampler):
    """Every second batch, as a library gives a rank its part."""

    def __iter__(self):
        return (batch for number, batch in enumerate(super().__iter__()) if number % 2)


@pytest.mark.parametrize("form", ["sampler", "batches"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_ids_of_every_rank_are_places_in_the_data_set(world, shuffle, form, caplog):
    seen = []
    for rank in range(world):
        sampler = DistributedSampler(ITEMS, world, rank, shuffle=shuffle, seed=3)
        sampler.set_epoch(2)
        if form == "batches":
            loader = DataLoader(ITEMS, batch_sampler=BatchSampler(sampler, 2, drop_last=False))
        else:
            loader = DataLoader(ITEMS, 2, sampler=sampler, drop_last=True)
        with caplog.at_level(logging.WARNING):
            mine, named = table_of(loader), table_of(loader, ids="place")
        assert mine.sample_id.tolist() == named.sample_id.tolist()
        assert np.array_equal(mine.phi, named.phi)
        seen += mine.sample_id.tolist()
    assert "numbered as they come" not in caplog.text
    assert set(seen) <= {str(row) for row in range(11)}
    assert world == 1 or seen != [str(row) for row in range(len(seen))]


def test_places_that_are_given_as_numbers(caplog):
    loader = DataLoader(ITEMS, 4, sampler=[7, 3, 9, 0, 2])
    assert table_of(loader).sample_id.tolist() == ["7", "3", "9", "0", "2"]
    loader = DataLoader(ITEMS, batch_sampler=[[7, 3], [9], [0, 2]])
    assert table_of(loader).sample_id.tolist() == ["7", "3", "9", "0", "2"]
    assert not caplog.text


@pytest.mark.parametrize(
    ("loader", "words"),
    [
        (DataLoader(ITEMS, 4, sampler=Backwards(ITEMS)), "decided by its Backwards, and ids= names none"),
        (DataLoader(ITEMS, batch_sampler=Sharded(range(11), 4, drop_last=False)), "decided by its Sharded"),
        (DataLoader(ITEMS, batch_sampler=BatchSampler(RandomSampler(ITEMS), 4, drop_last=False)), "at random"),
    ],
)
def test_samplers_that_are_not_known_are_told(loader, words, caplog):
    table_of(loader)
    assert words in caplog.text
    assert caplog.text.count("numbered as they come") == 1
    caplog.clear()
    table_of(loader, ids="place")
    table_of(list(loader))
    assert not caplog.text


def test_a_batch_of_fewer_samples_than_were_drawn_is_refused():
    """Its collate function leaves some out, so that the others would have the ids of their neighbours."""

    def collate(items):
        return torch.utils.data.default_collate([item for item in items if item["place"] != 5])

    sampler = DistributedSampler(ITEMS, 2, 1, shuffle=False)
    loader = DataLoader(ITEMS, 2, sampler=sampler, collate_fn=collate)
    with pytest.raises(
        BatchError, match=r"it has 1 samples, and the sampler of the loader drew 2 .*; give ids="
    ) as said:
        table_of(loader)
    assert said.value.values.sample_id.tolist() == ["1", "3"]
    assert len(table_of(loader, ids="place")) == 5
