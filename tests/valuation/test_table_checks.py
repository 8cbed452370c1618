"""What the rows of any valuation table must be, and how ids that stand twice are found."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.errors import DataError
from raymm.valuation import read_table, write_table
from raymm.valuation.table_checks import repeated
from tests.valuation.test_table import make_table


@given(ids=st.lists(st.text(max_size=6).filter(lambda one: "\0" not in one), max_size=40))
@pytest.mark.parametrize("dtype", [np.str_, object])
def test_an_id_that_stands_twice_is_found_however_long_it_is(dtype, ids):
    found = repeated(np.array(ids, dtype))
    counts = {one: ids.count(one) for one in ids if ids.count(one) > 1}
    assert (found is None) == (not counts)
    if found is not None:
        assert ids.count(found[0]) > 1


def changed(table, name, row, value):
    column = getattr(table, name).copy()
    column[row] = value
    return dataclasses.replace(table, **{name: column})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("label", 7, "label 7 is outside the 3 classes"),
        ("prediction", -1, "prediction -1 is outside the 3 classes"),
        ("phi", -np.inf, "phi_.* -inf is not finite"),
    ],
)
def test_labels_and_values_that_no_valuation_gives_are_refused_by_sample(tmp_path, name, value, words):
    table = make_table()
    named = dataclasses.replace(table.info, classes=3, class_names=("x", "y", "z"))
    table = dataclasses.replace(table, info=named, label=table.label % 3, prediction=table.prediction % 3)
    write_table(tmp_path / "whole.parquet", table)
    assert len(read_table(tmp_path / "whole.parquet")) == len(table)
    write_table(
        tmp_path / "t.parquet",
        dataclasses.replace(changed(table, name, 1, value), info=dataclasses.replace(named, class_names=())),
    )
    with pytest.raises(DataError, match=rf"t\.parquet: [\s\S]*sample '{table.sample_id[1]}': {words}"):
        read_table(tmp_path / "t.parquet")


def test_names_that_are_not_as_many_as_the_classes_are_refused(tmp_path):
    table = make_table()
    wrong = dataclasses.replace(table.info, classes=99, class_names=("x", "y", "z", *map(str, range(60))))
    write_table(tmp_path / "t.parquet", dataclasses.replace(table, info=wrong))
    with pytest.raises(DataError, match="it is of 99 classes, and names 63"):
        read_table(tmp_path / "t.parquet")
