"""The example of a `Dataset` of one's own runs, and keeps what its comments say."""

import numpy as np

from raymm.data import open_dataset
from raymm.training.result import read_result
from tests.examples import example


def test_the_example_trains_and_values_and_keeps_speakers_whole(tmp_path):
    result, values = example("own_dataset").main(tmp_path / "own")
    assert len(read_result(tmp_path / "own").history) == 3
    assert result.metrics["test/accuracy"] > 0.6
    index = open_dataset(tmp_path / "own.data")
    assert len(index) == 120
    assert len(values.to_pandas()) == len(index.rows("test"))
    for group in np.unique(index.groups):
        assert len(set(index.shards.split[index.groups == group])) == 1
