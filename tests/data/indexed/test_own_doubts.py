"""What a data set of one's own looks like by mistake is said: keys that are misspelt or empty, one-hot labels."""

import numpy as np
import pytest
from torch.utils.data import Dataset

import raymm
from raymm.data.opening import open_data
from raymm.errors import DataError

LENGTH = 40


class Items(Dataset):
    """Vectors under "audio", changed item by item."""

    def __init__(self, change):
        self.change = change

    def __len__(self):
        return LENGTH

    def __getitem__(self, row):
        if row >= LENGTH:
            raise IndexError(row)
        item = {"audio": np.full(3, row, np.float32), "label": row % 2}
        self.change(row, item)
        return item


def said(folder, change):
    notes = []
    open_data(Items(change), folder / "index", None, notes.append)
    return "\n".join(notes)


def misspell(row, item):
    if row == 3:
        item["adio"] = item.pop("audio")


def test_a_misspelt_key_is_told_from_the_one_that_it_resembles(tmp_path):
    words = said(tmp_path, misspell)
    assert "'adio' is in 1 of the first 40 items, and 'audio' in 39, never both: is it misspelt?" in words


def test_keys_that_are_rare_or_always_none_are_told(tmp_path):
    def change(row, item):
        item["text"] = None
        if row == 7:
            item["pose"] = np.ones(2, np.float32)

    words = said(tmp_path, change)
    assert "'text' is None in all of the first 40 items" in words
    assert "'pose' is in 1 of the first 40 items only" in words


def test_two_like_names_that_stand_side_by_side_are_no_mistake(tmp_path):
    def change(row, item):
        item["audio2"] = item["audio"]

    words = said(tmp_path, change)
    assert "misspelt" not in words
    assert "only" not in words


@pytest.mark.parametrize("several", [False, True])
def test_one_hot_labels_are_hinted_at(tmp_path, several):
    def change(row, item):
        item["label"] = [1, int(several and row % 4 == 1)] if row % 2 else [0, 1]

    assert ("look like one-hot labels" in said(tmp_path, change)) is not several


def test_of_items_that_all_cannot_be_read_the_first_is_named(tmp_path):
    def change(row, item):
        item["audio"] = object()

    with pytest.raises(DataError, match="item 0: 'audio'"):
        open_data(Items(change), tmp_path / "index", None, lambda _: None)


def test_a_data_set_without_items_says_so(tmp_path):
    class Empty(Items):
        def __len__(self):
            return 0

    with pytest.raises(DataError, match="has no items"):
        open_data(Empty(lambda row, item: None), tmp_path / "index", None, lambda _: None)
    assert raymm.__version__
